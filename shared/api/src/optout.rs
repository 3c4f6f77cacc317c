//! The page that links in mails lead to, as both functions show it: one says what holds, the other one changes it.

use std::sync::LazyLock;

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use domain::Fault;
use notices::{Choice, Notices, STYLE};
use sha2::{Digest, Sha256};
use utoipa::IntoParams;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn, ParameterStyle};
use utoipa::openapi::{ObjectBuilder, Required, Type};

use crate::problem::Answer;

/// What the description says that the page is.
pub const PAGE: &str = "text/html";

/// No script, no picture, no frame, one style, and forms that lead back here.
static POLICY: LazyLock<String> = LazyLock::new(|| {
    let style = BASE64_STANDARD.encode(Sha256::digest(STYLE));
    format!(
        "default-src 'none'; style-src 'sha256-{style}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
});

/// Read when somebody looks at the page, which is not what these functions are for.
static NOTICES: LazyLock<Result<Notices, Fault>> = LazyLock::new(Notices::new);

/// Programs on the way put marks of their own behind links: nobody shall be refused for these, who wants no more mails.
pub struct Marks;

impl IntoParams for Marks {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let text = ObjectBuilder::new().schema_type(Type::String);
        let marks = ObjectBuilder::new().additional_properties(Some(text));
        let parameter = ParameterBuilder::new()
            .name("marks")
            .parameter_in(ParameterIn::Query)
            .required(Required::False)
            .description(Some(
                "Whatever stands behind the link: it says nothing here.",
            ))
            .style(Some(ParameterStyle::Form))
            .explode(Some(true))
            .schema(Some(marks));
        vec![parameter.build()]
    }
}

pub struct OptOutPage {
    pub language: String,
}

impl OptOutPage {
    pub fn show(&self, choice: Choice<'_>) -> Answer<Response> {
        let status = match choice {
            Choice::WrongLink | Choice::Nobody => StatusCode::NOT_FOUND,
            Choice::Holds { .. } => StatusCode::OK,
        };
        let notices = NOTICES.as_ref().map_err(Fault::clone)?;
        let page = notices.page(&self.language, choice)?;
        let headers = [
            (header::CONTENT_TYPE, "text/html; charset=utf-8"),
            (header::CONTENT_SECURITY_POLICY, POLICY.as_str()),
        ];
        Ok((status, headers, page).into_response())
    }
}
