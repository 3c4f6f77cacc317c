//! The service's memory for transactions: what was done under which token in the last ten minutes.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use domain::Fault;
use tokio::time::Instant;

use crate::ops::Write;

const REMEMBERED: Duration = Duration::from_secs(600);

#[derive(Debug, Default)]
pub struct Tokens {
    done: HashMap<String, Vec<Write>>,
    by_age: VecDeque<(Instant, String)>,
}

impl Tokens {
    /// Whether these writes were done before. Cancelled transactions are not remembered: their token stays free.
    pub fn done(&mut self, token: &str, writes: &[Write], now: Instant) -> Result<bool, Fault> {
        while let Some((_, token)) = self
            .by_age
            .pop_front_if(|(at, _)| now.duration_since(*at) >= REMEMBERED)
        {
            self.done.remove(&token);
        }
        match self.done.get(token) {
            None => Ok(false),
            Some(before) if before == writes => Ok(true),
            Some(_) => Err(Fault::Corrupt("one token for two transactions".to_owned())),
        }
    }

    pub fn remember(&mut self, token: &str, writes: &[Write], now: Instant) {
        self.done.insert(token.to_owned(), writes.to_vec());
        self.by_age.push_back((now, token.to_owned()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_remembered_for_ten_minutes() {
        let key = crate::ops::Key::new(crate::schema::Table::Orders, "O-1");
        let condition = crate::ops::Condition::Always;
        let writes = [Write::Update {
            key,
            changes: vec![],
            condition,
        }];
        let (mut tokens, start) = (Tokens::default(), Instant::now());
        assert_eq!(tokens.done("t", &writes, start), Ok(false));
        tokens.remember("t", &writes, start);
        let later = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(tokens.done("t", &writes, later(599)), Ok(true));
        assert!(matches!(
            tokens.done("t", &[], later(599)),
            Err(Fault::Corrupt(_))
        ));
        assert_eq!(tokens.done("t", &[], later(600)), Ok(false));
    }
}
