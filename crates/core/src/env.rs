//! What the domain takes from the world: time, randomness, somewhere to run background work, and applications'
//! own servers.
//!
//! All of them are injected, so that tests and the simulator own them. Nothing else in this crate asks
//! the machine for anything but the store.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::future::BoxFuture;
use teahouse_proto::ids::TinyId;
use teahouse_proto::time::UnixMillis;

use crate::hook::Endpoints;

/// Wall-clock time. It may step backwards; whoever needs order keeps its own maximum.
pub trait Clock: Send + Sync + 'static {
    /// Now.
    fn now(&self) -> UnixMillis;
}

/// A source of randomness. Keys and tokens are made from it, so the server gives the system's.
pub trait Random: Send + Sync + 'static {
    /// 64 unpredictable bits.
    fn next(&self) -> u64;
}

/// Runs background work to its end. A task is dropped only when the process ends.
pub trait Spawn: Send + Sync + 'static {
    /// Starts `task`; returns at once.
    fn spawn(&self, task: BoxFuture<'static, ()>);
}

/// The environment of one node.
#[derive(Clone)]
pub struct Env {
    /// Wall-clock time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub random: Arc<dyn Random>,
    /// Background work.
    pub spawn: Arc<dyn Spawn>,
    /// Applications' own servers.
    pub endpoints: Arc<dyn Endpoints>,
    /// This node's number in the cluster, 0 to 1023.
    pub node_number: u16,
    /// Over how many shards the server spreads its sockets; each of them runs `Hub::fan_out`.
    pub shards: usize,
}

/// Makes ids that are unique over all nodes and rise with time on each of them: 41 bits of
/// milliseconds since 2020, 10 bits of node number, 12 bits of counter.
#[derive(Debug)]
pub(crate) struct IdMaker {
    node: u64,
    /// Milliseconds since 2020 above, counter in the low 12 bits.
    last: AtomicU64,
}

const EPOCH_2020_MS: u64 = 1_577_836_800_000;
const COUNTER_BITS: u32 = 12;
const NODE_BITS: u32 = 10;

impl IdMaker {
    /// Ids from after `reserved`: an earlier process may have given out those before it.
    pub(crate) fn new(node_number: u16, reserved: UnixMillis) -> Self {
        assert!(u32::from(node_number) < 1 << NODE_BITS, "node numbers end at 1023");
        let last = reserved.0.saturating_sub(EPOCH_2020_MS) << COUNTER_BITS;
        Self { node: u64::from(node_number), last: AtomicU64::new(last) }
    }

    /// Up to where ids are given out: the millisecond of the last one, which may be ahead of the clock.
    pub(crate) fn position(&self) -> UnixMillis {
        UnixMillis((self.last.load(Ordering::Relaxed) >> COUNTER_BITS) + EPOCH_2020_MS)
    }

    /// A new id. A full millisecond, or a clock that steps back, borrows from the following one.
    pub(crate) fn next(&self, now: UnixMillis) -> TinyId {
        let floor = now.0.saturating_sub(EPOCH_2020_MS) << COUNTER_BITS;
        let step = |last: u64| Some(floor.max(last + 1));
        let previous = match self.last.fetch_update(Ordering::Relaxed, Ordering::Relaxed, step) {
            Ok(previous) | Err(previous) => previous,
        };
        let stamp = floor.max(previous + 1);
        let (ms, counter) = (stamp >> COUNTER_BITS, stamp & ((1 << COUNTER_BITS) - 1));
        TinyId((ms << (NODE_BITS + COUNTER_BITS)) | (self.node << COUNTER_BITS) | counter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_rise_also_when_the_clock_steps_back_or_a_millisecond_is_full() {
        let ids = IdMaker::new(3, UnixMillis(0));
        let mut last = TinyId(0);
        for step in 0..10_000_u64 {
            let now = UnixMillis(EPOCH_2020_MS + 1_000_000 - step % 7);
            let id = ids.next(now);
            assert!(id > last, "{id} after {last}");
            assert_eq!((id.0 >> COUNTER_BITS) & 0x3ff, 3);
            last = id;
        }
    }

    #[test]
    fn ids_start_after_those_of_an_earlier_process() {
        let now = UnixMillis(EPOCH_2020_MS + 1_000);
        let reserved = UnixMillis(EPOCH_2020_MS + 61_000);
        let earlier = IdMaker::new(1, UnixMillis(0)).next(UnixMillis(reserved.0 - 1));
        assert!(
            IdMaker::new(1, reserved).next(now) > earlier,
            "the clock stepped back by a minute"
        );
    }

    #[test]
    fn the_position_is_that_of_the_last_id_or_what_was_reserved_before() {
        let (early, late) = (UnixMillis(EPOCH_2020_MS + 5), UnixMillis(EPOCH_2020_MS + 9_000));
        let ids = IdMaker::new(1, late);
        assert_eq!(ids.position(), late);
        ids.next(early);
        assert_eq!(ids.position(), late, "ids go on after what an earlier process had reserved");
        ids.next(UnixMillis(late.0 + 1));
        assert_eq!(ids.position(), UnixMillis(late.0 + 1));
    }

    #[test]
    fn ids_of_two_nodes_never_meet() {
        let (a, b) = (IdMaker::new(1, UnixMillis(0)), IdMaker::new(2, UnixMillis(0)));
        let now = UnixMillis(EPOCH_2020_MS + 5);
        let from_a: std::collections::BTreeSet<_> = (0..5000).map(|_| a.next(now)).collect();
        assert!((0..5000).all(|_| !from_a.contains(&b.next(now))));
    }
}
