//! The description of the API: generated from the routes, and asked by them what a caller may do.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use axum::http::Method;
use domain::access::Scope;
use domain::limits::REQUEST_KEY_BYTES;
use serde_json::Value;
use utoipa::openapi::path::{Operation, Parameter, ParameterIn};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{
    ComponentsBuilder, Content, InfoBuilder, ObjectBuilder, OpenApi, OpenApiBuilder, PathItem, Ref,
    RefOr, ResponseBuilder, Schema, ServerBuilder, Type,
};
use utoipa::{PartialSchema, ToSchema};

use crate::caller::{Rule, Rules};
use crate::extract::IDEMPOTENCY_KEY;
use crate::problem::{CONTENT_TYPE, Code, Problem};

/// The whole description, both functions' parts of it. A test holds it to what the routes say.
pub const PUBLISHED: &str = include_str!("../../../infra/api.openapi.json");

const TOKEN: &str = "token";

/// Puts the parts of the functions together.
pub fn joined(parts: impl IntoIterator<Item = OpenApi>) -> OpenApi {
    let info = InfoBuilder::new()
        .title("ordermill")
        .version("1")
        .description(Some(
            "Bulk orders: imports, orders, refunds, figures, and what is stuck. Amounts are decimal strings in their \
             currency, and numbers where figures have always been numbers. Lists come in pages: `next` is the `cursor` \
             of the next one. What an operation does not describe it refuses with 400: a parameter, a field, and a body \
             where there is none, but for an empty one and `{}`.",
        ))
        .build();
    let token = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some(
            "Made by `ordermill token create`. Each operation names the scope that it takes.",
        ))
        .build();
    let components = ComponentsBuilder::new()
        .security_scheme(TOKEN, SecurityScheme::Http(token))
        .schema(Problem::name(), Problem::schema())
        .schema(Code::name(), Code::schema())
        .build();
    let server = ServerBuilder::new().url("/api").build();
    let mut whole = OpenApiBuilder::new()
        .info(info)
        .servers(Some([server]))
        .components(Some(components))
        .build();
    for part in parts {
        whole.merge(part);
    }
    for item in whole.paths.paths.values_mut() {
        each_operation(item, complete);
    }
    whole
}

/// What every operation may answer besides its own.
fn complete(_method: Method, operation: &mut Operation) {
    let parameters = operation.parameters.iter_mut().flatten();
    for parameter in parameters {
        if let RefOr::T(parameter) = parameter {
            parameter.schema = match parameter.name.eq_ignore_ascii_case(IDEMPOTENCY_KEY) {
                true => Some(key_schema()),
                false => parameter.schema.take().map(never_null),
            };
        }
    }
    let mut codes: BTreeSet<u16> = BTreeSet::from([400, 429, 500, 503]);
    let parameters = operation.parameters.as_ref();
    if parameters.is_some_and(|parameters| !parameters.is_empty()) {
        let in_path = |parameter: &RefOr<Parameter>| matches!(parameter, RefOr::T(one) if one.parameter_in == ParameterIn::Path);
        if parameters.is_some_and(|parameters| parameters.iter().any(in_path)) {
            codes.insert(404);
        }
        codes.insert(422);
    }
    if operation.request_body.is_some() {
        codes.extend([413, 415, 422]);
    }
    if scope(operation).is_some() {
        codes.extend([401, 403]);
    }
    let responses = &mut operation.responses.responses;
    for code in codes {
        let response = ResponseBuilder::new().description(described(code)).build();
        responses.entry(code.to_string()).or_insert(response.into());
    }
    // What says no more of a refusal than why, is a problem.
    for (code, response) in responses {
        if let RefOr::T(response) = response
            && code.as_str() >= "400"
            && response.content.is_empty()
        {
            let problem = Content::new(Some(Ref::from_schema_name(Problem::name())));
            response
                .content
                .insert(CONTENT_TYPE.to_owned(), problem.into());
        }
    }
}

/// One of these texts.
pub fn one_of<const N: usize>(names: [&'static str; N]) -> RefOr<Schema> {
    let schema = ObjectBuilder::new().schema_type(Type::String);
    schema.enum_values(Some(names)).into()
}

/// Printable ASCII, and no blank at its ends, which no header keeps.
fn key_schema() -> RefOr<Schema> {
    let schema = ObjectBuilder::new().schema_type(Type::String);
    let schema = schema.max_length(Some(REQUEST_KEY_BYTES));
    schema.pattern(Some("^[!-~]([ -~]*[!-~])?$")).into()
}

/// What is left out of a path, a query or a header is left out: nothing there is null.
fn never_null(schema: RefOr<Schema>) -> RefOr<Schema> {
    let Ok(mut json) = serde_json::to_value(&schema) else {
        return schema;
    };
    let is_null = |kind: &Value| kind == "null" || kind["type"] == "null";
    for list in ["type", "oneOf"] {
        let Some(kinds) = json[list].as_array_mut() else {
            continue;
        };
        kinds.retain(|kind| !is_null(kind));
        if let [only] = &kinds[..] {
            let only = only.clone();
            match list {
                "type" => json["type"] = only,
                _ => json = only,
            }
        }
    }
    serde_json::from_value(json).unwrap_or(schema)
}

fn described(code: u16) -> &'static str {
    match code {
        400 => "The request cannot be read: `field` names the part that is wrong",
        401 => "No token, or none that is valid",
        403 => "The token does not have the scope",
        404 => "Nothing has this name",
        413 => "The body is too long",
        415 => "The body is of another type",
        422 => "The request can be read, and breaks a rule",
        429 => "Too many requests",
        500 => "An error of ours",
        _ => "Not now: try again in a moment",
    }
}

/// What the routes of a description ask of their callers.
pub fn rules(document: &OpenApi) -> Rules {
    let mut rules = Rules::default();
    for (path, item) in &document.paths.paths {
        each_operation(&mut item.clone(), |method, operation| {
            let rule = Rule {
                scope: scope(operation),
                parameters: parameters(operation),
                takes_body: operation.request_body.is_some(),
            };
            rules.set(method, path, rule);
        });
    }
    rules
}

fn scope(operation: &Operation) -> Option<Scope> {
    let security = serde_json::to_value(operation.security.as_ref()?).ok()?;
    security.pointer("/0/token/0")?.as_str()?.parse().ok()
}

/// The names of what may stand behind the question mark; nothing where anything may.
fn parameters(operation: &Operation) -> Option<Vec<String>> {
    let described = operation.parameters.iter().flatten();
    let in_query = described.filter_map(|parameter| match parameter {
        RefOr::T(one) if one.parameter_in == ParameterIn::Query => Some(one),
        _ => None,
    });
    let names = in_query.map(|one| match &one.schema {
        Some(RefOr::T(Schema::Object(schema))) if schema.additional_properties.is_some() => None,
        _ => Some(one.name.clone()),
    });
    names.collect()
}

fn each_operation(item: &mut PathItem, mut each: impl FnMut(Method, &mut Operation)) {
    for (method, operation) in [
        (Method::GET, &mut item.get),
        (Method::PUT, &mut item.put),
        (Method::POST, &mut item.post),
        (Method::DELETE, &mut item.delete),
    ] {
        if let Some(operation) = operation {
            each(method, operation);
        }
    }
}

/// The methods that a path takes, in either function. None, where there is no such path.
pub fn methods(path: &str) -> Vec<String> {
    static PATHS: LazyLock<Vec<(String, Vec<String>)>> = LazyLock::new(|| {
        let document: Value = serde_json::from_str(PUBLISHED).unwrap_or_default();
        let paths = document["paths"].as_object().into_iter().flatten();
        let methods = |item: &Value| {
            let methods = item.as_object().into_iter().flatten();
            methods.map(|(method, _)| method.to_uppercase()).collect()
        };
        paths
            .map(|(path, item)| (path.clone(), methods(item)))
            .collect()
    });
    let is_named = |(template, _): &&(String, Vec<String>)| template == path;
    let fits = |(template, _): &&(String, Vec<String>)| fits(template, path);
    // What is named is meant, also where something else has a place for any name.
    let found = PATHS
        .iter()
        .find(is_named)
        .or_else(|| PATHS.iter().find(fits));
    found
        .map(|(_, methods)| methods.clone())
        .unwrap_or_default()
}

fn fits(template: &str, path: &str) -> bool {
    let (mut wanted, mut given) = (template.split('/'), path.split('/'));
    loop {
        match (wanted.next(), given.next()) {
            (None, None) => return true,
            (Some(wanted), Some(given)) if wanted == given => {}
            (Some(wanted), Some(given)) if wanted.starts_with('{') && !given.is_empty() => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_fits_its_template() {
        assert!(fits("/orders/{id}/refunds", "/orders/A%2F1/refunds"));
        assert!(fits("/orders", "/orders"));
        for other in [
            "/orders/",
            "/orders//refunds",
            "/orders/1/refunds/2",
            "/refunds",
        ] {
            assert!(!fits("/orders/{id}/refunds", other), "{other}");
        }
    }
}
