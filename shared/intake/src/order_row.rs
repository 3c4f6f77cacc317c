//! One row of an order file to what it asks for: an order, or a line of one.

use domain::ids;
use domain::order::{Contact, Draft, Line, Order, check_contact};
use rust_decimal::Decimal;

use crate::cells::Cells;
use crate::code::{Code, Refusal, Wrong};
use crate::columns::{Column, Header};
use crate::items::{self, Items};
use crate::layout::{Layout, Lines};
use crate::reader::Settings;
use crate::values::{self, Currencies};

/// What names an order that has no id.
#[derive(Clone, Copy)]
pub(crate) struct Naming<'a> {
    pub row: u64,
    pub content: &'a str,
}

pub(crate) struct Asked {
    pub draft: Draft,
    pub contact: Contact,
}

impl Asked {
    /// Whether the total that a row declares is what its line comes to.
    pub fn is_own(row: &Draft) -> bool {
        !row.priced_by_catalog && row.declared_total == sum(&row.lines)
    }

    pub fn order(self, header: &Header, settings: &Settings) -> Result<(Order, Contact), Refusal> {
        let order = Order::new(self.draft, settings.total_policy);
        Ok((order.map_err(|error| header.refuse(error))?, self.contact))
    }
}

pub(crate) fn read(
    header: &Header,
    layout: &Layout,
    naming: Naming<'_>,
    cells: &Cells<'_>,
    currencies: &mut Currencies,
) -> Result<Asked, Refusal> {
    let own = |text: &str| Ok(text.to_owned());
    let order_id = if layout.has_order_id {
        cells.required(Column::OrderId, own)?
    } else {
        ids::order_id(naming.content, naming.row)
    };
    let customer_id = if layout.has_customer_id {
        cells.required(Column::CustomerId, own)?
    } else {
        cells.required(Column::Email, |email| Ok(ids::customer_id(email)))?
    };
    let currency = cells
        .read(Column::Currency, |code| currencies.read(code))?
        .unwrap_or(currencies.default);
    let in_cents = |column: Column| matches!(column, Column::UnitPriceCents | Column::TotalCents);
    let amount = |column: Column| {
        move |text: &str| {
            if in_cents(column) {
                values::cents(text, currency)
            } else {
                values::amount_in_cell(text, currency)
            }
        }
    };
    let items = match layout.lines {
        Lines::Items => {
            let in_cents = layout.total.is_some_and(in_cents);
            cells.required(Column::Items, |text| items::read(text, currency, in_cents))?
        }
        Lines::Row { sku, price, .. } => Items {
            unpriced: price.is_none(),
            in_units: false,
            lines: vec![Line {
                sku: cells.required(sku, own)?,
                quantity: cells.required(Column::Quantity, values::quantity)?,
                unit_price: match price {
                    None => Decimal::ZERO,
                    Some(price) => cells.required(price, amount(price))?,
                },
            }],
        },
    };
    let mut declared_total = match layout.total {
        None => None,
        Some(total) => cells.read(total, amount(total))?,
    };
    let in_cents = layout.total.is_some_and(in_cents);
    if in_cents && items.in_units && !items.unpriced && declared_total != sum(&items.lines) {
        let message = "prices that may be cents as well, and do not add up to the total";
        return Err(Wrong::new(Code::BadItems, message).at(header.name(Column::Items)));
    }
    if let (Lines::Row { joined: true, .. }, Some(Column::LineTotal), None) =
        (layout.lines, layout.total, declared_total)
    {
        // The lines' totals make the order's: one that is not said is what it comes to.
        declared_total = Some(line_total(header, &items)?);
    }
    let contact = Contact {
        customer_id: customer_id.clone(),
        name: cells.optional(Column::CustomerName),
        email: cells.optional(Column::Email),
        phone: cells.optional(Column::Phone),
        address: cells.optional(Column::Address),
    };
    check_contact(&contact).map_err(|error| header.refuse(error))?;
    let draft = Draft {
        order_id,
        row: naming.row,
        customer_id,
        currency,
        declared_total,
        lines: items.lines,
        priced_by_catalog: items.unpriced,
        ordered_at: cells.read(Column::OrderDate, values::date)?,
    };
    Ok(Asked { draft, contact })
}

fn line_total(header: &Header, items: &Items) -> Result<Decimal, Refusal> {
    let name = header.name(Column::LineTotal);
    let refused = |code, message: &str| Wrong::new(code, message).at(name);
    if items.unpriced {
        return Err(refused(Code::MissingValue, "neither a price nor a total"));
    }
    sum(&items.lines).ok_or_else(|| refused(Code::AmountTooLarge, "the amount is too large"))
}

fn sum(lines: &[Line]) -> Option<Decimal> {
    lines.iter().try_fold(Decimal::ZERO, |sum, line| {
        let amount = line.unit_price.checked_mul(line.quantity.into())?;
        sum.checked_add(amount)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::code::Code;
    use crate::reader::Row;
    use crate::reader::tests::{read as read_file, settings};
    use domain::order::TotalPolicy;
    use proptest::prelude::*;
    use rust_decimal::Decimal;

    /// The one row of a file.
    fn row(settings: Settings, header: &str, row: &str) -> Row {
        let file = format!("{header}\n{row}\n");
        let rows = read_file(settings, [file.as_bytes()]).expect(header);
        assert_eq!(rows.len(), 1, "{row}");
        rows.into_iter().next().expect("a row")
    }

    fn refused(settings: Settings, header: &str, line: &str, code: Code, column: &str) {
        match row(settings, header, line) {
            Row::Reject(reject) => {
                assert_eq!(
                    (reject.code, reject.column.as_str()),
                    (code, column),
                    "{line}"
                );
                assert_eq!(reject.original, line.as_bytes());
                assert!(!reject.message.is_empty());
            }
            Row::Order { order, .. } => panic!("{line} was taken: {order:?}"),
        }
    }

    #[test]
    fn every_column_finds_its_field() {
        let header = " Qty,PRICE,sku,Order ID,customer_id,Email,phone,\"Shipping Address\",name,currency,date,Total,x";
        let line = " 2 , 9.90,A-1, O-1 ,C-1,a@example.com,+1 555,\"1 Main St\nTown\",Ada,eur,2026-01-31,19.79,y";
        let Row::Order { order, contact, .. } = row(settings(), header, line) else {
            panic!("{line} was rejected");
        };
        assert_eq!(
            (
                order.order_id.as_str(),
                order.customer_id.as_str(),
                order.row
            ),
            ("O-1", "C-1", 1)
        );
        assert_eq!(
            (order.total, order.adjustment),
            (Decimal::new(1979, 2), Decimal::new(-1, 2))
        );
        assert_eq!(order.currency.code(), "EUR");
        assert_eq!(order.ordered_at.as_deref(), Some("2026-01-31"));
        let expected = Contact {
            customer_id: "C-1".to_owned(),
            name: Some("Ada".to_owned()),
            email: Some("a@example.com".to_owned()),
            phone: Some("+1 555".to_owned()),
            address: Some("1 Main St\nTown".to_owned()),
        };
        assert_eq!(contact, expected);
    }

    #[test]
    fn empty_optional_cells_say_nothing() {
        let header = "order_id,customer_id,items,total,currency,order_date,customer_name,email,phone,address";
        let line = "O-1,C-1,\"[{\"\"sku\"\":\"\"A\"\",\"\"qty\"\":1,\"\"price\"\":5}]\",, ,,,,,  ";
        let Row::Order { order, contact, .. } = row(settings(), header, line) else {
            panic!("{line} was rejected");
        };
        assert!(contact.is_empty());
        assert_eq!(order.total, Decimal::new(500, 2));
        assert_eq!((order.ordered_at, order.currency.code()), (None, "USD"));
    }

    #[test]
    fn a_row_of_one_sku_is_refused_at_the_column_that_is_wrong() {
        let long = "x".repeat(600);
        for (line, code, column) in [
            ("O,C,A,1,1,,,", Code::WrongCellCount, ""),
            ("O,C,A,1", Code::WrongCellCount, ""),
            (" ,C,A,1,1,,", Code::MissingValue, "order_id"),
            ("O,,A,1,1,,", Code::MissingValue, "customer_id"),
            ("O,C,,1,1,,", Code::MissingValue, "SKU"),
            ("O,C,A,,1,,", Code::MissingValue, "qty"),
            ("O,C,A,1,,,", Code::MissingValue, "price"),
            ("O,C,A,0,1,,", Code::BadQuantity, "qty"),
            ("O,C,A,-1,1,,", Code::BadQuantity, "qty"),
            ("O,C,A,1.0,1,,", Code::BadQuantity, "qty"),
            ("O,C,A,1000001,1,,", Code::BadQuantity, "qty"),
            ("O,C,A,1,1e3,,", Code::NotAnAmount, "price"),
            ("O,C,A,1,\"1,500\",,", Code::AmbiguousAmount, "price"),
            ("O,C,A,1,12.345,,", Code::AmountTooPrecise, "price"),
            ("O,C,A,1,12.5,JPY,", Code::AmountTooPrecise, "price"),
            ("O,C,A,1,-1,,", Code::NegativeAmount, "price"),
            ("O,C,A,1000,1000000000000,,x", Code::BadDate, "order_date"),
            (
                "O,C,A,1000000,1000000000000,,",
                Code::AmountTooLarge,
                "price",
            ),
            (
                "O,C,A,1,99999999999999999999999999999999,,",
                Code::AmountTooLarge,
                "price",
            ),
            ("O,C,A,1,1,XXX,", Code::BadCurrency, "currency"),
            ("O,C,\"A\nB\",1,1,,", Code::ControlCharacter, "SKU"),
            (&format!("{long},C,A,1,1,,"), Code::TextTooLong, "order_id"),
        ] {
            refused(
                settings(),
                "order_id,customer_id,SKU,qty,price,currency,order_date",
                line,
                code,
                column,
            );
        }
        let header = "order_id,customer_id,sku,qty,price,Note,email";
        refused(
            settings(),
            header,
            &format!("O,C,A,1,1,,{long}"),
            Code::TextTooLong,
            "email",
        );
    }

    #[test]
    fn a_row_of_items_is_refused_at_the_items() {
        let items = |item: &str, count: usize| format!("[{}]", vec![item; count].join(","));
        let good = "{'sku':'A','qty':1,'price':1}";
        for (total, items, code, column) in [
            ("1", String::new(), Code::MissingValue, "Items"),
            ("1", "[]".to_owned(), Code::NoItems, "Items"),
            ("91", items(good, 91), Code::TooManyItems, "Items"),
            ("1", "SKU-1:2:1999".to_owned(), Code::BadItems, "Items"),
            (
                "1",
                items("{'sku':'A','qty':1}", 1),
                Code::MissingValue,
                "Items",
            ),
            (
                "1",
                items("{'sku':'A','qty':1,'price':1.234}", 1),
                Code::AmountTooPrecise,
                "Items",
            ),
            (
                "1",
                items("{'sku':'A','qty':1,'price':1e0}", 1),
                Code::NotAnAmount,
                "Items",
            ),
            (
                "1",
                items("{'sku':'A','qty':1,'price':-1}", 1),
                Code::NegativeAmount,
                "Items",
            ),
            (
                "1",
                items("{'sku':'A','qty':2000000,'price':1}", 1),
                Code::BadQuantity,
                "Items",
            ),
            (
                "1",
                items("{'sku':'A\\u0007','qty':1,'price':1}", 1),
                Code::ControlCharacter,
                "Items",
            ),
            ("1.001", items(good, 1), Code::AmountTooPrecise, "Total"),
            ("-1", items(good, 1), Code::NegativeAmount, "Total"),
            ("one", items(good, 1), Code::NotAnAmount, "Total"),
            ("2", items(good, 1), Code::TotalDiffers, "Total"),
        ] {
            let strict = Settings {
                total_policy: TotalPolicy::Strict,
                ..settings()
            };
            let line = format!("O,C,{total},\"{}\"", items.replace('\'', "\"\""));
            refused(
                strict,
                "order_id,customer_id,Total,Items",
                &line,
                code,
                column,
            );
        }
    }

    /// Surrounding blanks would go, so there are none.
    fn text() -> impl Strategy<Value = String> {
        "[a-zA-Z0-9é\",;'-]([a-zA-Z0-9é\", ;'-]{0,18}[a-zA-Z0-9é\",;'-])?"
    }

    proptest! {
        #[test]
        fn what_a_csv_writer_writes_is_read_back(
            rows in prop::collection::vec((text(), text(), text(), 1u32..1_000_000, 0i64..1_000_000_000), 1..20),
            crlf in any::<bool>(),
            quotes in any::<bool>(),
        ) {
            let mut writer = csv::WriterBuilder::new()
                .terminator(if crlf { csv::Terminator::CRLF } else { csv::Terminator::Any(b'\n') })
                .quote_style(if quotes { csv::QuoteStyle::Always } else { csv::QuoteStyle::Necessary })
                .from_writer(Vec::new());
            writer.write_record(["order_id", "customer_id", "customer_name", "sku", "quantity", "unit_price"])?;
            for (order_id, customer_id, sku, quantity, cents) in &rows {
                let price = Decimal::new(*cents, 2).to_string();
                writer.write_record([order_id, customer_id, customer_id, sku, &quantity.to_string(), &price])?;
            }
            let file = writer.into_inner().map_err(|error| error.into_error())?;
            let read = read_file(settings(), file.chunks(7)).expect("a file of orders");
            prop_assert_eq!(read.len(), rows.len());
            for (row, (order_id, customer_id, sku, quantity, cents)) in read.iter().zip(&rows) {
                let Row::Order { order, contact, .. } = row else {
                    return Err(TestCaseError::fail(format!("{row:?}")));
                };
                prop_assert_eq!((&order.order_id, &order.customer_id), (order_id, customer_id));
                prop_assert_eq!(contact.name.as_ref(), Some(customer_id));
                prop_assert_eq!(&order.lines[0].sku, sku);
                prop_assert_eq!(order.lines[0].quantity, *quantity);
                prop_assert_eq!(order.lines[0].unit_price, Decimal::new(*cents, 2));
            }
        }
    }
}
