//! How refunds look.

use anyhow::Result;
use store::refunds::RefundRecord;

use crate::cli::Global;
use crate::output;

pub fn one(global: &Global, refund: &RefundRecord) -> Result<()> {
    if global.json {
        return output::json(refund);
    }
    let mut rows = vec![
        ["refund".to_owned(), refund.refund_id.clone()],
        ["status".to_owned(), refund.status.to_string()],
        ["order".to_owned(), refund.order_id.clone()],
        ["amount".to_owned(), amount(refund)],
        ["reason".to_owned(), refund.reason.clone()],
        ["requested by".to_owned(), refund.requested_by.clone()],
        ["attempts".to_owned(), refund.attempts.to_string()],
        ["requested at".to_owned(), refund.created_at.to_string()],
    ];
    let instants = [
        ("retried at", refund.retried_at),
        ("sent at", refund.processing_at),
        ("ended at", refund.ended_at),
    ];
    for (name, instant) in instants {
        rows.extend(instant.map(|instant| [name.to_owned(), instant.to_string()]));
    }
    let texts = [
        ("retried by", &refund.retried_by),
        ("cancelled by", &refund.cancelled_by),
        ("refused", &refund.failure),
        ("reference", &refund.reference),
    ];
    for (name, text) in texts {
        rows.extend(text.clone().map(|text| [name.to_owned(), text]));
    }
    for line in &refund.lines {
        let stock = if line.restock {
            ", can be sold again"
        } else {
            ""
        };
        let units = format!(
            "{} x {} at {}{stock}",
            line.quantity, line.sku, line.unit_price
        );
        rows.push(["comes back".to_owned(), units]);
    }
    let rows = rows.into_iter();
    let rows = rows.map(|[name, value]| [name, output::plain(&value)]);
    outln!("{}", output::table(&["", ""], &[], rows));
    Ok(())
}

pub fn table(refunds: &[RefundRecord]) -> comfy_table::Table {
    let rows = refunds.iter().map(|refund| {
        [
            refund.refund_id.clone(),
            output::plain(&refund.order_id),
            refund.status.to_string(),
            amount(refund),
            refund.created_at.to_string(),
            output::plain(refund.failure.as_deref().unwrap_or(&refund.reason)),
        ]
    });
    let header = ["refund", "order", "status", "amount", "requested at", "why"];
    output::table(&header, &[3], rows)
}

fn amount(refund: &RefundRecord) -> String {
    let amount = output::amount(refund.amount, refund.currency);
    format!("{amount} {}", refund.currency)
}
