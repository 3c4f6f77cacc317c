//! Who said it, and when: both sides sign what they send with the same key, which itself never travels.

use hmac::{Hmac, KeyInit, Mac};
use jiff::{SignedDuration, Timestamp};
use sha2::Sha256;

/// How old a signed message may be, or how far ahead its sender's clock: long enough for a slow network, too short for
/// whoever recorded it.
pub const TOLERANCE: SignedDuration = SignedDuration::from_mins(5);

/// A message that cannot be believed. Why, is for our logs; its sender learns nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadSignature {
    Missing,
    Malformed,
    Wrong,
    /// Right, but from another time.
    Untimely,
}

impl BadSignature {
    pub fn reason(self) -> &'static str {
        match self {
            BadSignature::Missing => "there is no signature",
            BadSignature::Malformed => "the signature cannot be read",
            BadSignature::Wrong => "the signature is wrong",
            BadSignature::Untimely => "the signature is too old, or from the future",
        }
    }
}

/// The secret that both sides know.
#[derive(Clone)]
pub struct SigningKey(Vec<u8>);

/// A key that is printed by accident is a key that is known.
impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SigningKey(..)")
    }
}

impl SigningKey {
    pub fn new(secret: impl Into<Vec<u8>>) -> SigningKey {
        SigningKey(secret.into())
    }

    /// `t=<seconds>,v1=<hex>` over the instant and the parts of a message.
    pub fn sign(&self, parts: &[&[u8]], now: Timestamp) -> String {
        let seconds = now.as_second();
        let digest = self.mac(seconds, parts).finalize().into_bytes();
        format!("t={seconds},v1={}", hex(&digest))
    }

    pub fn check(
        &self,
        signature: Option<&str>,
        parts: &[&[u8]],
        now: Timestamp,
    ) -> Result<(), BadSignature> {
        let signature = signature.ok_or(BadSignature::Missing)?;
        let (seconds, digest) = read(signature).ok_or(BadSignature::Malformed)?;
        // In constant time. First of all: what is not signed by us is not looked at any further.
        self.mac(seconds, parts)
            .verify_slice(&digest)
            .map_err(|_| BadSignature::Wrong)?;
        let at = Timestamp::from_second(seconds).map_err(|_| BadSignature::Malformed)?;
        if now.duration_since(at).abs() > TOLERANCE {
            return Err(BadSignature::Untimely);
        }
        Ok(())
    }

    fn mac(&self, seconds: i64, parts: &[&[u8]]) -> Hmac<Sha256> {
        // Any length of key will do.
        let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(&self.0)
            .unwrap_or_else(|_| unreachable!("HMAC takes keys of any length"));
        mac.update(seconds.to_string().as_bytes());
        for part in parts {
            // With its length, so that no two messages are cut into the same parts.
            mac.update(format!("\n{}:", part.len()).as_bytes());
            mac.update(part);
        }
        mac
    }
}

fn read(signature: &str) -> Option<(i64, Vec<u8>)> {
    let (seconds, digest) = signature.split_once(',')?;
    let seconds = seconds.strip_prefix("t=")?.parse().ok()?;
    let digest = digest.strip_prefix("v1=")?;
    if !digest.is_ascii() || digest.len() != 64 {
        return None;
    }
    let bytes = (0..digest.len()).step_by(2);
    let bytes = bytes.map(|at| u8::from_str_radix(&digest[at..at + 2], 16).ok());
    Some((seconds, bytes.collect::<Option<_>>()?))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).expect("an instant")
    }

    #[test]
    fn what_was_signed_is_believed_for_five_minutes() {
        let key = SigningKey::new("secret");
        let signature = key.sign(&[b"body"], at(0));
        let check = |parts: &[&[u8]], seconds| key.check(Some(&signature), parts, at(seconds));
        for seconds in [-300, 0, 300] {
            assert_eq!(check(&[b"body"], seconds), Ok(()), "{seconds}");
        }
        for seconds in [-301, 301, 86_400] {
            assert_eq!(
                check(&[b"body"], seconds),
                Err(BadSignature::Untimely),
                "{seconds}"
            );
        }
        for parts in [&[&b"Body"[..]][..], &[b"body", b""], &[b"bo", b"dy"], &[]] {
            assert_eq!(check(parts, 0), Err(BadSignature::Wrong), "{parts:?}");
        }
        let other = SigningKey::new("secreT").check(Some(&signature), &[b"body"], at(0));
        assert_eq!(other, Err(BadSignature::Wrong));
    }

    #[test]
    fn what_cannot_be_read_is_not_believed() {
        let key = SigningKey::new("secret");
        let good = key.sign(&[b"body"], at(0));
        let check = |signature: &str| key.check(Some(signature), &[b"body"], at(0));
        assert_eq!(
            key.check(None, &[b"body"], at(0)),
            Err(BadSignature::Missing)
        );
        // Another instant under the same digest is another message.
        let moved = good.replacen("t=1", "t=2", 1);
        assert_eq!(check(&moved), Err(BadSignature::Wrong));
        let umlauts = format!("t=1,v1={}", "ä".repeat(32));
        for wrong in [
            "",
            "t=,v1=",
            "t=1",
            "v1=00",
            &good[..good.len() - 2],
            &umlauts,
        ] {
            assert_eq!(check(wrong), Err(BadSignature::Malformed), "{wrong:?}");
        }
    }
}
