//! What an answer is wrapped in.

use serde::Serialize;
use store::page::Listed;
use utoipa::ToSchema;

#[derive(Debug, Serialize, ToSchema)]
pub struct Data<T> {
    success: bool,
    data: T,
}

impl<T> Data<T> {
    pub fn new(data: T) -> axum::Json<Data<T>> {
        let success = true;
        axum::Json(Data { success, data })
    }
}

/// A page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct Page<T> {
    success: bool,
    data: Vec<T>,
    /// The `cursor` of the next page; nothing on the last one. A page may be short, or empty, and have one.
    next: Option<String>,
}

impl<T> Page<T> {
    /// What was listed, as it is shown.
    pub fn of<R>(listed: Listed<R>, show: impl FnMut(R) -> T) -> axum::Json<Page<T>> {
        let data = listed.items.into_iter().map(show).collect();
        Page::new(data, listed.next.as_ref())
    }

    pub fn new<P: Serialize>(data: Vec<T>, next: Option<&P>) -> axum::Json<Page<T>> {
        axum::Json(Page {
            success: true,
            data,
            next: next.map(crate::paging::written),
        })
    }
}
