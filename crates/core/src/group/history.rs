//! History of a group, read by page.

use std::collections::BTreeSet;
use std::sync::Arc;

use teahouse_proto::ids::{GroupId, TinyId};
use teahouse_proto::time::UnixSeconds;
use teahouse_store::{Direction, Partition, ReadError};

use super::change_group;
use super::message::{self, GroupRef, GroupSaid};
use crate::app::App;
use crate::error::Outcome;
use crate::node::{Node, decode_row};
use crate::numbers::Numbers;
use crate::pair::history::WITHDRAWN_BODY;
use crate::rows::key::GroupRows;
use crate::rows::{GroupMessageRow, Home, MessageFlags, NumbersRow, OverlayRow, key};

/// Which messages of which group.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    pub(crate) group: GroupRef,
    pub(crate) incarnation: u64,
    /// The first one that may be seen.
    pub(crate) first: u64,
    /// The last one that is wanted.
    pub(crate) last: u64,
    pub(crate) count: u64,
    /// Who looks. Of messages for some members only he sees those that are for him; without him none is seen. What he
    /// has taken out of his history he does not see.
    pub(crate) viewer: Option<TinyId>,
    /// Something may lie beside the messages: [`GroupHeadRow::changes`](crate::rows::GroupHeadRow::changes) is not 0.
    pub(crate) is_changed: bool,
    pub(crate) recalled: Recalled,
}

/// How recalled messages are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Recalled {
    /// Not at all.
    Out,
    /// In their places, without their content.
    Place,
    /// With what they said.
    Whole,
}

/// A message as stored, and what has become of it.
#[derive(Debug, Clone)]
pub(crate) struct Stored {
    pub(crate) seq: u64,
    /// As sent; what [`Stored::lay_over`] has made of it once it is to be shown.
    pub(crate) row: GroupMessageRow,
    pub(crate) overlay: OverlayRow,
}

impl Stored {
    /// As it was sent, if the row is a message's.
    fn decode(key: &[u8], value: &[u8]) -> Result<Option<Self>, ReadError> {
        let Some(seq) = key::group_message_seq(key) else { return Ok(None) };
        Ok(Some(Self { seq, row: decode_row(value)?, overlay: OverlayRow::default() }))
    }

    /// Makes it say what it says now.
    pub(super) fn lay_over(&mut self, recalled: Recalled) {
        if self.is_recalled() && recalled != Recalled::Whole {
            WITHDRAWN_BODY.as_json().clone_into(&mut self.row.body);
            self.row.cloud_custom_data.clear();
            self.row.mentions.clear();
        } else if let Some(modified) = &self.overlay.modified {
            self.row.body.clone_from(&modified.body);
            self.row.cloud_custom_data.clone_from(&modified.cloud_custom_data);
        }
    }

    pub(crate) fn is_recalled(&self) -> bool {
        self.overlay.withdrawn.is_some()
    }

    /// Its number among the messages that count as unread; nothing if it did not count when it was sent.
    pub(crate) fn counted_as(&self) -> Option<u64> {
        self.row.is_counted().then_some(self.row.counted)
    }
}

impl GroupMessageRow {
    /// Whether it counts as unread for whoever did not send it.
    pub(crate) fn is_counted(&self) -> bool {
        let flags = MessageFlags(self.flags);
        let never = flags.has(MessageFlags::NO_UNREAD) || flags.has(MessageFlags::NEVER_UNREAD);
        self.tip.is_none() && !never
    }
}

/// A page, newest first.
pub(crate) struct Page {
    pub(crate) messages: Vec<GroupSaid>,
    /// The messages in its range that are not shown: for others only, taken out, or recalled.
    pub(crate) hidden: Vec<u64>,
    /// The first sequence number that the page covers; nothing older is there when it is not above
    /// [`Wanted::first`].
    pub(crate) first: u64,
}

/// Ranges of a page's length that are looked through for one page, when all in them is for others only, or taken out.
const RANGES_MAX: usize = 10;

/// Reads up to `wanted.count` messages below and at `wanted.last`. Those that retention has removed are
/// missing.
pub(crate) async fn page(node: &Node, app: &App, wanted: &Wanted) -> Outcome<Page> {
    let lowest = wanted.first.max(1);
    let (mut visible, mut hidden) = (Vec::new(), Vec::new());
    let mut end = wanted.last + 1;
    for _ in 0..RANGES_MAX {
        let first = lowest.max(end.saturating_sub(wanted.count));
        if end <= first || !visible.is_empty() {
            break;
        }
        (visible, hidden) = range(node, app, wanted, (first, end), hidden).await?;
        end = first;
        if hidden.is_empty() {
            break;
        }
    }
    let messages = said(node, app, &wanted.group, visible).await?;
    Ok(Page { messages, hidden, first: end.max(lowest) })
}

/// The messages from `first` on, before `end`, that are to be shown, newest first; adds the others to `hidden`.
async fn range(
    node: &Node,
    app: &App,
    wanted: &Wanted,
    (first, end): (u64, u64),
    mut hidden: Vec<u64>,
) -> Outcome<(Vec<Stored>, Vec<u64>)> {
    let partition = Home::Group(app.id(), wanted.group.id.clone()).partition();
    let [from, to] = [first, end].map(|seq| key::group_message(wanted.incarnation, seq));
    let rows = node.store().scan(&partition, &from..&to, Direction::Descending, usize::MAX).await?;
    let stored = rows.iter().filter_map(|row| Stored::decode(&row.key, &row.value).transpose());
    let stored: Vec<Stored> = stored.collect::<Result<_, _>>()?;
    let all: Vec<u64> = stored.iter().map(|message| message.seq).collect();
    let visible = to_show(node, &partition, wanted, stored).await?;
    let shown: BTreeSet<u64> = visible.iter().map(|message| message.seq).collect();
    hidden.extend(all.into_iter().filter(|seq| !shown.contains(seq)));
    Ok((visible, hidden))
}

/// Single messages, in the order of `seqs`; what may not be seen, or is gone, is missing.
pub(crate) async fn at(
    node: &Node,
    app: &App,
    wanted: &Wanted,
    seqs: &[u64],
) -> Outcome<Vec<GroupSaid>> {
    let visible = |seq: &&u64| (wanted.first..=wanted.last).contains(*seq);
    let seqs: Vec<u64> = seqs.iter().filter(visible).copied().collect();
    let stored = stored_at(node, app, &wanted.group.id, wanted.incarnation, &seqs).await?;
    let partition = Home::Group(app.id(), wanted.group.id.clone()).partition();
    let stored = to_show(node, &partition, wanted, stored).await?;
    said(node, app, &wanted.group, stored).await
}

/// Single messages as they were sent, in the order of `seqs`; one that is not there is missing.
pub(super) async fn stored_at(
    node: &Node,
    app: &App,
    group: &GroupId,
    incarnation: u64,
    seqs: &[u64],
) -> Outcome<Vec<Stored>> {
    let partition = Home::Group(app.id(), group.clone()).partition();
    let key = |seq: &u64| (partition.clone(), key::group_message(incarnation, *seq));
    let keys: Vec<_> = seqs.iter().map(key).collect();
    let found = node.store().get_many(&keys).await?;
    let stored = keys.iter().zip(found).filter_map(|((_, key), row)| {
        let row = row?;
        Stored::decode(key, &row).transpose()
    });
    Ok(stored.collect::<Result<_, _>>()?)
}

/// Reads what has become of messages.
pub(super) async fn overlays(
    node: &Node,
    partition: &Partition,
    incarnation: u64,
    stored: &mut [Stored],
) -> Outcome<()> {
    let key = |m: &Stored| (partition.clone(), key::group_overlay(incarnation, m.seq));
    let keys: Vec<_> = stored.iter().map(key).collect();
    for (message, overlay) in stored.iter_mut().zip(node.store().get_many(&keys).await?) {
        if let Some(overlay) = overlay {
            message.overlay = decode_row(&overlay)?;
        }
    }
    Ok(())
}

/// Messages as they are to be shown, without those that are not.
async fn to_show(
    node: &Node,
    partition: &Partition,
    wanted: &Wanted,
    mut stored: Vec<Stored>,
) -> Outcome<Vec<Stored>> {
    stored.retain(|message| message.row.is_for(wanted.viewer));
    if !wanted.is_changed {
        return Ok(stored);
    }
    overlays(node, partition, wanted.incarnation, &mut stored).await?;
    let deleted = match wanted.viewer {
        Some(viewer) => {
            let seqs = stored.iter().map(|message| message.seq);
            deleted(node, partition, wanted.incarnation, viewer, seqs).await?
        }
        None => Numbers::default(),
    };
    stored.retain_mut(|message| {
        message.lay_over(wanted.recalled);
        let is_out = message.is_recalled() && wanted.recalled == Recalled::Out;
        !is_out && !deleted.contains(message.seq)
    });
    Ok(stored)
}

/// Which messages near these an account has taken out of its history.
pub(crate) async fn deleted(
    node: &Node,
    partition: &Partition,
    incarnation: u64,
    account: TinyId,
    seqs: impl Iterator<Item = u64>,
) -> Outcome<Numbers> {
    let chunks: BTreeSet<u64> = seqs.map(Numbers::chunk_of).collect();
    let key = |chunk: &u64| (partition.clone(), key::group_deleted(incarnation, *chunk, account));
    let keys: Vec<_> = chunks.iter().map(key).collect();
    let mut deleted = Numbers::default();
    for (chunk, row) in chunks.iter().zip(node.store().get_many(&keys).await?) {
        if let Some(row) = row {
            deleted.add(*chunk, &decode_row::<NumbersRow>(&row)?.bits);
        }
    }
    Ok(deleted)
}

/// Stored messages with all that clients are shown of them.
pub(crate) async fn said(
    node: &Node,
    app: &App,
    group: &GroupRef,
    stored: Vec<Stored>,
) -> Outcome<Vec<GroupSaid>> {
    let revokers = stored.iter().filter_map(|m| Some(m.overlay.withdrawn.as_ref()?.by.as_str()));
    let named = stored.iter().flat_map(|message| message::named(&message.row));
    let named = named.chain(revokers).collect();
    let faces = Arc::new(message::faces(node, app, named).await?);
    let cards = name_cards(node, app, &group.id, &stored).await?;
    stored
        .into_iter()
        .zip(cards)
        .map(|(Stored { seq, mut row, overlay }, name_card)| {
            Ok(GroupSaid {
                group: group.clone(),
                seq,
                online_only: false,
                origin: None,
                body: message::take_body(&mut row)?,
                row,
                overlay,
                faces: faces.clone(),
                name_card,
                only_for: Vec::new(),
            })
        })
        .collect()
}

/// The senders' names in the group, as they are now.
async fn name_cards(
    node: &Node,
    app: &App,
    group: &GroupId,
    stored: &[Stored],
) -> Outcome<Vec<String>> {
    let entity = super::group(node, app, group).await?;
    Ok(entity.read(|state| {
        let card = |row: &GroupMessageRow| {
            let member = state.members.get(row.from.as_str());
            member.map(|member| member.name_card.clone()).unwrap_or_default()
        };
        stored.iter().map(|message| card(&message.row)).collect()
    }))
}

/// Removes the messages of before `before`, in bounded steps.
pub(crate) async fn cut(
    node: &Arc<Node>,
    app: &App,
    group: &GroupId,
    before: UnixSeconds,
    messages_a_commit: usize,
) -> Outcome<()> {
    let partition = Home::Group(app.id(), group.clone()).partition();
    let entity = super::group(node, app, group).await?;
    let incarnation = entity.read(|state| state.head.incarnation);
    let (from, to) = key::group_rows(GroupRows::Messages, incarnation);
    loop {
        let rows =
            node.store().scan(&partition, &from..&to, Direction::Ascending, messages_a_commit);
        let mut old = Vec::new();
        for row in rows.await? {
            let message: GroupMessageRow = decode_row(&row.value)?;
            if message.time >= before.0 {
                break;
            }
            old.push(row.key);
        }
        let Some(last) = old.last().and_then(|key| key::group_message_seq(key)) else {
            return Ok(());
        };
        metrics::counter!("teahouse_messages_expired_total").increment(old.len() as u64);
        change_group(node, app, group, |state, change| {
            if state.head.incarnation == incarnation {
                state.head.first_live = last + 1;
                change.put(key::head(), &state.head);
            }
            old.iter().for_each(|key| change.delete(key.clone()));
            let mentioned = [0, last + 1].map(|seq| key::mentioned(incarnation, seq));
            change.delete_range(mentioned.into());
            if state.head.changes > 0 {
                change.delete_range(key::beside_group_messages(incarnation, 0, last + 1));
                let chunks = (0, Numbers::chunk_of(last + 1));
                change.delete_range(key::deletions_of_group(incarnation, chunks));
            }
            for attached in key::attached_to_group_messages(incarnation, 0, last + 1) {
                change.delete_range(attached);
            }
            Ok(())
        })
        .await?;
    }
}
