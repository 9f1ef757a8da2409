//! Messages of groups that mention a user and that he has not read: a client marks their conversations. One
//! that was connected was told of them; others are told when they come back.

use teahouse_proto::ids::{GroupId, UserId};
use teahouse_proto::push::GroupAtTip;
use teahouse_proto::time::UnixSeconds;
use teahouse_store::Direction;

use super::AT_ONCE;
use super::groups::{self, GroupSummary};
use crate::app::App;
use crate::entity::in_parallel;
use crate::error::Outcome;
use crate::node::{Node, decode_row};
use crate::rows::{Home, MentionedRow, key};

/// Groups that are looked through, those with the latest messages first.
const GROUPS_MAX: usize = 100;
/// Messages with mentions that are looked through in one group, the latest first.
const MESSAGES_MAX: usize = 100;

/// A message that mentions a user.
pub(crate) struct Mention {
    group: GroupId,
    seq: u64,
    row: MentionedRow,
    you: bool,
    all: bool,
}

impl Mention {
    /// What clients are told of it.
    pub(crate) fn tip(&self) -> GroupAtTip<'_> {
        GroupAtTip {
            from: &self.row.from,
            random: self.row.random,
            client_seq: self.row.client_seq,
            group_id: &self.group,
            seq: self.seq,
            you: self.you,
            all: self.all,
        }
    }
}

/// What mentions a user and was sent in these seconds, in the order of sending within each group.
pub(crate) async fn unread(
    node: &Node,
    app: &App,
    user: &UserId,
    sent: (UnixSeconds, UnixSeconds),
) -> Outcome<Vec<Mention>> {
    let mut groups = groups::summaries(node, app, user).await?;
    groups.retain(|group| group.head.mentioned > group.row.read_seq && groups::listens(&group.row));
    groups.sort_by_key(|group| std::cmp::Reverse(group.head.last_time));
    groups.truncate(GROUPS_MAX);
    let found = in_parallel(groups, AT_ONCE, |group| of_group(node, app, user, group, sent));
    let found: Vec<Vec<Mention>> = found.await.into_iter().collect::<Outcome<_>>()?;
    Ok(found.into_iter().flatten().collect())
}

async fn of_group(
    node: &Node,
    app: &App,
    user: &UserId,
    group: GroupSummary,
    (from, to): (UnixSeconds, UnixSeconds),
) -> Outcome<Vec<Mention>> {
    let GroupSummary { group, row, head, member, .. } = group;
    let first = (row.read_seq.max(row.cleared_through) + 1).max(member.first_seq);
    if head.mentioned < first {
        return Ok(Vec::new());
    }
    let range = [first, head.mentioned + 1].map(|seq| key::mentioned(head.incarnation, seq));
    let partition = Home::Group(app.id(), group.clone()).partition();
    let rows =
        node.store().scan(&partition, &range[0]..&range[1], Direction::Descending, MESSAGES_MAX);
    let mut found = Vec::new();
    for stored in rows.await?.into_iter().rev() {
        let Some(seq) = key::group_message_seq(&stored.key) else { continue };
        let row: MentionedRow = decode_row(&stored.value)?;
        let you = row.mentions.iter().any(|mention| mention.user == user.as_str());
        let all = row.mentions.iter().any(|mention| mention.all);
        let is_of_others = row.from != user.as_str();
        if (you || all) && is_of_others && (from.0..=to.0).contains(&row.time) {
            found.push(Mention { group: group.clone(), seq, row, you, all });
        }
    }
    Ok(found)
}
