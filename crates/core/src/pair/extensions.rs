//! Extensions: key-values that both sides attach to a message which was sent for it.
//!
//! Each write of a message's extensions has a number. A key keeps the number of its last write, so that a
//! client that names the number it has seen notices when somebody else was faster, and asks for what is newer
//! than it has. A deleted key stays, empty, for those who have not heard of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use teahouse_proto::error::{Error, ErrorCode};
use teahouse_proto::ids::MsgKey;
use teahouse_proto::push::ExtensionChange;
use teahouse_store::{Direction, Partition};

use super::changes::{self, Edit, SentBy};
use super::history::Stored;
use super::{Ends, PairState};
use crate::app::App;
use crate::entity::Change;
use crate::error::Outcome;
use crate::event::{Event, ExtensionsChanged, Origin};
use crate::node::{Node, decode_row};
use crate::rows::{ExtensionRow, ExtensionsRow, Home, MessageFlags, MessagePlace, key};

/// Keys of a message.
const KEYS_MAX: u32 = 300;
/// Writes of a message's extensions in a minute.
const WRITES_A_MINUTE: u32 = 200;
/// Keys in one answer.
const PAGE: usize = 200;

/// A key as a caller writes it.
#[derive(Debug, Clone)]
pub(crate) struct Write {
    pub(crate) key: String,
    pub(crate) value: String,
    /// The number of its last write that the caller has seen; nothing: any will do.
    pub(crate) seen: Option<u64>,
}

/// What became of one key.
#[derive(Debug, Clone)]
pub(crate) struct Written {
    pub(crate) key: String,
    pub(crate) row: ExtensionRow,
    /// Why it is not what was written.
    pub(crate) refused: Option<ErrorCode>,
}

/// What became of a write.
#[derive(Debug, Clone)]
pub(crate) struct Outcomes {
    /// In the order of the write.
    pub(crate) keys: Vec<Written>,
    /// Number of the message's last write.
    pub(crate) last: u64,
}

struct Loaded {
    message: changes::Loaded,
    together: ExtensionsRow,
    rows: BTreeMap<String, ExtensionRow>,
}

async fn load(
    node: &Node,
    app: &App,
    ends: &Ends,
    key: MsgKey,
    writes: &[Write],
    change: ExtensionChange,
) -> Outcome<Loaded> {
    let message = changes::load(node, app, ends, &[key], SentBy::Own).await?;
    let mut loaded = Loaded { message, together: ExtensionsRow::default(), rows: BTreeMap::new() };
    let Some(place) = loaded.message.first().map(Stored::place) else { return Ok(loaded) };
    let partition = Home::Pair(app.id(), ends.pair()).partition();
    let row = node.store().get(&partition, &key::extensions(place)).await?;
    loaded.together = row.map(|row| decode_row(&row)).transpose()?.unwrap_or_default();
    if change == ExtensionChange::Clear {
        loaded.rows = all_of(node, &partition, place).await?;
        return Ok(loaded);
    }
    let keys: Vec<(Partition, Bytes)> =
        writes.iter().map(|write| (partition.clone(), key::extension(place, &write.key))).collect();
    for (write, row) in writes.iter().zip(node.store().get_many(&keys).await?) {
        if let Some(row) = row {
            loaded.rows.insert(write.key.clone(), decode_row(&row)?);
        }
    }
    Ok(loaded)
}

/// At most [`KEYS_MAX`] rows.
async fn all_of(
    node: &Node,
    partition: &Partition,
    place: MessagePlace,
) -> Outcome<BTreeMap<String, ExtensionRow>> {
    let (from, to) = key::extensions_of(place);
    let rows = node.store().scan(partition, &from..&to, Direction::Ascending, usize::MAX).await?;
    let mut all = BTreeMap::new();
    for row in &rows {
        if let Some(name) = key::extension_name(&row.key) {
            all.insert(name.to_owned(), decode_row(&row.value)?);
        }
    }
    Ok(all)
}

/// Writes extensions of a message that `ends.own` has sent. With [`ExtensionChange::Clear`] all keys go.
///
/// # Errors
/// `ExtensionTargetUnknown`, `ExtensionsUnsupported`, `ExtensionsTooFrequent`. Single keys are refused in the
/// outcome: `ExtensionConflict`, `ExtensionTargetUnknown` for a key to delete, `GroupBadParameter` for one
/// too many.
pub(crate) async fn write(
    node: &Arc<Node>,
    app: &App,
    ends: &Ends,
    key: MsgKey,
    change: ExtensionChange,
    writes: &[Write],
    origin: Option<Origin>,
) -> Outcome<Outcomes> {
    let load = || load(node, app, ends, key, writes, change);
    changes::edit(node, app, ends, load, |loaded, state, commit| {
        let now = node.now();
        let edit = Edit::new(state, &loaded.message, now);
        let stored = extensible(&edit, &loaded.message)?;
        let minute = now.seconds().0 / 60;
        let mut together = loaded.together;
        if together.minute != minute {
            (together.minute, together.writes) = (minute, 0);
        }
        if together.writes >= WRITES_A_MINUTE {
            let info = format!("{WRITES_A_MINUTE} writes a minute are allowed");
            return Err(Error::with(ErrorCode::ExtensionsTooFrequent, info).into());
        }
        let keys = match change {
            ExtensionChange::Set => set(loaded, writes, &mut together),
            ExtensionChange::Delete => delete(loaded, writes, &mut together),
            ExtensionChange::Clear => clear(&mut together),
        };
        let outcomes = Outcomes { keys, last: together.last };
        if together.last == loaded.together.last {
            return Ok(Some(outcomes));
        }
        together.writes += 1;
        let place = stored.place();
        if change == ExtensionChange::Clear {
            commit.delete_range(key::extensions_of(place));
        }
        let done = || outcomes.keys.iter().filter(|written| written.refused.is_none());
        for written in done() {
            commit.put(key::extension(place, &written.key), &written.row);
        }
        commit.put(key::extensions(place), &together);
        let values = done().map(|w| (w.key.clone(), w.row.value.clone(), w.row.seq)).collect();
        finish(state, commit, edit, |number| {
            Event::ExtensionsChanged(Arc::new(ExtensionsChanged {
                message: changes::name_of(app, ends, stored, number),
                change,
                values,
                last: together.last,
                cleared: together.cleared,
                origin: origin.clone(),
            }))
        });
        Ok(Some(outcomes))
    })
    .await
}

/// The message, if it takes extensions.
fn extensible<'a>(edit: &Edit, loaded: &'a changes::Loaded) -> Result<&'a Stored, Error> {
    let stored = edit.message(loaded, ErrorCode::ExtensionTargetUnknown)?;
    if stored.is_withdrawn() {
        return Err(ErrorCode::ExtensionTargetUnknown.into());
    }
    if !MessageFlags(stored.row.flags).has(MessageFlags::EXTENSIBLE) {
        return Err(ErrorCode::ExtensionsUnsupported.into());
    }
    Ok(stored)
}

fn set(loaded: &Loaded, writes: &[Write], together: &mut ExtensionsRow) -> Vec<Written> {
    let write = |write: &Write| {
        let known = loaded.rows.get(&write.key);
        let present = known.cloned().unwrap_or_default();
        let written = |row, refused| Written { key: write.key.clone(), row, refused };
        if write.seen.is_some_and(|seen| seen != present.seq) {
            return written(present, Some(ErrorCode::ExtensionConflict));
        }
        if known.is_none() {
            if together.keys >= KEYS_MAX {
                return written(present, Some(ErrorCode::GroupBadParameter));
            }
            together.keys += 1;
        }
        together.last += 1;
        written(ExtensionRow { value: write.value.clone(), seq: together.last }, None)
    };
    writes.iter().map(write).collect()
}

fn delete(loaded: &Loaded, writes: &[Write], together: &mut ExtensionsRow) -> Vec<Written> {
    let delete = |write: &Write| {
        let present = loaded.rows.get(&write.key).cloned().unwrap_or_default();
        let (row, refused) = if present.value.is_empty() {
            (present, Some(ErrorCode::ExtensionTargetUnknown))
        } else {
            together.last += 1;
            (ExtensionRow { value: String::new(), seq: together.last }, None)
        };
        Written { key: write.key.clone(), row, refused }
    };
    writes.iter().map(delete).collect()
}

fn clear(together: &mut ExtensionsRow) -> Vec<Written> {
    together.last += 1;
    (together.cleared, together.keys) = (together.last, 0);
    Vec::new()
}

fn finish(
    state: &mut PairState,
    commit: &mut Change,
    edit: Edit,
    event: impl FnOnce(u64) -> Event,
) {
    commit.event(event(edit.number()));
    edit.finish(state, commit);
}

/// Extensions of a message, by the number of their last write.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) keys: Vec<(String, ExtensionRow)>,
    pub(crate) complete: bool,
    pub(crate) last: u64,
    pub(crate) cleared: u64,
}

/// The extensions of a message of `ends.own` that were written with this number or later.
///
/// # Errors
/// `ExtensionTargetUnknown`, `ExtensionsUnsupported`.
pub(crate) async fn read(
    node: &Arc<Node>,
    app: &App,
    ends: &Ends,
    key: MsgKey,
    from: u64,
) -> Outcome<Page> {
    let loaded = load(node, app, ends, key, &[], ExtensionChange::Clear).await?;
    let entity = app.pairs.get(node, &ends.pair(), || Home::Pair(app.id(), ends.pair())).await?;
    let edit = entity.read(|state| Edit::new(state, &loaded.message, node.now()));
    extensible(&edit, &loaded.message)?;
    let mut keys: Vec<(String, ExtensionRow)> =
        loaded.rows.into_iter().filter(|(_, row)| row.seq >= from).collect();
    keys.sort_by_key(|(_, row)| row.seq);
    let complete = keys.len() <= PAGE;
    keys.truncate(PAGE);
    let ExtensionsRow { last, cleared, .. } = loaded.together;
    Ok(Page { keys, complete, last, cleared })
}
