//! What a user attaches to his conversations: pins, marks, custom data, and folders (the protocol's
//! conversation groups).
//!
//! A conversation is named by peer or group here, apart from the index of what was said: one that is deleted
//! keeps all of this but its pin, and one that was never held may have some of it. Everything is in memory with
//! the index, so the limits are counted, not stored. The rules are pure; rows go into the caller's change.

use std::collections::BTreeMap;

use teahouse_proto::error::{Error, ErrorCode};
use teahouse_proto::ids::{GroupId, UserId};
use teahouse_proto::time::{UnixMillis, UnixSeconds};

use crate::entity::Change;
use crate::rows::{ContactRow, FolderRow, FoldersRow, key};

/// A conversation by the name that its owner knows.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Contact {
    /// With a user.
    Pair(UserId),
    /// In a group.
    Group(GroupId),
}

/// A folder of conversations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folder {
    /// Unique for its user, for ever.
    pub id: u32,
    /// Unique for its user at a time.
    pub name: String,
}

/// What is new of the marks and custom data of a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marked {
    /// The conversation.
    pub contact: Contact,
    /// Bit set of standard marks, if it changed.
    pub marks: Option<u64>,
    /// Custom data, if it changed.
    pub custom: Option<String>,
}

/// How the marks of a conversation are to change.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Marking {
    pub(crate) set: u64,
    /// Stronger than `set`.
    pub(crate) clear: u64,
    /// Nothing: it stays.
    pub(crate) custom: Option<String>,
}

/// Pinned conversations of one user.
const PINNED_MAX: usize = 50;
/// Conversations of one user that are in folders; also those with marks or custom data.
const ATTACHED_MAX: usize = 1_000;
/// Folders of one user.
const FOLDERS_MAX: usize = 20;
const FOLDER_NAME_BYTES_MAX: usize = 32;
/// Rows with nothing that are kept to tell devices that were away, and as many that one change removes.
const EMPTY_MAX: usize = 100;

/// All of it of one user.
#[derive(Debug, Default)]
pub(crate) struct Contacts {
    rows: BTreeMap<Contact, ContactRow>,
    folders: FoldersRow,
}

impl ContactRow {
    fn is_marked(&self) -> bool {
        self.marks != 0 || !self.custom_mark.is_empty()
    }

    /// Nothing but a pin, if that.
    pub(crate) fn is_bare(&self) -> bool {
        !self.is_marked() && self.folders.is_empty()
    }

    pub(crate) fn is_pinned(&self) -> bool {
        self.pinned_at > 0
    }

    /// When any of it last changed.
    pub(crate) fn changed(&self) -> UnixSeconds {
        UnixMillis(self.changed_ms).seconds()
    }
}

impl From<&FolderRow> for Folder {
    fn from(row: &FolderRow) -> Self {
        Self { id: row.id, name: row.name.clone() }
    }
}

impl Contacts {
    /// As the rows of the store say.
    pub(crate) fn load(rows: BTreeMap<Contact, ContactRow>, folders: FoldersRow) -> Self {
        let mut loaded = Self { rows, folders };
        let Self { rows, folders } = &mut loaded;
        let is_there = |id: &u32| folders.folders.iter().any(|folder| folder.id == *id);
        rows.values_mut().for_each(|row| row.folders.retain(is_there));
        loaded
    }

    /// What is attached to one conversation, if there is or was anything.
    pub(crate) fn get(&self, contact: &Contact) -> Option<&ContactRow> {
        self.rows.get(contact)
    }

    /// All conversations to which something is or was attached, in the order of their names.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Contact, &ContactRow)> {
        self.rows.iter()
    }

    /// The folders, the oldest first.
    pub(crate) fn folders(&self) -> impl Iterator<Item = Folder> {
        self.folders.folders.iter().map(Folder::from)
    }

    /// Folders that were deleted at `since` or later.
    pub(crate) fn folders_deleted(&self, since: UnixSeconds) -> impl Iterator<Item = Folder> {
        let later = move |folder: &&FolderRow| UnixMillis(folder.changed_ms).seconds() >= since;
        self.folders.deleted.iter().filter(later).map(Folder::from)
    }

    /// Pins or unpins; answers with those for which that is new.
    ///
    /// # Errors
    /// `PinnedConversationsFull`; nothing is changed.
    pub(crate) fn pin(
        &mut self,
        contacts: &[Contact],
        pinned: bool,
        now: UnixMillis,
        change: &mut Change,
    ) -> Result<Vec<Contact>, Error> {
        let is_pinned = |contact: &Contact| self.get(contact).is_some_and(ContactRow::is_pinned);
        let mut new: Vec<Contact> =
            contacts.iter().filter(|contact| is_pinned(contact) != pinned).cloned().collect();
        new.sort();
        new.dedup();
        if pinned {
            let count = new.len() + self.rows.values().filter(|row| row.is_pinned()).count();
            if count > PINNED_MAX {
                let info = format!("{count} conversations would be pinned, at most {PINNED_MAX}");
                return Err(Error::with(ErrorCode::PinnedConversationsFull, info));
            }
        }
        for contact in &new {
            let pinned_at = if pinned { now.seconds().0 } else { 0 };
            self.write(contact, now, change, |row| row.pinned_at = pinned_at);
        }
        self.forget_empty(change);
        Ok(new)
    }

    /// Changes marks and custom data of one conversation; answers with what is new of them.
    ///
    /// # Errors
    /// `ConversationsMarkedFull`; nothing is changed.
    pub(crate) fn mark(
        &mut self,
        contact: &Contact,
        marking: &Marking,
        now: UnixMillis,
        change: &mut Change,
    ) -> Result<Option<Marked>, ErrorCode> {
        let before = self.rows.get(contact).cloned().unwrap_or_default();
        let marks = Some((before.marks | marking.set) & !marking.clear);
        let marks = marks.filter(|marks| *marks != before.marks);
        let custom = marking.custom.clone().filter(|custom| *custom != before.custom_mark);
        if marks.is_none() && custom.is_none() {
            return Ok(None);
        }
        let is_more = !before.is_marked();
        if is_more && self.rows.values().filter(|row| row.is_marked()).count() >= ATTACHED_MAX {
            return Err(ErrorCode::ConversationsMarkedFull);
        }
        self.write(contact, now, change, |row| {
            row.marks = marks.unwrap_or(before.marks);
            row.custom_mark = custom.clone().unwrap_or(before.custom_mark);
        });
        self.forget_empty(change);
        Ok(Some(Marked { contact: contact.clone(), marks, custom }))
    }

    /// Makes a folder. One of that name that is there already is the answer, so that a client may repeat
    /// itself.
    ///
    /// # Errors
    /// `ConversationFolderNameTooLong`, `ConversationBadParameter` for a name that is empty,
    /// `ConversationFoldersFull`.
    pub(crate) fn make_folder(
        &mut self,
        name: &str,
        now: UnixMillis,
        change: &mut Change,
    ) -> Result<Folder, Error> {
        check_folder_name(name)?;
        if let Ok(folder) = self.folder(name) {
            return Ok(folder);
        }
        if self.folders.folders.len() >= FOLDERS_MAX {
            let info = format!("there are {FOLDERS_MAX} conversation groups already");
            return Err(Error::with(ErrorCode::ConversationFoldersFull, info));
        }
        self.folders.last_id += 1;
        let row = FolderRow { id: self.folders.last_id, name: name.to_owned(), changed_ms: now.0 };
        let folder = Folder::from(&row);
        self.folders.folders.push(row);
        change.put(key::folders(), &self.folders);
        Ok(folder)
    }

    /// The folder of that name.
    ///
    /// # Errors
    /// `ConversationFolderUnknown`.
    pub(crate) fn folder(&self, name: &str) -> Result<Folder, Error> {
        let found = self.folders.folders.iter().find(|folder| folder.name == name);
        found.map(Folder::from).ok_or_else(|| {
            let info = format!("there is no conversation group {name}");
            Error::with(ErrorCode::ConversationFolderUnknown, info)
        })
    }

    /// Deletes a folder, not what is in it.
    ///
    /// # Errors
    /// `ConversationFolderUnknown`.
    pub(crate) fn delete_folder(
        &mut self,
        name: &str,
        now: UnixMillis,
        change: &mut Change,
    ) -> Result<Folder, Error> {
        let Folder { id, name } = self.folder(name)?;
        self.folders.folders.retain(|folder| folder.id != id);
        self.folders.deleted.push(FolderRow { id, name: name.clone(), changed_ms: now.0 });
        let surplus = self.folders.deleted.len().saturating_sub(FOLDERS_MAX);
        self.folders.deleted.drain(..surplus);
        change.put(key::folders(), &self.folders);
        self.rows.values_mut().for_each(|row| row.folders.retain(|folder| *folder != id));
        self.forget_empty(change);
        Ok(Folder { id, name })
    }

    /// Gives a folder another name.
    ///
    /// # Errors
    /// `ConversationFolderUnknown`; the new name is too long, empty, or taken (`ConversationBadParameter`).
    pub(crate) fn rename_folder(
        &mut self,
        old: &str,
        new: &str,
        now: UnixMillis,
        change: &mut Change,
    ) -> Result<Folder, Error> {
        check_folder_name(new)?;
        let folder = self.folder(old)?;
        if old == new {
            return Ok(folder);
        }
        if self.folder(new).is_ok() {
            let info = format!("there is a conversation group {new} already");
            return Err(Error::with(ErrorCode::ConversationBadParameter, info));
        }
        for row in self.folders.folders.iter_mut().filter(|row| row.id == folder.id) {
            row.name = new.to_owned();
            row.changed_ms = now.0;
        }
        change.put(key::folders(), &self.folders);
        Ok(Folder { id: folder.id, name: new.to_owned() })
    }

    /// Puts a conversation into a folder, or takes it out; says whether that is new.
    ///
    /// # Errors
    /// `ConversationsMarkedFull`; nothing is changed.
    pub(crate) fn file(
        &mut self,
        contact: &Contact,
        folder: &Folder,
        is_in: bool,
        now: UnixMillis,
        change: &mut Change,
    ) -> Result<bool, ErrorCode> {
        let before = self.rows.get(contact).map_or(&[][..], |row| &row.folders);
        if before.contains(&folder.id) == is_in {
            return Ok(false);
        }
        let is_more = before.is_empty();
        let filed = |row: &&ContactRow| !row.folders.is_empty();
        if is_more && self.rows.values().filter(filed).count() >= ATTACHED_MAX {
            return Err(ErrorCode::ConversationsMarkedFull);
        }
        self.write(contact, now, change, |row| match is_in {
            true => row.folders.push(folder.id),
            false => row.folders.retain(|id| *id != folder.id),
        });
        self.forget_empty(change);
        Ok(true)
    }

    /// Takes the pin off a conversation that goes out of the list; says whether there was one.
    pub(crate) fn unpin(
        &mut self,
        contact: &Contact,
        now: UnixMillis,
        change: &mut Change,
    ) -> bool {
        let pinned = self.get(contact).is_some_and(ContactRow::is_pinned);
        if pinned {
            self.write(contact, now, change, |row| row.pinned_at = 0);
        }
        pinned
    }

    fn write(
        &mut self,
        contact: &Contact,
        now: UnixMillis,
        change: &mut Change,
        apply: impl FnOnce(&mut ContactRow),
    ) {
        let row = self.rows.entry(contact.clone()).or_default();
        apply(row);
        row.changed_ms = now.0;
        change.put(key::contact(contact), row);
    }

    /// Keeps the rows with nothing bounded: the oldest go.
    fn forget_empty(&mut self, change: &mut Change) {
        let is_empty = |row: &ContactRow| row.is_bare() && !row.is_pinned();
        let empty = self.rows.iter().filter(|(_, row)| is_empty(row));
        let mut empty: Vec<_> =
            empty.map(|(contact, row)| (row.changed_ms, contact.clone())).collect();
        let surplus = empty.len().saturating_sub(EMPTY_MAX).min(EMPTY_MAX);
        empty.sort();
        for (_, contact) in empty.into_iter().take(surplus) {
            change.delete(key::contact(&contact));
            self.rows.remove(&contact);
        }
    }
}

fn check_folder_name(name: &str) -> Result<(), Error> {
    if name.is_empty() {
        let info = "the name of a conversation group is empty";
        return Err(Error::with(ErrorCode::ConversationBadParameter, info));
    }
    if name.len() > FOLDER_NAME_BYTES_MAX {
        let info = format!("the name is {} bytes, at most {FOLDER_NAME_BYTES_MAX}", name.len());
        return Err(Error::with(ErrorCode::ConversationFolderNameTooLong, info));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMillis = UnixMillis(1_700_000_000_000);

    fn peer(number: usize) -> Contact {
        Contact::Pair(UserId::parse(&format!("u{number}")).expect("valid"))
    }

    fn star() -> Marking {
        Marking { set: 1, ..Marking::default() }
    }

    #[test]
    fn fifty_are_pinned_and_no_more_and_one_is_counted_once() {
        let (mut contacts, mut change) = (Contacts::default(), Change::default());
        let many: Vec<_> = (0..50).chain(0..50).map(peer).collect();
        assert_eq!(contacts.pin(&many, true, NOW, &mut change).expect("room").len(), 50);
        let mut pin = |contacts: &mut Contacts, number, pinned| {
            let pinned = contacts.pin(&[peer(number)], pinned, NOW, &mut change);
            pinned.map_err(|error| error.code)
        };
        assert_eq!(pin(&mut contacts, 7, true), Ok(vec![]));
        assert_eq!(pin(&mut contacts, 50, true), Err(ErrorCode::PinnedConversationsFull));
        assert!(contacts.get(&peer(50)).is_none());
        assert_eq!(pin(&mut contacts, 7, false), Ok(vec![peer(7)]));
        assert_eq!(pin(&mut contacts, 50, true), Ok(vec![peer(50)]));
    }

    #[test]
    fn a_thousand_are_marked_and_others_a_thousand_are_filed() {
        let (mut contacts, mut change) = (Contacts::default(), Change::default());
        let folder = contacts.make_folder("work", NOW, &mut change).expect("room");
        for number in 0..1_000 {
            assert!(contacts.mark(&peer(number), &star(), NOW, &mut change).is_ok());
            let other = peer(5_000 + number);
            assert_eq!(contacts.file(&other, &folder, true, NOW, &mut change), Ok(true));
        }
        let full = ErrorCode::ConversationsMarkedFull;
        assert_eq!(contacts.mark(&peer(1_000), &star(), NOW, &mut change), Err(full));
        assert_eq!(contacts.file(&peer(0), &folder, true, NOW, &mut change), Err(full));
        let more = Marking { custom: Some("vip".into()), ..star() };
        assert!(contacts.mark(&peer(0), &more, NOW, &mut change).is_ok(), "it counts already");
        let none = Marking { clear: 1, ..Marking::default() };
        assert!(contacts.mark(&peer(1), &none, NOW, &mut change).is_ok());
        assert!(contacts.mark(&peer(1_000), &star(), NOW, &mut change).is_ok());
    }

    #[test]
    fn marks_are_set_then_cleared_and_what_changes_nothing_is_not_told() {
        let (mut contacts, mut change) = (Contacts::default(), Change::default());
        let both = Marking { set: 0b110, clear: 0b010, custom: Some("x".into()) };
        let now = contacts.mark(&peer(1), &both, NOW, &mut change).expect("room");
        let expected = Marked { contact: peer(1), marks: Some(0b100), custom: Some("x".into()) };
        assert_eq!(now, Some(expected));
        let again = Marking { set: 0b100, ..Marking::default() };
        assert_eq!(contacts.mark(&peer(1), &again, NOW, &mut change), Ok(None));
        let last = Marking { set: 1 << 63, custom: Some("x".into()), ..Marking::default() };
        let now = contacts.mark(&peer(1), &last, NOW, &mut change).expect("room").expect("new");
        assert_eq!((now.marks, now.custom), (Some(1 << 63 | 0b100), None));
    }

    #[test]
    fn folders_have_names_of_their_own_and_numbers_for_ever() {
        let (mut contacts, mut change) = (Contacts::default(), Change::default());
        let mut make = |contacts: &mut Contacts, name: &str| {
            contacts.make_folder(name, NOW, &mut change).map_err(|error| error.code)
        };
        for number in 1..=20 {
            let name = format!("f{number}");
            assert_eq!(make(&mut contacts, &name), Ok(Folder { id: number, name }));
        }
        assert_eq!(make(&mut contacts, "f3").map(|folder| folder.id), Ok(3), "it is there");
        assert_eq!(make(&mut contacts, "f21"), Err(ErrorCode::ConversationFoldersFull));
        let long = "x".repeat(33);
        assert_eq!(make(&mut contacts, &long), Err(ErrorCode::ConversationFolderNameTooLong));
        assert_eq!(make(&mut contacts, ""), Err(ErrorCode::ConversationBadParameter));
        let mut change = Change::default();
        let code = |outcome: Result<Folder, Error>| outcome.map_err(|error| error.code);
        let mut rename = |contacts: &mut Contacts, old: &str, new: &str| {
            code(contacts.rename_folder(old, new, NOW, &mut change))
        };
        let longest = "x".repeat(32);
        assert_eq!(rename(&mut contacts, "f1", &longest).map(|folder| folder.id), Ok(1));
        assert_eq!(rename(&mut contacts, "f1", "g"), Err(ErrorCode::ConversationFolderUnknown));
        assert_eq!(rename(&mut contacts, "f2", "f3"), Err(ErrorCode::ConversationBadParameter));
        let mut change = Change::default();
        assert_eq!(code(contacts.delete_folder("f2", NOW, &mut change)).map(|f| f.id), Ok(2));
        assert_eq!(code(contacts.make_folder("f2", NOW, &mut change)).map(|f| f.id), Ok(21));
        let deleted: Vec<_> = contacts.folders_deleted(NOW.seconds()).map(|f| f.id).collect();
        assert_eq!(deleted, [2]);
        assert_eq!(contacts.folders_deleted(NOW.seconds().plus_seconds(1)).count(), 0);
    }

    #[test]
    fn a_folder_that_is_deleted_is_out_of_every_row_now_and_after_a_restart() {
        let (mut contacts, mut change) = (Contacts::default(), Change::default());
        let old = contacts.make_folder("old", NOW, &mut change).expect("room");
        let new = contacts.make_folder("new", NOW, &mut change).expect("room");
        for folder in [&old, &new] {
            contacts.file(&peer(1), folder, true, NOW, &mut change).expect("room");
        }
        let stored = contacts.rows.clone();
        contacts.delete_folder("old", NOW, &mut change).expect("it is there");
        assert_eq!(contacts.get(&peer(1)).expect("kept").folders, [new.id]);
        let loaded = Contacts::load(stored, contacts.folders.clone());
        assert_eq!(loaded.get(&peer(1)).expect("kept").folders, [new.id]);
    }

    #[test]
    fn rows_with_nothing_are_kept_for_a_while_and_bounded() {
        let (mut contacts, mut change) = (Contacts::default(), Change::default());
        let none = Marking { clear: 1, ..Marking::default() };
        for number in 0..150_u64 {
            let contact = peer(usize::try_from(number).expect("small"));
            contacts.mark(&contact, &star(), NOW, &mut change).expect("room");
            contacts.mark(&contact, &none, UnixMillis(NOW.0 + number), &mut change).expect("room");
        }
        assert_eq!(contacts.rows.len(), EMPTY_MAX);
        assert!(contacts.get(&peer(49)).is_none() && contacts.get(&peer(50)).is_some());
    }
}
