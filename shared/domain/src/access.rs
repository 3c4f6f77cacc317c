//! Who may: what a token allows, and what one looks like. Draws nothing and looks nothing up: bits and records come in.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::ids;

/// What a caller may do. Each route of the API asks for one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// See everything but tokens.
    Read,
    /// Bring in orders and catalogs.
    Import,
    Refund,
    /// Decide about what failed, and rebuild figures.
    Operate,
    /// All of it.
    Admin,
}

impl Scope {
    pub const ALL: [Scope; 5] = [
        Scope::Read,
        Scope::Import,
        Scope::Refund,
        Scope::Operate,
        Scope::Admin,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Scope::Read => "read",
            Scope::Import => "import",
            Scope::Refund => "refund",
            Scope::Operate => "operate",
            Scope::Admin => "admin",
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Scope {
    type Err = &'static str;

    fn from_str(name: &str) -> Result<Scope, &'static str> {
        let scope = Scope::ALL.into_iter().find(|scope| scope.name() == name);
        scope.ok_or("a scope is read, import, refund, operate or admin")
    }
}

/// What one token allows. As text, their names with a space between: `read refund`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scopes(BTreeSet<Scope>);

impl Scopes {
    /// The one place that knows that an admin may do everything.
    pub fn allows(&self, scope: Scope) -> bool {
        self.0.contains(&scope) || self.0.contains(&Scope::Admin)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Scopes {
        Scopes(scopes.into_iter().collect())
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.0.iter().map(|scope| scope.name()).collect();
        f.pad(&names.join(" "))
    }
}

impl FromStr for Scopes {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Scopes, &'static str> {
        text.split_whitespace().map(str::parse).collect()
    }
}

/// By which people, and programs that look for secrets in what is published, know one of ours.
const PREFIX: &str = "om_";

/// 256 bits, five in a character.
const CHARACTERS: usize = 52;

/// The text that a caller has to know. Nothing keeps it: what is kept is its hash, which opens nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// The bits have to be drawn by the operating system, for nobody may guess them.
    pub fn new(bits: [u8; 32]) -> Token {
        let drawn = ids::base32(&bits).take(CHARACTERS);
        Token(PREFIX.chars().chain(drawn).collect())
    }

    /// Nothing where this cannot be a token, so that junk costs no read.
    pub fn read(text: &str) -> Option<Token> {
        let drawn = text.strip_prefix(PREFIX)?;
        let is_one = drawn.len() == CHARACTERS && drawn.bytes().all(ids::is_base32);
        is_one.then(|| Token(text.to_owned()))
    }

    /// The token of an `Authorization` header: `Bearer om_…`.
    pub fn of_header(header: &str) -> Option<Token> {
        let (scheme, token) = header.trim().split_once(' ')?;
        scheme
            .eq_ignore_ascii_case("bearer")
            .then(|| Token::read(token.trim_start()))?
    }

    /// What the token is found by: the SHA-256 of its whole text. Of 256 random bits, nobody finds the text to a hash, so
    /// there is nothing that salt or a slow hash would add.
    pub fn hash(&self) -> String {
        let hash = Sha256::digest(self.0.as_bytes());
        hash.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// To be shown once, to whoever asked for it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

/// A token is in no log, whoever prints what holds it.
impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_has_one_name() {
        for scope in Scope::ALL {
            assert_eq!(scope.name().parse(), Ok(scope));
            let json = serde_json::to_string(&scope).expect("a string");
            assert_eq!(json, format!("{:?}", scope.name()));
        }
        for wrong in ["", "Read", "write", "read refund"] {
            assert!(wrong.parse::<Scope>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn scopes_allow_what_they_name_and_an_admin_everything() {
        let scopes: Scopes = "refund  read".parse().expect("scopes");
        assert_eq!(scopes.to_string(), "read refund");
        assert_eq!(scopes.to_string().parse(), Ok(scopes.clone()));
        let allowed = |scopes: &Scopes| Scope::ALL.map(|scope| scopes.allows(scope));
        assert_eq!(allowed(&scopes), [true, false, true, false, false]);
        assert_eq!(allowed(&Scopes::default()), [false; 5]);
        assert_eq!(allowed(&Scopes::from_iter([Scope::Admin])), [true; 5]);
        assert!("read write".parse::<Scopes>().is_err());
        let json = serde_json::to_string(&scopes).expect("json");
        assert_eq!(json, r#"["read","refund"]"#);
    }

    /// Hashes are kept, so what a token looks like must not change.
    #[test]
    fn a_token_is_all_its_bits() {
        let token = Token::new([0xff; 32]);
        assert_eq!(token.reveal(), format!("om_{}g", "z".repeat(51)));
        assert_eq!(token.hash().len(), 64);
        let mut seen = BTreeSet::from([token.reveal().to_owned()]);
        for bit in 0..256 {
            let mut bits = [0xff; 32];
            bits[bit / 8] ^= 1 << (bit % 8);
            let token = Token::new(bits);
            assert_eq!(Token::read(token.reveal()), Some(token.clone()));
            seen.insert(token.reveal().to_owned());
        }
        assert_eq!(seen.len(), 257);
        assert_eq!(format!("{token:?}"), "Token(…)");
    }

    #[test]
    fn a_hash_is_of_the_whole_text() {
        let token = Token::new([0; 32]);
        let expected = "b831420b9a092a1063c04d6b3260ce48127d6681e84259523b3a17a1418b5674";
        assert_eq!(token.hash(), expected);
    }

    #[test]
    fn what_cannot_be_a_token_is_none() {
        let token = Token::new([7; 32]);
        let text = token.reveal();
        for header in [
            format!("Bearer {text}"),
            format!("bearer {text}"),
            format!(" BEARER   {text} "),
        ] {
            assert_eq!(Token::of_header(&header), Some(token.clone()), "{header}");
        }
        for header in [
            String::new(),
            text.to_owned(),
            "Bearer".to_owned(),
            "Bearer ".to_owned(),
            format!("Basic {text}"),
            format!("Bearer{text}"),
            format!("Bearer {}", &text[..54]),
            format!("Bearer {text}0"),
            format!("Bearer {text} {text}"),
            format!("Bearer {}", text.to_uppercase()),
            format!("Bearer {}l", &text[..54]),
            format!("Bearer {}é", &text[..53]),
            format!("Bearer ox_{}", &text[3..]),
        ] {
            assert_eq!(Token::of_header(&header), None, "{header}");
        }
    }
}
