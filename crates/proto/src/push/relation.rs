//! What a client is told of its user's relations.

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use crate::ids::UserId;

/// A change of a user's friends, friend requests or blocked users.
#[derive(Debug, Clone)]
pub enum FriendListChange<'a> {
    /// In the friend list now.
    Added(Vec<&'a UserId>),
    /// Not in the friend list any more.
    Removed(Vec<&'a UserId>),
    /// A friend request, received or sent.
    RequestAdded(RequestAdded<'a>),
    /// Requests of or to these have ended.
    RequestsEnded(Vec<&'a UserId>),
    /// Blocked now.
    Blocked(Vec<&'a UserId>),
    /// Not blocked any more.
    Unblocked(Vec<&'a UserId>),
    /// Requests up to this second were seen.
    RequestsRead(u32),
    /// New values of friends.
    Updated(Vec<FriendUpdate<'a>>),
}

/// A friend request.
#[derive(Debug, Clone)]
pub struct RequestAdded<'a> {
    /// Who asks.
    pub from: &'a UserId,
    /// The other one, seen from whoever is told.
    pub peer: &'a UserId,
    /// The other one's nickname; may be empty.
    pub nick: &'a str,
    /// The other one's avatar; may be empty.
    pub image: &'a str,
    /// How they met.
    pub source: &'a str,
    /// What was said.
    pub wording: &'a str,
    /// When, unix seconds.
    pub time: u32,
    /// The other one asks.
    pub received: bool,
}

/// New values of a friend.
#[derive(Debug, Clone)]
pub struct FriendUpdate<'a> {
    /// The friend.
    pub peer: &'a UserId,
    /// Tags and values; a value that is gone is empty.
    pub items: Vec<(&'a str, FriendValue<'a>)>,
}

/// A value under a friend's tag.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub enum FriendValue<'a> {
    /// A text.
    Text(&'a str),
    /// A number.
    Number(u32),
    /// Names of friend groups.
    Names(&'a [String]),
}

/// Somebody came on a list of followers or followed users, or left it.
#[derive(Debug, Clone)]
pub struct FollowListChange<'a> {
    /// The somebody.
    pub peer: &'a UserId,
    /// His nickname; may be empty.
    pub nick: &'a str,
    /// His avatar; may be empty.
    pub image: &'a str,
    /// Which list.
    pub diff: FollowDiff,
}

/// A change of one list.
#[derive(Debug, Clone, Copy)]
pub struct FollowDiff {
    /// 1: followers, 2: followed users, 3: those who follow each other.
    pub kind: u8,
    /// He came on it.
    pub added: bool,
}

impl<'a> FriendListChange<'a> {
    /// There is nothing to tell.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Added(users)
            | Self::Removed(users)
            | Self::RequestsEnded(users)
            | Self::Blocked(users)
            | Self::Unblocked(users) => users.is_empty(),
            Self::Updated(updates) => updates.is_empty(),
            Self::RequestAdded(_) | Self::RequestsRead(_) => false,
        }
    }

    pub(super) fn of(&'a self, user: &'a UserId) -> FriendListItem<'a> {
        FriendListItem { user, list: self }
    }
}

/// As it stands in `FriendListMod`.
pub(super) struct FriendListItem<'a> {
    user: &'a UserId,
    list: &'a FriendListChange<'a>,
}

impl Serialize for FriendListItem<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (push_type, from) = match self.list {
            FriendListChange::Added(_) => (1, self.user),
            FriendListChange::Removed(_) => (2, self.user),
            FriendListChange::RequestAdded(request) => (3, request.from),
            FriendListChange::RequestsEnded(_) => (4, self.user),
            FriendListChange::Blocked(_) => (5, self.user),
            FriendListChange::Unblocked(_) => (6, self.user),
            FriendListChange::RequestsRead(_) => (7, self.user),
            FriendListChange::Updated(_) => (8, self.user),
        };
        let mut map = serializer.serialize_map(Some(3))?;
        map.serialize_entry("PushType", &push_type)?;
        map.serialize_entry("From_Account", from)?;
        match self.list {
            FriendListChange::Added(users) => map.serialize_entry("FriendAdd_Account", users)?,
            FriendListChange::Removed(users) => map.serialize_entry("FriendDel_Account", users)?,
            FriendListChange::RequestAdded(request) => {
                map.serialize_entry("PendencyAdd", &[request])?;
            }
            // Clients read it with this spelling.
            FriendListChange::RequestsEnded(users) => {
                map.serialize_entry("FrienPencydDel_Account", users)?;
            }
            FriendListChange::Blocked(users) => {
                map.serialize_entry("BlackListAdd_Account", users)?;
            }
            FriendListChange::Unblocked(users) => {
                map.serialize_entry("BlackListDel_Account", users)?;
            }
            FriendListChange::RequestsRead(time) => map.serialize_entry("ReportTime", time)?,
            FriendListChange::Updated(updates) => map.serialize_entry("FriendUpInfo", updates)?,
        }
        map.end()
    }
}

impl Serialize for RequestAdded<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(7))?;
        map.serialize_entry("PendencyAdd_Account", self.peer)?;
        map.serialize_entry("ProfileImNick", self.nick)?;
        map.serialize_entry("ProfileImImage", self.image)?;
        map.serialize_entry("AddSource", self.source)?;
        map.serialize_entry("AddWording", self.wording)?;
        map.serialize_entry("AddTime", &self.time)?;
        map.serialize_entry("PendencyType", &if self.received { 1 } else { 2 })?;
        map.end()
    }
}

impl Serialize for FriendUpdate<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        #[serde(rename_all = "PascalCase")]
        struct Item<'a> {
            tag: &'a str,
            value: &'a FriendValue<'a>,
        }
        let items: Vec<Item<'_>> =
            self.items.iter().map(|(tag, value)| Item { tag, value }).collect();
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry("Friend_Account", self.peer)?;
        map.serialize_entry("Sns", &items)?;
        map.end()
    }
}

impl Serialize for FollowListChange<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        #[serde(rename_all = "PascalCase")]
        struct Diff {
            is_add: u8,
            follow_type: u8,
        }
        let diff = Diff { is_add: u8::from(self.diff.added), follow_type: self.diff.kind };
        let mut map = serializer.serialize_map(Some(4))?;
        map.serialize_entry("From_Account", self.peer)?;
        map.serialize_entry("Nick", self.nick)?;
        map.serialize_entry("FaceUrl", self.image)?;
        map.serialize_entry("FollowDiffList", &[diff])?;
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::super::Event;
    use super::*;

    fn user(id: &str) -> UserId {
        UserId::parse(id).unwrap()
    }

    #[test]
    fn lists_exactly() {
        let (alice, bob) = (user("alice"), user("bob"));
        for (list, expected) in [
            (
                FriendListChange::Added(vec![&bob]),
                r#""PushType":1,"From_Account":"alice","FriendAdd_Account":["bob"]"#,
            ),
            (
                FriendListChange::Removed(vec![&bob]),
                r#""PushType":2,"From_Account":"alice","FriendDel_Account":["bob"]"#,
            ),
            (
                FriendListChange::RequestsEnded(vec![&bob]),
                r#""PushType":4,"From_Account":"alice","FrienPencydDel_Account":["bob"]"#,
            ),
            (
                FriendListChange::Blocked(vec![&bob]),
                r#""PushType":5,"From_Account":"alice","BlackListAdd_Account":["bob"]"#,
            ),
            (
                FriendListChange::Unblocked(vec![&bob]),
                r#""PushType":6,"From_Account":"alice","BlackListDel_Account":["bob"]"#,
            ),
            (
                FriendListChange::RequestsRead(9),
                r#""PushType":7,"From_Account":"alice","ReportTime":9"#,
            ),
        ] {
            let json = serde_json::to_string(&Event::FriendList { user: &alice, list }).unwrap();
            assert_eq!(json, format!(r#"{{"Event":12,"FriendListMod":[{{{expected}}}]}}"#));
        }
    }

    #[test]
    fn a_request_names_who_asks_and_the_other_one() {
        let (alice, bob) = (user("alice"), user("bob"));
        let request = RequestAdded {
            from: &bob,
            peer: &bob,
            nick: "Bob",
            image: "",
            source: "AddSource_Type_Tea",
            wording: "hi",
            time: 9,
            received: true,
        };
        let list = FriendListChange::RequestAdded(request);
        let json = serde_json::to_string(&Event::FriendList { user: &alice, list }).unwrap();
        assert_eq!(
            json,
            concat!(
                r#"{"Event":12,"FriendListMod":[{"PushType":3,"From_Account":"bob","PendencyAdd":["#,
                r#"{"PendencyAdd_Account":"bob","ProfileImNick":"Bob","ProfileImImage":"","#,
                r#""AddSource":"AddSource_Type_Tea","AddWording":"hi","AddTime":9,"PendencyType":1}]}]}"#
            )
        );
    }

    #[test]
    fn new_values_and_follows_exactly() {
        let (alice, bob) = (user("alice"), user("bob"));
        let names = ["work".to_owned()];
        let items = vec![
            ("Tag_SNS_IM_Remark", FriendValue::Text("Bo")),
            ("Tag_SNS_IM_AddTime", FriendValue::Number(9)),
            ("Tag_SNS_IM_Group", FriendValue::Names(&names)),
        ];
        let list = FriendListChange::Updated(vec![FriendUpdate { peer: &bob, items }]);
        let json = serde_json::to_string(&Event::FriendList { user: &alice, list }).unwrap();
        assert_eq!(
            json,
            concat!(
                r#"{"Event":12,"FriendListMod":[{"PushType":8,"From_Account":"alice","FriendUpInfo":["#,
                r#"{"Friend_Account":"bob","Sns":[{"Tag":"Tag_SNS_IM_Remark","Value":"Bo"},"#,
                r#"{"Tag":"Tag_SNS_IM_AddTime","Value":9},{"Tag":"Tag_SNS_IM_Group","Value":["work"]}]}]}]}"#
            )
        );
        let diff = FollowDiff { kind: 3, added: true };
        let change = FollowListChange { peer: &bob, nick: "Bob", image: "", diff };
        assert_eq!(
            serde_json::to_string(&Event::FollowLists(vec![change])).unwrap(),
            concat!(
                r#"{"Event":22,"FollowChangeList":[{"From_Account":"bob","Nick":"Bob","FaceUrl":"","#,
                r#""FollowDiffList":[{"IsAdd":1,"FollowType":3}]}]}"#
            )
        );
    }
}
