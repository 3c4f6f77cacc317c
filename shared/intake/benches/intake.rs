//! How fast order files are read and how much memory it takes, next to the bare `csv` crate on the same bytes.
//!
//! `cargo bench -p intake` prints a table of speed for each shape of file, then the peak memory for files of three
//! sizes. Absolute figures are those of the machine; the ratios to the `csv` crate travel better.

mod orders_file;

use std::hint::black_box;
use std::process::Command;
use std::time::Instant;

use domain::batch;
use domain::limits::ORDERS_PER_WINDOW;
use domain::order::{Contact, Order, TotalPolicy};
use intake::{Reader, Row, Settings, Step};

use orders_file::{OrdersFile, Shape};

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

type Way = fn(&[u8]) -> Outcome<u64>;

/// A megabyte is a million bytes throughout.
const MB: u64 = 1_000_000;

/// Speed is measured on a file that is in memory, so that making it does not count.
const FILE_BYTES: u64 = 32 * MB;

/// Memory is measured on files that are made while they are read.
const SIZES: [u64; 3] = [10 * MB, 100 * MB, 1_000 * MB];

/// What a body from the network comes in.
const PIECE_BYTES: usize = 64 * 1024;

/// The best of these counts: what disturbs a machine only ever makes it slower.
const ROUNDS: usize = 5;

/// Behind this argument a shape and a size: this process is a child whose memory is measured.
const CHILD: &str = "--memory-of";

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        [CHILD, shape, bytes] => memory_of(shape, bytes),
        // `cargo bench` says so. `cargo test` does not, and has no time for this.
        _ if arguments.contains(&"--bench") => measure(),
        _ => Ok(()),
    }
}

fn measure() -> Outcome<()> {
    for shape in Shape::ALL {
        speed(shape)?;
    }
    println!("Peak memory of (c), each in a process of its own");
    println!("{:<34}  MB read     orders     peak MB", "");
    for shape in Shape::ALL {
        for bytes in SIZES {
            let child = Command::new(std::env::current_exe()?)
                .args([CHILD, shape.name(), &bytes.to_string()])
                .status()?;
            if !child.success() {
                return Err(format!("{} of {bytes} bytes: {child}", shape.name()).into());
            }
        }
    }
    Ok(())
}

fn speed(shape: Shape) -> Outcome<()> {
    let file = OrdersFile::new(shape, FILE_BYTES).whole();
    let ways: [(&str, Way); 4] = [
        ("(a) csv crate, records", records),
        ("    and each cell a String", strings),
        ("(b) intake, typed rows", typed_rows),
        ("(c) intake, message bodies", message_bodies),
    ];
    let mut best = [f64::MAX; 4];
    let mut rows = [0; 4];
    for _ in 0..ROUNDS {
        for (index, (_, read)) in ways.iter().enumerate() {
            let start = Instant::now();
            rows[index] = read(black_box(&file))?;
            best[index] = best[index].min(start.elapsed().as_secs_f64());
        }
    }
    let megabytes = file.len() as f64 / MB as f64;
    println!("{}: {megabytes:.1} MB, {} rows", shape.name(), rows[0]);
    println!("{:<34}     MB/s     rows/s  ratio to a", "");
    for (index, (name, _)) in ways.iter().enumerate() {
        if rows[index] != rows[0] {
            return Err(format!("{name}: {} rows of {}", rows[index], rows[0]).into());
        }
        println!(
            "{name:<34} {:>8.1} {:>10.0} {:>11.2}",
            megabytes / best[index],
            rows[index] as f64 / best[index],
            best[0] / best[index]
        );
    }
    println!();
    Ok(())
}

/// (a) The fastest way of the `csv` crate: one record, used again and again.
fn records(file: &[u8]) -> Outcome<u64> {
    each_record(file, |record| black_box(record.len()))
}

/// The same, and the cells kept: most of them a typed row has to keep as well.
fn strings(file: &[u8]) -> Outcome<u64> {
    let string = |cell: &[u8]| String::from_utf8_lossy(cell).into_owned();
    each_record(file, |record| record.iter().map(string).collect::<Vec<_>>())
}

fn each_record<T>(file: &[u8], read: impl Fn(&csv::ByteRecord) -> T) -> Outcome<u64> {
    let mut reader = csv::Reader::from_reader(file);
    let mut record = csv::ByteRecord::new();
    let mut rows = 0;
    while reader.read_byte_record(&mut record)? {
        black_box(read(&record));
        rows += 1;
    }
    Ok(rows)
}

/// (b)
fn typed_rows(file: &[u8]) -> Outcome<u64> {
    let mut rows = 0;
    read(file.chunks(PIECE_BYTES), |row| {
        rows += rows_of(&row);
        black_box(row);
        Ok(())
    })?;
    Ok(rows)
}

/// (c)
fn message_bodies(file: &[u8]) -> Outcome<u64> {
    let mut bodies = Bodies::default();
    read(file.chunks(PIECE_BYTES), |row| bodies.take(row))?;
    bodies.cut()?;
    Ok(bodies.rows)
}

/// Reads a file piece by piece, as `chunk` does.
fn read<P: AsRef<[u8]>>(
    pieces: impl IntoIterator<Item = P>,
    mut take: impl FnMut(Row) -> Outcome<()>,
) -> Outcome<()> {
    let settings = Settings {
        default_currency: "USD".parse()?,
        total_policy: TotalPolicy::Declared,
    };
    let mut reader = Reader::new(settings, None);
    let mut pieces = pieces.into_iter();
    let mut rows = Vec::new();
    loop {
        match reader.step(&mut rows)? {
            Step::Row => rows.drain(..).try_for_each(&mut take)?,
            Step::More => match pieces.next() {
                Some(piece) => reader.push(piece.as_ref()),
                None => reader.end(),
            },
            Step::Over(_) => return Ok(()),
        }
    }
}

fn rows_of(row: &Row) -> u64 {
    match row {
        Row::Order { continued, .. } => 1 + continued,
        // All rows of these files are good: one that is refused is missed in the sum.
        Row::Reject(_) => 0,
    }
}

/// Windows of orders to bodies of messages.
#[derive(Default)]
struct Bodies {
    window: Vec<(Order, Contact)>,
    batches: u32,
    orders: u64,
    rows: u64,
}

impl Bodies {
    fn take(&mut self, row: Row) -> Outcome<()> {
        self.rows += rows_of(&row);
        if let Row::Order { order, contact, .. } = row {
            self.orders += 1;
            self.window.push((order, contact));
        }
        if self.window.len() == ORDERS_PER_WINDOW {
            self.cut()?;
        }
        Ok(())
    }

    fn cut(&mut self) -> Outcome<()> {
        let window = std::mem::take(&mut self.window);
        for batch in batch::cut(
            "im_0123456789abcdef",
            jiff::Timestamp::UNIX_EPOCH,
            self.batches,
            window,
        ) {
            black_box(serde_json::to_string(&batch)?);
            self.batches += 1;
        }
        Ok(())
    }
}

/// The child: one file, and the most memory that this process ever had.
fn memory_of(shape: &str, bytes: &str) -> Outcome<()> {
    let shape = Shape::ALL
        .into_iter()
        .find(|known| known.name() == shape)
        .ok_or("no such shape")?;
    let bytes = bytes.parse()?;
    let mut bodies = Bodies::default();
    let pieces = OrdersFile::new(shape, bytes).pieces(PIECE_BYTES);
    read(pieces, |row| bodies.take(row))?;
    bodies.cut()?;
    println!(
        "{:<34} {:>8} {:>10} {:>11}",
        shape.name(),
        bytes / MB,
        bodies.orders,
        peak()?
    );
    Ok(())
}

/// In megabytes. Only Linux tells.
fn peak() -> Outcome<String> {
    let Ok(status) = std::fs::read_to_string("/proc/self/status") else {
        return Ok("unknown".to_owned());
    };
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes: f64 = line
        .and_then(|line| line.trim().strip_suffix("kB"))
        .ok_or("no VmHWM in /proc/self/status")?
        .trim()
        .parse()?;
    Ok(format!("{:.1}", kilobytes * 1024.0 / MB as f64))
}
