//! Order files of any size, made order by order and always the same.

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// One product a row, nothing quoted.
    Product,
    /// One order a row, its lines as JSON in a cell, so every quote of it is doubled.
    Items,
    /// One product a row, and rows that follow each other make one order.
    Lines,
}

impl Shape {
    pub const ALL: [Shape; 3] = [Shape::Product, Shape::Items, Shape::Lines];

    pub fn name(self) -> &'static str {
        match self {
            Shape::Product => "one product a row",
            Shape::Items => "items as JSON in a cell",
            Shape::Lines => "several rows an order",
        }
    }

    fn header(self) -> &'static str {
        match self {
            Shape::Product => {
                "order_id,customer_id,customer_name,product_sku,product_name,quantity,unit_price,currency,order_date\n"
            }
            Shape::Items => "order_id,customer_id,total,items\n",
            Shape::Lines => {
                "order_id,customer_name,customer_email,product_name,quantity,price_per_item,total_amount\n"
            }
        }
    }
}

pub struct OrdersFile {
    shape: Shape,
    bytes: u64,
    written: u64,
    orders: u64,
    random: u64,
}

impl OrdersFile {
    /// A file of at least so many bytes: the last order is whole.
    pub fn new(shape: Shape, bytes: u64) -> OrdersFile {
        OrdersFile {
            shape,
            bytes,
            written: 0,
            orders: 0,
            random: 0x9e37_79b9_7f4a_7c15,
        }
    }

    pub fn whole(self) -> Vec<u8> {
        let size = usize::try_from(self.bytes).unwrap_or_default();
        self.pieces(size).collect::<Vec<_>>().concat()
    }

    /// Pieces of about this size. Only one of them is in memory at a time.
    pub fn pieces(mut self, size: usize) -> impl Iterator<Item = Vec<u8>> {
        std::iter::from_fn(move || {
            let mut piece = Vec::with_capacity(size + 1_024);
            while piece.len() < size && self.written < self.bytes {
                let before = piece.len();
                self.append(&mut piece);
                self.written += (piece.len() - before) as u64;
            }
            (!piece.is_empty()).then_some(piece)
        })
    }

    /// The header first, then one order after the other.
    fn append(&mut self, out: &mut Vec<u8>) {
        let text = if self.written == 0 {
            self.shape.header().to_owned()
        } else {
            self.orders += 1;
            match self.shape {
                Shape::Product => self.product(),
                Shape::Items => self.items(),
                Shape::Lines => self.lines(),
            }
        };
        out.extend_from_slice(text.as_bytes());
    }

    fn product(&mut self) -> String {
        let (customer, name) = self.customer();
        let (sku, product, cents) = self.item();
        let id = self.orders;
        format!(
            "A-{id},{customer},{name},{sku},{product},{},{},USD,2026-{:02}-{:02} {:02}:{:02}:{:02}\n",
            1 + self.below(5),
            price(cents),
            1 + self.below(12),
            1 + self.below(28),
            self.below(24),
            self.below(60),
            self.below(60),
        )
    }

    fn items(&mut self) -> String {
        let (customer, _) = self.customer();
        let mut total = 0;
        let items: Vec<String> = (0..=self.below(4))
            .map(|_| {
                let (sku, _, cents) = self.item();
                let quantity = 1 + self.below(5);
                total += quantity * cents;
                format!(
                    r#"{{""sku"":""{sku}"",""qty"":{quantity},""price"":{}}}"#,
                    price(cents)
                )
            })
            .collect();
        let (id, total, items) = (self.orders, price(total), items.join(","));
        format!("B-{id},{customer},{total},\"[{items}]\"\n")
    }

    fn lines(&mut self) -> String {
        let (customer, name) = self.customer();
        let id = self.orders;
        let lines = (0..=self.below(4)).map(|_| {
            let (_, product, cents) = self.item();
            let quantity = 1 + self.below(5);
            format!(
                "L-{id},{name},{customer}@example.com,{product},{quantity},{},{}\n",
                price(cents),
                price(quantity * cents),
            )
        });
        lines.collect()
    }

    fn customer(&mut self) -> (String, &'static str) {
        let names = [
            "Ines Albrecht",
            "Tomas Novak",
            "Zo\u{eb} Brand",
            "Mara Quist",
        ];
        let number = self.below(100_000);
        (format!("C-{number}"), names[number as usize % names.len()])
    }

    /// A SKU, a name and a price in cents: of a few hundred products, so that orders share them.
    fn item(&mut self) -> (String, &'static str, u64) {
        let names = [
            "Green tea 100 g",
            "Kettle 1 l",
            "Oak Table",
            "Rope 10 m",
            "Lamp",
        ];
        let number = self.below(300);
        let sku = format!("OM-{number:03}");
        (sku, names[number as usize % names.len()], 99 + number * 37)
    }

    /// A xorshift: good enough for orders.
    fn below(&mut self, limit: u64) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random >> 33) % limit
    }
}

fn price(cents: u64) -> String {
    format!("{}.{:02}", cents / 100, cents % 100)
}
