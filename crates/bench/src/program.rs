//! What a crowd means to say, and when: phases of a steady rate, each with its share of important
//! and unimportant messages.

use std::time::Duration;

use crate::schedule::Schedule;

/// How much a message matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub(crate) enum Level {
    /// Always within the limit of a room, in these workloads.
    High,
    /// The default.
    Normal,
    /// Given up first.
    Low,
}

impl Level {
    /// All levels, by [`Level::number`].
    pub(crate) const ALL: [Self; 3] = [Self::High, Self::Normal, Self::Low];

    /// As the protocol writes it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::High => "High",
            Self::Normal => "Normal",
            Self::Low => "Low",
        }
    }

    /// Its place in [`Level::ALL`].
    pub(crate) fn number(self) -> usize {
        match self {
            Self::High => 0,
            Self::Normal => 1,
            Self::Low => 2,
        }
    }
}

/// Which levels the messages of a phase have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mix {
    /// High ones a second, evenly spaced.
    pub(crate) high_per_second: u32,
    /// Normal ones in a hundred of the others; the rest is low.
    pub(crate) normal_percent: u32,
}

impl Mix {
    /// Everything is normal.
    pub(crate) const NORMAL: Self = Self { high_per_second: 0, normal_percent: 100 };

    /// The level of the `number`th message, from 0, of a phase of `rate` messages a second.
    fn level(self, number: u64, rate: u32) -> Level {
        let high_before =
            |number: u64| number * u64::from(self.high_per_second.min(rate)) / u64::from(rate);
        if high_before(number + 1) > high_before(number) {
            return Level::High;
        }
        let other = number - high_before(number);
        let normal_before = |number: u64| number * u64::from(self.normal_percent) / 100;
        match normal_before(other + 1) > normal_before(other) {
            true => Level::Normal,
            false => Level::Low,
        }
    }
}

/// A stretch of time with a steady rate.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Phase {
    /// Messages a second of all senders together; at least 1.
    pub(crate) rate: u32,
    /// Their levels.
    pub(crate) mix: Mix,
    /// How long.
    pub(crate) length: Duration,
}

/// One message that the program demands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Line {
    /// Intended time, in nanoseconds.
    pub(crate) at_ns: u64,
    /// The sender.
    pub(crate) sender: u32,
    /// The level.
    pub(crate) level: Level,
}

/// All lines of `phases`, in their order; the senders take turns.
pub(crate) fn lines(
    phases: &[Phase],
    mut start_ns: u64,
    senders: u32,
) -> impl Iterator<Item = Line> {
    let schedules = phases.iter().map(move |phase| {
        let end_ns = start_ns + phase.length.as_nanos() as u64;
        let rate = phase.rate.max(1);
        let schedule = Schedule { start_ns, end_ns, rate, pairs: senders.max(1) };
        start_ns = end_ns;
        (schedule, phase.mix)
    });
    let schedules: Vec<_> = schedules.collect();
    schedules.into_iter().flat_map(|(schedule, mix)| {
        (0..).map_while(move |number| {
            let due = schedule.due(number)?;
            let level = mix.level(number, schedule.rate);
            Some(Line { at_ns: due.at_ns, sender: due.pair, level })
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn each_second_of_a_flood_has_its_levels() {
        for rate in [400, 2_000] {
            let mix = Mix { high_per_second: 20, normal_percent: 30 };
            let phase = Phase { rate, mix, length: 2 * SECOND };
            let all: Vec<Line> = lines(&[phase], 0, 20).collect();
            for second in all.chunks(rate as usize) {
                let count = |level| second.iter().filter(|line| line.level == level).count() as u32;
                assert_eq!(count(Level::High), 20);
                assert_eq!(count(Level::Normal), (rate - 20) * 3 / 10);
                assert_eq!(count(Level::Low), (rate - 20) * 7 / 10);
            }
        }
    }

    #[test]
    fn phases_follow_each_other_without_a_gap() {
        let calm = Phase { rate: 2, mix: Mix::NORMAL, length: SECOND };
        let flood = Phase { rate: 4, mix: Mix::NORMAL, length: SECOND };
        let all: Vec<Line> = lines(&[calm, flood], 5, 3).collect();
        let at: Vec<u64> = all.iter().map(|line| line.at_ns - 5).collect();
        assert_eq!(
            at,
            [0, 5, 10, 12, 15, 17].map(|tenths| match tenths {
                12 => 1_250_000_000,
                17 => 1_750_000_000,
                tenths => tenths * 100_000_000,
            })
        );
        assert_eq!(all.iter().map(|line| line.sender).collect::<Vec<_>>(), [0, 1, 0, 1, 2, 0]);
        assert!(all.iter().all(|line| line.level == Level::Normal));
    }
}
