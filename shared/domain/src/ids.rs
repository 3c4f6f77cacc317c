//! Ids that are derived, not drawn: the same input names the same thing, so that a repetition is recognised.

use sha2::{Digest, Sha256};

/// Digits and lower-case letters without those that people confuse (Crockford's base 32).
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// The import that a version of an object is. The same event twice names the same import; the same file
/// uploaded again is a new version, and so another import.
pub fn import_id(bucket: &str, key: &str, version: &str) -> String {
    format!("im_{}", short_hash(&[bucket, key, version]))
}

/// The load that a version of an object is, under `catalog/`.
pub fn catalog_id(bucket: &str, key: &str, version: &str) -> String {
    format!("cl_{}", short_hash(&[bucket, key, version]))
}

/// What stands for a catalog file where somebody asks for one product under this key.
pub fn product_request_id(key: &str) -> String {
    format!("cl_{}", short_hash(&["product", key]))
}

/// The customer whom a file knows by a mail address alone. The address itself would end in keys and logs.
pub fn customer_id(email: &str) -> String {
    format!("cu_{}", short_hash(&[&email.to_lowercase()]))
}

/// The failure that a message is which was put aside. The same delivery again, or another copy of the message, names the
/// same failure.
pub fn failure_id(queue: &str, message_id: &str) -> String {
    format!("fl_{}", short_hash(&[queue, message_id]))
}

/// The refund that somebody asks for under this key. Whoever asks again under it means the same refund.
pub fn refund_id(key: &str) -> String {
    format!("re_{}", short_hash(&[key]))
}

/// By what people call a token: it tells nothing of the token itself, not even its hash.
pub fn token_id(token_hash: &str) -> String {
    format!("tk_{}", short_hash(&[token_hash]))
}

/// The refund that comes with the cancellation of an order. It has two parts, and no key holds what ends a part: so it is
/// none that anybody could ask for.
pub fn refund_id_of_cancelled(order_id: &str) -> String {
    format!("re_{}", short_hash(&["cancelled", order_id]))
}

/// The order that a row is in a file without order ids: the same content, under any name, gives the same ids.
pub fn order_id(content: &str, row: u64) -> String {
    format!("or_{content}-{row}")
}

/// The order that somebody asks for under this key, and does not name.
pub fn order_of_request(caller: &str, key: &str) -> String {
    format!("or_{}", short_hash(&["request", caller, key]))
}

/// Names the text of a file that arrives in pieces. What programs change when they save a file again makes no
/// difference: carriage returns, and line ends behind the last line.
#[derive(Clone, Default)]
pub struct ContentHash {
    hash: Sha256,
    /// Line ends that count only when something follows.
    line_ends: usize,
}

impl ContentHash {
    pub fn update(&mut self, text: &[u8]) {
        for part in text.split_inclusive(|byte| matches!(byte, b'\n' | b'\r')) {
            let line = part.strip_suffix(b"\n").or(part.strip_suffix(b"\r"));
            let line = line.unwrap_or(part);
            if !line.is_empty() {
                for _ in 0..std::mem::take(&mut self.line_ends) {
                    self.hash.update(b"\n");
                }
                self.hash.update(line);
            }
            self.line_ends = self
                .line_ends
                .saturating_add(usize::from(part.ends_with(b"\n")));
        }
    }

    pub fn name(self) -> String {
        shortened(self.hash.finalize().into())
    }
}

/// Batches are numbered in the order in which they are cut, so that cutting again gives the same ids.
pub fn batch_id(import_id: &str, number: u32) -> String {
    format!("{import_id}-{number:06}")
}

/// Sixteen characters (80 bits) of the SHA-256 of all parts, each ended by a byte that no part contains.
pub fn short_hash(parts: &[&str]) -> String {
    shortened(digest(parts))
}

fn shortened(digest: [u8; 32]) -> String {
    base32(&digest[..10]).collect()
}

/// Each group of 5 bytes makes 8 characters of 5 bits. A last group that is shorter is filled up with zeros.
pub(crate) fn base32(bytes: &[u8]) -> impl Iterator<Item = char> {
    bytes.chunks(5).flat_map(|group| {
        let filled = group.iter().chain(&[0; 5]).take(5);
        let bits = filled.fold(0u64, |bits, byte| (bits << 8) | u64::from(*byte));
        [35u32, 30, 25, 20, 15, 10, 5, 0]
            .map(|shift| char::from(ALPHABET[usize::from((bits >> shift) as u8 & 31)]))
    })
}

pub(crate) fn is_base32(byte: u8) -> bool {
    ALPHABET.contains(&byte)
}

/// A number below `buckets` that spreads keys evenly and never changes for a key.
pub fn bucket(key: &str, buckets: u8) -> u8 {
    digest(&[key])[0].checked_rem(buckets).unwrap_or(0)
}

/// A number in 0..=u64::MAX drawn from the key, the same for ever.
pub fn uniform(key: &str) -> u64 {
    let digest = digest(&[key]);
    digest[..8]
        .iter()
        .fold(0, |bits, byte| (bits << 8) | u64::from(*byte))
}

fn digest(parts: &[&str]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_a_function_of_what_it_names() {
        let id = import_id("bucket", "imports/a.csv", "v1");
        assert_eq!(id, import_id("bucket", "imports/a.csv", "v1"));
        assert_ne!(id, import_id("bucket", "imports/a.csv", "v2"));
        assert_ne!(short_hash(&["ab", "c"]), short_hash(&["a", "bc"]));
        assert_eq!(id.len(), "im_".len() + 16);
        assert!(
            id.bytes()
                .all(|byte| byte == b'_' || byte.is_ascii_lowercase() || byte.is_ascii_digit())
        );
    }

    #[test]
    fn what_a_file_does_not_name_is_named_by_what_it_says() {
        let content = |pieces: &[&str]| {
            let mut hash = ContentHash::default();
            pieces
                .iter()
                .for_each(|piece| hash.update(piece.as_bytes()));
            hash.name()
        };
        assert_eq!(content(&["ab", "c"]), content(&["abc"]));
        for saved in [
            &["a\r\nb\r\n"][..],
            &["a\nb"],
            &["a\nb\n\n"],
            &["a\r", "\nb", "\r", "\n"],
        ] {
            assert_eq!(content(saved), content(&["a\nb\n"]), "{saved:?}");
        }
        assert_ne!(content(&["a\n\nb"]), content(&["a\nb"]));
        assert_ne!(content(&["abc"]), content(&["abd"]));
        assert_eq!(order_id("x", 3), "or_x-3");
        assert_eq!(
            customer_id("Ada@Example.com"),
            customer_id("ada@example.com")
        );
        assert!(!customer_id("ada@example.com").contains("ada"));
    }

    /// Ids are kept for ever, so what they are made by must not change.
    #[test]
    fn ids_are_those_that_were_given_before() {
        assert_eq!(import_id("b", "imports/a.csv", "1"), "im_e9w3xjmmxtyjk80k");
        assert_eq!(catalog_id("b", "catalog/a.csv", "1"), "cl_9jnr89fbezfmt6df");
        assert_eq!(product_request_id("key"), "cl_1pkvbnsekzybrzx5");
        assert_eq!(customer_id("ada@example.com"), "cu_7em3v10pkqwjpac1");
        assert_eq!(failure_id("batches", "m-1"), "fl_5pt6e98nbv8q5zh4");
        assert_eq!(token_id("0f"), "tk_adq6r68r94hjhmd8");
        assert_eq!(refund_id("key"), "re_vgfpfwnxge9cx6v5");
        assert_eq!(refund_id_of_cancelled("O-1"), "re_qsepy9t2xepvw555");
        assert_eq!(batch_id("im_x", 7), "im_x-000007");
        assert_eq!(uniform("O-1"), 4290712200977267387);
    }

    #[test]
    fn buckets_are_used_evenly() {
        let mut seen = [0u32; 16];
        for number in 0..16_000 {
            seen[usize::from(bucket(&batch_id("im_x", number), 16))] += 1;
        }
        assert!(
            seen.iter().all(|count| (800..1200).contains(count)),
            "{seen:?}"
        );
    }
}
