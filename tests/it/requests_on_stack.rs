//! What is asked of single products and customers, on the emulator's tables: the conditions are those of the service.

use crate::support::stack::deployed;
use crate::{conflicts, customers, products};

#[tokio::test]
async fn products_and_preferences_are_the_same_on_the_stack() {
    let deployed = deployed("requests").await;
    let store = deployed.stack.store().expect("a store");
    products::once_under_a_key(&store, "s").await;
    customers::preferences_are_kept(&store, "s").await;
    conflicts::conflicts_are_listed_by_row(&store, "s").await;
}
