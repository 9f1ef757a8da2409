//! Seeds that once broke a promise, with what they showed. What a seed does changes with every change of
//! the simulation or of the core, so each is run as it was found and proves no more than any other seed;
//! together they cover what has been fragile.

use teahouse_sim::Sim;

/// Seed, steps, what it showed.
const FOUND: &[(u64, u64, &str)] = &[
    (0, 5_000, "a page of history that ended in the second it began with led to itself"),
    (1, 5_000, "a kick between a login's commit and its entry into the hub left the session alive"),
    (4, 5_000, "a read mark for the same second as the last one was ignored"),
    (5, 5_000, "a connection that was cut before its first sync hid what had been missed before"),
    (7, 5_000, "a count at login did not know what was deleted while it was made"),
    (10, 5_000, "a sync listed messages that its counts did not know"),
    (12, 5_000, "the answer of a list threw away the pushes that a sync held back"),
    (18, 5_000, "a mark that was faster than the index of a new conversation was lost"),
    (28, 5_000, "a device that came back before a new conversation was indexed missed its message"),
    (29, 5_000, "a kick was answered before it was published: a dead token was served"),
    (30, 5_000, "a send of a deleted account was stored as of the one that was made again"),
    (
        31,
        5_000,
        "two processes in a row gave out the same ids: an account with another one's number",
    ),
    (
        35,
        5_000,
        "an account that was made again while its name came into a group was in it, and did not list it",
    ),
    (43, 5_000, "a copy that was pushed behind a sync undid the withdrawal that the sync had told"),
    (
        50,
        5_000,
        "a change that another one overtook in the log while a sync was made was told by none",
    ),
    (
        58,
        5_000,
        "an unsaved mark of a deleted account moved the mark of the one that was made again",
    ),
    (65, 5_000, "an account that was deleted while it came into a group stayed a member"),
    (
        188,
        5_000,
        "a device without any answer yet was not told what became of what it had been pushed",
    ),
    (563, 5_000, "a device that lost the answer to its own change was not told of it"),
    (11_049, 5_000, "of two deletions at once the one that saw less brought a message back"),
    (
        11_663,
        5_000,
        "an account that was made again got a receipt for what the old one had written",
    ),
];

#[test]
fn seeds_that_once_failed() {
    for (seed, steps, what) in FOUND {
        if let Err(problem) = Sim::new(*seed).run(*steps) {
            panic!("seed {seed}, {steps} steps ({what}): {problem}");
        }
    }
}
