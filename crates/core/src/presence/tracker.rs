//! What has to be remembered to tell a change once: who may come back, and what was told of whom.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard};

use teahouse_proto::ids::UserId;
use teahouse_proto::time::UnixMillis;

use super::Seen;

/// Of one app.
#[derive(Default)]
pub(crate) struct Tracker {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Users whose connection was lost, and until when they count as online.
    lost: HashMap<UserId, UnixMillis>,
    /// Users whom somebody watches, or has watched of late.
    watched: HashMap<UserId, Watched>,
    /// How many of them there may be before it is looked who is not watched any more.
    watched_max: usize,
}

#[derive(Default)]
struct Watched {
    /// Nothing: this is not known yet.
    told: Option<Seen>,
    phase: Phase,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Phase {
    /// All is told.
    #[default]
    Still,
    /// Something may have changed, and will be told in a moment.
    Due,
    /// It is being looked at; true: something may have changed since.
    Telling(bool),
}

/// Of so few it is not worth to look who is not watched any more.
const WATCHED_MIN: usize = 1_024;

impl Tracker {
    /// The user counts as online until then, whatever becomes of his connections.
    pub(crate) fn lost(&self, user: &UserId, until: UnixMillis) {
        self.lock().lost.insert(user.clone(), until);
    }

    /// He is back, or will not be.
    pub(crate) fn waits_no_more(&self, user: &UserId) {
        self.lock().lost.remove(user);
    }

    pub(crate) fn may_come_back(&self, user: &UserId) -> bool {
        self.lock().lost.contains_key(user)
    }

    /// Those who have not come back in time; they do not count as online any more.
    pub(crate) fn grace_ended(&self, now: UnixMillis) -> Vec<UserId> {
        self.lock().lost.extract_if(|_, until| *until <= now).map(|(user, _)| user).collect()
    }

    /// These are watched. Answers with those of whom it is not known what was told.
    pub(crate) fn watch(&self, users: &[UserId]) -> Vec<UserId> {
        let mut state = self.lock();
        let mut is_new =
            |user: &&UserId| state.watched.entry((*user).clone()).or_default().told.is_none();
        users.iter().filter(|user| is_new(user)).cloned().collect()
    }

    /// Whoever watches the user from now on can know this of him.
    pub(crate) fn begin(&self, user: &UserId, seen: Option<Seen>) {
        if let Some(watched) = self.lock().watched.get_mut(user)
            && watched.told.is_none()
        {
            watched.told = seen;
        }
    }

    /// What was told last of a user whom somebody watches.
    pub(crate) fn told(&self, user: &UserId) -> Option<Seen> {
        self.lock().watched.get(user)?.told.clone()
    }

    /// Looks at what was told last of these users. What is told of them next comes after it.
    pub(crate) fn look(&self, users: &[UserId], look: impl FnOnce(&[(&UserId, &Seen)])) {
        let state = self.lock();
        let told = |user| Some((user, state.watched.get(user)?.told.as_ref()?));
        let told: Vec<(&UserId, &Seen)> = users.iter().filter_map(told).collect();
        look(&told);
    }

    /// Something may have changed; says whether it is to be told in a moment, once.
    pub(crate) fn changed(&self, user: &UserId) -> bool {
        let mut state = self.lock();
        let Some(watched) = state.watched.get_mut(user) else { return false };
        match watched.phase {
            Phase::Still => {
                watched.phase = Phase::Due;
                true
            }
            Phase::Due => false,
            Phase::Telling(_) => {
                watched.phase = Phase::Telling(true);
                false
            }
        }
    }

    pub(crate) fn begin_telling(&self, user: &UserId) {
        self.set_phase(user, Phase::Telling(false));
    }

    pub(crate) fn end_telling(&self, user: &UserId) {
        self.set_phase(user, Phase::Still);
    }

    /// Runs `tell` if this is not what was told last; says whether that was all.
    pub(crate) fn tell(&self, user: &UserId, now: &Seen, tell: impl FnOnce()) -> bool {
        let mut state = self.lock();
        let Some(watched) = state.watched.get_mut(user) else { return true };
        let again = watched.phase == Phase::Telling(true);
        watched.phase = if again { Phase::Telling(false) } else { Phase::Still };
        if watched.told.as_ref() != Some(now) {
            watched.told = Some(now.clone());
            // Under the lock: what is told next comes after it.
            tell();
        }
        !again
    }

    /// Forgets those who are not watched any more, when there are many.
    pub(crate) fn tidy(&self, is_watched: impl Fn(&UserId) -> bool) {
        let mut state = self.lock();
        if state.watched.len() > state.watched_max.max(WATCHED_MIN) {
            state.watched.retain(|user, watched| watched.phase != Phase::Still || is_watched(user));
            state.watched_max = state.watched.len() * 2;
        }
    }

    fn set_phase(&self, user: &UserId, phase: Phase) {
        if let Some(watched) = self.lock().watched.get_mut(user) {
            watched.phase = phase;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("bookkeeping of presence does not panic")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::presence::Status;

    fn user(name: &str) -> UserId {
        UserId::parse(name).expect("valid")
    }

    fn seen(status: Status) -> Seen {
        Seen { status, custom: String::new() }
    }

    #[test]
    fn who_comes_back_in_time_was_never_away() {
        let (tracker, alice, bob) = (Tracker::default(), user("alice"), user("bob"));
        tracker.lost(&alice, UnixMillis(10));
        tracker.lost(&bob, UnixMillis(10));
        assert!(tracker.grace_ended(UnixMillis(9)).is_empty());
        tracker.waits_no_more(&alice);
        assert!(!tracker.may_come_back(&alice) && tracker.may_come_back(&bob));
        assert_eq!(tracker.grace_ended(UnixMillis(10)).len(), 1);
        assert!(!tracker.may_come_back(&bob));
    }

    #[test]
    fn changes_of_a_moment_are_told_once_and_what_is_the_same_is_not_told() {
        let (tracker, alice) = (Tracker::default(), user("alice"));
        assert!(!tracker.changed(&alice), "nobody watches");
        assert_eq!(tracker.watch(std::slice::from_ref(&alice)).len(), 1);
        tracker.begin(&alice, Some(seen(Status::Offline)));
        assert!(tracker.watch(std::slice::from_ref(&alice)).is_empty(), "known already");
        assert!(tracker.changed(&alice) && !tracker.changed(&alice));
        let mut told = 0;
        tracker.begin_telling(&alice);
        assert!(tracker.tell(&alice, &seen(Status::Online), || told += 1));
        assert!(tracker.changed(&alice));
        tracker.begin_telling(&alice);
        assert!(tracker.tell(&alice, &seen(Status::Online), || told += 1));
        assert_eq!(told, 1);
    }

    #[test]
    fn what_changes_while_it_is_told_is_looked_at_again() {
        let (tracker, alice) = (Tracker::default(), user("alice"));
        tracker.watch(std::slice::from_ref(&alice));
        assert!(tracker.changed(&alice));
        tracker.begin_telling(&alice);
        assert!(!tracker.changed(&alice), "no second teller");
        assert!(!tracker.tell(&alice, &seen(Status::Online), || {}), "not all is told");
        assert!(tracker.tell(&alice, &seen(Status::Offline), || {}));
    }

    #[test]
    fn who_is_not_watched_any_more_is_forgotten_when_there_are_many() {
        let tracker = Tracker::default();
        let users: Vec<_> = (0..=WATCHED_MIN).map(|number| user(&format!("u{number}"))).collect();
        tracker.watch(&users[1..]);
        tracker.tidy(|_| false);
        assert_eq!(tracker.lock().watched.len(), WATCHED_MIN);
        tracker.watch(&users);
        tracker.changed(&users[7]);
        tracker.tidy(|user| *user == users[3]);
        assert_eq!(tracker.lock().watched.len(), 2, "one is watched, one is to be told of");
    }
}
