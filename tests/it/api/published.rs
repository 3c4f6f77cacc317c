//! The description that is published is what the routes say.

use crate::support::file;

const PATH: &str = "infra/api.openapi.json";

/// With `WRITE_API` set, this writes the file instead.
#[test]
fn the_published_description_is_what_the_routes_say() {
    let parts = [
        query::routes().into_openapi(),
        command::routes().into_openapi(),
    ];
    let document = api::document::joined(parts);
    let mut text = serde_json::to_string_pretty(&document).expect("json");
    text.push('\n');
    if std::env::var_os("WRITE_API").is_some() {
        std::fs::write(file(PATH), &text).expect("written");
    }
    let published = std::fs::read_to_string(file(PATH)).expect(PATH);
    assert!(
        published == text,
        "{PATH} is not what the routes say: WRITE_API=1 cargo test -p it the_published_description"
    );
}
