//! What was carried over, what was left out, and what differs: counted, shown while it goes on, told at the end.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Write;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Accounts,
    Blocked,
    Friends,
    Groups,
    Members,
    GroupMessages,
    PairMessages,
}

impl Kind {
    const ALL: [Self; 7] = [
        Self::Accounts,
        Self::Blocked,
        Self::Friends,
        Self::Groups,
        Self::Members,
        Self::GroupMessages,
        Self::PairMessages,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Accounts => "accounts",
            Self::Blocked => "blocked users",
            Self::Friends => "friends",
            Self::Groups => "groups",
            Self::Members => "members",
            Self::GroupMessages => "group messages",
            Self::PairMessages => "one-to-one messages",
        }
    }
}

/// Examples that are kept of each reason.
const EXAMPLES_MAX: usize = 20;
const SHOWN_EVERY: Duration = Duration::from_secs(2);

/// The counts of a run.
#[derive(Debug, Default)]
pub(crate) struct Report {
    counts: [AtomicU64; Kind::ALL.len()],
    phase: Mutex<&'static str>,
    left_out: Notes,
    /// At the target alone, and rightly so.
    kept: Notes,
    differences: Notes,
}

/// Reasons, how often each came, and a few examples of each.
#[derive(Debug, Default)]
struct Notes(Mutex<BTreeMap<String, (u64, Vec<String>)>>);

impl Notes {
    fn add(&self, count: u64, reason: String, example: String) {
        let mut notes = self.0.lock().expect("no panic while held");
        let (counted, examples) = notes.entry(reason).or_default();
        *counted += count;
        if examples.len() < EXAMPLES_MAX {
            examples.push(example);
        }
    }

    fn count(&self) -> u64 {
        self.0.lock().expect("no panic while held").values().map(|(count, _)| count).sum()
    }

    fn write(&self, f: &mut fmt::Formatter<'_>, title: &str) -> fmt::Result {
        let notes = self.0.lock().expect("no panic while held");
        for (reason, (count, examples)) in notes.iter() {
            writeln!(f, "{title}: {count} × {reason}: {}", examples.join(", "))?;
        }
        Ok(())
    }
}

impl Report {
    /// So many more are at the target.
    pub(crate) fn count(&self, kind: Kind, more: usize) {
        self.counts[kind as usize].fetch_add(more as u64, Ordering::Relaxed);
    }

    /// So many things of the source are not carried over, for this reason.
    pub(crate) fn leave_out(&self, count: u64, reason: impl Into<String>, what: impl fmt::Display) {
        self.left_out.add(count, reason.into(), what.to_string());
    }

    /// So many messages are at the target alone: the source's history has forgotten them, an archive has not.
    pub(crate) fn keep(&self, count: u64, reason: impl Into<String>, what: impl fmt::Display) {
        self.kept.add(count, reason.into(), what.to_string());
    }

    /// Something is not the same at both sides.
    pub(crate) fn differ(&self, count: u64, reason: impl Into<String>, what: impl fmt::Display) {
        self.differences.add(count, reason.into(), what.to_string());
    }

    /// Differences so far.
    pub(crate) fn differences(&self) -> u64 {
        self.differences.count()
    }

    pub(crate) fn begin(&self, phase: &'static str) {
        *self.phase.lock().expect("no panic while held") = phase;
        self.show();
    }

    /// Shows how far it is, until it is dropped.
    pub(crate) async fn show_steadily(&self) {
        let mut ticks = tokio::time::interval_at(Instant::now() + SHOWN_EVERY, SHOWN_EVERY);
        loop {
            ticks.tick().await;
            self.show();
        }
    }

    fn show(&self) {
        let phase = *self.phase.lock().expect("no panic while held");
        // Nothing better can be done when standard error is closed.
        let _ = writeln!(std::io::stderr(), "{phase}: {}", self.counted().join(", "));
    }

    fn counted(&self) -> Vec<String> {
        let counted = Kind::ALL.iter().map(|kind| {
            let count = self.counts[*kind as usize].load(Ordering::Relaxed);
            format!("{count} {}", kind.name())
        });
        counted.collect()
    }
}

/// The last word: what is there, what was left out and why, what differs.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "in this run: {}", self.counted().join(", "))?;
        self.left_out.write(f, "left out")?;
        self.kept.write(f, "kept")?;
        self.differences.write(f, "different")?;
        write!(f, "differences: {}", self.differences())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_counted_and_a_few_examples_are_named() {
        let report = Report::default();
        report.count(Kind::Members, 3);
        for number in 0..30 {
            report.leave_out(2, "tips", format!("tea {number}"));
        }
        report.differ(1, "names", "tea");
        let text = report.to_string();
        assert!(text.contains("3 members") && text.contains("left out: 60 × tips: tea 0, "));
        assert!(text.contains("tea 19") && !text.contains("tea 20"));
        assert!(text.contains("different: 1 × names: tea\ndifferences: 1"), "{text}");
    }
}
