//! Mutes that hold everywhere: users who may not write to anybody, or in any group, whatever the groups
//! themselves say. They stand in the account's own row, so that a sender in memory costs no read.

pub(crate) mod commands;

use std::sync::Arc;

use teahouse_proto::ids::UserId;
use teahouse_proto::time::UnixSeconds;

use crate::account;
use crate::app::App;
use crate::error::Outcome;
use crate::node::Node;

/// The duration, in seconds, of a mute that does not end by itself; also its second.
pub(crate) const FOR_EVER: u32 = u32::MAX;

/// Until when a user may not write; long ago if he may.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Mutes {
    /// To users.
    pub(crate) c2c_until: UnixSeconds,
    /// In groups.
    pub(crate) groups_until: UnixSeconds,
}

/// The mutes of a user; none if there is no such account.
pub(crate) async fn of(node: &Node, app: &App, user: &UserId) -> Outcome<Mutes> {
    Ok(account::user(node, app, user).await?.read(|state| {
        state.account().map_or_else(Mutes::default, |account| Mutes {
            c2c_until: UnixSeconds(account.c2c_muted_until),
            groups_until: UnixSeconds(account.groups_muted_until),
        })
    }))
}

/// Mutes a user for so many seconds from now; 0 ends a mute, and what is not given stays. Says whether there
/// is such an account.
pub(crate) async fn set(
    node: &Arc<Node>,
    app: &App,
    user: &UserId,
    c2c_s: Option<u32>,
    groups_s: Option<u32>,
) -> Outcome<bool> {
    let now = node.now().seconds();
    account::change_user(node, app, user, |state, change| {
        Ok(state.change_account(change, |account| {
            if let Some(seconds) = c2c_s {
                account.c2c_muted_until = end(now, seconds).0;
            }
            if let Some(seconds) = groups_s {
                account.groups_muted_until = end(now, seconds).0;
            }
        }))
    })
    .await
}

/// When a mute of so many seconds ends.
fn end(now: UnixSeconds, seconds: u32) -> UnixSeconds {
    match seconds {
        0 => UnixSeconds(0),
        FOR_EVER => UnixSeconds(FOR_EVER),
        seconds => now.plus_seconds(seconds.into()).min(UnixSeconds(FOR_EVER - 1)),
    }
}

/// How many seconds of a mute are left.
pub(crate) fn remaining(until: UnixSeconds, now: UnixSeconds) -> u32 {
    if until.0 == FOR_EVER { FOR_EVER } else { until.0.saturating_sub(now.0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_of_a_mute_is_what_was_set_less_what_has_passed() {
        let now = UnixSeconds(1_000);
        for (seconds, passed, left) in [
            (0, 0, 0),
            (1, 0, 1),
            (1, 1, 0),
            (600, 12, 588),
            (600, 601, 0),
            (FOR_EVER, 0, FOR_EVER),
            (FOR_EVER, u64::from(u32::MAX), FOR_EVER),
            // Longer than the clock can tell is not for ever.
            (FOR_EVER - 1, 0, FOR_EVER - 1 - 1_000),
        ] {
            let until = end(now, seconds);
            assert_eq!(remaining(until, now.plus_seconds(passed)), left, "{seconds} {passed}");
        }
    }
}
