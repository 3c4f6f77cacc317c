//! What a link in a mail leads to. Whoever looks changes nothing: programs that check mails open every link.

use api::optout::{Marks, PAGE};
use api::{Answer, Problem, Segment};
use axum::extract::State;
use axum::response::Response;
use edge::optout::Subject;
use notices::Choice;

use crate::Shared;

/// What the owner of a link in a mail gets by mail, as a page with buttons. It changes nothing.
#[utoipa::path(
    get, path = "/unsubscribe/{token}", tag = "customers", operation_id = "opt_out_page",
    params(("token" = String, Path), Marks),
    responses(
        (status = 200, description = "What holds", body = String, content_type = PAGE),
        (status = 404, description = "No link of ours, said on a page; what can be no link at all is a problem", content(
            (String = "text/html"), (Problem = "application/problem+json"),
        )),
    ),
    security(())
)]
pub async fn page(State(app): Shared, Segment(token): Segment) -> Answer<Response> {
    let key = app.outside.link_key().await?;
    let Some(Subject { customer_id, kind }) = key.read(&token) else {
        return app.optout.show(Choice::WrongLink);
    };
    match app.store.preferences(&customer_id).await? {
        None => app.optout.show(Choice::Nobody),
        Some(preferences) => app.optout.show(Choice::Holds {
            kind,
            preferences: &preferences,
            changed: false,
        }),
    }
}
