//! History of a group, read by page.

use std::sync::Arc;

use teahouse_proto::ids::{GroupId, TinyId};
use teahouse_proto::time::UnixSeconds;
use teahouse_store::Direction;

use super::change_group;
use super::message::{self, GroupRef, GroupSaid};
use crate::app::App;
use crate::error::Outcome;
use crate::node::{Node, decode_row};
use crate::rows::key::GroupRows;
use crate::rows::{GroupMessageRow, Home, key};

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
    /// Who looks. Of messages for some members only he sees those that are for him; without him none is seen.
    pub(crate) viewer: Option<TinyId>,
}

/// A page, newest first.
pub(crate) struct Page {
    pub(crate) messages: Vec<GroupSaid>,
    /// The messages in its range that are for others only.
    pub(crate) hidden: Vec<u64>,
    /// The first sequence number that the page covers; nothing older is there when it is not above
    /// [`Wanted::first`].
    pub(crate) first: u64,
}

/// Ranges of a page's length that are looked through for one page, when all in them is for others only.
const RANGES_MAX: usize = 10;

/// Reads up to `wanted.count` messages below and at `wanted.last`. Those that retention has removed are
/// missing.
pub(crate) async fn page(node: &Node, app: &App, wanted: &Wanted) -> Outcome<Page> {
    let partition = Home::Group(app.id(), wanted.group.id.clone()).partition();
    let lowest = wanted.first.max(1);
    let (mut visible, mut hidden) = (Vec::new(), Vec::new());
    let mut end = wanted.last + 1;
    for _ in 0..RANGES_MAX {
        let first = lowest.max(end.saturating_sub(wanted.count));
        if end <= first || !visible.is_empty() {
            break;
        }
        let from = key::group_message(wanted.incarnation, first);
        let to = key::group_message(wanted.incarnation, end);
        let rows = node.store().scan(&partition, &from..&to, Direction::Descending, usize::MAX);
        for row in rows.await? {
            let Some(seq) = key::group_message_seq(&row.key) else { continue };
            let message: GroupMessageRow = decode_row(&row.value)?;
            if message.is_for(wanted.viewer) {
                visible.push((seq, message));
            } else {
                hidden.push(seq);
            }
        }
        end = first;
        if hidden.is_empty() {
            break;
        }
    }
    let messages = said(node, app, &wanted.group, visible).await?;
    Ok(Page { messages, hidden, first: end.max(lowest) })
}

/// Single messages, in the order of `seqs`; what may not be seen, or is gone, is missing.
pub(crate) async fn at(
    node: &Node,
    app: &App,
    wanted: &Wanted,
    seqs: &[u64],
) -> Outcome<Vec<GroupSaid>> {
    const SEQS_MAX: usize = 100;
    let partition = Home::Group(app.id(), wanted.group.id.clone()).partition();
    let visible = |seq: &&u64| (wanted.first..=wanted.last).contains(*seq);
    let seqs: Vec<u64> = seqs.iter().filter(visible).take(SEQS_MAX).copied().collect();
    let keys: Vec<_> = seqs
        .iter()
        .map(|seq| (partition.clone(), key::group_message(wanted.incarnation, *seq)))
        .collect();
    let found = node.store().get_many(&keys).await?;
    let rows = seqs.into_iter().zip(found);
    let rows: Vec<(u64, GroupMessageRow)> = rows
        .filter_map(|(seq, row)| Some((seq, row?)))
        .map(|(seq, row)| Ok((seq, decode_row(&row)?)))
        .collect::<Outcome<_>>()?;
    let visible = rows.into_iter().filter(|(_, row)| row.is_for(wanted.viewer)).collect();
    said(node, app, &wanted.group, visible).await
}

/// Stored rows with all that clients are shown of them.
pub(crate) async fn said(
    node: &Node,
    app: &App,
    group: &GroupRef,
    rows: Vec<(u64, GroupMessageRow)>,
) -> Outcome<Vec<GroupSaid>> {
    let named = rows.iter().flat_map(|(_, row)| message::named(row)).collect();
    let faces = Arc::new(message::faces(node, app, named).await?);
    let cards = name_cards(node, app, &group.id, &rows).await?;
    rows.into_iter()
        .zip(cards)
        .map(|((seq, mut row), name_card)| {
            Ok(GroupSaid {
                group: group.clone(),
                seq,
                online_only: false,
                origin: None,
                body: message::take_body(&mut row)?,
                row,
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
    rows: &[(u64, GroupMessageRow)],
) -> Outcome<Vec<String>> {
    let entity = super::group(node, app, group).await?;
    Ok(entity.read(|state| {
        let card = |row: &GroupMessageRow| {
            let member = state.members.get(row.from.as_str());
            member.map(|member| member.name_card.clone()).unwrap_or_default()
        };
        rows.iter().map(|(_, row)| card(row)).collect()
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
            Ok(())
        })
        .await?;
    }
}
