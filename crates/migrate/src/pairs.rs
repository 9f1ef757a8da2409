//! One-to-one messages: of everybody who is in a conversation list or a friend list, and of pairs that a file names.
//!
//! What two users see of their conversation may differ: one has deleted something, or something was hidden from its
//! sender. An import writes for both, so what one of them sees is carried over.

use std::collections::{BTreeSet, HashSet};
use std::path::Path;

use crate::Migration;
use crate::error::MigrateError;
use crate::journal::{Record, sorted};
use crate::read::{self, PairHistory, PairMessage};
use crate::report::Kind;
use crate::write;

impl Migration {
    /// The pairs that a file names, two ids a line with a tab between them.
    pub(crate) async fn pairs_of_file(&self, path: &Path) -> Result<(), MigrateError> {
        let text = std::fs::read_to_string(path)
            .map_err(MigrateError::io(format!("read {}", path.display())))?;
        let mut pairs = BTreeSet::new();
        for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.is_empty()) {
            let Some((one, other)) = line.split_once('\t') else {
                let place = format!("{}, line {}", path.display(), number + 1);
                let info = format!("{place}: expected two ids with a tab between them");
                return Err(MigrateError::Malformed(info));
            };
            pairs.insert(sorted(one.trim(), other.trim()));
        }
        self.carry_pairs(pairs).await
    }

    /// The pairs that conversation lists and friend lists name.
    pub(crate) async fn pairs(&self) -> Result<(), MigrateError> {
        // A batch at a time: all pairs of all users are more than has to be in memory.
        for users in self.journal.accounts().chunks(USERS_A_BATCH) {
            let found = std::sync::Mutex::new(BTreeSet::new());
            let look = self.in_parallel(users.to_vec(), async |user: String| {
                let peers = self.peers(&user).await?;
                self.ensure(peers.iter().map(String::as_str)).await?;
                let pairs = peers.iter().map(|peer| sorted(&user, peer));
                found.lock().expect("no panic while held").extend(pairs);
                Ok(())
            });
            look.await?;
            self.carry_pairs(found.into_inner().expect("no panic while held")).await?;
        }
        Ok(())
    }

    async fn peers(&self, user: &str) -> Result<BTreeSet<String>, MigrateError> {
        let peers = read::peers(&self.source, user).await;
        let mut peers = self.of_account(user, peers)?.unwrap_or_default();
        let friends = read::friends(&self.source, user).await;
        let friends = self.of_account(user, friends)?.into_iter().flatten();
        peers.extend(friends.map(|friend| friend.user));
        Ok(peers)
    }

    async fn carry_pairs(&self, pairs: BTreeSet<(String, String)>) -> Result<(), MigrateError> {
        let open = pairs.into_iter().filter(|pair| !self.journal.has_pair(pair)).collect();
        self.in_parallel(open, async |(one, other): (String, String)| {
            self.ensure([one.as_str(), other.as_str()]).await?;
            let mut seen = HashSet::new();
            self.view(&one, &other, &mut seen).await?;
            self.view(&other, &one, &mut seen).await?;
            self.journal.note(Record::Pair(one, other))
        })
        .await
    }

    /// Carries over what one of two users sees, without what was seen already.
    async fn view(
        &self,
        own: &str,
        peer: &str,
        seen: &mut HashSet<(u32, u32, u32)>,
    ) -> Result<(), MigrateError> {
        let mut pages = PairHistory::of(&self.source, own, peer);
        // Pages run from new to old. Messages of one second keep their order, so its first messages wait for
        // those that the next page may have of it.
        let mut waiting: Vec<PairMessage> = Vec::new();
        loop {
            let page = self.of_account(own, pages.page().await)?.flatten();
            let is_last = page.is_none();
            let mut messages = page.unwrap_or_default();
            messages.append(&mut waiting);
            let oldest = messages.first().map(|message| message.time);
            let of_oldest = |message: &PairMessage| !is_last && Some(message.time) == oldest;
            let ready = messages.split_off(messages.iter().take_while(|m| of_oldest(m)).count());
            waiting = messages;
            for message in ready.into_iter().filter(|message| seen.insert(message.key())) {
                self.carry(message).await?;
            }
            if is_last {
                return Ok(());
            }
        }
    }

    /// Carries one message over.
    pub(crate) async fn carry(&self, message: PairMessage) -> Result<(), MigrateError> {
        let what = || format!("{} to {} at {}", message.from, message.to, message.time);
        if message.is_recalled() {
            self.report.leave_out(1, "recalled one-to-one messages", what());
            return Ok(());
        }
        match write::pair_message(&self.target, &message).await {
            Ok(()) => self.report.count(Kind::PairMessages, 1),
            Err(error) => match error.code() {
                Some(code) => {
                    let reason = format!("one-to-one messages that were refused with {code}");
                    self.report.leave_out(1, reason, format!("{} ({error})", what()));
                }
                None => return Err(error.into()),
            },
        }
        Ok(())
    }
}

const USERS_A_BATCH: usize = 1_000;
