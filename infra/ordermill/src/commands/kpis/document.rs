//! Figures as a document, for programs.

use domain::Currency;
use domain::tally::Figures;
use serde_json::{Map, Value, json};

use super::realtime::Realtime;
use super::sheet::{Row, Sheet};
use crate::cli::figures::{By, Period};
use crate::output;

pub fn of(period: Period, zone: &str, sheets: &[Sheet], realtime: Option<&Realtime>) -> Value {
    let currencies: Vec<Value> = sheets.iter().map(|of| sheet(of, period.by)).collect();
    let mut document = json!({
        "from": period.first, "to": period.last, "time_zone": zone, "currencies": currencies,
    });
    if let Some(realtime) = realtime {
        document["realtime"] = json!(realtime);
    }
    document
}

fn sheet(sheet: &Sheet, by: By) -> Value {
    let mut document = figures(&sheet.total, sheet.currency);
    document.insert("currency".to_owned(), json!(sheet.currency));
    // Nobody knows how many customers many days have: who ordered on two of them is counted twice.
    let customers = match by {
        By::Day | By::Hours => "unique_customers",
        By::Days => "customer_days",
    };
    document.insert(customers.to_owned(), json!(sheet.customers));
    let rows = |name| -> Vec<Value> {
        let rows = sheet.rows.iter();
        rows.map(|of| row(of, name, sheet.currency)).collect()
    };
    match by {
        By::Day => {}
        By::Hours => drop(document.insert("hours".to_owned(), json!(rows("hour")))),
        By::Days => drop(document.insert("days".to_owned(), json!(rows("date")))),
    }
    Value::Object(document)
}

fn row(row: &Row, name: &str, currency: Currency) -> Value {
    let mut document = figures(&row.figures, currency);
    document.insert(name.to_owned(), json!(row.label));
    document.insert("unique_customers".to_owned(), json!(row.customers));
    if let Some(begins) = &row.begins {
        let begins = begins.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string();
        document.insert("begins_at".to_owned(), json!(begins));
    }
    Value::Object(document)
}

fn figures(figures: &Figures, currency: Currency) -> Map<String, Value> {
    let amount = |amount| output::amount(amount, currency);
    let document = json!({
        "gross_revenue": amount(figures.gross), "refunds": amount(figures.refunds),
        "net_revenue": amount(figures.net()), "total_revenue": amount(figures.net()),
        "order_count": figures.orders, "units": figures.units,
        "average_order_value": figures.average_order_value(currency).map(amount),
        "failed_orders": figures.failed_orders(), "failed_by_reason": figures.failed,
        "refund_count": figures.refund_count,
    });
    match document {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::sheet::tests::{day, figures as some, sheets};
    use super::*;

    #[test]
    fn customers_of_many_days_are_not_called_unique() {
        let days = [day("2026-10-25", &[(2, some(3, 1_000))], 3)];
        let of = |by| sheet(&sheets(&days, by, None)[0], by);
        let whole = of(By::Day);
        assert_eq!(whole["unique_customers"], 3);
        assert_eq!(whole["gross_revenue"], "10.00");
        assert_eq!(whole["total_revenue"], whole["net_revenue"]);
        assert_eq!(whole["average_order_value"], "3.33");
        assert!(whole.get("days").is_none() && whole.get("hours").is_none());

        let hours = of(By::Hours);
        let hour = &hours["hours"][2];
        assert_eq!(
            (&hour["hour"], &hour["order_count"]),
            (&json!("02:00+02:00"), &json!(3))
        );
        assert_eq!(hour["begins_at"], "2026-10-25T02:00:00+02:00");
        assert_eq!(hours["hours"][3]["average_order_value"], Value::Null);

        let many = of(By::Days);
        assert!(many.get("unique_customers").is_none() && many["customer_days"] == 3);
        let first = &many["days"][0];
        assert_eq!(
            (&first["date"], &first["unique_customers"]),
            (&json!("2026-10-25"), &json!(3))
        );
    }
}
