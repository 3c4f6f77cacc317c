//! What customers choose by a link in a mail: with a button of its page, or with the one that their mail program shows.

use api::document::one_of;
use api::optout::{Marks, PAGE};
use api::{Answer, At, Code, Problem, Segment, bytes, media_type};
use axum::extract::{Request, State};
use axum::http::header;
use axum::response::Response;
use domain::notification::Kind;
use domain::preferences::{Channel, Preferences};
use edge::optout::Subject;
use notices::Choice;
use utoipa::openapi::{ObjectBuilder, RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use crate::Shared;

/// No form of ours is as long.
const LONGEST_BODY: usize = 4 * 1024;

/// On record as who said so.
const BY: &str = "the customer, by a link in a mail";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wish {
    KindOff,
    KindOn,
    AllOff,
    AllOn,
}

impl Wish {
    const NAMES: [&str; 4] = ["kind_off", "kind_on", "all_off", "all_on"];

    fn parse(name: &str) -> Option<Wish> {
        let all = [Wish::KindOff, Wish::KindOn, Wish::AllOff, Wish::AllOn];
        let mut named = Wish::NAMES.into_iter().zip(all);
        named
            .find(|(known, _)| *known == name)
            .map(|(_, wish)| wish)
    }

    fn change(self, kind: Kind, preferences: &mut Preferences) {
        match self {
            Wish::KindOff => preferences.off.extend([kind]),
            Wish::KindOn => preferences.off.retain(|off| *off != kind),
            Wish::AllOff => preferences.channel = Channel::Log,
            Wish::AllOn => preferences.channel = Channel::Email,
        }
    }
}

/// One of these fields: the first is what mail programs send (RFC 8058), and means no mails at all.
pub struct OptOut;

const ONE_CLICK: (&str, &str) = ("List-Unsubscribe", "One-Click");
const CHOICE: &str = "choice";

impl PartialSchema for OptOut {
    fn schema() -> RefOr<Schema> {
        let form = ObjectBuilder::new();
        let form = form.property(ONE_CLICK.0, one_of([ONE_CLICK.1]));
        form.property(CHOICE, one_of(Wish::NAMES)).into()
    }
}

impl ToSchema for OptOut {}

/// Choose what is mailed to the owner of a link in a mail.
///
/// It may be repeated. What it answers is the page that shows what holds now, and offers to take it back.
#[utoipa::path(
    post, path = "/unsubscribe/{token}", tag = "customers", operation_id = "opt_out",
    params(("token" = String, Path), Marks),
    request_body(content((OptOut = "application/x-www-form-urlencoded"), (OptOut = "multipart/form-data"))),
    responses(
        (status = 200, description = "What holds now", body = String, content_type = PAGE),
        (status = 404, description = "No link of ours, said on a page; what can be no link at all is a problem", content(
            (String = "text/html"), (Problem = "application/problem+json"),
        )),
    ),
    security(())
)]
pub async fn choose(
    State(app): Shared,
    Segment(token): Segment,
    At(now): At,
    request: Request,
) -> Answer<Response> {
    let key = app.outside.link_key().await?;
    let Some(Subject { customer_id, kind }) = key.read(&token) else {
        return app.optout.show(Choice::WrongLink);
    };
    let wish = wish(request).await?;
    let change = |preferences: &mut Preferences| wish.change(kind, preferences);
    let changed = app.store.change_preferences(&customer_id, change, BY, now);
    match changed.await? {
        None => app.optout.show(Choice::Nobody),
        Some(preferences) => app.optout.show(Choice::Holds {
            kind,
            preferences: &preferences,
            changed: true,
        }),
    }
}

async fn wish(request: Request) -> Answer<Wish> {
    let kind = media_type(request.headers());
    let whole = request.headers().get(header::CONTENT_TYPE);
    let whole = whole.and_then(|value| value.to_str().ok());
    let whole = whole.unwrap_or_default().to_owned();
    let body = bytes(request, LONGEST_BODY).await?;
    let fields: Vec<(String, String)> = match kind.as_str() {
        "application/x-www-form-urlencoded" => form_urlencoded::parse(&body).into_owned().collect(),
        "multipart/form-data" => parts(&whole, &String::from_utf8_lossy(&body)),
        _ => {
            let detail = "the body has to be a form";
            return Err(Problem::new(Code::UnsupportedMediaType, detail));
        }
    };
    let value = |name: &str| {
        let found = fields.iter().find(|(found, _)| found == name);
        found.map(|(_, value)| value.as_str())
    };
    if value(ONE_CLICK.0) == Some(ONE_CLICK.1) {
        return Ok(Wish::AllOff);
    }
    let Some(name) = value(CHOICE) else {
        let detail = "this is missing";
        return Err(Problem::of_field(Code::MissingField, CHOICE, detail));
    };
    let known = || format!("one of {}", Wish::NAMES.join(", "));
    Wish::parse(name).ok_or_else(|| Problem::of_field(Code::InvalidField, CHOICE, known()))
}

/// The fields of a form that is sent in parts. A part that is none is passed over: what is missing is complained about.
fn parts(content_type: &str, body: &str) -> Vec<(String, String)> {
    let parameters = content_type.split(';').map(str::trim);
    let boundary = parameters.filter_map(|parameter| parameter.strip_prefix("boundary="));
    let boundary = boundary.map(|boundary| boundary.trim_matches('"')).next();
    let Some(boundary) = boundary.filter(|boundary| !boundary.is_empty()) else {
        return Vec::new();
    };
    let delimiter = format!("--{boundary}");
    let parts = body.split(delimiter.as_str()).skip(1);
    let fields = parts.filter_map(|part| {
        let (head, value) = part.split_once("\r\n\r\n")?;
        let name = head.split("; name=\"").nth(1)?.split('"').next()?;
        let value = value.strip_suffix("\r\n").unwrap_or(value);
        Some((name.to_owned(), value.to_owned()))
    });
    fields.collect()
}
