//! Pipelines: queued without waiting, failing together.

use super::*;

pub fn pipelined_commits_apply_in_order(subject: impl Subject) {
    let store = subject.store();
    let p = partition("p");
    let outcomes: Vec<_> = (0..2000_u64)
        .map(|expected| {
            let writes = vec![
                put(key("head"), expected.to_be_bytes()),
                put(log_key(u32::try_from(expected).unwrap()), expected.to_be_bytes()),
            ];
            store.commit(Commit::synced(p.clone(), Version(expected), writes))
        })
        .collect();
    for (expected, outcome) in (0..).zip(outcomes) {
        assert_eq!(wait(outcome), Ok(Version(expected + 1)));
    }
    assert_eq!(
        get(&*store, &p, &key("head")),
        Some(Bytes::copy_from_slice(&1999_u64.to_be_bytes()))
    );
    let rows = wait(store.scan(&p, Family::Log.range(), Direction::Ascending, 5000)).unwrap();
    assert_eq!(rows.len(), 2000);
    assert!((0_u64..).zip(rows).all(|(number, row)| row.value[..] == number.to_be_bytes()));
}

/// Queues commits at these versions without awaiting any, then awaits all.
fn pipeline(
    store: &dyn Store,
    partition: &Partition,
    versions: Range<u64>,
    value: &str,
) -> Vec<Result<Version, CommitError>> {
    let queued: Vec<_> = versions
        .map(|expected| {
            let writes = vec![put(key("k"), value)];
            store.commit(Commit::synced(partition.clone(), Version(expected), writes))
        })
        .collect();
    queued.into_iter().map(wait).collect()
}

fn conflict(current: u64) -> Result<Version, CommitError> {
    Err(CommitError::Conflict { current: Version(current) })
}

pub fn what_builds_on_a_failed_commit_fails(subject: impl Subject) {
    let store = subject.store();
    let p = partition("p");
    commit(&*store, &p, 0, vec![put(key("k"), "rival")]).unwrap();
    let outcomes = pipeline(&*store, &p, 5..9, "mine");
    assert_eq!(outcomes, [conflict(1), conflict(1), conflict(1), conflict(1)]);
    assert_eq!(get(&*store, &p, &key("k")), Some("rival".into()));
}

pub fn a_broken_chain_stays_broken_though_the_version_fits(subject: impl Subject) {
    let store = subject.store();
    let p = partition("p");
    let other = partition("other");
    pipeline(&*store, &p, 0..2, "rival");
    // An outdated owner: its second commit expects just what the rival has made of the partition.
    let outcomes = pipeline(&*store, &p, 1..4, "mine");
    assert_eq!(outcomes, [conflict(2), conflict(2), conflict(2)]);
    // It goes on, not knowing yet. Other partitions are not concerned.
    let mine = commit(&*store, &p, 4, vec![put(key("k"), "mine")]);
    assert_eq!(mine, conflict(2));
    assert_eq!(commit(&*store, &other, 0, vec![put(key("k"), "v")]), Ok(Version(1)));
    assert_eq!(get(&*store, &p, &key("k")), Some("rival".into()));
    assert_eq!(version(&*store, &p), Version(2));
}

pub fn an_invalid_commit_breaks_its_chain(subject: impl Subject) {
    let store = subject.store();
    let p = partition("p");
    let queue =
        |expected, writes| store.commit(Commit::synced(p.clone(), Version(expected), writes));
    let first = queue(0, vec![]);
    // A rival takes the place of the refused commit.
    let rival = queue(0, vec![put(key("k"), "rival")]);
    let second = queue(1, vec![put(key("k"), "mine")]);
    assert!(matches!(wait(first), Err(CommitError::Invalid(_))));
    assert_eq!(wait(rival), Ok(Version(1)));
    assert_eq!(wait(second), conflict(1));
    assert_eq!(get(&*store, &p, &key("k")), Some("rival".into()));
}

pub fn reading_the_version_ends_a_broken_chain(subject: impl Subject) {
    let store = subject.store();
    let p = partition("p");
    pipeline(&*store, &p, 0..2, "rival");
    assert_eq!(pipeline(&*store, &p, 1..2, "mine"), [conflict(2)]);
    assert_eq!(version(&*store, &p), Version(2));
    assert_eq!(
        pipeline(&*store, &p, 2..5, "mine"),
        [Ok(Version(3)), Ok(Version(4)), Ok(Version(5))]
    );
}

pub fn a_commit_is_queued_when_the_call_returns(subject: impl Subject) {
    let store = subject.store();
    let p = partition("p");
    let first = store.commit(Commit::synced(p.clone(), Version(0), vec![put(key("a"), "1")]));
    drop(first);
    // Never polled; the later one is awaited first.
    let second = store.commit(Commit::synced(p.clone(), Version(1), vec![put(key("b"), "2")]));
    let third = store.commit(Commit::synced(p.clone(), Version(2), vec![put(key("c"), "3")]));
    assert_eq!(wait(third), Ok(Version(3)));
    assert_eq!(wait(second), Ok(Version(2)));
    assert_eq!(everything(&*store, &p).len(), 3);
}

pub fn an_acknowledged_commit_is_visible_to_every_read(subject: impl Subject) {
    let store = subject.store();
    let p = partition("p");
    for number in 0..50_u64 {
        let value = number.to_string();
        let writes = vec![put(key("k"), &value), put(outbox_key(&value), "")];
        let commit = Commit {
            durability: crate::Durability::Relaxed,
            ..Commit::synced(p.clone(), Version(number), writes)
        };
        let commit = if number % 2 == 0 {
            Commit { durability: crate::Durability::Synced, ..commit }
        } else {
            commit
        };
        assert_eq!(wait(store.commit(commit)), Ok(Version(number + 1)));
        assert_eq!(version(&*store, &p), Version(number + 1));
        assert_eq!(get(&*store, &p, &key("k")), Some(value.clone().into()));
        let many = wait(store.get_many(&[(p.clone(), key("k"))]));
        assert_eq!(many, Ok(vec![Some(value.into())]));
        let range = Family::Outbox.range();
        let rows = scan(&*store, &p, range, Direction::Ascending, 100);
        assert_eq!(rows.len() as u64, number + 1);
        assert_eq!(pending(&*store, None, 10), std::slice::from_ref(&p));
    }
}

pub fn racers_for_one_version_have_one_winner(subject: impl Subject) {
    const RACERS: u64 = 4;
    const ROUNDS: u64 = 25;
    let store = subject.store();
    let p = partition("p");
    let barrier = std::sync::Barrier::new(RACERS as usize);
    // The racers note everything and judge nothing: one that panics would leave the others waiting.
    let race = |racer: u64| -> Vec<(Version, Result<Version, CommitError>)> {
        let run = |round| {
            barrier.wait();
            // Reading the version ends the chain that losing the round before has broken.
            let before = version(&*store, &p);
            barrier.wait();
            let writes = vec![put(key("winner"), racer.to_be_bytes())];
            (before, commit(&*store, &p, round, writes))
        };
        (0..ROUNDS).map(run).collect()
    };
    let outcomes: Vec<_> = thread::scope(|scope| {
        let race = &race;
        let racers: Vec<_> = (0..RACERS).map(|racer| scope.spawn(move || race(racer))).collect();
        racers.into_iter().map(|racer| racer.join().unwrap()).collect()
    });
    for round in 0..ROUNDS {
        let of_round = outcomes.iter().map(|racer| &racer[round as usize]);
        let won = of_round.clone().filter(|(_, outcome)| *outcome == Ok(Version(round + 1)));
        let lost = of_round.clone().filter(|(_, outcome)| *outcome == conflict(round + 1));
        assert_eq!((won.count() as u64, lost.count() as u64), (1, RACERS - 1), "round {round}");
        assert!(of_round.into_iter().all(|(before, _)| *before == Version(round)), "round {round}");
    }
}

pub fn partitions_do_not_disturb_each_other(subject: impl Subject) {
    let store = subject.store();
    thread::scope(|scope| {
        for owner in 0..4_u64 {
            let store = &store;
            scope.spawn(move || {
                let p = partition(owner.to_be_bytes());
                let outcomes = pipeline(&**store, &p, 0..200, &owner.to_string());
                assert!(outcomes.iter().all(Result::is_ok));
            });
        }
    });
    for owner in 0..4_u64 {
        let p = partition(owner.to_be_bytes());
        assert_eq!(version(&*store, &p), Version(200));
        assert_eq!(get(&*store, &p, &key("k")), Some(owner.to_string().into()));
    }
}
