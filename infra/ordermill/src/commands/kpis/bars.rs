//! Net revenue as bars, for the eye.

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

use super::sheet::Sheet;
use crate::output;

/// The longest bar has so many cells, or fewer where the terminal is narrow.
const CELLS: usize = 40;

/// Parts of a cell.
const EIGHTHS: [char; 8] = ['▏', '▎', '▍', '▌', '▋', '▊', '▉', '█'];

/// A line for each row. Nothing, where no row has anything to draw.
pub fn chart(sheet: &Sheet, width: Option<usize>) -> Option<String> {
    let rows = sheet.rows.iter().map(|row| {
        let net = row.figures.net();
        (row.label.as_str(), net, output::amount(net, sheet.currency))
    });
    let rows: Vec<(&str, Decimal, String)> = rows.collect();
    let longest = rows.iter().map(|(_, net, _)| *net).max()?;
    if longest <= Decimal::ZERO {
        return None;
    }
    let label_width = rows.iter().map(|(label, ..)| label.len()).max()?;
    let amount_width = rows.iter().map(|(.., amount)| amount.len()).max()?;
    // What stands before a bar, and a last column that stays free.
    let taken = label_width + amount_width + 6;
    let cells = width.map_or(CELLS, |width| width.saturating_sub(taken).clamp(1, CELLS));
    let lines = rows.iter().map(|(label, net, amount)| {
        let bar = bar(*net, longest, cells);
        let line = format!(" {label:label_width$}  {amount:>amount_width$}  {bar}");
        line.trim_end().to_owned()
    });
    Some(lines.collect::<Vec<_>>().join("\n"))
}

/// However little it is, if it is anything, it can be seen.
fn bar(net: Decimal, longest: Decimal, cells: usize) -> String {
    if net <= Decimal::ZERO {
        return String::new();
    }
    let share = net.checked_div(longest).unwrap_or_default();
    let eighths = (share * Decimal::from(cells * 8)).round();
    let eighths = eighths.to_usize().unwrap_or_default().max(1);
    let mut bar = EIGHTHS[7].to_string().repeat(eighths / 8);
    bar.extend((eighths % 8).checked_sub(1).map(|last| EIGHTHS[last]));
    bar
}

#[cfg(test)]
mod tests {
    use super::super::sheet::tests::{day, figures, sheets};
    use super::*;
    use crate::cli::figures::By;

    fn drawn(width: Option<usize>, cents: &[i64]) -> Option<String> {
        let days: Vec<_> = (1..)
            .zip(cents)
            .map(|(number, cents)| {
                let hours = [(0, figures(1, *cents))];
                day(&format!("2026-03-{number:02}"), &hours, 1)
            })
            .collect();
        chart(&sheets(&days, By::Days, None)[0], width)
    }

    #[test]
    fn bars_are_as_long_as_what_they_stand_for() {
        let drawn = drawn(None, &[100_000, 50_000, 1, -1_250, 0]).expect("bars");
        let expected = [
            format!(" 2026-03-01  1000.00  {}", "█".repeat(40)),
            format!(" 2026-03-02   500.00  {}", "█".repeat(20)),
            " 2026-03-03     0.01  ▏".to_owned(),
            " 2026-03-04   -12.50".to_owned(),
            " 2026-03-05     0.00".to_owned(),
        ];
        assert_eq!(drawn.lines().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn bars_fit_into_the_terminal() {
        for (width, cells) in [(120, 40), (80, 40), (40, 19), (10, 1)] {
            let drawn = drawn(Some(width), &[1_000]).expect("a bar");
            let bar = drawn.chars().filter(|character| *character == '█');
            assert_eq!(bar.count(), cells, "{width}");
            assert!(drawn.chars().count() < width.max(23), "{width}");
        }
    }

    #[test]
    fn an_eighth_of_a_cell_is_an_eighth() {
        let drawn = drawn(None, &[32_000, 900, 100]).expect("bars");
        assert!(drawn.contains("9.00  █▏\n"), "{drawn}");
        assert!(drawn.ends_with("1.00  ▏"), "{drawn}");
    }

    #[test]
    fn where_nothing_was_earned_nothing_is_drawn() {
        assert_eq!(drawn(None, &[0, -5]), None);
        let without_rows = sheets(&[day("2026-03-01", &[], 0)], By::Day, None);
        assert_eq!(chart(&without_rows[0], None), None);
    }
}
