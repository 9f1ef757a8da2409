//! Groups in which nothing has happened for long are dismissed, if an app wants that. Live rooms are left alone:
//! of them nobody knows.

use std::sync::Arc;

use teahouse_proto::ids::GroupId;
use teahouse_proto::time::UnixSeconds;

use super::change_group;
use super::membership::Dismissal;
use crate::app::App;
use crate::directory;
use crate::error::Outcome;
use crate::node::{Node, decode_row};
use crate::rows::{GroupHeadRow, Home, key};

const GROUPS_A_STEP: usize = 256;
const SECONDS_A_DAY: u64 = 86_400;

/// Looks at all groups of an app, in bounded steps.
pub(crate) async fn recycle(node: &Arc<Node>, app: &App) -> Outcome<()> {
    let days = u64::from(app.facts().settings.group_recycle_idle_days);
    if days == 0 {
        return Ok(());
    }
    let since = node.now().seconds().minus_seconds(days * SECONDS_A_DAY);
    let mut after = 0;
    loop {
        let groups = directory::groups(node, app.id(), after, None, GROUPS_A_STEP).await?;
        let Some((last, _)) = groups.last() else { return Ok(()) };
        after = *last;
        let heads: Vec<_> = groups
            .iter()
            .map(|(_, id)| (Home::Group(app.id(), id.clone()).partition(), key::head()))
            .collect();
        let heads = node.store().get_many(&heads).await?;
        for ((_, id), head) in groups.iter().zip(heads) {
            let head: GroupHeadRow =
                head.map(|row| decode_row(&row)).transpose()?.unwrap_or_default();
            if head.dismissed_ms == 0 && head.last_time < since.0 {
                dismiss_if_idle(node, app, id, since).await?;
            }
        }
    }
}

async fn dismiss_if_idle(
    node: &Arc<Node>,
    app: &App,
    id: &GroupId,
    since: UnixSeconds,
) -> Outcome<()> {
    change_group(node, app, id, |state, change| {
        let (Ok(group), Ok(info)) = (state.reference(app.id(), id), state.info()) else {
            return Ok(());
        };
        let last = state.head.last_time.max(info.changed).max(info.created);
        if state.rules()?.stored && last < since.0 {
            state.dismiss(node, &group, Dismissal::Idle, change);
        }
        Ok(())
    })
    .await
}
