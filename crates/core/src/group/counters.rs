//! Counters of a group: numbers that members move without seeing each other's moves.
//!
//! A counter may be moved far more often than anybody could look at it (the applause of a live room).
//! So members are told of it a few times a second, each time the last value.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard};

use schemars::JsonSchema;
use serde::Deserialize;
use teahouse_proto::error::{Error, ErrorCode};
use teahouse_proto::ids::{GroupId, SdkAppId};
use teahouse_proto::push::GroupCounter;
use teahouse_proto::time::UnixMillis;

use crate::event::CountersChanged;
use crate::node::{Due, Node};
use crate::push;
use crate::rows::CountersRow;

const KEYS_MAX: usize = 20;
const KEY_BYTES_MAX: usize = 128;
/// Members of one group are not told of its counters more often.
const TOLD_EVERY_MS: u64 = 200;

/// How counters are moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
pub(crate) enum Mode {
    Set,
    Increase,
    Decrease,
}

/// Checks the counters of a request.
///
/// # Errors
/// `CountersFull`; `GroupBadParameter` for a key that is empty or too long.
pub(crate) fn check_keys(keys: &[String]) -> Result<(), Error> {
    check_count(keys.len())?;
    for key in keys {
        if key.is_empty() || key.len() > KEY_BYTES_MAX {
            let info = format!("a key of {} bytes, 1 to {KEY_BYTES_MAX} are possible", key.len());
            return Err(Error::with(ErrorCode::GroupBadParameter, info));
        }
    }
    Ok(())
}

fn check_count(count: usize) -> Result<(), Error> {
    if count <= KEYS_MAX {
        return Ok(());
    }
    let info = format!("{count} counters, at most {KEYS_MAX}");
    Err(Error::with(ErrorCode::CountersFull, info))
}

impl CountersRow {
    /// The counters after `moves`, one after the other. One that is not there begins at 0.
    ///
    /// # Errors
    /// `CountersFull`; `GroupBadParameter` for one that would leave the range of 64 bits.
    pub(crate) fn moved(&self, mode: Mode, moves: &[GroupCounter]) -> Result<Self, Error> {
        let mut by_key = self.by_key.clone();
        for GroupCounter { key, value } in moves {
            let counter = by_key.entry(key.clone()).or_default();
            let moved = match mode {
                Mode::Set => Some(*value),
                Mode::Increase => counter.checked_add(*value),
                Mode::Decrease => counter.checked_sub(*value),
            };
            *counter = moved.ok_or_else(|| {
                let info = format!("the counter {key} does not go beyond 64 bits");
                Error::with(ErrorCode::GroupBadParameter, info)
            })?;
        }
        check_count(by_key.len())?;
        Ok(Self { seq: self.seq + 1, by_key })
    }

    /// The counters without these, or without all.
    pub(crate) fn without(&self, keys: Option<&[String]>) -> Self {
        let mut by_key = self.by_key.clone();
        by_key.retain(|key, _| keys.is_some_and(|keys| !keys.contains(key)));
        Self { seq: self.seq + 1, by_key }
    }

    /// These counters, or all; those that are not there are left out.
    pub(crate) fn list(&self, keys: Option<&[String]>) -> Vec<GroupCounter> {
        let wanted = self.by_key.iter();
        wanted
            .filter(|(key, _)| keys.is_none_or(|keys| keys.contains(key)))
            .map(|(key, value)| GroupCounter { key: key.clone(), value: *value })
            .collect()
    }
}

/// What the members of groups are still to be told of their counters.
#[derive(Default)]
pub(crate) struct Untold {
    by_group: Mutex<HashMap<GroupId, Waiting>>,
}

#[derive(Default)]
struct Waiting {
    told: UnixMillis,
    /// The last change that waits.
    last: Option<CountersChanged>,
    /// The values that wait.
    values: BTreeMap<String, i64>,
}

impl Untold {
    /// Forgets groups of which nothing waits.
    pub(crate) fn tidy(&self, now: UnixMillis) {
        let is_busy =
            |waiting: &Waiting| waiting.last.is_some() || now.0 < waiting.told.0 + TOLD_EVERY_MS;
        self.lock().retain(|_, waiting| is_busy(waiting));
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<GroupId, Waiting>> {
        self.by_group.lock().expect("bookkeeping of counters does not panic")
    }
}

impl Waiting {
    fn add(&mut self, changed: &CountersChanged) {
        self.values.extend(changed.counters.iter().map(|c| (c.key.clone(), c.value)));
        self.last = Some(changed.clone());
    }

    /// What waits, as one change.
    fn take(&mut self, now: UnixMillis) -> Option<CountersChanged> {
        let mut changed = self.last.take()?;
        let counters = std::mem::take(&mut self.values).into_iter();
        changed.counters = counters.map(|(key, value)| GroupCounter { key, value }).collect();
        self.told = now;
        Some(changed)
    }
}

/// Tells the members of a change: now, or in a moment together with others.
pub(crate) fn tell(node: &Node, changed: &CountersChanged) {
    let Some(app) = node.app(changed.group.app) else { return };
    let now = node.now();
    // What is told is queued under the lock: in the order of the changes.
    let mut untold = app.untold_counters.lock();
    let waiting = untold.entry(changed.group.id.clone()).or_default();
    if changed.deleted {
        waiting.take(now).iter().for_each(|before| push::counters_changed(node, before));
        return push::counters_changed(node, changed);
    }
    let is_waited_for = waiting.last.is_some();
    waiting.add(changed);
    // A clock that steps back makes nobody wait longer.
    let due = UnixMillis(waiting.told.min(now).0 + TOLD_EVERY_MS);
    if due <= now {
        waiting.take(now).iter().for_each(|changed| push::counters_changed(node, changed));
    } else if !is_waited_for {
        node.agenda().enter(due, Due::Counters(app.id(), changed.group.id.clone()));
    }
}

/// What waits is due.
pub(crate) fn tell_due(node: &Node, app: SdkAppId, group: &GroupId) {
    let Some(app) = node.app(app) else { return };
    let mut untold = app.untold_counters.lock();
    let changed = untold.get_mut(group).and_then(|waiting| waiting.take(node.now()));
    changed.iter().for_each(|changed| push::counters_changed(node, changed));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counter(key: &str, value: i64) -> GroupCounter {
        GroupCounter { key: key.to_owned(), value }
    }

    #[test]
    fn counters_move_and_begin_at_zero() {
        let row = CountersRow::default();
        let row = row.moved(Mode::Increase, &[counter("a", 5), counter("a", 2)]).expect("fits");
        let row = row.moved(Mode::Decrease, &[counter("a", 3), counter("b", 4)]).expect("fits");
        let row = row.moved(Mode::Set, &[counter("c", 9)]).expect("fits");
        assert_eq!(row.list(None), [counter("a", 4), counter("b", -4), counter("c", 9)]);
        assert_eq!(row.seq, 3);
        let some = ["b".to_owned(), "nothing".to_owned()];
        assert_eq!(row.list(Some(&some)), [counter("b", -4)]);
        assert_eq!(row.without(Some(&some)).list(None), [counter("a", 4), counter("c", 9)]);
        assert_eq!(row.without(None).list(None), []);
    }

    #[test]
    fn a_counter_keeps_to_64_bits() {
        let row = CountersRow::default();
        let row = row.moved(Mode::Set, &[counter("a", i64::MAX), counter("b", i64::MIN)]);
        let row = row.expect("fits");
        for (mode, key, fits) in [
            (Mode::Increase, "a", false),
            (Mode::Decrease, "a", true),
            (Mode::Increase, "b", true),
            (Mode::Decrease, "b", false),
        ] {
            assert_eq!(row.moved(mode, &[counter(key, 1)]).is_ok(), fits, "{mode:?} {key}");
        }
    }

    #[test]
    fn there_are_at_most_twenty() {
        let moves: Vec<_> = (0..20).map(|n| counter(&format!("k{n}"), 1)).collect();
        let full = CountersRow::default().moved(Mode::Set, &moves).expect("fits");
        assert!(full.moved(Mode::Set, &moves).is_ok());
        let error = full.moved(Mode::Set, &[counter("more", 1)]).expect_err("full");
        assert_eq!(error.code, ErrorCode::CountersFull);
    }
}
