//! The tables, their keys and their indexes: the same for both engines, and the same as in the template.

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Table {
    Orders,
    Products,
    /// Catalog files, and which of their rows were added already.
    Catalogs,
    Customers,
    Imports,
    Journal,
    /// Messages that were put aside, whole.
    Failures,
}

#[derive(Debug, PartialEq, Eq)]
pub struct Index {
    pub name: &'static str,
    pub partition: &'static str,
    pub sort: &'static str,
    /// What it holds besides the keys of the table and its own.
    pub includes: &'static [&'static str],
}

pub const BY_CUSTOMER: Index = Index {
    name: "by-customer",
    partition: "customer_id",
    sort: "created_at",
    includes: &[],
};

/// Sparse: only an order that waits for its payment has these attributes.
pub const PENDING_PAYMENT: Index = Index {
    name: "pending-payment",
    partition: "pending_shard",
    sort: "pending_check",
    includes: &[],
};

/// The counts of an import's entries, without the entries.
pub const BY_IMPORT: Index = Index {
    name: "by-import",
    partition: "import_id",
    sort: "entry_id",
    includes: &["completed", "failed", "duplicates"],
};

/// What a list of failures shows, without the messages.
pub const BY_QUEUE: Index = Index {
    name: "by-queue",
    partition: "queue",
    sort: "buried_at",
    includes: &[
        "fault",
        "reason",
        "attempts",
        "state",
        "first_at",
        "retried_at",
        "discarded_at",
    ],
};

impl Table {
    pub const ALL: [Table; 7] = [
        Table::Orders,
        Table::Products,
        Table::Catalogs,
        Table::Customers,
        Table::Imports,
        Table::Journal,
        Table::Failures,
    ];

    /// The last part of the table's name, and its name in logs and reports.
    pub fn name(self) -> &'static str {
        match self {
            Table::Orders => "orders",
            Table::Products => "products",
            Table::Catalogs => "catalogs",
            Table::Customers => "customers",
            Table::Imports => "imports",
            Table::Journal => "journal",
            Table::Failures => "failures",
        }
    }

    pub fn partition(self) -> &'static str {
        match self {
            Table::Orders => "order_id",
            Table::Products => "sku",
            Table::Catalogs => "catalog_id",
            Table::Customers => "customer_id",
            Table::Imports => "import_id",
            Table::Journal => "partition",
            Table::Failures => "failure_id",
        }
    }

    pub fn sort(self) -> Option<&'static str> {
        match self {
            Table::Journal => Some("entry_id"),
            Table::Catalogs => Some("part"),
            Table::Orders
            | Table::Products
            | Table::Customers
            | Table::Imports
            | Table::Failures => None,
        }
    }

    pub fn indexes(self) -> &'static [Index] {
        match self {
            Table::Orders => &[BY_CUSTOMER, PENDING_PAYMENT],
            Table::Journal => &[BY_IMPORT],
            Table::Failures => &[BY_QUEUE],
            Table::Products | Table::Catalogs | Table::Customers | Table::Imports => &[],
        }
    }
}
