//! Pinned messages: a few of a group, shown to all its members, also to those who came later.

use std::sync::Arc;

use teahouse_proto::error::{Error, ErrorCode};
use teahouse_proto::ids::GroupId;

use super::attached::{self, Sight};
use super::changes::Actor;
use super::history;
use super::message::{Faces, GroupSaid};
use crate::app::App;
use crate::error::Outcome;
use crate::event::{Event, PinChanged};
use crate::node::{Node, decode_row};
use crate::rows::{PinRow, PinsRow, key};

/// A pinned message, and who has pinned it.
#[derive(Debug)]
pub(crate) struct Pinned {
    pub(crate) said: GroupSaid,
    pub(crate) by: String,
}

/// What is pinned, without what is not there any more, and a message that is to be pinned or unpinned.
struct Loaded {
    pins: Vec<Pinned>,
    rows: Vec<PinRow>,
    said: Option<GroupSaid>,
}

async fn load(node: &Node, app: &App, sight: &Sight, seq: Option<u64>) -> Outcome<Loaded> {
    let row = node.store().get(&sight.partition, &key::group_pins(sight.incarnation)).await?;
    let row: Option<PinsRow> = row.map(|row| decode_row(&row)).transpose()?;
    let all = row.unwrap_or_default().pins;
    let seqs: Vec<u64> = all.iter().map(|pin| pin.seq).chain(seq).collect();
    let found = sight.messages(node, app, &seqs).await?.into_iter().flatten();
    // What is meant for some cannot be shown to all.
    let found = found.filter(|message| message.row.only_for.is_empty()).collect();
    let said = history::said(node, app, &sight.group, found).await?;
    let of = |seq: u64| said.iter().find(|said| said.seq == seq).cloned();
    let (mut pins, mut rows) = (Vec::new(), Vec::new());
    for row in all {
        if let Some(said) = of(row.seq) {
            pins.push(Pinned { said, by: row.by.clone() });
            rows.push(row);
        }
    }
    Ok(Loaded { pins, rows, said: seq.and_then(of) })
}

/// Pins a message, or unpins it. To unpin one that is not pinned changes nothing.
///
/// # Errors
/// `GroupNotFound`, `GroupPermissionDenied`; `GroupMessageUnknown`, `MessageAlreadyPinned`, `PinnedMessagesFull`.
pub(crate) async fn set(
    node: &Arc<Node>,
    app: &App,
    group: &GroupId,
    seq: u64,
    pinned: bool,
    actor: &Actor,
    faces: &Arc<Faces>,
) -> Outcome<()> {
    let most = app.facts().settings.group_pins_max as usize;
    let load = |_| async move {
        let sight = Sight::whole(node, app, group).await?;
        let loaded = load(node, app, &sight, Some(seq)).await?;
        Ok((sight.incarnation, loaded))
    };
    attached::edit(node, app, group, load, |(incarnation, loaded), state, change| {
        let (standing, first) = actor.in_group(state)?;
        state.rules()?.may_pin(standing)?;
        if *incarnation != state.head.incarnation {
            return Err(ErrorCode::GroupNotFound.into());
        }
        let mut pins = loaded.rows.clone();
        let place = pins.iter().position(|pin| pin.seq == seq);
        match (place, pinned) {
            (Some(_), true) => return Err(ErrorCode::MessageAlreadyPinned.into()),
            (None, false) => return Ok(()),
            (Some(place), false) => {
                pins.remove(place);
            }
            (None, true) if loaded.said.is_none() || seq < first => {
                let info = "there is no such message to pin";
                return Err(Error::with(ErrorCode::GroupMessageUnknown, info).into());
            }
            (None, true) if pins.len() >= most => {
                let info = format!("the group has {} pinned messages, at most {most}", pins.len());
                return Err(Error::with(ErrorCode::PinnedMessagesFull, info).into());
            }
            (None, true) => {
                let at = node.now().seconds().0;
                pins.push(PinRow { seq, by: actor.user.to_string(), at });
            }
        }
        change.put(key::group_pins(state.head.incarnation), &PinsRow { pins });
        if let Some(said) = loaded.said.clone() {
            change.event(Event::PinChanged(Arc::new(PinChanged {
                said,
                pinned,
                operator: actor.user.clone(),
                faces: faces.clone(),
            })));
        }
        Ok(())
    })
    .await
}

/// The pinned messages of a group, the latest pin last.
///
/// # Errors
/// `GroupNotFound`; `GroupPermissionDenied` for a stranger, and in a group without history.
pub(crate) async fn all(
    node: &Node,
    app: &App,
    group: &GroupId,
    actor: &Actor,
) -> Outcome<Vec<Pinned>> {
    let entity = super::group(node, app, group).await?;
    entity.read(|state| state.rules().and_then(|rules| rules.offers(rules.stored)))?;
    entity.read(|state| actor.in_group(state))?;
    let sight = Sight::whole(node, app, group).await?;
    Ok(load(node, app, &sight, None).await?.pins)
}
