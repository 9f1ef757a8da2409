//! Points in time as they are said on the wire: Unix seconds and Unix milliseconds.
//!
//! Nothing here asks the machine for the time: callers pass it in. All arithmetic saturates, so a
//! peer that sends an absurd time cannot cause an overflow.

use std::fmt;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Seconds since 1970-01-01T00:00:00Z; a JSON number. Lasts until the year 2106.
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    JsonSchema,
)]
#[serde(transparent)]
pub struct UnixSeconds(pub u32);

impl UnixSeconds {
    /// The earliest time that can be said.
    pub const MIN: Self = Self(0);
    /// The latest time that can be said.
    pub const MAX: Self = Self(u32::MAX);

    /// The time `duration` later, whole seconds, at most [`Self::MAX`].
    #[must_use]
    pub fn saturating_add(self, duration: Duration) -> Self {
        self.plus_seconds(duration.as_secs())
    }

    /// The time `duration` earlier, whole seconds, at least [`Self::MIN`].
    #[must_use]
    pub fn saturating_sub(self, duration: Duration) -> Self {
        self.minus_seconds(duration.as_secs())
    }

    /// The time `seconds` later, at most [`Self::MAX`].
    #[must_use]
    pub fn plus_seconds(self, seconds: u64) -> Self {
        Self(self.0.saturating_add(u32::try_from(seconds).unwrap_or(u32::MAX)))
    }

    /// The time `seconds` earlier, at least [`Self::MIN`].
    #[must_use]
    pub fn minus_seconds(self, seconds: u64) -> Self {
        Self(self.0.saturating_sub(u32::try_from(seconds).unwrap_or(u32::MAX)))
    }

    /// How long after `earlier` this is; zero when it is not after it.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_secs(u64::from(self.0.saturating_sub(earlier.0)))
    }

    /// The first millisecond of this second.
    #[must_use]
    pub fn millis(self) -> UnixMillis {
        UnixMillis(u64::from(self.0) * 1000)
    }
}

impl fmt::Display for UnixSeconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Milliseconds since 1970-01-01T00:00:00Z; a JSON number.
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    JsonSchema,
)]
#[serde(transparent)]
pub struct UnixMillis(pub u64);

impl UnixMillis {
    /// The second that this millisecond lies in, at most [`UnixSeconds::MAX`].
    #[must_use]
    pub fn seconds(self) -> UnixSeconds {
        UnixSeconds(u32::try_from(self.0 / 1000).unwrap_or(u32::MAX))
    }

    /// The time `duration` later, whole milliseconds.
    #[must_use]
    pub fn saturating_add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(duration.as_millis().try_into().unwrap_or(u64::MAX)))
    }

    /// The time `duration` earlier, whole milliseconds.
    #[must_use]
    pub fn saturating_sub(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(duration.as_millis().try_into().unwrap_or(u64::MAX)))
    }

    /// How long after `earlier` this is; zero when it is not after it.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

impl fmt::Display for UnixMillis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_saturates_at_both_ends() {
        let day = Duration::from_secs(86_400);
        assert_eq!(UnixSeconds(100).saturating_sub(day), UnixSeconds::MIN);
        assert_eq!(UnixSeconds(u32::MAX - 1).saturating_add(day), UnixSeconds::MAX);
        assert_eq!(UnixSeconds(1).plus_seconds(u64::MAX), UnixSeconds::MAX);
        assert_eq!(UnixSeconds(1).minus_seconds(u64::MAX), UnixSeconds::MIN);
        assert_eq!(UnixSeconds(86_400).saturating_add(day), UnixSeconds(172_800));
        assert_eq!(UnixMillis(5).saturating_sub(day), UnixMillis(0));
        assert_eq!(UnixMillis(u64::MAX).saturating_add(Duration::MAX), UnixMillis(u64::MAX));
        assert_eq!(UnixMillis(u64::MAX).seconds(), UnixSeconds::MAX);
    }

    #[test]
    fn conversions_truncate_to_the_second() {
        assert_eq!(UnixMillis(1_609_459_200_123).seconds(), UnixSeconds(1_609_459_200));
        assert_eq!(UnixSeconds(7).millis(), UnixMillis(7000));
        assert_eq!(UnixSeconds(9).since(UnixSeconds(2)), Duration::from_secs(7));
        assert_eq!(UnixSeconds(2).since(UnixSeconds(9)), Duration::ZERO);
        assert_eq!(UnixMillis(9).since(UnixMillis(2)), Duration::from_millis(7));
    }

    #[test]
    fn times_are_json_numbers() {
        assert_eq!(serde_json::to_string(&UnixSeconds(17)).unwrap(), "17");
        assert_eq!(serde_json::from_str::<UnixMillis>("18").unwrap(), UnixMillis(18));
        assert!(serde_json::from_str::<UnixSeconds>("\"17\"").is_err());
    }
}
