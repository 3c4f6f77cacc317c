//! What is imported in a simulation: files of orders, and what has to be said of each row in the end.

use std::collections::BTreeMap;

use domain::ids;
use rust_decimal::Decimal;

use super::chance::Chance;
use super::files::BUCKET;

/// A file of orders.
pub struct OrderFile {
    pub key: String,
    pub import_id: String,
    pub content: String,
    pub rows: Vec<Row>,
}

#[derive(Debug, Clone)]
pub struct Row {
    pub number: u64,
    /// Nothing where the row is no order.
    pub order_id: Option<String>,
    pub customer_id: String,
    pub sku: String,
    pub units: u64,
    /// Whether the row states its price.
    pub stated: bool,
    /// What it costs, where it has a price.
    pub total: Decimal,
    /// The address of the customer, where the row states one.
    pub email: Option<String>,
}

/// Products: what lies in the warehouse at first, and what is added while orders are on their way.
pub struct Catalog {
    pub first: String,
    pub added: String,
    pub stocked: BTreeMap<String, u64>,
}

pub fn catalog(chance: &Chance) -> Catalog {
    let header = "sku,name,price,stock,currency\n";
    let (mut first, mut added) = (header.to_owned(), header.to_owned());
    let mut stocked = BTreeMap::new();
    for number in 0..1 + chance.below(8) {
        let sku = format!("S{number}");
        // Some run short, some never do.
        let most = [5, 40, 400][chance.below(3) as usize];
        let (stock, more) = (chance.below(most), chance.below(20));
        first.push_str(&format!("{sku},Product {number},9.99,{stock},USD\n"));
        added.push_str(&format!("{sku},Product {number},9.99,{more},USD\n"));
        stocked.insert(sku, stock + more);
    }
    Catalog {
        first,
        added,
        stocked,
    }
}

/// So many rows in each file, or any number of them in some.
pub fn files(chance: &Chance, products: u64, rows: Option<Vec<u64>>) -> Vec<OrderFile> {
    // Few customers, or more than an entry of the journal has.
    let customers = [9, 60][chance.below(2) as usize];
    let mut rows_so_far: Vec<Row> = Vec::new();
    let rows = rows.unwrap_or_else(|| {
        let files = 0..1 + chance.below(3);
        files.map(|_| 10 + chance.below(90)).collect()
    });
    let files = rows.into_iter().enumerate().map(|(file, count)| {
        let key = format!("imports/orders-{file}.csv");
        let stated = chance.below(3) > 0;
        let mut content = "order_id,customer_id,customer_email,product_sku,quantity".to_owned();
        content.push_str(if stated { ",unit_price\n" } else { "\n" });
        let mut rows = Vec::new();
        for number in 1..=count {
            // A row before this one, whose order id is stated again.
            let repeated = match chance.below(15) {
                0 if !rows_so_far.is_empty() => {
                    Some(rows_so_far[chance.below(rows_so_far.len() as u64) as usize].clone())
                }
                _ => None,
            };
            let mut sku = match chance.below(50) {
                0 => "NOPE".to_owned(),
                _ => format!("S{}", chance.below(products)),
            };
            let mut units = 1 + chance.below(4);
            let mut customer_id = format!("C{}", chance.below(customers));
            let mut order_id = format!("O-{file}-{number}");
            if let Some(repeated) = repeated {
                order_id = repeated.order_id.unwrap_or(order_id);
                // The same order again, or whatever was drawn above.
                if chance.half() {
                    (sku, units, customer_id) =
                        (repeated.sku, repeated.units, repeated.customer_id);
                }
            }
            let email = (chance.below(3) == 0).then(|| {
                format!(
                    "{}-{file}-{number}@files.example",
                    customer_id.to_lowercase()
                )
            });
            let is_order = chance.below(40) > 0;
            let quantity = if is_order {
                units.to_string()
            } else {
                "some".to_owned()
            };
            let address = email.as_deref().unwrap_or_default();
            content.push_str(&format!(
                "{order_id},{customer_id},{address},{sku},{quantity}"
            ));
            // Some things are free.
            let free = stated && chance.below(20) == 0;
            let price = Decimal::new(if free { 0 } else { 999 }, 2);
            content.push_str(&if stated {
                format!(",{price}\n")
            } else {
                "\n".to_owned()
            });
            let total = price * Decimal::from(units);
            let order_id = Some(order_id).filter(|_| is_order);
            let row = Row {
                number,
                order_id,
                customer_id,
                sku,
                units,
                stated,
                total,
                email,
            };
            rows_so_far.push(row.clone());
            rows.push(row);
        }
        let import_id = ids::import_id(BUCKET, &key, "1");
        OrderFile {
            key,
            import_id,
            content,
            rows,
        }
    });
    files.collect()
}
