//! The webhooks that there are, and sets of them.

use crate::settings::SettingValue;

/// Whether an endpoint is asked before something happens, or told afterwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It decides, within the app's time-out; it is asked once.
    Before,
    /// It is told at least once, in the order of what happened to one conversation, group or user.
    After,
}

macro_rules! commands {
    ($($name:ident = $word:literal $kind:ident;)+) => {
        /// A webhook. [`Command::word`] is its `CallbackCommand`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[allow(missing_docs, reason = "the words are the protocol's; docs/webhooks.md explains them")]
        pub enum Command {
            $($name,)+
        }

        impl Command {
            /// Every webhook, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// As in `CallbackCommand`.
            pub fn word(self) -> &'static str {
                match self { $(Self::$name => $word,)+ }
            }

            /// Asked before, or told after.
            pub fn kind(self) -> Kind {
                match self { $(Self::$name => Kind::$kind,)+ }
            }
        }
    };
}

commands! {
    StateChange = "State.StateChange" After;
    PortraitSet = "Profile.CallbackPortraitSet" After;
    PrevFriendAdd = "Sns.CallbackPrevFriendAdd" Before;
    PrevFriendResponse = "Sns.CallbackPrevFriendResponse" Before;
    FriendAdd = "Sns.CallbackFriendAdd" After;
    FriendDelete = "Sns.CallbackFriendDelete" After;
    BlackListAdd = "Sns.CallbackBlackListAdd" After;
    BlackListDelete = "Sns.CallbackBlackListDelete" After;
    FollowAdd = "Follow.CallbackAfterFollowAdd" After;
    FollowDelete = "Follow.CallbackAfterFollowDelete" After;
    BeforeSendC2c = "C2C.CallbackBeforeSendMsg" Before;
    AfterSendC2c = "C2C.CallbackAfterSendMsg" After;
    AfterC2cReport = "C2C.CallbackAfterMsgReport" After;
    AfterC2cWithdraw = "C2C.CallbackAfterMsgWithDraw" After;
    AfterC2cExtension = "C2C.CallbackAfterC2CMsgExtension" After;
    BotC2cMessage = "Bot.OnC2CMessage" After;
    BotGroupMessage = "Bot.OnGroupMessage" After;
    BeforeCreateGroup = "Group.CallbackBeforeCreateGroup" Before;
    AfterCreateGroup = "Group.CallbackAfterCreateGroup" After;
    BeforeApplyJoinGroup = "Group.CallbackBeforeApplyJoinGroup" Before;
    BeforeInviteJoinGroup = "Group.CallbackBeforeInviteJoinGroup" Before;
    AfterNewMemberJoin = "Group.CallbackAfterNewMemberJoin" After;
    AfterMemberExit = "Group.CallbackAfterMemberExit" After;
    BeforeSendGroup = "Group.CallbackBeforeSendMsg" Before;
    AfterSendGroup = "Group.CallbackAfterSendMsg" After;
    SendGroupException = "Group.CallbackSendMsgException" After;
    AfterGroupFull = "Group.CallbackAfterGroupFull" After;
    AfterGroupDestroyed = "Group.CallbackAfterGroupDestroyed" After;
    AfterGroupInfoChanged = "Group.CallbackAfterGroupInfoChanged" After;
    AfterRecallGroup = "Group.CallbackAfterRecallMsg" After;
    AfterMemberFieldChanged = "Group.CallbackAfterMemberFieldChanged" After;
    AfterGroupAttrChanged = "Group.CallbackAfterGroupAttrChanged" After;
    AfterGroupExtension = "Group.CallbackAfterGroupMsgExtension" After;
    AfterChangeGroupOwner = "Group.CallbackAfterChangeGroupOwner" After;
    OnMemberStateChange = "Group.CallbackOnMemberStateChange" After;
}

impl Command {
    /// The webhook of a `CallbackCommand`.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|command| command.word() == word)
    }

    fn bit(self) -> u64 {
        1 << self as u64
    }
}

/// A set of webhooks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Commands(u64);

impl Commands {
    /// Whether `command` is in it.
    pub fn has(self, command: Command) -> bool {
        self.0 & command.bit() != 0
    }

    /// Whether nothing is in it.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    fn all() -> Self {
        Self(Command::ALL.iter().fold(0, |bits, command| bits | command.bit()))
    }
}

impl SettingValue for Commands {
    const EXPECTS: &'static str = "all, none, or words as in CallbackCommand, separated by commas";

    fn parse(text: &str) -> Option<Self> {
        match text.trim() {
            "all" => Some(Self::all()),
            "none" | "" => Some(Self::default()),
            list => list.split(',').try_fold(Self::default(), |set, word| {
                Command::from_word(word.trim()).map(|command| Self(set.0 | command.bit()))
            }),
        }
    }

    fn show(&self) -> String {
        if self.is_empty() {
            return "none".to_owned();
        }
        if *self == Self::all() {
            return "all".to_owned();
        }
        let chosen = Command::ALL.iter().filter(|command| self.has(**command));
        chosen.map(|command| command.word()).collect::<Vec<_>>().join(",")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_leads_to_its_webhook_and_no_two_share_one() {
        for command in Command::ALL {
            assert_eq!(Command::from_word(command.word()), Some(*command));
        }
        assert!(Command::ALL.len() < 64, "a set has a bit for each");
    }

    #[test]
    fn a_set_is_shown_as_it_may_be_written() {
        for text in ["all", "none", "C2C.CallbackBeforeSendMsg,Group.CallbackAfterSendMsg"] {
            let set = Commands::parse(text).expect("valid");
            assert_eq!(set.show(), text);
        }
        assert_eq!(Commands::parse("C2C.CallbackBeforeSendMsg,Nope"), None);
        let some = Commands::parse(" Bot.OnC2CMessage , State.StateChange").expect("valid");
        assert!(some.has(Command::BotC2cMessage) && !some.has(Command::BotGroupMessage));
    }
}
