//! How long messages stay hidden, and how long functions run.

use super::{resource, text};

/// The service refuses a queue whose messages come back before their function has to end, and advises six times that.
#[test]
fn visibility_timeouts_fit_the_timeouts_of_functions() {
    let template = text("template.yaml");
    let seconds = |text: &str, field: &str| {
        let value = text.split(&format!("{field}: ")).nth(1)?;
        let digits = value.split(|char: char| !char.is_ascii_digit()).next();
        digits?.parse::<u32>().ok()
    };
    let timeouts = |name: &str| {
        let after = template.split(&format!("\n    {name}: {{")).nth(1);
        after
            .and_then(|rest| rest.lines().next())
            .expect("a mapping")
    };
    let globals = seconds(&template, "    Timeout").expect("a timeout");
    for (queue, function) in [
        ("Batches", "Dispatch"),
        ("Entries", "Tally"),
        ("Refunds", "Refund"),
        ("Notices", "Notify"),
        ("Mail", "Send"),
        ("Feedback", "Feedback"),
    ] {
        let timeout = seconds(resource(&template, function), "      Timeout").unwrap_or(globals);
        let [advised, short] =
            ["advised", "short"].map(|name| seconds(timeouts(name), queue).expect("a timeout"));
        assert_eq!(advised, 6 * timeout, "{queue}");
        assert!((timeout + 5..advised).contains(&short), "{queue}: {short}");
        let used = format!("!FindInMap [VisibilityTimeouts, !Ref QueueTimeouts, {queue}]");
        assert_eq!(template.matches(&used).count(), 1, "{used}");
    }
}
