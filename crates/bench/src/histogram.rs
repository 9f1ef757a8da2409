//! Latencies in nanoseconds, to three digits, up to two minutes.

use hdrhistogram::Histogram;

const LONGEST_NS: u64 = 120_000_000_000;

/// A distribution of latencies.
#[derive(Debug, Clone)]
pub(crate) struct Latencies(Histogram<u64>);

/// The figures of a distribution that a report shows, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub(crate) struct Percentiles {
    /// How many latencies were recorded.
    pub(crate) count: u64,
    /// Median.
    pub(crate) p50_ms: f64,
    /// 99th percentile.
    pub(crate) p99_ms: f64,
    /// 99.9th percentile.
    pub(crate) p999_ms: f64,
    /// Largest.
    pub(crate) max_ms: f64,
}

impl Default for Latencies {
    fn default() -> Self {
        let histogram = Histogram::new_with_bounds(1, LONGEST_NS, 3);
        Self(histogram.expect("one nanosecond to two minutes at three digits are valid bounds"))
    }
}

impl Latencies {
    /// Records one latency; what exceeds two minutes counts as two minutes.
    pub(crate) fn record(&mut self, latency_ns: u64) {
        self.0.saturating_record(latency_ns.max(1));
    }

    /// Adds all of `other`.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.0.add(&other.0).expect("all histograms here have the same bounds");
    }

    /// The figures of a report.
    pub(crate) fn percentiles(&self) -> Percentiles {
        let ms = |quantile| self.0.value_at_quantile(quantile) as f64 / 1e6;
        Percentiles {
            count: self.0.len(),
            p50_ms: ms(0.5),
            p99_ms: ms(0.99),
            p999_ms: ms(0.999),
            max_ms: self.0.max() as f64 / 1e6,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_what_was_recorded() {
        let (mut low, mut high) = (Latencies::default(), Latencies::default());
        for ms in 1..=500 {
            low.record(ms * 1_000_000);
            high.record((500 + ms) * 1_000_000);
        }
        low.merge(&high);
        let figures = low.percentiles();
        assert_eq!(figures.count, 1000);
        for (figure, expected) in
            [(figures.p50_ms, 500.0), (figures.p99_ms, 990.0), (figures.p999_ms, 999.0)]
        {
            assert!((figure - expected).abs() <= expected / 1000.0, "{figure} is not {expected}");
        }
    }

    #[test]
    fn the_ends_of_the_range_do_not_fail() {
        let mut latencies = Latencies::default();
        latencies.record(0);
        latencies.record(u64::MAX);
        assert_eq!(latencies.percentiles().count, 2);
        assert_eq!(Latencies::default().percentiles().p99_ms, 0.0);
    }
}
