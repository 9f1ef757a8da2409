//! `sns/pendency_get`: a user's friend requests, received and sent, newest first, by page.
//!
//! Callers: users.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use teahouse_proto::ids::UserId;

use super::desk;
use crate::account;
use crate::caller::Caller;
use crate::error::Outcome;
use crate::operation::Operation;
use crate::relation::owner;
use crate::request;
use crate::rows::{Tie, TieRow};

pub(crate) const OPERATION: Operation<Request, Response> =
    Operation::new("sns/pendency_get").gateway();

request! {
    pub(crate) struct Request {
        /// The caller.
        from_account: Option<UserId> = "From_Account",
        /// Which requests.
        pendency_type: Kind = "PendencyType",
        /// Of the last answer; 0 first.
        start_time: Option<u32> = "StartTime",
        /// Entries wanted, at most and by default 100; a page has more when the last ones are of the same second.
        max_limited: Option<u32> = "MaxLimited",
        /// The list that the caller has already; it is told again.
        last_sequence: Option<u64> = "LastSequence",
    }
}

/// Which requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) enum Kind {
    #[serde(rename = "Pendency_Type_ComeIn")]
    Received,
    #[serde(rename = "Pendency_Type_SendOut")]
    Sent,
    #[serde(rename = "Pendency_Type_Both")]
    Both,
}

impl Kind {
    /// Whether these requests are meant.
    pub(super) fn has(self, tie: Tie) -> bool {
        match self {
            Self::Received => tie == Tie::AskedBy,
            Self::Sent => tie == Tie::Asked,
            Self::Both => true,
        }
    }
}

/// See the module.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Response {
    pendency_item: Vec<FriendRequest>,
    /// Requests received that have not been reported as seen.
    unread_pendency_count: usize,
    /// Where the next page begins; 0: all are told.
    start_time: u32,
    /// Rises with each change.
    last_sequence: u64,
}

/// One friend request.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
struct FriendRequest {
    /// The other user.
    #[serde(rename = "To_Account")]
    to_account: UserId,
    /// How they met.
    add_source: String,
    /// What was said.
    add_wording: String,
    /// When, unix seconds.
    add_time: u32,
    /// The other's nickname.
    nick: String,
    /// The other's avatar.
    image: String,
    /// Received or sent.
    pendency_type: Kind,
}

const PAGE_MAX: u32 = 100;

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Response> {
    let user = owner(&caller, request.from_account).await?;
    let desk = desk(&caller, &user);
    let head = desk.head().await?;
    let received = desk.all(Tie::AskedBy).await?;
    let is_unread = |(_, row): &&(UserId, TieRow)| row.since > head.requests_read;
    let unread_pendency_count = received.iter().filter(is_unread).count();
    let sent = desk.all(Tie::Asked).await?.into_iter().map(|(to, row)| (to, row, Kind::Sent));
    let mut requests: Vec<(UserId, TieRow, Kind)> = received
        .into_iter()
        .map(|(to, row)| (to, row, Kind::Received))
        .chain(sent)
        .filter(|(_, _, kind)| {
            request.pendency_type == Kind::Both || *kind == request.pendency_type
        })
        .collect();
    requests.sort_by(|a, b| b.1.since.cmp(&a.1.since).then_with(|| a.0.cmp(&b.0)));
    if let Some(before) = request.start_time.filter(|time| *time > 0) {
        requests.retain(|(_, row, _)| row.since < before);
    }
    let limit = request.max_limited.unwrap_or(PAGE_MAX).clamp(1, PAGE_MAX) as usize;
    let start_time = cut(&mut requests, limit);
    let users: Vec<UserId> = requests.iter().map(|(to, ..)| to.clone()).collect();
    let faces = account::faces(caller.node(), caller.app(), &users).await?;
    let items = requests.into_iter().zip(faces);
    let item = |((to_account, row, pendency_type), (_, (nick, image)))| {
        let TieRow { source: add_source, wording: add_wording, since: add_time, .. } = row;
        FriendRequest { to_account, add_source, add_wording, add_time, nick, image, pendency_type }
    };
    Ok(Response {
        pendency_item: items.map(item).collect(),
        unread_pendency_count,
        start_time,
        last_sequence: head.requests_seq,
    })
}

/// Leaves one page, with all requests of its last second, and returns the time before which the next one is.
fn cut(requests: &mut Vec<(UserId, TieRow, Kind)>, limit: usize) -> u32 {
    let Some(last) = requests.get(limit - 1).map(|(_, row, _)| row.since) else { return 0 };
    let end = requests.partition_point(|(_, row, _)| row.since >= last);
    let more = end < requests.len();
    requests.truncate(end);
    if more { last } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_never_ends_within_a_second() {
        let request = |since| {
            let user = UserId::parse("bob").expect("valid");
            (user, TieRow { since, ..TieRow::default() }, Kind::Received)
        };
        for (limit, left, next) in [(1, 1, 9), (2, 4, 8), (4, 4, 8), (5, 5, 0), (6, 5, 0)] {
            let mut requests: Vec<_> = [9, 8, 8, 8, 7].map(request).into();
            assert_eq!(cut(&mut requests, limit), next, "{limit}");
            assert_eq!(requests.len(), left, "{limit}");
        }
        assert_eq!(cut(&mut Vec::new(), 1), 0);
    }
}
