//! A process is killed while it writes, again and again; what it acknowledged must be there.
//!
//! The test program starts itself as the process to be killed: see [`the_process_to_be_killed`].

#![allow(clippy::unwrap_used, reason = "the functions beside the tests are tests, too")]
#![expect(clippy::print_stderr, reason = "a killed process reports on standard error")]

mod support;

use std::{
    collections::VecDeque,
    io::{BufRead, BufReader, Write as _},
    os::unix::process::ExitStatusExt,
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
};

use support::{Random, everything, key, log_key, open, outbox_key, partition, put, small, wait};
use teahouse_store::{
    BoxFuture, Commit, CommitError, Durability, Embedded, Partition, Store, Version, Write,
    family::Family,
};

/// Names the directory for the process to be killed.
const DIRECTORY: &str = "TEAHOUSE_STORE_CRASH_DIRECTORY";
/// Has it write this many relaxed commits, and no others, and then wait to be killed.
const RELAXED: &str = "TEAHOUSE_STORE_CRASH_RELAXED";
const PARTITIONS: u64 = 5;
/// Commits that the writer keeps outstanding.
const OUTSTANDING: usize = 100;
const SIGKILL: i32 = 9;
const SIGABRT: i32 = 6;

fn name(number: u64) -> Partition {
    partition(format!("p{number}"))
}

/// The rows that every commit writes: enough of them that a torn one shows.
///
/// The commit that makes version v adds log row v, rewrites the head, and moves the one outbox row
/// to a new key, all with a value that only this commit can have written.
fn writes(number: u64, version: u64) -> Vec<Write> {
    let value = value(number, version);
    vec![
        Write::Delete { key: outbox_key((version - 1).to_be_bytes()) },
        put(log_key(version), &value),
        put(key("head"), &value),
        put(outbox_key(version.to_be_bytes()), &value),
    ]
}

fn value(number: u64, version: u64) -> Vec<u8> {
    let mut random = Random(number << 32 | version);
    let words = 2 + random.below(100);
    (0..words).flat_map(|_| random.next().to_le_bytes()).collect()
}

/// Not a test by itself: with the environment variable it writes until it is killed and prints
/// what was acknowledged; without, there is nothing to do.
#[test]
fn the_process_to_be_killed() {
    let Some(directory) = std::env::var_os(DIRECTORY) else { return };
    tracing::subscriber::set_global_default(PrintErrors).expect("the only subscriber");
    let store = open(Path::new(&directory));
    let mut next: Vec<u64> =
        (0..PARTITIONS).map(|number| wait(store.version(&name(number))).unwrap().0).collect();
    let mut random = Random(next.iter().sum());
    let relaxed: Option<u64> = std::env::var(RELAXED).ok().map(|count| count.parse().unwrap());
    let mut left = relaxed.unwrap_or(u64::MAX);
    let mut queued: VecDeque<(u64, BoxFuture<'static, Result<Version, CommitError>>)> =
        VecDeque::new();
    let mut output = std::io::stdout().lock();
    loop {
        while queued.len() < OUTSTANDING && left > 0 {
            left -= 1;
            let number = random.below(PARTITIONS);
            let expected = &mut next[usize::try_from(number).unwrap()];
            let durability = match relaxed.is_some() || random.below(3) == 0 {
                true => Durability::Relaxed,
                false => Durability::Synced,
            };
            queued.push_back((
                number,
                store.commit(Commit {
                    partition: name(number),
                    expected: Version(*expected),
                    writes: writes(number, *expected + 1),
                    durability,
                }),
            ));
            *expected += 1;
        }
        let Some((number, outcome)) = queued.pop_front() else { break };
        let version = wait(outcome).unwrap();
        writeln!(output, "acked {number} {version}").unwrap();
    }
    // The input ends when the parent does.
    std::io::stdin().read_line(&mut String::new()).unwrap();
}

/// Writes errors as plain lines, so that the parent can read why the process ended.
struct PrintErrors;

impl tracing::Subscriber for PrintErrors {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        *metadata.level() == tracing::Level::ERROR
    }
    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }
    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}
    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
    fn event(&self, event: &tracing::Event<'_>) {
        struct Print;
        impl tracing::field::Visit for Print {
            fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
                eprintln!("{field}={value:?}");
            }
        }
        event.record(&mut Print);
    }
    fn enter(&self, _: &tracing::span::Id) {}
    fn exit(&self, _: &tracing::span::Id) {}
}

fn start_writer(command: &mut Command, directory: &Path) -> (Child, BufReader<ChildStdout>) {
    let mut child = command
        .env(DIRECTORY, directory)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the writer starts");
    let output = BufReader::new(child.stdout.take().expect("it is piped"));
    (child, output)
}

/// This program, told to run nothing but the writer.
fn writer(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.args(["--exact", "the_process_to_be_killed", "--nocapture"]);
    command
}

/// Reads `count` acknowledgements at most into `acked`; answers how many there were.
fn read_acks(output: &mut impl BufRead, count: u64, acked: &mut [u64]) -> u64 {
    let mut read = 0;
    let mut line = String::new();
    while read < count {
        line.clear();
        // The last line may be cut; it was not acknowledged then.
        if output.read_line(&mut line).expect("readable output") == 0 || !line.ends_with('\n') {
            break;
        }
        let mut words = line.split_whitespace();
        if words.next() != Some("acked") {
            continue;
        }
        let mut number = || words.next().and_then(|word| word.parse::<u64>().ok()).unwrap();
        let (partition, version) = (number(), number());
        let newest = &mut acked[usize::try_from(partition).unwrap()];
        assert!(*newest < version, "acknowledged out of order");
        *newest = version;
        read += 1;
    }
    read
}

/// Everything acknowledged is there, whole, and nothing is torn.
fn check(store: &Embedded, acked: &[u64]) {
    for (number, acked) in (0..).zip(acked) {
        let p = name(number);
        let Version(version) = wait(store.version(&p)).unwrap();
        assert!(version >= *acked, "{p} lost {acked}, it ends at {version}");
        let rows = everything(store, &p);
        if version == 0 {
            assert_eq!(rows, []);
            continue;
        }
        let newest = value(number, version);
        let (log, others): (Vec<_>, Vec<_>) =
            rows.into_iter().partition(|row| Family::of(&row.key) == Some(Family::Log));
        let expected = [outbox_key(version.to_be_bytes()), key("head")];
        assert_eq!(others.iter().map(|row| row.key.clone()).collect::<Vec<_>>(), expected);
        assert!(others.iter().all(|row| row.value == newest), "{p}: head and outbox at {version}");
        assert_eq!(log.len() as u64, version, "{p}: log rows");
        for (v, row) in (1..).zip(log) {
            assert!(row.key == log_key(v) && row.value == value(number, v), "{p}: log row {v}");
        }
    }
    let expected: Vec<_> =
        (0..).zip(acked).filter(|(_, v)| **v > 0).map(|(n, _)| name(n)).collect();
    let pending = wait(store.pending(None, 100)).unwrap();
    assert!(expected.iter().all(|p| pending.contains(p)), "{pending:?} lacks some of {expected:?}");
}

#[test]
fn kill_9_loses_nothing_that_was_acknowledged() {
    let root = tempfile::tempdir().unwrap();
    let program = std::env::current_exe().unwrap();
    let mut acked = vec![0; usize::try_from(PARTITIONS).unwrap()];
    // The moment is an acknowledgement, so a slow machine kills just where a fast one does; the
    // store has then up to 100 more commits in flight.
    for moment in [1, 700, 37, 2000, 150, 3000, 5, 1200] {
        let mut command = writer(&program);
        let (mut child, mut output) = start_writer(&mut command, root.path());
        assert_eq!(read_acks(&mut output, moment, &mut acked), moment);
        child.kill().unwrap();
        // What it acknowledged before it died counts, too.
        read_acks(&mut output, u64::MAX, &mut acked);
        assert_eq!(child.wait().unwrap().signal(), Some(SIGKILL));
        check(&open(root.path()), &acked);
    }
    assert!(acked.iter().sum::<u64>() > 7000);
}

/// Relaxed commits survive the process: acknowledged means at least handed to the kernel. Here
/// nothing follows them that could push them out of a buffer of the process.
#[test]
fn kill_9_loses_no_relaxed_commit_either() {
    let root = tempfile::tempdir().unwrap();
    let program = std::env::current_exe().unwrap();
    let mut acked = vec![0; usize::try_from(PARTITIONS).unwrap()];
    for count in [1, 3, 20, 150] {
        let mut command = writer(&program);
        command.env(RELAXED, count.to_string());
        let (mut child, mut output) = start_writer(&mut command, root.path());
        assert_eq!(read_acks(&mut output, count, &mut acked), count);
        child.kill().unwrap();
        assert_eq!(child.wait().unwrap().signal(), Some(SIGKILL));
        check(&open(root.path()), &acked);
    }
}

#[test]
fn a_failing_device_ends_the_process_before_anything_false_is_acknowledged() {
    let root = tempfile::tempdir().unwrap();
    // Created without the limit; then no file may grow beyond it, as on a full device.
    let options = small();
    drop(Embedded::open(root.path(), &options).unwrap());
    let mut command = Command::new("sh");
    command
        .args(["-c", r#"trap '' XFSZ; ulimit -f 400; exec "$@""#, "sh"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "the_process_to_be_killed", "--nocapture"])
        .stderr(Stdio::piped());
    let (child, mut output) = start_writer(&mut command, root.path());
    let mut acked = vec![0; usize::try_from(PARTITIONS).unwrap()];
    let count = read_acks(&mut output, u64::MAX, &mut acked);
    let ended = child.wait_with_output().unwrap();
    let log = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.signal(), Some(SIGABRT), "{log}");
    assert!(log.contains("writing a batch of commits failed: the process ends now"), "{log}");
    assert!(count > 10, "it wrote {count} commits before the device was full");
    check(&open(root.path()), &acked);
}
