//! Everything has a limit, and every limit a reason.

/// Orders in one message, so in one saga: 40 orders of one line each are 81 items of a transaction at worst.
pub const ORDERS_PER_BATCH: usize = 40;

/// Bytes of one message. A quarter of what the queue and the state machine carry (256 KB): the steps hand the
/// batch on with what they found out about each order.
pub const BYTES_PER_BATCH: usize = 60_000;

/// Items in one DynamoDB transaction: the service's own limit.
pub const ITEMS_PER_TRANSACTION: usize = 100;

/// Lines of one order: the order, its products and the journal entry have to fit into one transaction.
pub const LINES_PER_ORDER: usize = 90;

/// Units in one line. More than anyone ships in one parcel, far from the end of the counters.
pub const UNITS_PER_LINE: u32 = 1_000_000;

/// Bytes of an order id, a customer id or a SKU. They are keys, and an order item should stay under 1 KB.
pub const KEY_BYTES: usize = 128;

/// Bytes of a name, an address, a mail address.
pub const TEXT_BYTES: usize = 512;

/// Orders that `chunk` holds back to sort by product before it cuts batches. Large enough that a catalog of a
/// hundred hot products falls into a few per batch, small enough to stay under a megabyte.
pub const ORDERS_PER_WINDOW: usize = 1_000;
