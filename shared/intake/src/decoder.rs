//! The bytes of a file to the bytes of its text: expanded where it is compressed, UTF-8 where it was UTF-16.
//!
//! What the text says, and whether it is good UTF-8, is for others to find out: what has no text in UTF-16 either
//! (half a character, an odd byte) comes out as bytes that are no UTF-8, so that the row it stands in is rejected.

use std::io::Write;

use domain::limits::{EXPANSION, EXPANSION_FREE_BYTES, FILE_BYTES};
use flate2::write::MultiGzDecoder;

use crate::file_error::{FileCode, FileError};

/// Bytes that are looked at in one go, so that a file handed over whole is not copied whole.
const PIECE_BYTES: usize = 64 * 1024;

/// Compressed bytes that are expanded in one go: a thousandfold at most, so that a bomb fills no memory.
const PACKED_PIECE_BYTES: usize = 4 * 1024;

pub(crate) struct Decoder {
    /// What was pushed, and how much of it is done with.
    input: Vec<u8>,
    taken: usize,
    ended: bool,
    unpacker: Unpacker,
    /// Why nothing more can be expanded.
    broken: Option<FileError>,
    text: Text,
    /// Bytes of text so far, and how many there may be.
    written: u64,
    limit: u64,
    /// Compressed bytes that were expanded so far.
    packed: u64,
    /// Bytes of text that may be expanded from any number of bytes.
    free: u64,
}

enum Unpacker {
    Undecided,
    Plain,
    /// And how much is left of the piece at hand. Pieces begin and end at the same places of the file, however it comes:
    /// else, where it is damaged, the last text before the damage would depend on that.
    Gzip(Box<MultiGzDecoder<Vec<u8>>>, usize),
}

/// How characters are written.
enum Text {
    /// The first bytes, until there are enough to tell.
    Undecided(Vec<u8>),
    Utf8,
    Utf16(Utf16),
}

impl Decoder {
    pub fn new() -> Decoder {
        Decoder {
            input: Vec::new(),
            taken: 0,
            ended: false,
            unpacker: Unpacker::Undecided,
            broken: None,
            text: Text::Undecided(Vec::new()),
            written: 0,
            limit: FILE_BYTES,
            packed: 0,
            free: EXPANSION_FREE_BYTES,
        }
    }

    /// Takes the next piece of the file.
    pub fn push(&mut self, bytes: &[u8]) {
        self.input.drain(..self.taken);
        self.taken = 0;
        self.input.extend_from_slice(bytes);
    }

    /// The file has ended.
    pub fn end(&mut self) {
        self.ended = true;
    }

    /// Appends some more of the text. False where there is no more until the next piece comes, or the end.
    pub fn next(&mut self, out: &mut Vec<u8>) -> Result<bool, FileError> {
        let before = out.len();
        let went_on = self.go_on(out)?;
        self.written += (out.len() - before) as u64;
        if self.written > self.limit {
            let limit = self.limit;
            let message =
                format!("its text is longer than {limit} bytes: cut it into several files");
            return Err(FileError::new(FileCode::FileTooLarge, message));
        }
        if self.packed > 0 && self.written > self.free.max(self.packed.saturating_mul(EXPANSION)) {
            let message = format!(
                "its text is more than {EXPANSION} times as long as the compressed file: \
                 if these are orders, upload the file uncompressed"
            );
            return Err(FileError::new(FileCode::ExpandsTooMuch, message));
        }
        Ok(went_on)
    }

    /// Bytes of text so far.
    pub fn written(&self) -> u64 {
        self.written
    }

    fn go_on(&mut self, out: &mut Vec<u8>) -> Result<bool, FileError> {
        let rest = &self.input[self.taken..];
        match &mut self.unpacker {
            Unpacker::Undecided if rest.len() < 2 && !self.ended => Ok(false),
            Unpacker::Undecided => {
                self.unpacker = match rest {
                    [0x1f, 0x8b, ..] => {
                        let expander = Box::new(MultiGzDecoder::new(Vec::new()));
                        Unpacker::Gzip(expander, PACKED_PIECE_BYTES)
                    }
                    _ => Unpacker::Plain,
                };
                Ok(true)
            }
            Unpacker::Plain if rest.is_empty() => Ok(self.ended && self.text.end(out)),
            Unpacker::Plain => {
                let piece = &rest[..rest.len().min(PIECE_BYTES)];
                self.text.push(piece, out);
                self.taken += piece.len();
                Ok(true)
            }
            Unpacker::Gzip(_, left) if rest.len() < *left && !self.ended => Ok(false),
            Unpacker::Gzip(expander, left) => {
                if let Some(error) = &self.broken {
                    return Err(error.clone());
                }
                let piece = &rest[..rest.len().min(*left)];
                let outcome = if piece.is_empty() {
                    expander.try_finish().map(|()| 0)
                } else {
                    expander.write(piece)
                };
                let expanded = std::mem::take(expander.get_mut());
                self.text.push(&expanded, out);
                match outcome {
                    Ok(0) if piece.is_empty() => Ok(self.text.end(out) || !expanded.is_empty()),
                    Ok(taken) => {
                        self.taken += taken;
                        self.packed += taken as u64;
                        *left -= taken;
                        if *left == 0 {
                            *left = PACKED_PIECE_BYTES;
                        }
                        Ok(true)
                    }
                    Err(error) => {
                        // What was expanded before is read first.
                        self.broken = Some(broken(error));
                        Ok(true)
                    }
                }
            }
        }
    }

    /// Whether the text stands in the file as it is, so that an offset in one is the offset in the other.
    pub fn is_plain(&self) -> bool {
        matches!((&self.unpacker, &self.text), (Unpacker::Plain, Text::Utf8))
    }

    /// What comes next is this far into the file, and what was pushed so far is done with.
    pub fn jump(&mut self, offset: u64) {
        self.input.clear();
        self.taken = 0;
        self.written = offset;
    }
}

fn broken(error: std::io::Error) -> FileError {
    let message = format!("it cannot be expanded: {error}");
    FileError::new(FileCode::BrokenGzip, message)
}

impl Text {
    /// By the byte order mark. Without one, by the zero that every letter of a header has in UTF-16.
    fn of(first: &[u8]) -> Text {
        match *first {
            [0xff, 0xfe, ..] => Text::Utf16(Utf16::new(u16::from_le_bytes)),
            [0xfe, 0xff, ..] => Text::Utf16(Utf16::new(u16::from_be_bytes)),
            [letter, 0, ..] if letter != 0 => Text::Utf16(Utf16::new(u16::from_le_bytes)),
            [0, letter, ..] if letter != 0 => Text::Utf16(Utf16::new(u16::from_be_bytes)),
            _ => Text::Utf8,
        }
    }

    fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        match self {
            Text::Undecided(first) => {
                first.extend_from_slice(bytes);
                if first.len() >= 2 {
                    let first = std::mem::take(first);
                    *self = Text::of(&first);
                    self.push(&first, out);
                }
            }
            Text::Utf8 => out.extend_from_slice(bytes),
            Text::Utf16(units) => units.push(bytes, out),
        }
    }

    /// Appends what is left, if anything is.
    fn end(&mut self, out: &mut Vec<u8>) -> bool {
        let before = out.len();
        match self {
            Text::Undecided(first) => out.append(first),
            Text::Utf8 => {}
            Text::Utf16(units) => units.end(out),
        }
        out.len() > before
    }
}

struct Utf16 {
    unit_of: fn([u8; 2]) -> u16,
    odd: Option<u8>,
    /// The first half of a character that takes two units.
    half: Option<u16>,
}

impl Utf16 {
    fn new(unit_of: fn([u8; 2]) -> u16) -> Utf16 {
        Utf16 {
            unit_of,
            odd: None,
            half: None,
        }
    }

    fn push(&mut self, bytes: &[u8], text: &mut Vec<u8>) {
        for byte in bytes {
            match self.odd.take() {
                None => self.odd = Some(*byte),
                Some(first) => self.unit((self.unit_of)([first, *byte]), text),
            }
        }
    }

    fn unit(&mut self, unit: u16, text: &mut Vec<u8>) {
        let half = self.half.take();
        if let (Some(first), 0xdc00..=0xdfff) = (half, unit) {
            let bits = u32::from(first & 0x3ff) << 10 | u32::from(unit & 0x3ff);
            push(0x1_0000 + bits, text);
            return;
        }
        if let Some(lone) = half {
            push(lone.into(), text);
        }
        match unit {
            0xd800..=0xdbff => self.half = Some(unit),
            unit => push(unit.into(), text),
        }
    }

    fn end(&mut self, text: &mut Vec<u8>) {
        if let Some(lone) = self.half.take() {
            push(lone.into(), text);
        }
        if self.odd.take().is_some() {
            text.push(0xff);
        }
    }
}

/// Half a character becomes the three bytes that it would be in UTF-8, if there it were allowed.
fn push(code: u32, text: &mut Vec<u8>) {
    match char::from_u32(code) {
        Some(character) => text.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
        None => {
            let six = |bits: u32| 0x80 | (bits & 0x3f) as u8;
            text.extend_from_slice(&[0xe0 | (code >> 12) as u8, six(code >> 6), six(code)]);
        }
    }
}

#[cfg(test)]
mod tests;
