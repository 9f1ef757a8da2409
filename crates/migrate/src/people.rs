//! Accounts with their profiles, friends and blocked users.
//!
//! No command lists an app's accounts. They are found: in a file of ids, as owners and members of groups, as
//! senders, as friends and blocked users, and as peers of conversations.

use std::collections::BTreeSet;
use std::path::Path;

use crate::Migration;
use crate::error::{CallError, MigrateError};
use crate::journal::Record;
use crate::read::{self, ACCOUNTS_A_CALL, Items};
use crate::report::Kind;
use crate::write::{self, RELATIONS_A_CALL};

/// Profile fields that every app has.
pub(crate) const STANDARD_TAGS: [&str; 12] = [
    write::NICK,
    write::IMAGE,
    "Tag_Profile_IM_Gender",
    "Tag_Profile_IM_BirthDay",
    "Tag_Profile_IM_Location",
    "Tag_Profile_IM_SelfSignature",
    "Tag_Profile_IM_AllowType",
    "Tag_Profile_IM_Language",
    "Tag_Profile_IM_MsgSettings",
    "Tag_Profile_IM_AdminForbidType",
    "Tag_Profile_IM_Level",
    "Tag_Profile_IM_Role",
];

/// What the service itself says comes from no account.
const SYSTEM: &str = "@TIM#";

impl Migration {
    /// The accounts that a file names, one a line.
    pub(crate) async fn accounts_of_file(&self, path: &Path) -> Result<(), MigrateError> {
        let text = std::fs::read_to_string(path)
            .map_err(MigrateError::io(format!("read {}", path.display())))?;
        let ids = text.lines().map(str::trim).filter(|id| !id.is_empty());
        let unknown: Vec<String> = self.journal.unknown(ids).into_iter().collect();
        let checked = self.in_parallel(chunks(&unknown), async |ids: Vec<String>| {
            let missing: BTreeSet<String> =
                read::missing(&self.source, &ids).await?.into_iter().collect();
            for id in &missing {
                self.report.leave_out(1, "ids of the file that are no accounts", id);
            }
            let there = ids.iter().filter(|id| !missing.contains(*id));
            self.ensure(there.map(String::as_str)).await
        });
        checked.await
    }

    /// Sees to it that accounts are at the target, with their profiles.
    pub(crate) async fn ensure<'a>(
        &self,
        users: impl IntoIterator<Item = &'a str>,
    ) -> Result<(), MigrateError> {
        let people = users.into_iter().filter(|user| !user.is_empty() && !user.starts_with(SYSTEM));
        let unknown: Vec<String> = self.journal.unknown(people).into_iter().collect();
        for ids in chunks(&unknown) {
            let profiles = read::profiles(&self.source, &ids, &self.plan.profile_tags).await?;
            for id in ids.iter().filter(|id| !profiles.contains_key(*id)) {
                self.report.leave_out(1, "profiles of accounts that are deleted", id);
            }
            let accounts = ids.iter().map(|id| (id, profiles.get(id)));
            for id in write::accounts(&self.target, accounts).await? {
                self.report.leave_out(1, "accounts that cannot be made by an import", id);
            }
            for (user, profile) in &profiles {
                self.write_profile(user, profile).await?;
            }
            self.report.count(Kind::Accounts, ids.len());
            self.journal.note(Record::Accounts(ids))?;
        }
        Ok(())
    }

    async fn write_profile(&self, user: &str, profile: &Items) -> Result<(), MigrateError> {
        match write::profile(&self.target, user, profile).await {
            Ok(()) => {}
            Err(error) if error.code().is_some() => {
                self.report.leave_out(1, "profiles that were refused", format!("{user} ({error})"));
            }
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    /// Friends and blocked users of all accounts, also of those that are found on the way. Who is blocked is no
    /// friend any more, so the friends of a round come after its blocked users.
    pub(crate) async fn relations(&self) -> Result<(), MigrateError> {
        loop {
            let (blocking, befriending) =
                (self.journal.without_blocked(), self.journal.without_friends());
            if blocking.is_empty() && befriending.is_empty() {
                return Ok(());
            }
            self.in_parallel(blocking, async |user: String| self.blocked(&user).await).await?;
            self.in_parallel(befriending, async |user: String| self.friends(&user).await).await?;
        }
    }

    async fn blocked(&self, user: &str) -> Result<(), MigrateError> {
        let blocked = read::blocked(&self.source, user).await;
        let blocked: Vec<String> = self.of_account(user, blocked)?.into_iter().flatten().collect();
        self.ensure(blocked.iter().map(String::as_str)).await?;
        for some in blocked.chunks(RELATIONS_A_CALL) {
            let refused = write::blocked(&self.target, user, some).await?;
            self.count_relations(Kind::Blocked, user, some.len(), &refused);
        }
        self.journal.note(Record::Blocked(user.to_owned()))
    }

    async fn friends(&self, user: &str) -> Result<(), MigrateError> {
        let friends = read::friends(&self.source, user).await;
        let friends: Vec<read::Friend> =
            self.of_account(user, friends)?.into_iter().flatten().collect();
        self.ensure(friends.iter().map(|friend| friend.user.as_str())).await?;
        for some in friends.chunks(RELATIONS_A_CALL) {
            let refused = write::friends(&self.target, user, some).await?;
            self.count_relations(Kind::Friends, user, some.len(), &refused);
        }
        self.journal.note(Record::Friends(user.to_owned()))
    }

    /// What an account has; nothing if it is deleted, and only known as a sender.
    pub(crate) fn of_account<T>(
        &self,
        user: &str,
        outcome: Result<T, CallError>,
    ) -> Result<Option<T>, MigrateError> {
        /// Of the services for relations, conversations and messages.
        const UNKNOWN: [i64; 6] = [30_003, 50_001, 90_003, 90_008, 90_012, 90_048];
        match outcome {
            Ok(found) => Ok(Some(found)),
            Err(error) if error.code().is_some_and(|code| UNKNOWN.contains(&code)) => {
                self.report.leave_out(1, "what deleted accounts had", user);
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }

    fn count_relations(&self, kind: Kind, user: &str, tried: usize, refused: &[write::Item]) {
        self.report.count(kind, tried - refused.len());
        for item in refused {
            let reason = format!("relations that were refused with {}", item.result_code);
            let what = format!("{user} to {} ({})", item.user, item.result_info);
            self.report.leave_out(1, reason, what);
        }
    }
}

/// As many accounts as a call may name.
pub(crate) fn chunks(ids: &[String]) -> Vec<Vec<String>> {
    ids.chunks(ACCOUNTS_A_CALL).map(<[String]>::to_vec).collect()
}
