//! Lists that are read page by page.
//!
//! A list is put in order once, when its first page is asked for. The order is kept here for the pages that
//! follow, so that reading a long list costs each conversation once, and a conversation that moves, comes or
//! goes meanwhile shifts no page. One that is forgotten (the server was restarted, too many are under way) is
//! made anew: then a conversation may come twice.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};

use teahouse_proto::ids::UserId;
use teahouse_proto::time::UnixSeconds;

use super::contacts::Contact;

/// Conversations of all lists under way in one app, some 64 bytes each; beyond, the oldest list goes.
const CONTACTS_MAX: usize = 500_000;

/// The lists under way in one app.
#[derive(Default)]
pub(crate) struct Listings {
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    last: u32,
    contacts: usize,
    by_age: VecDeque<Listing>,
}

struct Listing {
    user: UserId,
    number: u32,
    begun: UnixSeconds,
    order: Arc<[Contact]>,
}

impl Listings {
    /// Keeps the order of a list; answers with its number, which is not 0.
    pub(crate) fn keep(&self, user: &UserId, begun: UnixSeconds, order: Arc<[Contact]>) -> u32 {
        let mut kept = self.lock();
        kept.last = kept.last.wrapping_add(1).max(1);
        let number = kept.last;
        kept.contacts += order.len();
        kept.by_age.push_back(Listing { user: user.clone(), number, begun, order });
        while kept.contacts > CONTACTS_MAX
            && let Some(oldest) = kept.by_age.pop_front()
        {
            kept.contacts -= oldest.order.len();
        }
        number
    }

    /// The order of a list that is under way.
    pub(crate) fn find(
        &self,
        user: &UserId,
        begun: UnixSeconds,
        number: u32,
    ) -> Option<Arc<[Contact]>> {
        let kept = self.lock();
        let mut found = kept.by_age.iter().filter(|listing| listing.number == number);
        let found = found.find(|listing| (&listing.user, listing.begun) == (user, begun));
        found.map(|listing| listing.order.clone())
    }

    /// The last page of a list is read.
    pub(crate) fn end(&self, number: u32) {
        let mut kept = self.lock();
        if let Some(place) = kept.by_age.iter().position(|listing| listing.number == number) {
            let ended = kept.by_age.remove(place);
            kept.contacts -= ended.map_or(0, |listing| listing.order.len());
        }
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().expect("bookkeeping of lists does not panic")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(name: &str) -> UserId {
        UserId::parse(name).expect("valid")
    }

    fn order(length: usize) -> Arc<[Contact]> {
        vec![Contact::Pair(user("peer")); length].into()
    }

    #[test]
    fn a_list_is_found_by_its_owner_until_it_is_read() {
        let (listings, begun) = (Listings::default(), UnixSeconds(5));
        let number = listings.keep(&user("alice"), begun, order(3));
        let find = |name: &str, begun| listings.find(&user(name), begun, number);
        assert_eq!(find("alice", begun).map(|order| order.len()), Some(3));
        assert!(find("bob", begun).is_none() && find("alice", UnixSeconds(6)).is_none());
        listings.end(number);
        assert!(find("alice", begun).is_none());
        assert_eq!(listings.lock().contacts, 0);
    }

    #[test]
    fn the_oldest_lists_go_when_there_are_too_many() {
        let (listings, begun) = (Listings::default(), UnixSeconds(5));
        let [first, second, third] =
            [(); 3].map(|()| listings.keep(&user("alice"), begun, order(CONTACTS_MAX / 2)));
        let find = |number| listings.find(&user("alice"), begun, number);
        assert!(find(first).is_none() && find(second).is_some() && find(third).is_some());
    }
}
