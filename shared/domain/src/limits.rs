//! Everything has a limit, and every limit a reason.

/// Orders in one message, so in one saga: 40 orders of one line each are 81 items of a transaction at worst.
pub const ORDERS_PER_BATCH: usize = 40;

/// Bytes of one message. A quarter of what the queue and the state machine carry (256 KB): the steps hand the
/// batch on with what they found out about each order.
pub const BYTES_PER_BATCH: usize = 60_000;

/// Bytes of a message that a queue takes. Its failure has to fit into one item, and an item into 400 KB: what a queue
/// took and nobody could keep would be lost.
pub const BYTES_PER_MESSAGE: usize = 256 * 1024;

/// Bytes of the reason why a message failed. It travels beside the message, and is billed twice for each write.
pub const REASON_BYTES: usize = 2_000;

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

/// Bytes of the key under which a request may be repeated. Nothing of it is kept but what names the refund.
pub const REQUEST_KEY_BYTES: usize = 256;

/// Orders that `chunk` holds back to sort by product before it cuts batches. Large enough that a catalog of a
/// hundred hot products falls into a few per batch, small enough to stay under a megabyte.
pub const ORDERS_PER_WINDOW: usize = 1_000;

/// Bytes of a file, and of what a compressed one expands to: what S3 takes in a single upload, and an order of
/// magnitude more than a day of any business we know. At this size a file is read within one invocation's time.
pub const FILE_BYTES: u64 = 5 * 1024 * 1024 * 1024;

/// Bytes of a file that is small work: a thousand rows of usual length, which one run reads and sends within a second. Larger
/// files, and files with a whole window of orders (a compressed one may have it), have a lane of their own.
pub const SMALL_FILE_BYTES: u64 = 64 * 1024;

/// How many times as long as a compressed file its text may be. Orders, which differ from row to row, reach 20 or 40; a
/// file that was made to fill memory or time reaches a thousand.
pub const EXPANSION: u64 = 200;

/// Bytes of text from which on [`EXPANSION`] is checked. Less text is read in about a second, whatever it was compressed to,
/// and a small file of equal rows may well expand more.
pub const EXPANSION_FREE_BYTES: u64 = 16 * 1024 * 1024;

/// Bytes of one row of a file. A queue message carries 256 KB, so no longer order could travel on: what is longer is
/// nearly always a quote that was never closed.
pub const ROW_BYTES: usize = 256 * 1024;

/// Cells of one row: ten times the widest export we have seen. A line of nothing but commas must not fill memory.
pub const CELLS_PER_ROW: usize = 1_000;

/// Products in one catalog file: each is written by itself, and all of them within one invocation's time.
pub const PRODUCTS_PER_CATALOG: usize = 200_000;

/// Orders that are remembered while rows are joined to orders, to find rows that stand apart from their order: at
/// least so many, at most twice as many, in some forty megabytes.
pub const JOINED_ORDERS_REMEMBERED: usize = 1_000_000;

/// Units of a product in stock: a trillion, which no warehouse holds and every counter does.
pub const UNITS_IN_STOCK: u64 = 1_000_000_000_000;

/// As much of a text as fits. Words of somebody else may be many.
pub fn shortened(text: &str, bytes: usize) -> &str {
    &text[..text.floor_char_boundary(bytes)]
}
