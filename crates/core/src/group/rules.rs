//! What may be done in a group, and by whom: the types as data, the checks as functions on plain data.

use teahouse_proto::error::{Error, ErrorCode};
use teahouse_proto::group::{ApplyJoinOption, GroupType, InviteJoinOption, Role};
use teahouse_proto::ids::GroupId;
use teahouse_proto::time::UnixSeconds;

use crate::settings::AppSettings;

/// The differences between the types of groups.
#[derive(Debug)]
pub(crate) struct TypeRules {
    pub(crate) kind: GroupType,
    /// There are admins.
    pub(crate) admins: bool,
    /// What happens to applicants unless the group says otherwise.
    pub(crate) apply: ApplyJoinOption,
    /// What happens to invitations unless the group says otherwise.
    pub(crate) invite: InviteJoinOption,
    /// The group may say otherwise.
    pub(crate) invite_may_change: bool,
    /// Members and messages are stored.
    pub(crate) stored: bool,
    /// Backends may add and remove members.
    pub(crate) backend_members: bool,
    /// The owner may leave; then nobody owns the group.
    pub(crate) owner_may_quit: bool,
    /// Members may be removed and muted by owner and admins.
    pub(crate) kick: bool,
    pub(crate) mute: bool,
    /// Owner and admins may keep users out for a while.
    pub(crate) ban: bool,
    /// Another member may become the owner.
    pub(crate) transfer: bool,
    /// The owner may dismiss it, not only a backend.
    pub(crate) owner_dismisses: bool,
    pub(crate) editors: Editors,
    /// Messages count as unread.
    pub(crate) unread: bool,
    /// Newcomers see what was said before.
    pub(crate) newcomers_see_history: bool,
    /// Members are told who comes and goes.
    pub(crate) membership_tips: bool,
    /// Members are told of mutes and roles.
    pub(crate) member_tips: bool,
    /// Nobody but the owner sees it before its first message.
    pub(crate) begins_inactive: bool,
    /// Strangers find it by its id.
    pub(crate) found_by_id: bool,
    /// Clients that did not get a message in time may ask for receipts, or choose its receivers.
    pub(crate) online_only_messages: bool,
    /// A message may be for some members only.
    pub(crate) targeted_messages: bool,
    /// There are counters.
    pub(crate) counters: bool,
    /// Members confirm that they have read single messages.
    pub(crate) receipts: bool,
}

/// Whether an invitation is as good as its word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Invitation {
    Approved,
    /// Owner or an admin decide on it.
    NeedsApproval,
}

/// Who may edit the profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Editors {
    /// Every member, but only what it looks like.
    Members,
    /// Owner and admins.
    Managers,
    /// The owner.
    Owner,
}

/// The type matrix.
pub(crate) static TYPES: [TypeRules; 5] = [
    TypeRules {
        kind: GroupType::Work,
        admins: false,
        apply: ApplyJoinOption::DisableApply,
        invite: InviteJoinOption::FreeAccess,
        invite_may_change: true,
        stored: true,
        backend_members: true,
        owner_may_quit: true,
        kick: true,
        mute: false,
        ban: true,
        transfer: true,
        owner_dismisses: false,
        editors: Editors::Members,
        unread: true,
        newcomers_see_history: false,
        membership_tips: true,
        member_tips: true,
        begins_inactive: true,
        found_by_id: false,
        online_only_messages: true,
        targeted_messages: true,
        counters: true,
        receipts: true,
    },
    TypeRules {
        kind: GroupType::Public,
        admins: true,
        apply: ApplyJoinOption::NeedPermission,
        invite: InviteJoinOption::DisableInvite,
        invite_may_change: true,
        stored: true,
        backend_members: true,
        owner_may_quit: false,
        kick: true,
        mute: true,
        ban: true,
        transfer: true,
        owner_dismisses: true,
        editors: Editors::Managers,
        unread: true,
        newcomers_see_history: false,
        membership_tips: true,
        member_tips: true,
        begins_inactive: false,
        found_by_id: true,
        online_only_messages: true,
        targeted_messages: true,
        counters: true,
        receipts: true,
    },
    TypeRules {
        kind: GroupType::Meeting,
        admins: true,
        apply: ApplyJoinOption::FreeAccess,
        invite: InviteJoinOption::DisableInvite,
        invite_may_change: true,
        stored: true,
        backend_members: true,
        owner_may_quit: false,
        kick: true,
        mute: true,
        ban: true,
        transfer: true,
        owner_dismisses: true,
        editors: Editors::Managers,
        unread: false,
        newcomers_see_history: true,
        membership_tips: false,
        member_tips: false,
        begins_inactive: false,
        found_by_id: true,
        online_only_messages: true,
        targeted_messages: true,
        counters: true,
        receipts: true,
    },
    TypeRules {
        kind: GroupType::AvChatRoom,
        admins: false,
        apply: ApplyJoinOption::FreeAccess,
        invite: InviteJoinOption::DisableInvite,
        invite_may_change: false,
        stored: false,
        backend_members: false,
        owner_may_quit: false,
        kick: false,
        mute: true,
        ban: true,
        transfer: false,
        owner_dismisses: true,
        editors: Editors::Owner,
        unread: false,
        newcomers_see_history: false,
        membership_tips: true,
        member_tips: true,
        begins_inactive: false,
        found_by_id: true,
        online_only_messages: false,
        targeted_messages: false,
        counters: true,
        receipts: false,
    },
    TypeRules {
        kind: GroupType::Community,
        admins: true,
        apply: ApplyJoinOption::FreeAccess,
        invite: InviteJoinOption::DisableInvite,
        invite_may_change: false,
        stored: true,
        backend_members: true,
        owner_may_quit: false,
        kick: true,
        mute: true,
        ban: false,
        transfer: true,
        owner_dismisses: true,
        editors: Editors::Managers,
        unread: true,
        newcomers_see_history: true,
        membership_tips: true,
        member_tips: true,
        begins_inactive: false,
        found_by_id: true,
        online_only_messages: true,
        targeted_messages: false,
        counters: false,
        receipts: false,
    },
];

/// The rules of a type.
pub(crate) fn of(kind: GroupType) -> &'static TypeRules {
    TYPES.iter().find(|rules| rules.kind == kind).expect("every type has its rules")
}

/// What somebody is to a group, the most powerful first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Standing {
    /// The app's backend.
    Backend,
    Owner,
    Admin,
    Member,
    Stranger,
}

impl Standing {
    pub(crate) fn of(role: Option<Role>) -> Self {
        match role {
            Some(Role::Owner) => Self::Owner,
            Some(Role::Admin) => Self::Admin,
            Some(Role::Member) => Self::Member,
            None => Self::Stranger,
        }
    }

    pub(crate) fn manages(self) -> bool {
        self <= Self::Admin
    }
}

fn refused(info: &str) -> Error {
    Error::with(ErrorCode::GroupPermissionDenied, info.to_owned())
}

fn allow(allowed: bool, info: &str) -> Result<(), Error> {
    if allowed { Ok(()) } else { Err(refused(info)) }
}

/// Whether somebody may recall a message that is `age_s` seconds old. Owner, admins and backends may recall every
/// message at any time, members their own for `within_s` seconds.
///
/// # Errors
/// `GroupPermissionDenied`, `GroupRecallTooLate`.
pub(crate) fn may_recall(
    who: Standing,
    is_own: bool,
    age_s: u64,
    within_s: u32,
) -> Result<(), Error> {
    if who.manages() {
        return Ok(());
    }
    allow(is_own, "only the owner and admins recall messages of others")?;
    if age_s > within_s.into() {
        let info = format!("the message is {age_s} s old, at most {within_s} s are allowed");
        return Err(Error::with(ErrorCode::GroupRecallTooLate, info));
    }
    Ok(())
}

impl TypeRules {
    /// Asks for something that only some types have.
    pub(crate) fn offers(&self, offered: bool) -> Result<(), Error> {
        allow(offered, &format!("groups of type {} do not have this", self.kind.word()))
    }

    pub(crate) fn may_dismiss(&self, who: Standing) -> Result<(), Error> {
        let last = if self.owner_dismisses { Standing::Owner } else { Standing::Backend };
        allow(who <= last, "only the owner dismisses a group, of type Private only a backend")
    }

    /// `looks_only`: nothing but name, avatar, introduction and notice.
    pub(crate) fn may_edit(&self, who: Standing, looks_only: bool) -> Result<(), Error> {
        let last = match self.editors {
            Editors::Members if looks_only => Standing::Member,
            Editors::Members | Editors::Owner => Standing::Owner,
            Editors::Managers => Standing::Admin,
        };
        allow(who <= last, "you may not change this of the group")
    }

    /// Who edits the profile pins messages, too.
    pub(crate) fn may_pin(&self, who: Standing) -> Result<(), Error> {
        self.offers(self.stored)?;
        let may = self.may_edit(who, true).is_ok();
        allow(may, "only owner and admins pin messages, in a group of type Private all members")
    }

    pub(crate) fn may_kick(&self, who: Standing, target: Role) -> Result<(), Error> {
        self.offers(self.kick)?;
        let above = who < Standing::of(Some(target)) && target != Role::Owner;
        allow(
            who == Standing::Backend || (who.manages() && above),
            "you may not remove this member",
        )
    }

    /// `target` is nothing for somebody who is no member.
    pub(crate) fn may_mute(&self, who: Standing, target: Option<Role>) -> Result<(), Error> {
        self.offers(self.mute)?;
        let above = who < Standing::of(target);
        allow(who == Standing::Backend || (who.manages() && above), "you may not mute this member")
    }

    /// `target` is nothing for somebody who is no member. An owner is never banned.
    pub(crate) fn may_ban(&self, who: Standing, target: Option<Role>) -> Result<(), Error> {
        self.offers(self.ban)?;
        let above = who < Standing::of(target) && target != Some(Role::Owner);
        allow(who.manages() && above, "you may not ban this user from the group")
    }

    pub(crate) fn may_set_role(
        &self,
        who: Standing,
        target: Role,
        role: Role,
    ) -> Result<(), Error> {
        self.offers(self.admins)?;
        let possible = target != Role::Owner && role != Role::Owner;
        allow(who <= Standing::Owner && possible, "only the owner makes admins, of members only")
    }

    pub(crate) fn may_transfer(&self, who: Standing) -> Result<(), Error> {
        self.offers(self.transfer)?;
        allow(who <= Standing::Owner, "only the owner hands a group over")
    }

    pub(crate) fn may_quit(&self, role: Role) -> Result<(), Error> {
        if role == Role::Owner && !self.owner_may_quit {
            return Err(ErrorCode::OwnerCannotQuit.into());
        }
        Ok(())
    }

    /// Whether somebody may invite, and whether owner and admins have to approve of it.
    pub(crate) fn may_invite(
        &self,
        who: Standing,
        option: InviteJoinOption,
    ) -> Result<Invitation, Error> {
        self.offers(self.backend_members)?;
        let allowed = match option {
            InviteJoinOption::FreeAccess | InviteJoinOption::NeedPermission => {
                who <= Standing::Member
            }
            InviteJoinOption::DisableInvite => who == Standing::Backend,
        };
        allow(allowed, "you may not add members to this group")?;
        let is_approved = who.manages() || option != InviteJoinOption::NeedPermission;
        Ok(if is_approved { Invitation::Approved } else { Invitation::NeedsApproval })
    }

    /// Attributes and counters belong to everybody who is in.
    pub(crate) fn may_share(&self, who: Standing) -> Result<(), Error> {
        allow(who <= Standing::Member, "you are not in the group")
    }

    /// Whether somebody may say something now.
    pub(crate) fn may_send(
        &self,
        who: Standing,
        mute: Mute,
        now: UnixSeconds,
    ) -> Result<(), Error> {
        if who == Standing::Backend {
            return Ok(());
        }
        allow(who != Standing::Stranger, "you are not a member of the group")?;
        if mute.until > now || (mute.all && !who.manages()) {
            return Err(ErrorCode::SenderMuted.into());
        }
        Ok(())
    }
}

/// What keeps somebody from sending.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Mute {
    /// The first second in which he is not muted any more.
    pub(crate) until: UnixSeconds,
    /// Everybody but owner and admins is muted.
    pub(crate) all: bool,
}

/// Whether a group may have so many admins.
pub(crate) fn check_admins(settings: &AppSettings, admins: usize) -> Result<(), Error> {
    let most = settings.group_admins_max as usize;
    allow(admins <= most, &format!("a group of this app has at most {most} admins"))
}

const GENERATED: &str = "@TGS#";
const COMMUNITY: &str = "@TGS#_";

/// The id that an imported group may have: it keeps the one that another system has generated.
pub(crate) fn check_imported_id(id: &GroupId, kind: GroupType) -> Result<(), Error> {
    let is_of_community = id.starts_with(COMMUNITY);
    let is_name = id.as_str() != COMMUNITY && !id.contains("@TOPIC#");
    if is_of_community == (kind == GroupType::Community) && is_name {
        return Ok(());
    }
    let info = "the ids of communities, and no others, begin with @TGS#_; none has @TOPIC# in it";
    Err(Error::with(ErrorCode::GroupIdInvalid, info.to_owned()))
}

/// The id that a group may be given.
pub(crate) fn check_id(id: &GroupId, kind: GroupType) -> Result<(), Error> {
    let fits = match kind {
        GroupType::Community => id.strip_prefix(COMMUNITY).is_some_and(|rest| {
            !rest.is_empty() && !rest.starts_with(GENERATED) && !rest.contains("@TOPIC#")
        }),
        GroupType::Work | GroupType::Public | GroupType::Meeting | GroupType::AvChatRoom => {
            !id.starts_with(GENERATED)
        }
    };
    if fits {
        return Ok(());
    }
    let info = match kind {
        GroupType::Community => {
            "the id of a community begins with @TGS#_, and goes on without @TGS#"
        }
        GroupType::Work | GroupType::Public | GroupType::Meeting | GroupType::AvChatRoom => {
            "a group id of your own does not begin with @TGS#"
        }
    };
    Err(Error::with(ErrorCode::GroupIdInvalid, info.to_owned()))
}

/// A new id for a group.
pub(crate) fn generated_id(kind: GroupType, number: u64) -> GroupId {
    const DIGITS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let mut token = String::new();
    let mut left = number;
    while left > 0 {
        token.push(char::from(DIGITS[usize::try_from(left % 32).expect("below 32")]));
        left /= 32;
    }
    let prefix = match kind {
        GroupType::Work => "@TGS#1",
        GroupType::Public => "@TGS#2",
        GroupType::Meeting => "@TGS#3",
        GroupType::AvChatRoom => "@TGS#a",
        GroupType::Community => "@TGS#_@TGS#c",
    };
    GroupId::parse(&format!("{prefix}{token}")).expect("at most 25 bytes of printable ASCII")
}

/// Checks the texts of a profile.
pub(crate) fn check_texts(
    settings: &AppSettings,
    name: Option<&str>,
    introduction: Option<&str>,
    notification: Option<&str>,
    face_url: Option<&str>,
) -> Result<(), Error> {
    if name.is_some_and(str::is_empty) {
        return Err(Error::with(ErrorCode::GroupBadParameter, "Name is empty".to_owned()));
    }
    for (field, text, bytes_max) in [
        ("Name", name, settings.group_name_bytes_max),
        ("Introduction", introduction, settings.group_introduction_bytes_max),
        ("Notification", notification, settings.group_notification_bytes_max),
        ("FaceUrl", face_url, settings.group_face_url_bytes_max),
    ] {
        let bytes = text.map_or(0, str::len);
        if bytes > bytes_max as usize {
            let info = format!("{field} is {bytes} bytes, at most {bytes_max}");
            return Err(Error::with(ErrorCode::GroupBadParameter, info));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recalls() {
        let code =
            |who, is_own, age_s| may_recall(who, is_own, age_s, 120).err().map(|error| error.code);
        for who in [Standing::Backend, Standing::Owner, Standing::Admin] {
            assert_eq!(code(who, false, u64::MAX), None);
        }
        for who in [Standing::Member, Standing::Stranger] {
            assert_eq!(code(who, false, 0), Some(ErrorCode::GroupPermissionDenied));
            assert_eq!(code(who, true, 120), None);
            assert_eq!(code(who, true, 121), Some(ErrorCode::GroupRecallTooLate));
        }
    }

    #[test]
    fn every_type_has_rules() {
        for kind in GroupType::ALL {
            assert_eq!(of(*kind).kind, *kind);
        }
    }

    #[test]
    fn who_kicks_whom() {
        use Standing::{Admin, Backend, Member, Owner, Stranger};
        let public = of(GroupType::Public);
        for (who, target, allowed) in [
            (Backend, Role::Owner, true),
            (Owner, Role::Admin, true),
            (Owner, Role::Owner, false),
            (Admin, Role::Member, true),
            (Admin, Role::Admin, false),
            (Member, Role::Member, false),
            (Stranger, Role::Member, false),
        ] {
            assert_eq!(public.may_kick(who, target).is_ok(), allowed, "{who:?} {target:?}");
        }
        let room = of(GroupType::AvChatRoom);
        assert!(room.may_kick(Backend, Role::Member).is_err(), "nobody is kicked out of a room");
    }

    #[test]
    fn who_edits_what() {
        let edits = |kind, who, looks_only| of(kind).may_edit(who, looks_only).is_ok();
        assert!(edits(GroupType::Work, Standing::Member, true));
        assert!(!edits(GroupType::Work, Standing::Member, false));
        assert!(edits(GroupType::Work, Standing::Owner, false));
        assert!(!edits(GroupType::Public, Standing::Member, true));
        assert!(edits(GroupType::Public, Standing::Admin, false));
        assert!(edits(GroupType::AvChatRoom, Standing::Owner, false));
    }

    #[test]
    fn who_pins() {
        let pins = |kind, who| of(kind).may_pin(who).is_ok();
        for kind in [GroupType::Public, GroupType::Meeting, GroupType::Community] {
            assert!(pins(kind, Standing::Admin) && !pins(kind, Standing::Member), "{kind:?}");
        }
        assert!(
            pins(GroupType::Work, Standing::Member) && !pins(GroupType::Work, Standing::Stranger)
        );
        assert!(!pins(GroupType::AvChatRoom, Standing::Owner), "a room keeps nothing");
    }

    #[test]
    fn who_may_speak() {
        let now = UnixSeconds(100);
        let public = of(GroupType::Public);
        let says = |who, until, all| {
            public.may_send(who, Mute { until: UnixSeconds(until), all }, now).map_err(|e| e.code)
        };
        assert_eq!(says(Standing::Member, 100, false), Ok(()), "the second has come");
        assert_eq!(says(Standing::Member, 101, false), Err(ErrorCode::SenderMuted));
        assert_eq!(says(Standing::Member, 0, true), Err(ErrorCode::SenderMuted));
        assert_eq!(says(Standing::Admin, 0, true), Ok(()));
        assert_eq!(says(Standing::Owner, 101, false), Err(ErrorCode::SenderMuted));
        assert_eq!(says(Standing::Stranger, 0, false), Err(ErrorCode::GroupPermissionDenied));
        assert_eq!(says(Standing::Backend, 101, true), Ok(()));
    }

    #[test]
    fn ids() {
        let fits = |id: &str, kind| check_id(&GroupId::parse(id).expect("valid"), kind).is_ok();
        assert!(fits("tea", GroupType::Public) && !fits("@TGS#tea", GroupType::Public));
        assert!(fits("@TGS#_tea", GroupType::Community) && !fits("tea", GroupType::Community));
        assert!(!fits("@TGS#_@TGS#tea", GroupType::Community));
        let keeps =
            |id: &str, kind| check_imported_id(&GroupId::parse(id).expect("valid"), kind).is_ok();
        assert!(keeps("tea", GroupType::Public) && keeps("@TGS#2TEA", GroupType::Work));
        assert!(
            keeps("@TGS#_@TGS#cTEA", GroupType::Community)
                && keeps("@TGS#_t", GroupType::Community)
        );
        assert!(!keeps("@TGS#_tea", GroupType::Public) && !keeps("tea", GroupType::Community));
        assert!(!keeps("@TGS#_", GroupType::Community) && !keeps("@TGS#_", GroupType::Public));
        assert!(!keeps("@TGS#_t@TOPIC#_a", GroupType::Community));
        let ids = [0, 31, u64::MAX].map(|number| generated_id(GroupType::Community, number));
        assert!(ids.iter().all(|id| id.starts_with("@TGS#_@TGS#")), "{ids:?}");
        assert_ne!(ids[0], ids[1]);
    }
}
