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
    Refunds,
    /// What customers were told, are being told, or could not be told.
    Notifications,
    /// Messages that were put aside, whole.
    Failures,
    /// Figures that are added up from the journal, and which of its entries they hold.
    Tallies,
    /// Who may call the API, by the hashes of what they know.
    Tokens,
    /// Addresses that get no mail any more.
    Suppressions,
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

pub const BY_ORDER: Index = Index {
    name: "by-order",
    partition: "order_id",
    sort: "created_at",
    includes: &[],
};

/// Refunds or notifications of a day, for lists of those of all orders.
pub const BY_DAY: Index = Index {
    name: "by-day",
    partition: "day",
    sort: "created_at",
    includes: &[],
};

/// Notifications of a day by channel, type and status, for lists of those of some sort. Sparse: confirmations in the log are
/// not listed, which are most of all where nobody has an address.
pub const BY_GROUP: Index = Index {
    name: "by-group",
    partition: "day_group",
    sort: "place",
    includes: &[],
};

/// Sparse: only a refund that has not reached its end has these attributes.
pub const OPEN: Index = Index {
    name: "open",
    partition: "open_shard",
    sort: "open_check",
    includes: &[],
};

/// Sparse: only an import that is not over has the attribute.
pub const RUNNING: Index = Index {
    name: "running",
    partition: "running",
    sort: "created_at",
    includes: &[],
};

/// All imports. Files are in one partition, and orders that came by themselves in another.
pub const BY_CREATED: Index = Index {
    name: "by-created",
    partition: "listed",
    sort: "created_at",
    includes: &[],
};

/// Sparse: only the entry of a conflict has these attributes. Conflicts of an import, by row.
pub const CONFLICTS: Index = Index {
    name: "conflicts",
    partition: "conflict_of",
    sort: "conflict_row",
    includes: &["conflict", "at"],
};

/// Customers by what they spent, products by what was spent for them; for a day, or for all time.
pub const BOARD: Index = Index {
    name: "board",
    partition: "board",
    sort: "place",
    includes: &["orders", "units"],
};

/// Products by units.
pub const UNITS_BOARD: Index = Index {
    name: "units-board",
    partition: "units_board",
    sort: "units_place",
    includes: &["amount", "orders"],
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
    pub const ALL: [Table; 12] = [
        Table::Orders,
        Table::Products,
        Table::Catalogs,
        Table::Customers,
        Table::Imports,
        Table::Journal,
        Table::Refunds,
        Table::Notifications,
        Table::Failures,
        Table::Tallies,
        Table::Tokens,
        Table::Suppressions,
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
            Table::Refunds => "refunds",
            Table::Notifications => "notifications",
            Table::Failures => "failures",
            Table::Tallies => "tallies",
            Table::Tokens => "tokens",
            Table::Suppressions => "suppressions",
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
            Table::Refunds => "refund_id",
            Table::Notifications => "order_id",
            Table::Failures => "failure_id",
            Table::Tallies => "pk",
            Table::Tokens => "token_hash",
            Table::Suppressions => "address",
        }
    }

    pub fn sort(self) -> Option<&'static str> {
        match self {
            Table::Journal => Some("entry_id"),
            Table::Catalogs | Table::Notifications => Some("part"),
            Table::Tallies => Some("sk"),
            Table::Orders
            | Table::Products
            | Table::Customers
            | Table::Imports
            | Table::Refunds
            | Table::Failures
            | Table::Tokens
            | Table::Suppressions => None,
        }
    }

    pub fn indexes(self) -> &'static [Index] {
        match self {
            Table::Orders => &[BY_CUSTOMER, PENDING_PAYMENT],
            Table::Imports => &[RUNNING, BY_CREATED],
            Table::Refunds => &[BY_ORDER, BY_CUSTOMER, BY_DAY, OPEN],
            Table::Notifications => &[BY_DAY, BY_GROUP],
            Table::Failures => &[BY_QUEUE],
            Table::Journal => &[CONFLICTS],
            Table::Tallies => &[BOARD, UNITS_BOARD],
            Table::Products
            | Table::Catalogs
            | Table::Customers
            | Table::Tokens
            | Table::Suppressions => &[],
        }
    }
}
