//! Figures as tables, for people.

use std::collections::BTreeSet;

use comfy_table::Table;
use domain::Reason;
use domain::tally::Figures;

use super::sheet::Sheet;
use crate::cli::figures::{By, Period};
use crate::output;

pub fn title(period: Period, zone: &str) -> String {
    let zone = output::plain(zone);
    match period.by {
        By::Day | By::Hours => format!("{}, {zone}", period.first),
        By::Days => format!("{} to {}, {zone}", period.first, period.last),
    }
}

/// All of the period: a column for each currency.
pub fn summary(sheets: &[Sheet], by: By) -> Table {
    let mut header = vec![""];
    header.extend(sheets.iter().map(|sheet| sheet.currency.code()));
    let right: Vec<usize> = (1..header.len()).collect();
    let row = |name: &str, value: &dyn Fn(&Sheet) -> String| {
        let mut row = vec![name.to_owned()];
        row.extend(sheets.iter().map(value));
        row
    };
    let mut rows = vec![
        row("gross revenue", &|of| amount(of, of.total.gross)),
        row("refunds", &|of| amount(of, of.total.refunds)),
        row("net revenue", &|of| amount(of, of.total.net())),
        row("orders", &|of| of.total.orders.to_string()),
        row("units", &|of| of.total.units.to_string()),
        row("average order value", &average),
        row(customers(by), &|of| of.customers.to_string()),
        row("refund count", &|of| of.total.refund_count.to_string()),
        row("failed orders", &|of| of.total.failed_orders().to_string()),
    ];
    let reasons = sheets.iter().flat_map(|sheet| sheet.total.failed.keys());
    for reason in reasons.collect::<BTreeSet<&Reason>>() {
        rows.push(row(&format!("  {reason}"), &|of| {
            let times = of.total.failed.get(reason);
            times.copied().unwrap_or_default().to_string()
        }));
    }
    output::table(&header, &right, rows)
}

/// Who ordered on two days is two of them, which the name has to say.
fn customers(by: By) -> &'static str {
    match by {
        By::Day | By::Hours => "unique customers",
        By::Days => "customer days",
    }
}

fn amount(sheet: &Sheet, amount: rust_decimal::Decimal) -> String {
    output::amount(amount, sheet.currency)
}

fn average(sheet: &Sheet) -> String {
    let average = sheet.total.average_order_value(sheet.currency);
    average.map_or("-".to_owned(), |average| amount(sheet, average))
}

/// A row for each day or hour, and their sum. Customers have none: who ordered twice is in two rows.
pub fn rows(sheet: &Sheet, by: By) -> Table {
    let name = match by {
        By::Day | By::Hours => format!("{}, hour", sheet.currency),
        By::Days => format!("{}, day", sheet.currency),
    };
    let header = [
        &name,
        "orders",
        "units",
        "gross",
        "refunds",
        "net",
        "failed",
        "customers",
    ];
    let rows = sheet.rows.iter().map(|row| {
        let customers = row.customers.to_string();
        line(sheet, &row.label, &row.figures, customers)
    });
    let total = line(sheet, "total", &sheet.total, String::new());
    let right: Vec<usize> = (1..header.len()).collect();
    output::narrow(output::table(&header, &right, rows.chain([total])))
}

fn line(sheet: &Sheet, label: &str, figures: &Figures, customers: String) -> [String; 8] {
    [
        label.to_owned(),
        figures.orders.to_string(),
        figures.units.to_string(),
        amount(sheet, figures.gross),
        amount(sheet, figures.refunds),
        amount(sheet, figures.net()),
        figures.failed_orders().to_string(),
        customers,
    ]
}

#[cfg(test)]
mod tests {
    use super::super::sheet::tests::{day, figures, sheets};
    use super::*;

    fn lines(table: &Table) -> Vec<String> {
        let lines = table.to_string();
        let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
        lines.lines().map(words).collect()
    }

    #[test]
    fn a_period_is_summed_up_by_currency() {
        let mut hour = figures(3, 1_000);
        hour.failed.insert(Reason::OutOfStock, 2);
        let days = [
            day("2026-03-01", &[(0, hour)], 3),
            day("2026-03-02", &[(0, figures(0, -250))], 0),
        ];
        let shown = lines(&summary(&sheets(&days, By::Days, None), By::Days));
        for line in [
            "USD",
            "gross revenue 10.00",
            "refunds 2.50",
            "net revenue 7.50",
            "average order value 3.33",
            "customer days 3",
            "refund count 1",
            "failed orders 2",
            "out_of_stock 2",
        ] {
            assert!(shown.iter().any(|shown| shown == line), "{line}: {shown:?}");
        }
        let none = lines(&summary(&sheets(&days, By::Day, Some("JPY")), By::Day));
        assert!(
            none.contains(&"average order value -".to_owned()),
            "{none:?}"
        );
        assert!(none.contains(&"unique customers 0".to_owned()), "{none:?}");
    }

    #[test]
    fn a_table_of_large_figures_fits_into_a_terminal() {
        let days = [
            day("2026-03-01", &[(0, figures(99_999, 123_456_789))], 9_999),
            day("2026-03-02", &[(0, figures(0, -250))], 0),
        ];
        let table = rows(&sheets(&days, By::Days, None)[0], By::Days);
        assert!(
            table
                .lines()
                .all(|line| line.trim_end().chars().count() <= 80)
        );
        let shown = lines(&table);
        assert_eq!(
            shown[2..],
            [
                "2026-03-01 99999 199998 1234567.89 0.00 1234567.89 0 9999",
                "2026-03-02 0 0 0.00 2.50 -2.50 0 0",
                "total 99999 199998 1234567.89 2.50 1234565.39 0",
            ]
        );
    }
}
