//! Instants as indexes sort them: all of them as texts of one length, to the nanosecond.

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serializer};

pub fn sortable(at: Timestamp) -> String {
    format!("{at:.9}")
}

pub fn serialize<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&sortable(*at))
}

pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
    Timestamp::deserialize(deserializer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_sort_as_instants_do() {
        let nanoseconds = [0, 1, 999, 1_000, 120_000_000, 500_000_000, 999_999_999];
        let at = |second, nanosecond| Timestamp::new(second, nanosecond).expect("an instant");
        let instants = [1_000, 1_001]
            .into_iter()
            .flat_map(|second| nanoseconds.map(|nanosecond| at(second, nanosecond)));
        let texts: Vec<String> = instants.clone().map(sortable).collect();
        assert!(texts.is_sorted(), "{texts:?}");
        for (text, instant) in texts.iter().zip(instants) {
            assert_eq!(text.parse::<Timestamp>().ok(), Some(instant));
        }
        assert_eq!(texts[0], "1970-01-01T00:16:40.000000000Z");
    }
}
