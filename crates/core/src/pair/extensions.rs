//! Extensions of one-to-one messages: both sides write them.

use std::sync::Arc;

use teahouse_proto::error::{Error, ErrorCode};
use teahouse_proto::ids::MsgKey;
use teahouse_proto::push::ExtensionChange;

use super::Ends;
use super::changes::{self, Edit, SentBy};
use super::history::Stored;
use crate::app::App;
use crate::attached::extensions::{self, Extensions, Outcomes, Page, Shelf, Write};
use crate::error::Outcome;
use crate::event::{AttachedTo, Event, ExtensionsChanged, Origin};
use crate::node::Node;
use crate::rows::{Home, MessageFlags, MessagePlace, key};

fn shelf(app: &App, ends: &Ends, place: MessagePlace) -> Shelf {
    Shelf {
        partition: Home::Pair(app.id(), ends.pair()).partition(),
        together: key::extensions(place),
        single: key::extension(place),
    }
}

/// Writes extensions of a message that `ends.own` has sent.
///
/// # Errors
/// `ExtensionTargetUnknown`, `ExtensionsUnsupported`; those of [`Extensions::write`].
pub(crate) async fn write(
    node: &Arc<Node>,
    app: &App,
    ends: &Ends,
    key: MsgKey,
    change: ExtensionChange,
    writes: &[Write],
    origin: Option<Origin>,
) -> Outcome<Outcomes> {
    let load = || async {
        let message = changes::load(node, app, ends, &[key], SentBy::Own).await?;
        let present = match message.first() {
            Some(stored) => {
                extensions::load(node, &shelf(app, ends, stored.place()), writes).await?
            }
            None => Extensions::default(),
        };
        Ok((message, present))
    };
    changes::edit(node, app, ends, load, |(message, present), state, commit| {
        let now = node.now();
        let edit = Edit::new(state, message, now);
        let stored = extensible(&edit, message)?;
        let shelf = shelf(app, ends, stored.place());
        let (outcomes, told) = present.write(&shelf, change, writes, now.seconds(), commit)?;
        if let Some(told) = told {
            commit.event(Event::ExtensionsChanged(Arc::new(ExtensionsChanged {
                message: AttachedTo::C2c(changes::name_of(app, ends, stored, edit.number())),
                told,
                origin: origin.clone(),
            })));
            edit.finish(state, commit);
        }
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
    let message = changes::load(node, app, ends, &[key], SentBy::Own).await?;
    let entity = app.pairs.get(node, &ends.pair(), || Home::Pair(app.id(), ends.pair())).await?;
    let edit = entity.read(|state| Edit::new(state, &message, node.now()));
    let place = extensible(&edit, &message)?.place();
    Ok(extensions::load_all(node, &shelf(app, ends, place)).await?.page(from))
}
