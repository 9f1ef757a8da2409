//! When an open-loop generator means to send: at a fixed rate, whatever the answers do.
//!
//! Latency counts from these times, not from when the generator got round to writing, so that a
//! stall of the server is paid for by every message that it delayed (no coordinated omission).

/// Evenly spaced sends, dealt out to the pairs in turn.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Schedule {
    /// Time of the first send, in nanoseconds of the generator's clock.
    pub(crate) start_ns: u64,
    /// Time at which sending ends; nothing is due at or after it.
    pub(crate) end_ns: u64,
    /// Messages per second over all pairs; at least 1.
    pub(crate) rate: u32,
    /// Number of pairs; at least 1.
    pub(crate) pairs: u32,
}

/// One send that the schedule demands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Due {
    /// Intended time in nanoseconds.
    pub(crate) at_ns: u64,
    /// The pair that sends.
    pub(crate) pair: u32,
}

impl Schedule {
    /// The `number`th send, from 0; `None` once the schedule has ended.
    pub(crate) fn due(&self, number: u64) -> Option<Due> {
        let offset = u128::from(number) * 1_000_000_000 / u128::from(self.rate);
        let at_ns = u128::from(self.start_ns) + offset;
        (at_ns < u128::from(self.end_ns))
            .then_some(Due { at_ns: at_ns as u64, pair: (number % u64::from(self.pairs)) as u32 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn a_second_holds_exactly_its_rate() {
        for rate in [1, 3, 500, 20_000] {
            let schedule = Schedule { start_ns: 5, end_ns: 5 + SECOND, rate, pairs: 7 };
            let all: Vec<Due> = (0..).map_while(|n| schedule.due(n)).collect();
            assert_eq!(all.len(), rate as usize);
            assert_eq!(all[0], Due { at_ns: 5, pair: 0 });
            assert!(all.iter().enumerate().all(|(n, due)| due.pair == n as u32 % 7));
        }
    }

    #[test]
    fn rounding_does_not_drift() {
        let schedule = Schedule { start_ns: 0, end_ns: u64::MAX, rate: 3, pairs: 1 };
        assert_eq!(schedule.due(1).unwrap().at_ns, 333_333_333);
        assert_eq!(schedule.due(3_000_000).unwrap().at_ns, 1_000_000 * SECOND);
    }
}
