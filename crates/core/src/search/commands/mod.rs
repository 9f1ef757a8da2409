//! The search services: each has one command, `query`.

pub(crate) mod group_member_search;
pub(crate) mod group_search;

use teahouse_proto::error::Error;
use teahouse_proto::group::GroupType;
use teahouse_proto::ids::GroupId;

use super::refused;
use crate::rows::GroupInfoRow;

/// As results name it.
#[derive(Debug, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "PascalCase")]
struct FoundGroup {
    #[serde(rename = "GroupID")]
    group_id: GroupId,
    group_name: String,
    group_type: GroupType,
    group_face_url: String,
}

impl FoundGroup {
    fn of(group_id: GroupId, info: GroupInfoRow) -> Self {
        let group_type = info.kind();
        Self { group_id, group_name: info.name, group_type, group_face_url: info.face_url }
    }
}

/// Whether a group is of a type that is looked for.
fn is_wanted(kind: GroupType, wanted: Option<&[GroupType]>) -> bool {
    wanted.is_none_or(|wanted| wanted.is_empty() || wanted.contains(&kind))
}

/// A cursor that an answer has given: a number.
fn number(cursor: Option<&str>) -> Result<usize, Error> {
    match cursor {
        None | Some("") => Ok(0),
        Some(text) => text
            .parse::<u32>()
            .map(|number| number as usize)
            .map_err(|_| refused("Cursor is none that an answer has given".to_owned())),
    }
}
