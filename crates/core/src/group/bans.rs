//! Who may not come into a group for a while. Bans are stored, those of live rooms too.

use std::sync::Arc;

use teahouse_proto::error::{Error, ErrorCode};
use teahouse_proto::ids::UserId;
use teahouse_proto::push::TipKind;
use teahouse_proto::time::UnixSeconds;

use super::GroupState;
use super::membership::{Act, Moving, end_of, ended};
use crate::entity::Change;
use crate::event::{BanChanged, Event};
use crate::rows::{BanRow, key};

/// Users that are banned from one group at the same time.
const BANS_MAX: usize = 10_000;

/// For how long, and what is said along with it.
#[derive(Debug, Clone)]
pub struct Ban {
    /// Seconds; the greatest number is for ever.
    pub seconds: u32,
    /// May be empty.
    pub description: String,
}

impl GroupState {
    /// Refuses somebody who is banned.
    ///
    /// # Errors
    /// `GroupPermissionDenied`
    pub(crate) fn check_ban(&self, user: &UserId, now: UnixSeconds) -> Result<(), Error> {
        match self.bans.get(user).filter(|until| **until > now.0) {
            Some(until) => {
                let info = format!("{user} is banned from the group until {until}");
                Err(Error::with(ErrorCode::GroupPermissionDenied, info))
            }
            None => Ok(()),
        }
    }

    /// Bans users, members or not: who is in is out. The caller has checked that they may be banned.
    ///
    /// # Errors
    /// `GroupTooManyAccounts`: more are banned than possible.
    pub(crate) fn ban(
        &mut self,
        act: &Act<'_>,
        users: &[UserId],
        ban: &Ban,
        change: &mut Change,
    ) -> Result<(), Error> {
        let now = act.node.now().seconds();
        let lasting = self.bans.values().filter(|until| **until > now.0).count();
        if lasting + users.len() > BANS_MAX {
            let info = format!("{BANS_MAX} users are banned from one group at most");
            return Err(Error::with(ErrorCode::GroupTooManyAccounts, info));
        }
        for user in ended(&self.bans, now) {
            change.delete(key::ban(self.head.incarnation, &user));
            self.bans.remove(&user);
        }
        let until = end_of(now, ban.seconds);
        for user in users {
            self.bans.insert(user.clone(), until);
            change.put(key::ban(self.head.incarnation, user), &BanRow { until });
            self.decide_all(user, act.operator, false, change);
        }
        let is_in = |user: &&UserId| self.members.contains_key(*user);
        let leaving: Vec<UserId> = users.iter().filter(is_in).cloned().collect();
        if !leaving.is_empty() {
            // Who is banned is told of that, not of his removal.
            let how = Moving {
                kind: TipKind::Kicked,
                tip: true,
                notice: false,
                reason: "",
                origin: None,
            };
            self.leave(act, &leaving, &how, change)?;
        }
        change.event(changed(act, users.to_vec(), Some(ban.clone())));
        Ok(())
    }

    /// Ends bans.
    pub(crate) fn unban(&mut self, act: &Act<'_>, users: &[UserId], change: &mut Change) {
        let banned: Vec<UserId> =
            users.iter().filter(|user| self.bans.remove(*user).is_some()).cloned().collect();
        for user in &banned {
            change.delete(key::ban(self.head.incarnation, user));
        }
        if !banned.is_empty() {
            change.event(changed(act, banned, None));
        }
    }
}

fn changed(act: &Act<'_>, users: Vec<UserId>, ban: Option<Ban>) -> Event {
    Event::BanChanged(BanChanged {
        group: act.group.clone(),
        users,
        operator: act.operator.to_owned(),
        ban,
        faces: Arc::clone(act.faces),
    })
}
