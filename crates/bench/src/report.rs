//! What the reader sees: medians with their spread over the rounds, as a table and as JSON.

use std::fmt::Write as _;

use serde::Serialize;

/// One figure over all rounds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Spread {
    /// The middle one; the mean of the middle two when their number is even.
    pub(crate) median: f64,
    /// The smallest.
    pub(crate) min: f64,
    /// The largest.
    pub(crate) max: f64,
}

impl Spread {
    /// The spread of `figures`; `None` when there are none.
    pub(crate) fn of(figures: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut sorted: Vec<f64> = figures.into_iter().collect();
        sorted.sort_by(f64::total_cmp);
        let (min, max) = (*sorted.first()?, *sorted.last()?);
        let middle = sorted.len() / 2;
        let median = match sorted.len() % 2 {
            0 => f64::midpoint(sorted[middle - 1], sorted[middle]),
            _ => sorted[middle],
        };
        Some(Self { median, min, max })
    }
}

/// A named column: how one figure of a row is taken and shown.
pub(crate) struct Column<R> {
    /// Heading.
    pub(crate) name: &'static str,
    /// Digits after the point.
    pub(crate) digits: usize,
    /// The figure of one round; `None` where it was not measured.
    pub(crate) figure: fn(&R) -> Option<f64>,
    /// Whether min and max are shown beside the median.
    pub(crate) spread: bool,
}

/// Lays out one line per row; `rows` are (name, its rounds).
pub(crate) fn table<R>(columns: &[Column<R>], rows: &[(String, Vec<R>)]) -> String {
    let mut lines = vec![vec![String::new()]];
    lines[0].extend(columns.iter().map(|column| column.name.to_owned()));
    for (name, rounds) in rows {
        let mut line = vec![name.clone()];
        line.extend(columns.iter().map(|column| cell(column, rounds)));
        lines.push(line);
    }
    align(&lines)
}

fn cell<R>(column: &Column<R>, rounds: &[R]) -> String {
    let digits = column.digits;
    match Spread::of(rounds.iter().filter_map(column.figure)) {
        None => "-".to_owned(),
        Some(Spread { median, min, max }) if column.spread && min < max => {
            format!("{median:.digits$} [{min:.digits$}..{max:.digits$}]")
        }
        Some(Spread { median, .. }) => format!("{median:.digits$}"),
    }
}

/// The first column to the left, all others to the right.
fn align(lines: &[Vec<String>]) -> String {
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max();
    let widths: Vec<usize> = (0..lines[0].len()).map(|c| width(c).unwrap_or(0)).collect();
    let mut text = String::new();
    for line in lines {
        for (column, cell) in line.iter().enumerate() {
            let width = widths[column];
            let written = match column {
                0 => write!(text, "{cell:<width$}"),
                _ => write!(text, "  {cell:>width$}"),
            };
            written.expect("writing to a string cannot fail");
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_is_median_and_ends() {
        let check = |figures: &[f64], expected: Option<(f64, f64, f64)>| {
            let spread = Spread::of(figures.iter().copied());
            assert_eq!(spread.map(|s| (s.median, s.min, s.max)), expected, "{figures:?}");
        };
        check(&[], None);
        check(&[3.0], Some((3.0, 3.0, 3.0)));
        check(&[9.0, 1.0, 2.0], Some((2.0, 1.0, 9.0)));
        check(&[4.0, 1.0, 2.0, 9.0], Some((3.0, 1.0, 9.0)));
    }

    #[test]
    fn columns_line_up_and_absent_figures_are_dashes() {
        let columns = [
            Column { name: "rate", digits: 0, figure: |r: &f64| Some(*r), spread: true },
            Column { name: "cpu", digits: 1, figure: |_| None, spread: true },
            Column { name: "ms", digits: 2, figure: |r| Some(r / 1000.0), spread: false },
        ];
        let rows = [("one".to_owned(), vec![10.0, 30.0, 20.0]), ("three".to_owned(), vec![5.0])];
        let expected = "              rate  cpu    ms\n\
                        one    20 [10..30]    -  0.02\n\
                        three            5    -  0.01\n";
        assert_eq!(table(&columns, &rows), expected);
    }
}
