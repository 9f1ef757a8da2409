//! The table of a workload with a crowd: series over rounds, the ceiling of the same run, the ratio.

use serde::Serialize;

use crate::cli::Common;
use crate::crowd::Crowd;
use crate::error::BenchError;
use crate::fanout::{COLUMNS, FAULTS, Figures, ceiling};
use crate::report::{Spread, table};
use crate::w1::{Timing, say, write_json};

const CEILING: &str = "ceiling: raw broadcast";

/// All figures of one crowd.
pub(crate) struct Series<'a> {
    common: &'a Common,
    timing: Timing,
    title: &'static str,
    members: u32,
    rows: Vec<(String, Vec<Figures>)>,
    refusal: Option<String>,
}

impl<'a> Series<'a> {
    /// Without figures.
    pub(crate) fn new(
        common: &'a Common,
        timing: Timing,
        title: &'static str,
        members: u32,
    ) -> Self {
        Self { common, timing, title, members, rows: Vec::new(), refusal: None }
    }

    /// Enters the figures of one round.
    pub(crate) fn add(
        &mut self,
        round: u32,
        name: &str,
        figures: Figures,
    ) -> Result<(), BenchError> {
        say(&format!(
            "{} with {}, round {round}: {name}: {:.0} deliveries/s, p99 {:.1} ms\n",
            self.title,
            self.members,
            figures.deliveries_per_second,
            figures.delivery.map_or(f64::NAN, |delivery| delivery.p99_ms)
        ))?;
        match self.rows.iter_mut().find(|(known, _)| known == name) {
            Some((_, rounds)) => rounds.push(figures),
            None => self.rows.push((name.to_owned(), vec![figures])),
        }
        Ok(())
    }

    /// Measures the ceiling with the frames of the series that had the most deliveries.
    pub(crate) fn ceiling(&mut self, round: u32) -> Result<(), BenchError> {
        let of_server = self.rows.iter().filter(|(name, _)| name != CEILING);
        let most = of_server.filter_map(|(_, rounds)| rounds.last());
        let most = most.max_by(|a, b| a.deliveries_per_second.total_cmp(&b.deliveries_per_second));
        let Some(most) = most.cloned() else { return Ok(()) };
        let figures = ceiling(self.common, self.members, &most, self.timing)?;
        self.add(round, CEILING, figures)
    }

    /// Keeps the first refusal that the crowd has met.
    pub(crate) fn note_refusal(&mut self, crowd: &Crowd) {
        self.refusal = crowd.first_refusal();
    }

    /// Deliveries a second, and the same as a share of the ceiling's, of a row.
    fn ratio(&self, row: &[Figures], figure: fn(&Figures) -> Option<f64>) -> Option<f64> {
        let median = |rounds: &[Figures]| Spread::of(rounds.iter().filter_map(figure));
        let ceiling = self.rows.iter().find(|(name, _)| name == CEILING)?;
        Some(median(row)?.median / median(&ceiling.1)?.median)
    }

    /// Prints everything, and writes it where the flags say.
    pub(crate) fn report(&self) -> Result<(), BenchError> {
        let mut text = format!(
            "\n{}: {} members online, {} rounds of {} s after {} s of warm-up; TLS off; 128 bytes of text\n\
             medians over the rounds, [smallest..largest]\n\n",
            self.title, self.members, self.timing.rounds, self.timing.seconds, self.timing.warmup
        );
        text.push_str(&table(COLUMNS, &self.rows));
        text.push('\n');
        text.push_str(&table(FAULTS, &self.rows));
        for (name, rounds) in self.rows.iter().filter(|(name, _)| name != CEILING) {
            let rate = self.ratio(rounds, |f| Some(f.deliveries_per_second));
            let cost = self.ratio(rounds, |f| f.cpu_us);
            if let (Some(rate), Some(cost)) = (rate, cost) {
                text.push_str(&format!(
                    "{name}: {rate:.2} x the deliveries/s of the ceiling, {cost:.1} x its CPU per delivery\n"
                ));
            }
        }
        if let Some(refusal) = &self.refusal {
            text.push_str(&format!("first refusal: {refusal}\n"));
        }
        say(&text)?;
        self.write_json()
    }

    fn write_json(&self) -> Result<(), BenchError> {
        let Some(path) = &self.common.json else { return Ok(()) };
        #[derive(Serialize)]
        struct Report<'a> {
            workload: &'a str,
            members: u32,
            seconds: u64,
            series: &'a [(String, Vec<Figures>)],
        }
        let report = Report {
            workload: self.title,
            members: self.members,
            seconds: self.timing.seconds,
            series: &self.rows,
        };
        write_json(path, &report)
    }

    /// What was accepted must have reached everybody, once and in order.
    pub(crate) fn verdict(&self) -> Result<(), BenchError> {
        let all = || {
            let of_server = self.rows.iter().filter(|(name, _)| name != CEILING);
            of_server.flat_map(|(_, rounds)| rounds)
        };
        let missing: u64 = all().map(|f| f.count.expected.abs_diff(f.count.deliveries)).sum();
        let disordered: u64 = all().map(|f| f.disordered).sum();
        if missing + disordered == 0 {
            return Ok(());
        }
        Err(BenchError::BrokenPromise(format!(
            "{} with {} members: {missing} deliveries missing, {disordered} twice or out of order",
            self.title, self.members
        )))
    }
}
