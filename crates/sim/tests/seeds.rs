//! A fixed list of seeds, quick enough for every run of the tests.

use teahouse_sim::Sim;

const STEPS: u64 = 4_000;

#[test]
fn no_promise_is_broken() {
    for seed in 1_000..1_030 {
        if let Err(problem) = Sim::new(seed).run(STEPS) {
            panic!("seed {seed}, {STEPS} steps: {problem}");
        }
    }
}

#[test]
fn a_seed_replays() {
    let run = || {
        let mut sim = Sim::new(77);
        sim.run(STEPS).unwrap();
        sim.statistics()
    };
    let statistics = run();
    assert_eq!(statistics, run());
    assert!(statistics.stored > 20 && statistics.pushes > 50, "{statistics:?}");
}
