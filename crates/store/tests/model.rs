//! The embedded engine against the in-memory one, which is a `BTreeMap` and little else: the same
//! calls must have the same answers, through tables, compactions and restarts.

#![expect(clippy::print_stdout, reason = "the output is shown when a run fails")]

mod support;

use support::{Random, key, log_key, open, outbox_key, partition, put, wait};
use teahouse_store::{
    Commit, Direction, Embedded, Memory, Partition, Store, Version, Write, family::Family,
};

const PARTITIONS: u64 = 12;
const STEPS: u64 = 4_000;

struct Pair {
    root: tempfile::TempDir,
    embedded: Option<Embedded>,
    model: Memory,
    random: Random,
    /// Numbers the log rows, whose keys are unique for all time.
    next_log: u64,
}

impl Pair {
    fn new(seed: u64) -> Pair {
        let root = tempfile::tempdir().expect("a temporary directory");
        let embedded = Some(open(root.path()));
        Pair { root, embedded, model: Memory::new(), random: Random(seed), next_log: 0 }
    }

    fn embedded(&self) -> &Embedded {
        self.embedded.as_ref().expect("it is open")
    }

    fn step(&mut self) {
        match self.random.below(200) {
            0 => {
                self.embedded = None;
                self.embedded = Some(open(self.root.path()));
            }
            1 => self.compare_exports(),
            2..100 => self.commit(),
            100..120 => self.compare_versions(),
            120..160 => self.compare_rows(),
            160..190 => self.compare_scan(),
            _ => self.compare_pending(),
        }
    }

    /// A few commits in a pipeline, some of them bound to conflict.
    fn commit(&mut self) {
        let p = self.partition();
        let mut expected = wait(self.model.version(&p)).expect("a version");
        assert_eq!(wait(self.embedded().version(&p)), Ok(expected));
        let mut outcomes = Vec::new();
        for _ in 0..=self.random.below(12) {
            let writes = self.writes();
            if self.random.below(50) == 0 {
                expected = Version((expected.0 + self.random.below(3)).saturating_sub(1));
            }
            let commit = match self.random.below(3) {
                0 => Commit::synced(p.clone(), expected, writes),
                _ => Commit::relaxed(p.clone(), expected, writes),
            };
            outcomes.push((self.model.commit(commit.clone()), self.embedded().commit(commit)));
            expected = expected.next();
        }
        for (model, embedded) in outcomes {
            assert_eq!(wait(embedded), wait(model));
        }
    }

    fn writes(&mut self) -> Vec<Write> {
        (0..=self.random.below(6))
            .map(|_| match self.random.below(20) {
                0 => self.delete_range(),
                1..4 => Write::Delete { key: self.key() },
                _ => {
                    let length = usize::try_from(self.random.below(1500)).expect("a length");
                    // Half of it random: compressed a little, as text is.
                    let value: Vec<u8> = (0..length)
                        .map(|at| if at % 2 == 0 { 0 } else { self.random.next().to_le_bytes()[0] })
                        .collect();
                    put(self.new_key(), value)
                }
            })
            .collect()
    }

    fn delete_range(&mut self) -> Write {
        let (mut from, mut to) = (self.key(), self.key());
        if Family::of(&from) != Family::of(&to) {
            let family = Family::of(&from).expect("a key of a family").range();
            (from, to) = (from, family.end.to_vec().into());
        }
        if from > to {
            std::mem::swap(&mut from, &mut to);
        }
        Write::DeleteRange { from, to }
    }

    /// A key that may exist.
    fn key(&mut self) -> bytes::Bytes {
        match self.random.below(10) {
            0 => outbox_key([self.random.next().to_le_bytes()[0] % 4]),
            1..6 => key([self.random.next().to_le_bytes()[0] % 40]),
            _ => log_key(self.random.below(self.next_log + 2)),
        }
    }

    /// A key to write: a log row is never written twice.
    fn new_key(&mut self) -> bytes::Bytes {
        let key = self.key();
        if Family::of(&key) != Some(Family::Log) {
            return key;
        }
        self.next_log += 1;
        log_key(self.next_log)
    }

    fn partition(&mut self) -> Partition {
        // Names of several lengths, with zeros.
        let number = self.random.below(PARTITIONS).to_le_bytes()[0];
        partition(vec![number % 3; usize::from(number / 3) + 1])
    }

    fn compare_versions(&mut self) {
        let p = self.partition();
        assert_eq!(wait(self.embedded().version(&p)), wait(self.model.version(&p)));
    }

    fn compare_rows(&mut self) {
        let count = self.random.below(30);
        let asked: Vec<_> = (0..count).map(|_| (self.partition(), self.key())).collect();
        let found = wait(self.embedded().get_many(&asked)).expect("readable rows");
        assert_eq!(Ok(&found), wait(self.model.get_many(&asked)).as_ref());
        if let (Some((p, key)), Some(value)) = (asked.first(), found.first()) {
            assert_eq!(wait(self.embedded().get(p, key)).as_ref(), Ok(value));
        }
    }

    fn compare_scan(&mut self) {
        let p = self.partition();
        let Write::DeleteRange { from, to } = self.delete_range() else { return };
        let direction = match self.random.below(2) {
            0 => Direction::Ascending,
            _ => Direction::Descending,
        };
        let limit = usize::try_from(self.random.below(40)).expect("a limit");
        let found = wait(self.embedded().scan(&p, &from..&to, direction, limit));
        assert_eq!(found, wait(self.model.scan(&p, &from..&to, direction, limit)));
    }

    fn compare_pending(&mut self) {
        let after = (self.random.below(2) == 0).then(|| self.partition());
        let limit = usize::try_from(self.random.below(8)).expect("a limit");
        let found = wait(self.embedded().pending(after.as_ref(), limit));
        assert_eq!(found, wait(self.model.pending(after.as_ref(), limit)));
    }

    /// Every version and every row.
    fn compare_exports(&self) {
        let export = |store: &dyn Store| {
            let mut stream = Vec::new();
            store.export(&mut stream).expect("a readable store");
            stream
        };
        assert!(export(self.embedded()) == export(&self.model), "the contents differ");
    }
}

fn run(seed: u64) {
    let mut pair = Pair::new(seed);
    for step in 0..STEPS {
        // Shown when an assertion fails.
        println!("seed {seed}, step {step}");
        pair.step();
    }
    pair.compare_exports();
    let engine = pair.root.path().join("engine");
    drop(pair.embedded.take());
    assert!(tables(&engine) > 0, "seed {seed} never left the memtables");
}

fn tables(directory: &std::path::Path) -> usize {
    let entries = std::fs::read_dir(directory).expect("a readable directory");
    let paths: Vec<_> = entries.map(|entry| entry.expect("a readable entry").path()).collect();
    let (directories, files): (Vec<_>, Vec<_>) = paths.iter().partition(|path| path.is_dir());
    let here = if directory.ends_with("tables") { files.len() } else { 0 };
    here + directories.into_iter().map(|path| tables(path)).sum::<usize>()
}

#[test]
fn the_embedded_engine_answers_as_the_model_does_seed_1() {
    run(1);
}

#[test]
fn the_embedded_engine_answers_as_the_model_does_seed_2() {
    run(2);
}
