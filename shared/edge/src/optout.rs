//! Links by which customers say that they want fewer mails, or none.
//!
//! A link needs no record: it names a customer and a kind of mail, and is signed. It never ends, for an old mail must still
//! lead somewhere. Whoever has it may choose what that customer gets by mail, and see nothing else.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::Fault;
use domain::notification::Kind;
use domain::order::check_key;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use tokio::sync::OnceCell;

use crate::secrets::Secret;
use crate::{Process, aws, settings};

/// The tag of the key that says where links lead. The functions behind the API could be told otherwise, but not the one that
/// sends mails: the API is made after them, and they after the queue of mails.
pub const ADDRESS_TAG: &str = "ordermill:public-url";

/// Half of the digest: nobody guesses it, and a link should fit into a line.
const SIGNATURE_BYTES: usize = 16;

/// Told from whatever else may once be signed with the same key.
const CONTEXT: &[u8] = b"ordermill opt-out 1\n";

/// Whose mails a link is about, and of which kind the mail was that had it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    pub customer_id: String,
    pub kind: Kind,
}

/// What a link looks like behind the address.
const PATH: &str = "/unsubscribe/";

/// A text of others, without the tokens of the links in it: whoever sees one could use it.
pub fn without_tokens(text: &str) -> String {
    let in_token = |sign: char| sign.is_ascii_alphanumeric() || "-_".contains(sign);
    let pieces = text.split(PATH).enumerate().map(|(at, piece)| match at {
        0 => piece.to_owned(),
        _ => format!("{PATH}…{}", piece.trim_start_matches(in_token)),
    });
    pieces.collect()
}

/// Where the key of links is kept.
pub fn secret(client: aws_sdk_secretsmanager::Client, name: String) -> Secret {
    Secret::new(client, name, "the key of the links in mails")
}

impl Process {
    pub fn link_key(&self) -> Result<Secret, Fault> {
        Ok(secret(
            self.secrets(),
            settings::required("OPT_OUT_SECRET")?,
        ))
    }
}

/// What links are signed with.
#[derive(Clone)]
pub struct LinkKey(Vec<u8>);

/// A key that is printed by accident is a key that is known.
impl std::fmt::Debug for LinkKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LinkKey(..)")
    }
}

impl LinkKey {
    pub fn new(secret: impl Into<Vec<u8>>) -> LinkKey {
        LinkKey(secret.into())
    }

    pub async fn of(secret: &Secret) -> Result<LinkKey, Fault> {
        Ok(LinkKey::new(secret.value(false).await?))
    }

    /// Letters, digits, hyphens and underscores.
    pub fn token(&self, subject: &Subject) -> String {
        let named = format!("{}\n{}", subject.kind, subject.customer_id);
        let digest = self.mac(named.as_bytes()).finalize().into_bytes();
        let mut token = digest[..SIGNATURE_BYTES].to_vec();
        token.extend_from_slice(named.as_bytes());
        URL_SAFE_NO_PAD.encode(token)
    }

    /// Nothing where it was not made with this key. First of all: what is not ours is not looked at any further.
    pub fn read(&self, token: &str) -> Option<Subject> {
        let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
        let (signature, named) = bytes.split_at_checked(SIGNATURE_BYTES)?;
        // In constant time.
        self.mac(named).verify_truncated_left(signature).ok()?;
        let (kind, customer_id) = std::str::from_utf8(named).ok()?.split_once('\n')?;
        check_key("customer_id", customer_id).ok()?;
        Some(Subject {
            customer_id: customer_id.to_owned(),
            kind: kind.parse().ok()?,
        })
    }

    fn mac(&self, named: &[u8]) -> Hmac<Sha256> {
        // Any length of key will do.
        let mac = <Hmac<Sha256> as KeyInit>::new_from_slice(&self.0)
            .unwrap_or_else(|_| unreachable!("HMAC takes keys of any length"));
        mac.chain_update(CONTEXT).chain_update(named)
    }
}

/// What writes links into mails.
pub struct Links {
    /// Of the stack; nothing where it is known from the beginning.
    secret: Option<Secret>,
    known: OnceCell<Known>,
}

struct Known {
    key: LinkKey,
    /// Without a slash at its end.
    address: String,
}

impl Links {
    /// Read when the first link is asked for.
    pub fn of(secret: Secret) -> Links {
        Links {
            secret: Some(secret),
            known: OnceCell::new(),
        }
    }

    pub fn known(key: LinkKey, address: &str) -> Links {
        let known = Known::new(key, address);
        Links {
            secret: None,
            known: OnceCell::new_with(Some(known)),
        }
    }

    pub async fn link(&self, subject: &Subject) -> Result<String, Fault> {
        let known = self.known.get_or_try_init(|| self.read()).await?;
        let token = known.key.token(subject);
        Ok(format!("{}{PATH}{token}", known.address))
    }

    async fn read(&self) -> Result<Known, Fault> {
        let nothing = || Fault::Corrupt("nobody says where links lead".to_owned());
        let secret = self.secret.as_ref().ok_or_else(nothing)?;
        let address = secret.tag(ADDRESS_TAG).await?.ok_or_else(nothing)?;
        let at_emulator =
            aws::endpoint().and_then(|endpoint| aws::at_emulator(&address, &endpoint));
        let key = LinkKey::of(secret).await?;
        Ok(Known::new(key, at_emulator.as_deref().unwrap_or(&address)))
    }
}

impl Known {
    fn new(key: LinkKey, address: &str) -> Known {
        let address = address.trim_end_matches('/').to_owned();
        Known { key, address }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subject(customer_id: &str, kind: Kind) -> Subject {
        Subject {
            customer_id: customer_id.to_owned(),
            kind,
        }
    }

    #[test]
    fn a_token_says_what_it_was_made_for_and_nothing_else_is_believed() {
        let key = LinkKey::new("ours");
        let long = "ü".repeat(64);
        for customer in ["C-1", "a/b#c?d", long.as_str(), "cu_0123456789abcdef"] {
            for kind in Kind::ALL {
                let subject = subject(customer, kind);
                let token = key.token(&subject);
                let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
                assert!(token.bytes().all(fits) && token.len() < 256, "{token}");
                assert_eq!(LinkKey::new("Ours").read(&token), None);
                assert_eq!(key.read(&token), Some(subject));
            }
        }
        let token = key.token(&subject("C-1", Kind::Refund));
        for at in 0..token.len() {
            assert_eq!(key.read(&token[..at]), None, "cut at {at}");
            let other = if &token[at..=at] == "A" { "B" } else { "A" };
            let mut forged = token.clone();
            forged.replace_range(at..=at, other);
            assert_eq!(key.read(&forged), None, "forged at {at}");
        }
        for more in ["A", "=", " ", "AAAA", "%00", "\n"] {
            assert_eq!(key.read(&format!("{token}{more}")), None, "{more:?}");
        }
        for nothing in ["", "x", "ä", &"A".repeat(100_000)] {
            assert_eq!(key.read(nothing), None);
        }
    }

    #[test]
    fn what_is_signed_and_names_nobody_is_nothing() {
        let key = LinkKey::new("ours");
        for named in ["", "refund", "refund\n", "advert\nC-1", "refund\nC\n1"] {
            let digest = key.mac(named.as_bytes()).finalize().into_bytes();
            let token = [&digest[..SIGNATURE_BYTES], named.as_bytes()].concat();
            assert_eq!(key.read(&URL_SAFE_NO_PAD.encode(token)), None, "{named:?}");
        }
    }

    #[test]
    fn a_text_is_shown_without_tokens() {
        let headers = r#"{"value":"<https://a.example/unsubscribe/6gEF-_x>, <https://a.example/unsubscribe/abc>"} /unsubscribe/"#;
        let shown = r#"{"value":"<https://a.example/unsubscribe/…>, <https://a.example/unsubscribe/…>"} /unsubscribe/…"#;
        assert_eq!(without_tokens(headers), shown);
        assert_eq!(without_tokens("nothing of it"), "nothing of it");
    }

    /// Links stand in mails for ever, so what they are made of must not change.
    #[tokio::test]
    async fn links_stay_as_they_are() {
        let links = Links::known(LinkKey::new("ours"), "https://shop.example/api/");
        let link = links.link(&subject("C-1", Kind::Refund)).await;
        let expected = "https://shop.example/api/unsubscribe/6gEFfOXRV7kpPMuY_CPlDnJlZnVuZApDLTE";
        assert_eq!(link.as_deref(), Ok(expected));
    }
}
