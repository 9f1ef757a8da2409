//! Read receipts: who has read single messages that ask for it.
//!
//! A receipt is one small row beside the message and changes nothing else, so that a group whose members all read at
//! once is not slowed down by it. A message counts for those who were in the group when it was sent and are still
//! there; its sender is not one of them. Its row says which memberships there were.
//!
//! The sender is told how many have read. Receipts that come while readers of the group are being counted are counted
//! together when that is done: two hundred of them make a few notices, in order, and not two hundred.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex};

use teahouse_proto::error::{Error, ErrorCode};
use teahouse_proto::ids::{GroupId, TinyId, UserId};
use teahouse_proto::time::UnixSeconds;
use teahouse_store::Direction;

use super::attached::Sight;
use super::changes::Actor;
use super::{GroupState, change_group};
use crate::app::App;
use crate::entity::in_parallel;
use crate::error::Outcome;
use crate::event::{Event, GroupMessageName, ReaderCount, ReadersCounted};
use crate::node::{Node, decode_row};
use crate::rows::{GroupMessageRow, MemberRow, MessageFlags, ReceiptRow, key};
use crate::settings::AppSettings;
use crate::turns::Turns;

const MESSAGES_AT_ONCE: usize = 8;

impl GroupState {
    /// Whether a message may ask for receipts now.
    ///
    /// # Errors
    /// Why it goes without: `OnlineMessageReceipt`, `GroupTooLargeForReceipts`, or `GroupPermissionDenied` where no
    /// message has any.
    pub(crate) fn check_receipts(
        &self,
        online_only: bool,
        settings: &AppSettings,
    ) -> Result<(), ErrorCode> {
        if !self.rules().is_ok_and(|rules| rules.receipts) {
            return Err(ErrorCode::GroupPermissionDenied);
        }
        if online_only {
            return Err(ErrorCode::OnlineMessageReceipt);
        }
        if self.members.len() > settings.group_receipt_members_max as usize {
            return Err(ErrorCode::GroupTooLargeForReceipts);
        }
        Ok(())
    }
}

/// Which messages of which group have readers that nobody has counted yet.
#[derive(Default)]
pub(crate) struct Counting {
    due: Mutex<HashMap<GroupId, BTreeSet<u64>>>,
    turns: Turns<GroupId>,
}

impl Counting {
    fn enter(&self, group: &GroupId, seqs: impl IntoIterator<Item = u64>) {
        let mut due = self.due.lock().expect("no panic while held");
        due.entry(group.clone()).or_default().extend(seqs);
    }

    fn take(&self, group: &GroupId) -> Vec<u64> {
        let taken = self.due.lock().expect("no panic while held").remove(group);
        taken.into_iter().flatten().collect()
    }
}

/// One for whom a message counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reader {
    pub(crate) user: UserId,
    /// Number of the membership: readers are listed in the order of their joining.
    pub(crate) joined_as: u64,
    /// When he has read it, if he has.
    pub(crate) read_at: Option<UnixSeconds>,
}

/// Whether a message asks for receipts.
fn asks(message: &GroupMessageRow) -> bool {
    MessageFlags(message.flags).has(MessageFlags::WANTS_RECEIPT)
}

/// Whether a message counts for a member.
fn counts_for(message: &GroupMessageRow, user: &UserId, member: &MemberRow) -> bool {
    let is_sender = message.from == user.as_str() && message.from_tiny_id == member.tiny_id;
    let sees = message.is_for(Some(TinyId(member.tiny_id)));
    member.joined_as <= message.joins && sees && !is_sender
}

/// Those for whom a message counts, in the order of their joining.
fn readers(
    members: &BTreeMap<UserId, MemberRow>,
    message: &GroupMessageRow,
    receipts: &HashMap<UserId, ReceiptRow>,
) -> Vec<Reader> {
    let mut readers: Vec<Reader> = members
        .iter()
        .filter(|(user, member)| counts_for(message, user, member))
        .map(|(user, member)| {
            let receipt = receipts.get(user).filter(|r| r.joined_as == member.joined_as);
            let read_at = receipt.map(|receipt| UnixSeconds(receipt.at));
            Reader { user: user.clone(), joined_as: member.joined_as, read_at }
        })
        .collect();
    readers.sort_by_key(|reader| reader.joined_as);
    readers
}

/// How many have read and how many have not.
pub(crate) fn count(readers: &[Reader]) -> (u64, u64) {
    let read = readers.iter().filter(|reader| reader.read_at.is_some()).count();
    (read as u64, (readers.len() - read) as u64)
}

/// Notes that a member has read messages, and tells their senders. What became of each, in the order of `seqs`; for whom
/// a message does not count may confirm it, and nothing follows.
///
/// # Errors
/// `GroupNotFound`; `GroupPermissionDenied` when there is no such member, and in a group without receipts. Of a
/// single message `ReceiptUnknown`.
pub(crate) async fn confirm(
    node: &Arc<Node>,
    app: &App,
    group: &GroupId,
    seqs: &[u64],
    (user, tiny_id): (&UserId, Option<TinyId>),
) -> Outcome<Vec<Result<(), ErrorCode>>> {
    let sight = with_receipts(Sight::whole(node, app, group).await?)?;
    let find = |state: &GroupState| {
        let member = state.members.get(user);
        let member = member.filter(|member| tiny_id.is_none_or(|own| own.0 == member.tiny_id));
        member.map(|member| (member.clone(), state.first_seen(member))).ok_or_else(|| {
            let info = format!("{user} is not a member of the group");
            Error::with(ErrorCode::GroupPermissionDenied, info)
        })
    };
    let (member, first) = super::group(node, app, group).await?.read(find)?;
    let messages = sight.messages(node, app, seqs).await?.into_iter().map(|m| m.map(|m| m.row));
    let message = |(seq, row): (&u64, Option<GroupMessageRow>)| {
        let sees = |row: &GroupMessageRow| row.is_for(Some(TinyId(member.tiny_id)));
        let row = row.filter(|row| asks(row) && *seq >= first && sees(row));
        row.map(|row| (*seq, row)).ok_or(ErrorCode::ReceiptUnknown)
    };
    let found: Vec<Result<(u64, GroupMessageRow), ErrorCode>> =
        seqs.iter().zip(messages).map(message).collect();
    let counted = found.iter().flatten().filter(|(_, row)| counts_for(row, user, &member));
    let counted = counted.map(|(seq, _)| *seq).collect();
    let unread = unread(node, &sight, counted, user, &member).await?;
    if !unread.is_empty() {
        change_group(node, app, group, |state, change| {
            // Who left meanwhile, or came back as another member, has confirmed nothing.
            let is_same = find(state)?.0.joined_as == member.joined_as
                && state.head.incarnation == sight.incarnation;
            let at = node.now().seconds().0;
            for seq in unread.iter().filter(|_| is_same) {
                let key = key::group_receipt(sight.incarnation, *seq, user);
                change.put(key, &ReceiptRow { joined_as: member.joined_as, at });
            }
            Ok(())
        })
        .await?;
        app.receipts.enter(group, unread);
        app.receipts.turns.run(group, tell_counts(node, app, group)).await;
    }
    Ok(found.into_iter().map(|found| found.map(|_| ())).collect())
}

/// # Errors
/// `GroupPermissionDenied` in a group without receipts.
fn with_receipts(sight: Sight) -> Result<Sight, Error> {
    let rules = super::rules::of(sight.group.kind);
    rules.offers(rules.receipts)?;
    Ok(sight)
}

/// Those of the messages that the member has not confirmed yet.
async fn unread(
    node: &Node,
    sight: &Sight,
    seqs: Vec<u64>,
    user: &UserId,
    member: &MemberRow,
) -> Outcome<Vec<u64>> {
    let key =
        |seq: &u64| (sight.partition.clone(), key::group_receipt(sight.incarnation, *seq, user));
    let keys: Vec<_> = seqs.iter().map(key).collect();
    let found = node.store().get_many(&keys).await?;
    let mut unread = Vec::new();
    for (seq, row) in seqs.into_iter().zip(found) {
        let row: Option<ReceiptRow> = row.map(|row| decode_row(&row)).transpose()?;
        if row.is_none_or(|row| row.joined_as != member.joined_as) {
            unread.push(seq);
        }
    }
    Ok(unread)
}

/// Counts the readers of all messages that are due, and tells the senders. A sender who is not told finds out when he
/// asks.
async fn tell_counts(node: &Arc<Node>, app: &App, group: &GroupId) {
    let seqs = app.receipts.take(group);
    if !seqs.is_empty()
        && let Err(failure) = count_and_tell(node, app, group, &seqs).await
    {
        tracing::warn!(app = app.id().0, %group, %failure, "senders are not told who has read");
    }
}

async fn count_and_tell(node: &Arc<Node>, app: &App, group: &GroupId, seqs: &[u64]) -> Outcome<()> {
    let sight = Sight::whole(node, app, group).await?;
    let mut by_sender: BTreeMap<(String, u64), Vec<ReaderCount>> = BTreeMap::new();
    for (seq, found) in seqs.iter().zip(readers_of(node, app, &sight, seqs).await?) {
        let Some((row, readers)) = found else { continue };
        let message = GroupMessageName::of(*seq, &row);
        let (read, unread) = count(&readers);
        let count = ReaderCount { message, read, unread };
        by_sender.entry((row.from, row.from_tiny_id)).or_default().push(count);
    }
    for ((sender, _), messages) in by_sender {
        if let Ok(sender) = UserId::parse(&sender) {
            let group = sight.group.clone();
            node.publish(&Event::ReadersCounted(ReadersCounted { group, sender, messages }));
        }
    }
    Ok(())
}

/// Messages with those for whom they count, in the order of `seqs`; nothing for one that asks for no receipts, may not
/// be seen, or is not there.
async fn readers_of(
    node: &Node,
    app: &App,
    sight: &Sight,
    seqs: &[u64],
) -> Outcome<Vec<Option<(GroupMessageRow, Vec<Reader>)>>> {
    let messages = sight.messages(node, app, seqs).await?.into_iter();
    let messages = messages.map(|found| found.map(|m| m.row).filter(asks));
    let wanted: Vec<_> = seqs.iter().copied().zip(messages).collect();
    let found = in_parallel(wanted, MESSAGES_AT_ONCE, |(seq, row)| async move {
        match row {
            Some(row) => Ok(Some((row, receipts_for(node, sight, seq).await?))),
            None => Ok(None),
        }
    });
    let found: Vec<_> = found.await.into_iter().collect::<Outcome<_>>()?;
    let entity = super::group(node, app, &sight.group.id).await?;
    Ok(entity.read(|state| {
        let with_readers = |(row, receipts)| {
            let readers = readers(&state.members, &row, &receipts);
            (row, readers)
        };
        found.into_iter().map(|found| found.map(with_readers)).collect()
    }))
}

/// At most one a member of a group that was small enough when the message was sent, and of those who were there before.
async fn receipts_for(
    node: &Node,
    sight: &Sight,
    seq: u64,
) -> Outcome<HashMap<UserId, ReceiptRow>> {
    let (from, to) = key::group_receipts_of(sight.incarnation, seq);
    let (store, partition) = (node.store(), &sight.partition);
    let rows = store.scan(partition, &from..&to, Direction::Ascending, usize::MAX).await?;
    let mut receipts = HashMap::with_capacity(rows.len());
    for row in &rows {
        if let Some(reader) = key::group_receipt_reader(&row.key) {
            receipts.insert(reader, decode_row(&row.value)?);
        }
    }
    Ok(receipts)
}

/// For whom messages count and who of them has read them, in the order of `seqs`.
///
/// # Errors
/// `GroupNotFound`; `GroupPermissionDenied` for a stranger, and in a group without receipts. Of a single message
/// `ReceiptUnknown`.
pub(crate) async fn of_messages(
    node: &Node,
    app: &App,
    group: &GroupId,
    seqs: &[u64],
    actor: &Actor,
) -> Outcome<Vec<Result<Vec<Reader>, ErrorCode>>> {
    let sight = with_receipts(Sight::of(node, app, group, actor).await?)?;
    let found = readers_of(node, app, &sight, seqs).await?;
    let readers = |found: Option<_>| found.map(|(_, readers)| readers);
    Ok(found.into_iter().map(|found| readers(found).ok_or(ErrorCode::ReceiptUnknown)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(id: &str) -> UserId {
        UserId::parse(id).expect("valid")
    }

    fn member(tiny_id: u64, joined_as: u64) -> MemberRow {
        MemberRow { tiny_id, joined_as, ..MemberRow::default() }
    }

    #[test]
    fn a_message_counts_for_the_others_who_were_there_and_still_are() {
        let message = GroupMessageRow {
            from: "alice".to_owned(),
            from_tiny_id: 1,
            joins: 4,
            ..GroupMessageRow::default()
        };
        let members = BTreeMap::from([
            (user("alice"), member(1, 1)),
            (user("later"), member(5, 5)),
            (user("unread"), member(3, 3)),
            (user("read"), member(2, 2)),
            (user("back"), member(4, 6)),
        ]);
        let receipts = HashMap::from([
            (user("read"), ReceiptRow { joined_as: 2, at: 9 }),
            (user("later"), ReceiptRow { joined_as: 5, at: 9 }),
            (user("back"), ReceiptRow { joined_as: 4, at: 9 }),
            (user("gone"), ReceiptRow { joined_as: 1, at: 9 }),
            (user("alice"), ReceiptRow { joined_as: 1, at: 9 }),
        ]);
        let found = readers(&members, &message, &receipts);
        let reader = |id, joined_as, read_at| Reader { user: user(id), joined_as, read_at };
        assert_eq!(found, [reader("read", 2, Some(UnixSeconds(9))), reader("unread", 3, None)]);
        assert_eq!(count(&found), (1, 1));
        let for_one = GroupMessageRow { only_for: vec![1, 3], ..message.clone() };
        assert_eq!(count(&readers(&members, &for_one, &receipts)), (0, 1), "others do not see it");
        let by_backend = GroupMessageRow { from_tiny_id: 99, ..message };
        assert_eq!(count(&readers(&members, &by_backend, &receipts)), (2, 1), "another alice");
    }
}
