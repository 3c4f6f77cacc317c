//! How an order looks.

use anyhow::Result;
use domain::refund::PaymentStatus;
use rust_decimal::Decimal;
use serde::Serialize;
use store::Store;
use store::dynamo::DynamoEngine;
use store::orders::{GivenBack, OrderRecord};
use store::refunds::RefundRecord;

use crate::cli::Global;
use crate::output;

/// All that is known of it, also of its refunds.
pub async fn show(
    global: &Global,
    store: &Store<DynamoEngine>,
    order: OrderRecord,
) -> Result<bool> {
    let refunds = store.refunds_of(&order.order_id).await?;
    let payment_status = order.payment_status();
    if global.json {
        output::json(&Document {
            order: &order,
            payment_status,
            refunds: &refunds,
        })?;
        return Ok(true);
    }
    let instant = |instant: Option<jiff::Timestamp>| {
        instant
            .map(|instant| instant.to_string())
            .unwrap_or_default()
    };
    let some = |amount: Decimal| match amount.is_zero() {
        true => String::new(),
        false => output::amount(amount, order.currency),
    };
    let mut rows = vec![
        ["order".to_owned(), order.order_id],
        [
            "status".to_owned(),
            format!(
                "{}{}",
                order.status,
                order
                    .failure
                    .map(|reason| format!(", {reason}"))
                    .unwrap_or_default()
            ),
        ],
        ["customer".to_owned(), order.customer_id],
        [
            "total".to_owned(),
            format!("{} {}", order.total, order.currency),
        ],
        ["adjustment".to_owned(), order.adjustment.to_string()],
        ["payment".to_owned(), order.payment.unwrap_or_default()],
        [
            "payment status".to_owned(),
            payment_status.map_or("", PaymentStatus::name).to_owned(),
        ],
        ["refunded".to_owned(), some(order.refunded)],
        ["on its way back".to_owned(), some(order.refunding)],
        ["pending until".to_owned(), instant(order.pending_until)],
        [
            "import, row".to_owned(),
            format!("{}, {}", order.import_id, order.row),
        ],
        ["batch".to_owned(), order.batch_id],
        ["reserved at".to_owned(), instant(Some(order.created_at))],
        ["paid at".to_owned(), instant(order.paid_at)],
        ["settled at".to_owned(), instant(order.settled_at)],
        ["shipped at".to_owned(), instant(order.shipped_at)],
        ["delivered at".to_owned(), instant(order.delivered_at)],
        ["cancelled at".to_owned(), instant(order.cancelled_at)],
    ];
    if let Some(payment) = order.late_payment {
        let how = match order.given_back {
            None => "to be given back",
            Some(GivenBack::Voided) => "voided",
            Some(GivenBack::Refunded) => "refunded",
        };
        let at = instant(order.given_back_at);
        rows.push(["paid too late".to_owned(), format!("{payment}, {how} {at}")]);
    }
    rows.retain(|[_, value]| !value.is_empty());
    for line in order.lines {
        rows.push([
            "line".to_owned(),
            format!("{} x {} at {}", line.quantity, line.sku, line.unit_price),
        ]);
    }
    outln!(
        "{}",
        output::table(
            &["", ""],
            &[],
            rows.into_iter()
                .map(|[name, value]| [name, output::plain(&value)])
        )
    );
    if !refunds.is_empty() {
        outln!("\n{}", super::super::refunds::show::table(&refunds));
    }
    Ok(true)
}

#[derive(Serialize)]
struct Document<'a> {
    #[serde(flatten)]
    order: &'a OrderRecord,
    payment_status: Option<PaymentStatus>,
    refunds: &'a [RefundRecord],
}
