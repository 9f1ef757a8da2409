//! Durability, runtimes, exports, counters.

use super::*;

pub fn what_was_acknowledged_survives_a_reopen(mut subject: impl Subject) {
    let p = |number: u64| partition(number.to_be_bytes());
    for round in 0..3_u64 {
        let store = subject.store();
        for number in 0..50 {
            let writes = vec![put(key("k"), round.to_string()), put(outbox_key("o"), "")];
            let commit = if number % 2 == 0 {
                Commit::synced(p(number), Version(round), writes)
            } else {
                Commit::relaxed(p(number), Version(round), writes)
            };
            wait(store.commit(commit)).unwrap();
        }
        drop(store);
        subject.reopen();
        let store = subject.store();
        assert_eq!(pending(&*store, None, 100).len(), 50);
        for number in 0..50 {
            assert_eq!(version(&*store, &p(number)), Version(round + 1));
            assert_eq!(get(&*store, &p(number), &key("k")), Some(round.to_string().into()));
        }
    }
}

pub fn any_runtime_will_do(subject: impl Subject) {
    let store = subject.store();
    let run = async |name: &str| {
        let p = partition(name);
        let writes = vec![put(key("k"), "v")];
        let commit = Commit::synced(p.clone(), Version(0), writes);
        assert_eq!(store.commit(commit).await, Ok(Version(1)));
        assert_eq!(store.get(&p, &key("k")).await, Ok(Some("v".into())));
    };
    // None at all, one on this thread, one on each of several threads, a multi-threaded one.
    wait_without_runtime(run("none"));
    wait(run("one"));
    thread::scope(|scope| {
        for name in ["first", "second"] {
            let run = &run;
            scope.spawn(move || wait(run(name)));
        }
    });
    let many = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    many.block_on(run("many"));
}

/// Polls a future to its end without any runtime.
fn wait_without_runtime<T>(future: impl Future<Output = T>) -> T {
    struct Unpark(thread::Thread);
    impl std::task::Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Arc::new(Unpark(thread::current())).into();
    let mut context = std::task::Context::from_waker(&waker);
    let mut future = std::pin::pin!(future);
    loop {
        match future.as_mut().poll(&mut context) {
            std::task::Poll::Ready(value) => return value,
            std::task::Poll::Pending => thread::park(),
        }
    }
}

pub fn an_export_is_of_one_moment_while_commits_go_on(subject: impl Subject) {
    let store = subject.store();
    let p = partition("p");
    let all_families = |number: u64| {
        let value = number.to_be_bytes();
        let log = log_key(u32::try_from(number).unwrap());
        vec![put(outbox_key("o"), value), put(key("k"), value), put(log, value)]
    };
    commit(&*store, &p, 0, all_families(0)).unwrap();
    thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for number in 1..300 {
                let next = Commit::relaxed(p.clone(), Version(number), all_families(number));
                wait(store.commit(next)).unwrap();
            }
        });
        while !writer.is_finished() {
            let mut stream = vec![];
            let exported = store.export(&mut stream).unwrap();
            assert_eq!(exported.partitions, 1);
            check_moment(&stream, &p);
        }
    });
}

/// The version of the partition, its rewritten rows and the number of its log rows must agree.
fn check_moment(stream: &[u8], expected: &Partition) {
    let mut input = stream;
    let mut reader = StreamReader::new(&mut input).unwrap();
    let Some(Element::Partition(partition, version)) = reader.next().unwrap() else {
        panic!("a partition comes first");
    };
    assert_eq!(partition, *expected);
    let newest = (version.0 - 1).to_be_bytes();
    let mut log_rows = 0;
    while let Some(element) = reader.next().unwrap() {
        let Element::Row(row) = element else { panic!("there is only one partition") };
        if Family::of(&row.key) == Some(Family::Log) {
            log_rows += 1;
        } else {
            assert_eq!(row.value[..], newest);
        }
    }
    assert_eq!(log_rows, version.0);
}

pub fn an_export_holds_everything(subject: impl Subject) {
    let store = subject.store();
    let names = ["a", "b\x00", "b\x00\x00", "c"];
    for (number, name) in (1_u32..).zip(names) {
        let p = partition(name);
        for expected in 0..u64::from(number) {
            let writes =
                vec![put(key("k"), name), put(log_key(number), name), put(outbox_key(name), "")];
            commit(&*store, &p, expected, writes).unwrap();
        }
    }
    commit(&*store, &partition("empty"), 0, vec![Write::Delete { key: key("k") }]).unwrap();
    let mut stream = vec![];
    let exported = store.export(&mut stream).unwrap();
    assert_eq!((exported.partitions, exported.rows), (5, 12));
    assert_eq!(exported.bytes, stream.len() as u64);
    let copy = Memory::import(&mut &stream[..]).unwrap();
    for name in names.into_iter().chain(["empty"]) {
        let p = partition(name);
        assert_eq!(everything(&copy, &p), everything(&*store, &p));
        assert_eq!(version(&copy, &p), version(&*store, &p));
    }
    assert_eq!(pending(&copy, None, 10), pending(&*store, None, 10));
}

pub fn stats_count_what_happened(subject: impl Subject) {
    let store = subject.store();
    let p = partition("p");
    commit(&*store, &p, 0, vec![put(key("k"), "value")]).unwrap();
    commit(&*store, &p, 0, vec![put(key("k"), "value")]).unwrap_err();
    get(&*store, &p, &key("k"));
    let stats = store.stats();
    assert_eq!((stats.commits, stats.conflicts, stats.refused), (1, 1, 0));
    assert_eq!((stats.batches, stats.syncs, stats.bytes), (1, 1, 7));
    assert_eq!((stats.queued_commits, stats.queued_bytes, stats.queued_reads), (0, 0, 0));
    assert_eq!(stats.latency.count(), 1);
    assert_eq!(stats.reads, 1);
}
