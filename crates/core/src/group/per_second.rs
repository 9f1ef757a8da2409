//! How often something may happen in a second.

use teahouse_proto::time::UnixSeconds;

/// Counts what happens in the present second.
#[derive(Debug, Default)]
pub(crate) struct PerSecond {
    second: UnixSeconds,
    count: u32,
}

impl PerSecond {
    /// Counts one more. Says whether it is among the first `most` of its second.
    pub(crate) fn take(&mut self, now: UnixSeconds, most: u32) -> bool {
        if self.second != now {
            *self = Self { second: now, count: 0 };
        }
        self.count = self.count.saturating_add(1);
        self.count <= most
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_second_has_as_many() {
        let mut counted = PerSecond::default();
        for now in [7, 8] {
            let takes = [(); 3].map(|()| counted.take(UnixSeconds(now), 2));
            assert_eq!(takes, [true, true, false], "second {now}");
        }
    }
}
