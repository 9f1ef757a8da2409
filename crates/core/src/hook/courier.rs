//! Which event is sent next, without clock or network: lanes in order, pauses after failures, a rate.
//!
//! Events of one lane go one after the other. What an endpoint has not taken is tried again with growing pauses;
//! the rest of its lane waits behind it, other lanes go on. When many fail one after the other the endpoint is
//! taken to be down: then one at a time finds out whether it is back.

use std::collections::{BTreeMap, HashMap, VecDeque};

use teahouse_proto::time::UnixMillis;

use super::post::PostError;
use crate::rows::HookRow;

/// Events in memory at most, and bytes of them.
const EVENTS_MAX: usize = 1_024;
const BYTES_MAX: usize = 8 * 1024 * 1024;
/// The first pause after a failure; it doubles up to the longest.
const PAUSE_MS: u64 = 500;
const PAUSE_MS_MAX: u64 = 30_000;
/// An endpoint that has so often refused an event will not take it.
const REFUSALS_MAX: u32 = 8;
/// So many failures one after the other: the endpoint is down.
const DOWN_AFTER: u32 = 8;

/// What an app allows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) at_once: u32,
    pub(crate) per_second: u32,
    /// How long an event is sent again; nothing: it is sent once.
    pub(crate) retry_ms: Option<u64>,
}

/// An event to send.
#[derive(Debug, Clone)]
pub(crate) struct Parcel {
    pub(crate) seq: u64,
    pub(crate) row: HookRow,
    pub(crate) attempts: u32,
    refusals: u32,
}

/// What has become of an event for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Delivered,
    Dead,
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Courier {
    lanes: HashMap<String, Lane>,
    /// Lanes with something to send and nothing under way, by when they may go on and by their first event.
    ready: BTreeMap<(UnixMillis, u64), String>,
    events: usize,
    bytes: usize,
    under_way: u32,
    /// One after the other.
    failures: u32,
    /// The second, and what was sent in it.
    sent: (u64, u32),
}

#[derive(Debug, Default)]
struct Lane {
    parcels: VecDeque<Parcel>,
}

impl Courier {
    /// Whether more events may be taken in.
    pub(crate) fn has_room(&self) -> bool {
        self.events < EVENTS_MAX && self.bytes < BYTES_MAX
    }

    /// Takes an event in, behind all others of its lane.
    pub(crate) fn offer(&mut self, seq: u64, row: HookRow) {
        self.events += 1;
        self.bytes += row.body.len();
        let lane = self.lanes.entry(row.lane.clone()).or_default();
        if lane.parcels.is_empty() {
            self.ready.insert((UnixMillis(0), seq), row.lane.clone());
        }
        lane.parcels.push_back(Parcel { seq, row, attempts: 0, refusals: 0 });
    }

    /// The next event to send now, if there is one. Its lane waits until [`Courier::finish`].
    pub(crate) fn take(&mut self, now: UnixMillis, limits: &Limits) -> Option<Parcel> {
        let at_once = if self.is_down() { 1 } else { limits.at_once };
        let (&(due, seq), _) = self.ready.first_key_value()?;
        if self.under_way >= at_once || due > now || self.has_spent(now, limits) {
            return None;
        }
        let lane = self.ready.remove(&(due, seq))?;
        self.sent.1 += 1;
        self.under_way += 1;
        let parcel = self.lanes.get_mut(&lane)?.parcels.front_mut()?;
        parcel.attempts += 1;
        Some(parcel.clone())
    }

    /// Whether the second has had its share; begins a new second.
    fn has_spent(&mut self, now: UnixMillis, limits: &Limits) -> bool {
        let second = now.0 / 1_000;
        if self.sent.0 != second {
            self.sent = (second, 0);
        }
        self.sent.1 >= limits.per_second
    }

    fn is_down(&self) -> bool {
        self.failures >= DOWN_AFTER
    }

    /// An event that was taken has been tried. Says what has become of it, if it is not tried again.
    pub(crate) fn finish(
        &mut self,
        lane_name: &str,
        outcome: Result<(), &PostError>,
        now: UnixMillis,
        limits: &Limits,
    ) -> Option<End> {
        self.under_way = self.under_way.saturating_sub(1);
        let lane = self.lanes.get_mut(lane_name)?;
        let parcel = lane.parcels.front_mut()?;
        let is_expired = |at_ms: u64| match limits.retry_ms {
            Some(retry_ms) => now.0 >= at_ms.saturating_add(retry_ms),
            None => true,
        };
        let end = match outcome {
            Ok(()) => Some(End::Delivered),
            Err(problem) => {
                parcel.refusals += u32::from(problem.is_refusal());
                let is_over = parcel.refusals >= REFUSALS_MAX || is_expired(parcel.row.at_ms);
                is_over.then_some(End::Dead)
            }
        };
        let was_down = self.failures >= DOWN_AFTER;
        // Calls that began before it was down say nothing new.
        let is_late = was_down && self.under_way > 0;
        self.failures = match outcome {
            Err(problem) if !problem.is_refusal() => self.failures + u32::from(!is_late),
            // Who refuses is there.
            Ok(()) | Err(_) => 0,
        };
        let mut due = UnixMillis(0);
        if end.is_some() {
            let parcel = lane.parcels.pop_front()?;
            self.events -= 1;
            self.bytes -= parcel.row.body.len();
        } else {
            due = UnixMillis(now.0 + pause_ms(parcel.attempts));
        }
        match lane.parcels.front() {
            Some(next) => {
                self.ready.insert((due, next.seq), lane_name.to_owned());
            }
            None => {
                self.lanes.remove(lane_name);
            }
        }
        if was_down && self.failures == 0 {
            self.wake();
        } else if self.is_down() {
            self.hold(UnixMillis(now.0 + pause_ms(self.failures - DOWN_AFTER + 1)));
        }
        end
    }

    /// The endpoint is back: nobody has to wait out his pause.
    fn wake(&mut self) {
        let ready = std::mem::take(&mut self.ready);
        self.ready =
            ready.into_iter().map(|((_, seq), lane)| ((UnixMillis(0), seq), lane)).collect();
    }

    /// The endpoint is down: nothing goes before `due`.
    fn hold(&mut self, due: UnixMillis) {
        let later = self.ready.split_off(&(due, 0));
        let held = std::mem::replace(&mut self.ready, later);
        self.ready.extend(held.into_iter().map(|((_, seq), lane)| ((due, seq), lane)));
    }

    /// When [`Courier::take`] may have something again; nothing if only [`Courier::offer`] or
    /// [`Courier::finish`] can change that.
    pub(crate) fn due(&self, now: UnixMillis, limits: &Limits) -> Option<UnixMillis> {
        let at_once = if self.is_down() { 1 } else { limits.at_once };
        let (&(due, _), _) = self.ready.first_key_value()?;
        if self.under_way >= at_once {
            return None;
        }
        let next_second = UnixMillis((now.0 / 1_000 + 1) * 1_000);
        let has_spent = self.sent == (now.0 / 1_000, limits.per_second);
        Some(if has_spent { due.max(next_second) } else { due })
    }
}

/// The pause after so many attempts.
fn pause_ms(attempts: u32) -> u64 {
    PAUSE_MS.saturating_mul(1 << attempts.saturating_sub(1).min(16)).min(PAUSE_MS_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { at_once: 4, per_second: 100, retry_ms: Some(3_600_000) };
    const DOWN: PostError = PostError::TimedOut;

    fn row(lane: &str) -> HookRow {
        HookRow { lane: lane.to_owned(), at_ms: 1_000_000, ..HookRow::default() }
    }

    fn courier(lanes: &[&str]) -> Courier {
        let mut courier = Courier::default();
        for (seq, lane) in lanes.iter().enumerate() {
            courier.offer(seq as u64, row(lane));
        }
        courier
    }

    fn taken(courier: &mut Courier, at: u64) -> Vec<u64> {
        std::iter::from_fn(|| courier.take(UnixMillis(at), &LIMITS)).map(|p| p.seq).collect()
    }

    #[test]
    fn a_lane_goes_one_after_the_other_and_lanes_at_the_same_time() {
        let mut courier = courier(&["a", "a", "b", "a"]);
        let at = 1_000_000;
        assert_eq!(taken(&mut courier, at), [0, 2]);
        let done = courier.finish("a", Ok(()), UnixMillis(at), &LIMITS);
        assert_eq!(done, Some(End::Delivered));
        assert_eq!(taken(&mut courier, at), [1]);
        courier.finish("b", Ok(()), UnixMillis(at), &LIMITS);
        assert_eq!(taken(&mut courier, at), [] as [u64; 0]);
        courier.finish("a", Ok(()), UnixMillis(at), &LIMITS);
        assert_eq!(taken(&mut courier, at), [3]);
        courier.finish("a", Ok(()), UnixMillis(at), &LIMITS);
        assert_eq!((courier.events, courier.lanes.len(), courier.bytes), (0, 0, 0));
    }

    #[test]
    fn what_fails_comes_again_after_growing_pauses_and_before_the_rest_of_its_lane() {
        let mut courier = courier(&["a", "a", "b"]);
        let mut at = 1_000_000;
        assert_eq!(taken(&mut courier, at), [0, 2]);
        courier.finish("b", Ok(()), UnixMillis(at), &LIMITS);
        for pause in [500, 1_000, 2_000, 4_000] {
            assert_eq!(courier.finish("a", Err(&DOWN), UnixMillis(at), &LIMITS), None);
            assert_eq!(courier.due(UnixMillis(at), &LIMITS), Some(UnixMillis(at + pause)));
            assert_eq!(taken(&mut courier, at + pause - 1), [] as [u64; 0]);
            at += pause;
            assert_eq!(taken(&mut courier, at), [0]);
        }
    }

    #[test]
    fn an_event_is_dead_when_it_was_refused_too_often_or_its_time_is_over() {
        let at = 1_000_000;
        let mut refused = courier(&["a"]);
        let mut now = at;
        for attempt in 1..=REFUSALS_MAX {
            assert_eq!(taken(&mut refused, now), [0]);
            let end = refused.finish("a", Err(&PostError::Status(404)), UnixMillis(now), &LIMITS);
            assert_eq!(end, (attempt == REFUSALS_MAX).then_some(End::Dead));
            now += PAUSE_MS_MAX;
        }
        for (retry_ms, waited, end) in [
            (Some(10_000), 9_999, None),
            (Some(10_000), 10_000, Some(End::Dead)),
            (None, 0, Some(End::Dead)),
        ] {
            let limits = Limits { retry_ms, ..LIMITS };
            let mut late = courier(&["a"]);
            late.take(UnixMillis(at), &limits).expect("there");
            assert_eq!(late.finish("a", Err(&DOWN), UnixMillis(at + waited), &limits), end);
        }
    }

    #[test]
    fn an_endpoint_that_is_down_is_asked_by_one_at_a_time_until_it_is_back() {
        let names: Vec<String> = (0..20).map(|n| n.to_string()).collect();
        let lanes: Vec<&str> = names.iter().map(String::as_str).collect();
        let mut courier = courier(&lanes);
        let mut now = 1_000_000;
        for _ in 0..2 {
            let tried = taken(&mut courier, now);
            assert_eq!(tried.len(), 4);
            for seq in tried {
                courier.finish(&seq.to_string(), Err(&DOWN), UnixMillis(now), &LIMITS);
            }
        }
        assert_eq!(taken(&mut courier, now), [] as [u64; 0], "a pause for all");
        now = courier.due(UnixMillis(now), &LIMITS).expect("later").0;
        let probe = taken(&mut courier, now);
        assert_eq!(probe.len(), 1);
        courier.finish(&probe[0].to_string(), Ok(()), UnixMillis(now), &LIMITS);
        assert_eq!(taken(&mut courier, now).len(), 4, "back at once");
    }

    #[test]
    fn many_calls_that_fail_at_the_same_time_are_one_reason_to_wait() {
        let names: Vec<String> = (0..20).map(|n| n.to_string()).collect();
        let lanes: Vec<&str> = names.iter().map(String::as_str).collect();
        let mut courier = courier(&lanes);
        let limits = Limits { at_once: 20, ..LIMITS };
        let mut now = 1_000_000;
        let all: Vec<_> = std::iter::from_fn(|| courier.take(UnixMillis(now), &limits)).collect();
        assert_eq!(all.len(), 20);
        for parcel in all {
            courier.finish(&parcel.row.lane, Err(&DOWN), UnixMillis(now), &limits);
        }
        for pause in [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000] {
            let due = courier.due(UnixMillis(now), &limits).expect("later").0;
            assert_eq!(due - now, pause);
            now = due;
            let probe = courier.take(UnixMillis(now), &limits).expect("one");
            courier.finish(&probe.row.lane, Err(&DOWN), UnixMillis(now), &limits);
        }
    }

    #[test]
    fn a_second_has_a_share() {
        let mut courier = courier(&["a", "b", "c"]);
        let limits = Limits { per_second: 2, ..LIMITS };
        let at = |ms: u64| UnixMillis(1_000_000 + ms);
        assert!(courier.take(at(10), &limits).is_some() && courier.take(at(20), &limits).is_some());
        assert!(courier.take(at(999), &limits).is_none());
        assert_eq!(courier.due(at(999), &limits), Some(at(1_000)));
        assert!(courier.take(at(1_000), &limits).is_some());
    }
}
