//! Many conversations marked as read at once: one look at all heads, one change of the index in memory, and
//! one push to the reader's other devices.

use std::collections::BTreeMap;
use std::sync::Arc;

use teahouse_proto::error::Error;
use teahouse_proto::ids::{GroupId, TinyId, UserId};
use teahouse_proto::time::UnixSeconds;

use super::groups::{self, ToMark};
use super::marks::{GroupMark, Mark};
use super::{indexed, summaries};
use crate::app::App;
use crate::entity::in_parallel;
use crate::error::{Failure, Outcome};
use crate::event::{AllRead, Event};
use crate::node::Node;

/// Groups whose marks are looked up at the same time.
const AT_ONCE: usize = 32;

/// Marks groups up to a message each as read, and with `c2c` every one-to-one conversation. Answers with what
/// became of each group: one that cannot be marked keeps no other from it.
pub(crate) async fn mark_all_read(
    node: &Arc<Node>,
    app: &App,
    reader: &UserId,
    c2c: bool,
    groups: &[(GroupId, u64)],
    origin: Option<u32>,
) -> Outcome<Vec<Result<(), Error>>> {
    let pair_marks = if c2c { pair_marks(node, app, reader).await? } else { BTreeMap::new() };
    let (group_marks, results) = group_marks(node, app, reader, groups).await?;
    indexed(node, app, reader).await?.touch(|state| {
        let own = state.tiny_id();
        let Some(index) = state.conversations.as_mut() else { return };
        let mut read = AllRead {
            app: app.id(),
            reader: reader.clone(),
            c2c,
            peers: Vec::new(),
            groups: Vec::new(),
            origin,
        };
        for (peer, mark) in pair_marks {
            if index.pairs.get_mut(&peer).is_some_and(|row| mark.apply(own, row)) {
                app.marks.remember(reader, &peer, mark);
                read.peers.push((peer, TinyId(mark.peer_tiny_id), UnixSeconds(mark.time)));
            }
        }
        for (group, mark) in group_marks {
            if index.groups.get_mut(&group).is_some_and(|row| mark.apply(row)) {
                app.group_marks.remember(reader, &group, mark);
                read.groups.push((group, mark.seq));
            }
        }
        if !read.peers.is_empty() || !read.groups.is_empty() {
            // Under the lock, as for a single mark: the further one is told last.
            node.publish(&Event::AllRead(read));
        }
    });
    Ok(results)
}

/// Marks at the end of every conversation that has something unread.
async fn pair_marks(
    node: &Arc<Node>,
    app: &App,
    reader: &UserId,
) -> Outcome<BTreeMap<UserId, Mark>> {
    let at = node.now().seconds().0;
    let unread = summaries(node, app, reader).await?;
    let unread = unread.into_iter().filter(|summary| summary.unread() > 0);
    Ok(unread
        .map(|summary| {
            let mark = Mark {
                own_tiny_id: summary.ends.own_tiny.0,
                peer_tiny_id: summary.ends.peer_tiny.0,
                time: summary.head.last_time,
                count: summary.head.side(!summary.ends.own_is_high()).counted,
                at,
            };
            (summary.ends.peer, mark)
        })
        .collect())
}

async fn group_marks(
    node: &Arc<Node>,
    app: &App,
    reader: &UserId,
    groups: &[(GroupId, u64)],
) -> Outcome<(Vec<(GroupId, GroupMark)>, Vec<Result<(), Error>>)> {
    let found = in_parallel(groups.to_vec(), AT_ONCE, |(group, seq)| async move {
        groups::to_mark(node, app, reader, &group, seq).await
    });
    let (mut marks, mut results) = (Vec::new(), Vec::new());
    for ((group, _), found) in groups.iter().zip(found.await) {
        let found: Result<ToMark, Error> = match found {
            Ok(found) => Ok(found),
            Err(Failure::Refused(refused)) => Err(refused),
            Err(failure) => return Err(failure),
        };
        results.push(found.map(|(_, mark)| marks.extend(mark.map(|mark| (group.clone(), mark)))));
    }
    Ok((marks, results))
}
