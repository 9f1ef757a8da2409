//! The generator's two clocks: a monotonic one for every measurement, and the calendar for the
//! few request fields that carry unix seconds.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Monotonic time since the clock was made. Senders and receivers share one, so that a delivery is
/// the difference of two readings of the same clock.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    origin: Instant,
    origin_seconds: u32,
}

impl Clock {
    /// A clock that now reads zero.
    pub(crate) fn start() -> Self {
        Self { origin: Instant::now(), origin_seconds: unix_seconds() }
    }

    /// Nanoseconds since [`Clock::start`].
    pub(crate) fn now_ns(&self) -> u64 {
        self.origin.elapsed().as_nanos() as u64
    }

    /// The calendar second in which this clock read `at_ns`.
    pub(crate) fn unix_seconds_at(&self, at_ns: u64) -> u32 {
        self.origin_seconds.saturating_add((at_ns / 1_000_000_000) as u32)
    }

    /// Blocks this thread until the clock reads `at_ns`; returns at once when it already does.
    pub(crate) fn sleep_until(&self, at_ns: u64) {
        let wait = Duration::from_nanos(at_ns.saturating_sub(self.now_ns()));
        if !wait.is_zero() {
            std::thread::sleep(wait);
        }
    }
}

/// The calendar time in unix seconds.
#[expect(clippy::disallowed_methods, reason = "a client of the server has its own system clock")]
pub(crate) fn unix_seconds() -> u32 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() as u32)
}
