//! Any bytes as an order file: no panic, and the same rows whether the file comes whole, in two pieces, or to one
//! reader after the other, each of which goes on from a mark of the one before.
//!
//! Real files make good seeds. From `shared/intake`, with a stable toolchain:
//!
//! ```text
//! mkdir -p fuzz/corpus/read && cp ../../events/orders-*.csv fuzz/corpus/read/
//! RUSTC_BOOTSTRAP=1 cargo fuzz run --sanitizer none read -- -max_total_time=600
//! ```

#![no_main]

use domain::order::TotalPolicy;
use intake::{End, FileCode, FileError, Mark, Reader, Row, Settings, Step};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    // What decides stands behind the file, so that a real file is a seed as it is.
    let Some((text, &[high, low, steps, form])) = data.split_last_chunk::<4>() else {
        return;
    };
    let file = written(text, form);
    let cut = usize::from(u16::from_be_bytes([high, low])) % (file.len() + 1);
    let (one, other) = file.split_at(cut);

    let whole = read(&[&file]);
    for row in whole.iter().flatten() {
        if let Row::Order { order, .. } = row {
            assert_eq!(order.check(), Ok(()), "a step of the saga would refuse it");
        }
    }
    assert_same(&read(&[one, other]), &whole, "in two pieces");
    let interrupted = interrupted(&file, cut.max(1), 1 + usize::from(steps % 16));
    assert_same(&interrupted, &whole, "from marks");
});

/// Forms that single changes of bytes would hardly lead to.
fn written(text: &[u8], form: u8) -> Vec<u8> {
    match form % 4 {
        0 => {
            let lines: Vec<&[u8]> = text.split(|byte| *byte == b'\n').collect();
            lines.join(&b"\r\n"[..])
        }
        1 => {
            let text = String::from_utf8_lossy(text);
            text.encode_utf16().flat_map(u16::to_le_bytes).collect()
        }
        _ => text.to_vec(),
    }
}

type Rows = Result<Vec<Row>, FileError>;

/// What a broken archive is broken by may be found out in other words when it comes in other pieces.
fn assert_same(rows: &Rows, expected: &Rows, how: &str) {
    match (rows, expected) {
        (Err(one), Err(other)) if one.code == FileCode::BrokenGzip => {
            assert_eq!(one.code, other.code, "{how}");
        }
        _ => assert_eq!(rows, expected, "{how}"),
    }
}

fn reader(content: Option<String>) -> Reader {
    let settings = Settings {
        default_currency: "USD".parse().expect("a currency"),
        total_policy: TotalPolicy::Declared,
    };
    Reader::new(settings, content)
}

fn read(pieces: &[&[u8]]) -> Rows {
    let mut content = None;
    loop {
        let mut reader = reader(content);
        let mut rows = Vec::new();
        for piece in pieces {
            reader.push(piece);
            while reader.step(&mut rows)? == Step::Row {}
        }
        reader.end();
        content = loop {
            match reader.step(&mut rows)? {
                Step::Row => {}
                Step::More => panic!("more than all was asked for"),
                Step::Over(End::Rows) => return Ok(rows),
                Step::Over(End::Content(name)) => break Some(name),
            }
        };
    }
}

/// A new reader after every so many steps, or as soon as it is past the mark of the one before.
fn interrupted(file: &[u8], size: usize, steps: usize) -> Rows {
    let (mut rows, mut mark, mut content) = (Vec::new(), None::<Mark>, None);
    loop {
        let mut reader = reader(content.clone());
        let from = mark.as_ref().map(Mark::offset);
        if let Some(mark) = mark.take() {
            reader.resume(mark);
        }
        let (mut taken, mut left) = (0, steps);
        while left > 0 || reader.mark().as_ref().map(Mark::offset) <= from {
            match reader.step(&mut rows)? {
                Step::Row => left = left.saturating_sub(1),
                Step::More => {
                    taken = reader.jump().map_or(taken, |offset| offset as usize);
                    let piece = &file[taken..file.len().min(taken + size)];
                    taken += piece.len();
                    reader.push(piece);
                    if piece.is_empty() {
                        reader.end();
                    }
                }
                Step::Over(End::Rows) => return Ok(rows),
                Step::Over(End::Content(name)) => {
                    content = Some(name);
                    break;
                }
            }
        }
        // As it is kept between two runs.
        let kept = serde_json::to_string(&reader.mark()).expect("JSON");
        mark = serde_json::from_str(&kept).expect("a mark");
    }
}
