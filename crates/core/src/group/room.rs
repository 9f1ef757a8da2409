//! Live rooms: any number of viewers, nothing stored. Who is in and what was said lately is in memory
//! only; of a room the store knows the profile, the owner and the mutes.
//!
//! A viewer is a device. It keeps its seat for a grace time when its connection is lost: a device that
//! comes back gets what the room's ring holds since it was last heard. (Since it was heard, not since what
//! was last written to it: what lay in the buffers of a dead connection never arrived. Clients drop what
//! they have.)

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};

use teahouse_proto::error::{Error, ErrorCode};
use teahouse_proto::group::{GroupType, Priority};
use teahouse_proto::ids::{GroupId, SdkAppId, TinyId, UserId};
use teahouse_proto::push::{GroupPiece, TipKind, group_frame};
use teahouse_proto::time::{UnixMillis, UnixSeconds};

use super::changes::{Recall, Recalls};
use super::flow;
use super::message::{Faces, GroupRef, GroupSaid};
use super::messages::{NewGroupMessage, SendKey, Sent};
use super::per_second::PerSecond;
use super::rules::{self, Standing};
use crate::account;
use crate::app::App;
use crate::dedupe::Dedupe;
use crate::error::Outcome;
use crate::event::{Event, GroupMessageName, GroupMessagesRecalled, ViewerMoved, counted};
use crate::hook;
use crate::hook::table::Command;
use crate::hook::via::Via;
use crate::hub::{Channel, Connection, Frame};
use crate::node::Node;
use crate::rows::{GroupMessageRow, OverlayRow, TipRow};

/// What a ring holds at most, of messages and of time.
const RING_MAX: usize = 200;
const RING_MS: u64 = 60_000;
/// What was sent so long before a device was last heard may have been lost with its connection, too.
const RESUME_SLACK_MS: u64 = 2_000;
/// How long a device that lost its connection keeps its seat.
const GRACE_MS: u64 = 60_000;
/// How long a device is lost before it counts as away.
const AWAY_MS: u64 = 20_000;
/// Rooms of one device that are remembered over a restart.
const ROOMS_NOTED_MAX: usize = 20;
/// Comings and goings that a room tells in a second.
const TIPS_A_SECOND: u32 = 10;

/// The live rooms of an app that somebody is in.
///
/// Locks are taken in this order: seats, rooms, the state of a room.
#[derive(Default)]
pub(crate) struct Rooms {
    rooms: Mutex<HashMap<GroupId, Arc<Room>>>,
    seats: Mutex<AllSeats>,
}

/// By user and device.
type AllSeats = HashMap<(UserId, u32), Seats>;

/// The rooms that one device is in.
#[derive(Default)]
struct Seats {
    rooms: Vec<GroupId>,
    /// When its connection was lost, and when it was last heard on it; nothing while it is connected.
    lost: Option<(UnixMillis, UnixMillis)>,
    /// Its rooms were told that it is away.
    away: bool,
}

/// A live room.
pub(crate) struct Room {
    state: Mutex<RoomState>,
}

struct RoomState {
    /// As the last who came in found it.
    group: GroupRef,
    seq: u64,
    last_time: u32,
    /// How many devices of each user are in.
    viewers: HashMap<UserId, Viewer>,
    ring: VecDeque<Kept>,
    dedupe: Dedupe<SendKey, u64>,
    tips: PerSecond,
}

/// Something that was told lately.
struct Kept {
    at: UnixMillis,
    piece: GroupPiece,
    /// Of a message; nothing for what cannot be recalled.
    message: Option<KeptMessage>,
}

/// What a recall needs to know of a message.
struct KeptMessage {
    name: GroupMessageName,
    from: String,
    /// The place that its sender was told: it may have got another one when it got its turn.
    told_seq: u64,
}

#[derive(Clone, Copy)]
struct Viewer {
    tiny_id: TinyId,
    devices: u32,
}

/// A message that waits for its turn in a room. Its sender has an answer already.
#[derive(Debug)]
pub(crate) struct RoomMessage {
    pub(crate) group: GroupId,
    pub(crate) priority: Priority,
    /// Of the server itself, or of somebody whom the app lets through always.
    pub(crate) never_dropped: bool,
    said: GroupSaid,
    via: Via,
}

impl Rooms {
    /// The room, if somebody is in it.
    pub(crate) fn find(&self, group: &GroupId) -> Option<Arc<Room>> {
        lock(&self.rooms).get(group).cloned()
    }

    /// How many rooms somebody is in.
    pub(crate) fn count(&self) -> usize {
        lock(&self.rooms).len()
    }

    /// Lets one more device of an account in. The room, and whether that is the account's first device.
    ///
    /// Under the lock of all rooms: one that is found may not be forgotten before somebody is in.
    fn enter(&self, group: &GroupRef, user: &UserId, tiny_id: TinyId) -> (Arc<Room>, bool) {
        let mut rooms = lock(&self.rooms);
        let room = rooms.entry(group.id.clone()).or_insert_with(|| Arc::new(Room::new(group)));
        let is_first = room.enter(group, user, tiny_id);
        (room.clone(), is_first)
    }

    /// Forgets a room that nobody is in.
    fn close_if_empty(&self, group: &GroupId) {
        let mut rooms = lock(&self.rooms);
        let is_empty = |room: &mut Arc<Room>| lock(&room.state).viewers.is_empty();
        if rooms.get_mut(group).is_some_and(is_empty) {
            rooms.remove(group);
        }
    }
}

impl Room {
    fn new(group: &GroupRef) -> Self {
        Self {
            state: Mutex::new(RoomState {
                group: group.clone(),
                seq: 0,
                last_time: 0,
                viewers: HashMap::new(),
                ring: VecDeque::new(),
                dedupe: Dedupe::default(),
                tips: PerSecond::default(),
            }),
        }
    }

    /// Whether the same was sent since.
    pub(crate) fn has_sent(&self, key: &SendKey, since: UnixSeconds) -> bool {
        lock(&self.state).dedupe.find(key, since).is_some()
    }

    /// How many users are in.
    pub(crate) fn viewers(&self) -> usize {
        lock(&self.state).viewers.len()
    }

    /// Whether this account is in.
    pub(crate) fn has_viewer(&self, user: &UserId, tiny_id: TinyId) -> bool {
        lock(&self.state).viewers.get(user).is_some_and(|viewer| viewer.tiny_id == tiny_id)
    }

    /// Whether somebody of that name is in.
    pub(crate) fn has_user(&self, user: &UserId) -> bool {
        lock(&self.state).viewers.contains_key(user)
    }

    fn users(&self) -> Vec<UserId> {
        lock(&self.state).viewers.keys().cloned().collect()
    }

    fn enter(&self, group: &GroupRef, user: &UserId, tiny_id: TinyId) -> bool {
        let mut state = lock(&self.state);
        state.group = group.clone();
        let viewer = state.viewers.entry(user.clone()).or_insert(Viewer { tiny_id, devices: 0 });
        viewer.tiny_id = tiny_id;
        viewer.devices += 1;
        viewer.devices == 1
    }

    /// Says whether that was the user's last device.
    fn leave(&self, user: &UserId) -> bool {
        let mut state = lock(&self.state);
        let Some(viewer) = state.viewers.get_mut(user) else { return false };
        viewer.devices -= 1;
        let gone = viewer.devices == 0;
        if gone {
            state.viewers.remove(user);
        }
        gone
    }
}

impl RoomState {
    /// Gives a message or tip its place; says which place its sender was told.
    fn place(&mut self, said: &mut GroupSaid, now: UnixMillis) -> u64 {
        let told_seq = said.seq;
        self.seq += 1;
        said.seq = self.seq;
        self.last_time = self.last_time.max(now.seconds().0);
        said.row.time = self.last_time;
        if said.row.client_time == 0 {
            said.row.client_time = self.last_time;
        }
        told_seq
    }

    fn remember(&mut self, piece: &GroupPiece, message: Option<KeptMessage>, now: UnixMillis) {
        self.ring.push_back(Kept { at: now, piece: piece.clone(), message });
        let old = |kept: &Kept| kept.at.0 + RING_MS < now.0;
        while self.ring.len() > RING_MAX || self.ring.front().is_some_and(old) {
            self.ring.pop_front();
        }
    }

    /// Takes a message out of the ring. Its sender may name it by the place that he was told while it waited.
    fn recall(
        &mut self,
        seq: u64,
        standing: Standing,
        recall: &Recall<'_>,
        now: UnixSeconds,
    ) -> Result<GroupMessageName, Error> {
        let sent = |m: &KeptMessage| recall.actor.sent(&m.from, m.name.from_tiny_id.0);
        let find = |is_it: &dyn Fn(&KeptMessage) -> bool| {
            self.ring.iter().position(|kept| kept.message.as_ref().is_some_and(is_it))
        };
        let place = find(&|m| sent(m) && m.name.seq == seq)
            .or_else(|| find(&|m| sent(m) && m.told_seq == seq))
            .or_else(|| find(&|m| m.name.seq == seq));
        let found = place.and_then(|place| Some((place, self.ring[place].message.as_ref()?)));
        let (place, message) = found.ok_or(ErrorCode::GroupMessageUnknown)?;
        let age_s = now.since(message.name.time).as_secs();
        rules::may_recall(standing, sent(message), age_s, recall.within_s)?;
        let name = message.name.clone();
        self.ring.remove(place);
        Ok(name)
    }
}

/// Remembers, or forgets, that a device is in a room.
pub(crate) async fn note(
    node: &Arc<Node>,
    app: &App,
    user: &UserId,
    inst_id: u32,
    group: &GroupId,
    is_in: bool,
) -> Outcome<()> {
    account::change_user(node, app, user, |state, change| {
        let mut devices = state.devices.devices.iter_mut();
        let Some(device) = devices.find(|device| device.inst_id == inst_id) else { return Ok(()) };
        let before = device.rooms.len();
        device.rooms.retain(|room| room != group.as_str());
        if is_in && device.rooms.len() < ROOMS_NOTED_MAX {
            device.rooms.push(group.to_string());
        }
        if before != device.rooms.len() {
            state.put_devices(change);
            // The client would join again; this only spares it the need.
            change.relaxed();
        }
        Ok(())
    })
    .await
}

/// Lets a device that comes back into the rooms that it was in, of which this process does not know.
pub(crate) async fn enter_again(
    node: &Arc<Node>,
    app: &App,
    viewer: (&UserId, TinyId, u32),
    connection: &Arc<Connection>,
) -> Outcome<()> {
    let (user, _, inst_id) = viewer;
    let noted = account::user(node, app, user).await?.read(|state| {
        let mut devices = state.devices.devices.iter();
        let device = devices.find(|device| device.inst_id == inst_id);
        device.map(|device| device.rooms.clone()).unwrap_or_default()
    });
    for group in noted.iter().filter_map(|group| GroupId::parse(group).ok()) {
        let entity = super::group(node, app, &group).await?;
        let now = node.now().seconds();
        let there = entity.read(|state| {
            state.check_ban(user, now)?;
            state.reference(app.id(), &group)
        });
        match there.ok().filter(|group| is_room(group.kind)) {
            Some(group) => drop(join(node, app, &group, viewer, connection, &Arc::default())),
            None => note(node, app, user, inst_id, &group, false).await?,
        }
    }
    Ok(())
}

/// Lets a device into a room. Says whether it was out before.
pub(crate) fn join(
    node: &Node,
    app: &App,
    group: &GroupRef,
    viewer: (&UserId, TinyId, u32),
    connection: &Arc<Connection>,
    faces: &Arc<Faces>,
) -> bool {
    let (user, tiny_id, inst_id) = viewer;
    // Seat and room together: whoever takes the seat away also takes its device out of the room.
    let entered = {
        let mut seats = lock(&app.rooms.seats);
        let seats = seats.entry((user.clone(), inst_id)).or_default();
        seats.lost = None;
        let is_out = !seats.rooms.contains(&group.id);
        is_out.then(|| {
            seats.rooms.push(group.id.clone());
            app.rooms.enter(group, user, tiny_id)
        })
    };
    node.hub().listen(&(app.id(), Channel::Group(group.id.clone())), connection, user);
    let Some((room, is_new)) = entered else { return false };
    // The connection may have ended meanwhile: the device has another one, or nobody else gives the seat back.
    if connection.with_session(|s| s.is_none_or(|s| s.inst_id != inst_id)) {
        let Some(other) = node.hub().device(app.id(), user, inst_id) else {
            leave_all(node, app, user, inst_id);
            return false;
        };
        node.hub().listen(&(app.id(), Channel::Group(group.id.clone())), &other, user);
    }
    if is_new {
        tell_moving(node, &room, TipKind::Joined, (user, std::slice::from_ref(user)), faces);
    }
    true
}

/// Takes a device out of a room; says whether it was in.
pub(crate) fn leave(node: &Node, app: &App, user: &UserId, inst_id: u32, group: &GroupId) -> bool {
    let was_in = give_up_seat(node, app, user, inst_id, group);
    if was_in {
        vacate(node, app, user, group);
    }
    was_in
}

/// Takes all devices of users out of a room.
pub(crate) fn expel(node: &Node, app: &App, group: &GroupId, users: &[UserId]) {
    let devices: Vec<(UserId, u32)> = {
        let all = lock(&app.rooms.seats);
        let is_out = |(user, _): &&(UserId, u32)| users.contains(user);
        all.keys().filter(is_out).cloned().collect()
    };
    for (user, inst_id) in devices {
        if give_up_seat(node, app, &user, inst_id, group)
            && let Some(room) = app.rooms.find(group)
        {
            room.leave(&user);
        }
    }
    app.rooms.close_if_empty(group);
}

fn give_up_seat(node: &Node, app: &App, user: &UserId, inst_id: u32, group: &GroupId) -> bool {
    {
        let mut all = lock(&app.rooms.seats);
        let key = (user.clone(), inst_id);
        let Some(seats) = all.get_mut(&key) else { return false };
        let Some(place) = seats.rooms.iter().position(|room| room == group) else { return false };
        seats.rooms.swap_remove(place);
        if seats.rooms.is_empty() {
            all.remove(&key);
        }
    }
    if let Some(connection) = node.hub().device(app.id(), user, inst_id) {
        node.hub().unlisten(&(app.id(), Channel::Group(group.clone())), &connection);
    }
    true
}

fn vacate(node: &Node, app: &App, user: &UserId, group: &GroupId) {
    let Some(room) = app.rooms.find(group) else { return };
    if room.leave(user) {
        let users = std::slice::from_ref(user);
        tell_moving(node, &room, TipKind::Quit, (user, users), &Arc::new(Faces::new()));
        app.rooms.close_if_empty(group);
    }
}

/// Takes a device out of all rooms: its session has ended.
pub(crate) fn leave_all(node: &Node, app: &App, user: &UserId, inst_id: u32) {
    let seats = lock(&app.rooms.seats).remove(&(user.clone(), inst_id));
    if let Some(seats) = seats {
        give_back(node, app, user, inst_id, seats);
    }
}

fn give_back(node: &Node, app: &App, user: &UserId, inst_id: u32, seats: Seats) {
    for group in seats.rooms {
        if let Some(connection) = node.hub().device(app.id(), user, inst_id) {
            node.hub().unlisten(&(app.id(), Channel::Group(group.clone())), &connection);
        }
        vacate(node, app, user, &group);
    }
}

/// A device has lost its connection, on which it was last heard then: it keeps its seats for a while. One
/// that has another connection by now has lost nothing.
pub(crate) fn connection_lost(
    node: &Node,
    app: &App,
    user: &UserId,
    inst_id: u32,
    heard: UnixMillis,
) {
    // A device is in the hub before it takes its seats again, so this cannot undo that.
    let mut seats = lock(&app.rooms.seats);
    if node.hub().device(app.id(), user, inst_id).is_none() {
        lose(node, &mut seats, user, inst_id, heard);
    }
}

/// A device is about to replace its connection, on which it was last heard then.
pub(crate) fn connection_replaced(
    node: &Node,
    app: &App,
    user: &UserId,
    inst_id: u32,
    heard: UnixMillis,
) {
    lose(node, &mut lock(&app.rooms.seats), user, inst_id, heard);
}

fn lose(node: &Node, all: &mut AllSeats, user: &UserId, inst_id: u32, heard: UnixMillis) {
    if let Some(seats) = all.get_mut(&(user.clone(), inst_id)) {
        seats.lost = Some((node.now(), heard));
    }
}

/// A device is back: it listens again, and gets what it may have missed since it was last heard.
pub(crate) fn resume(
    node: &Node,
    app: &App,
    user: &UserId,
    inst_id: u32,
    connection: &Arc<Connection>,
) {
    let (rooms, lost, was_away) = {
        let mut seats = lock(&app.rooms.seats);
        let Some(seats) = seats.get_mut(&(user.clone(), inst_id)) else { return };
        (seats.rooms.clone(), seats.lost.take(), std::mem::take(&mut seats.away))
    };
    if was_away {
        tell_away(node, app, user, &rooms, true);
    }
    let heard = lost.map_or(node.now(), |(_, heard)| heard);
    let since = UnixMillis(heard.0.saturating_sub(RESUME_SLACK_MS));
    for group in rooms {
        node.hub().listen(&(app.id(), Channel::Group(group.clone())), connection, user);
        let Some(room) = app.rooms.find(&group) else { continue };
        let missed: Vec<GroupPiece> = {
            let state = lock(&room.state);
            let missed = state.ring.iter().filter(|kept| kept.at >= since);
            missed.map(|kept| kept.piece.clone()).collect()
        };
        if !missed.is_empty() {
            connection.push(&Arc::new(Frame::new(group_frame(&missed))), None);
        }
    }
    // The connection may have ended meanwhile, and then nobody else starts the grace time.
    if connection.with_session(|s| s.is_none_or(|s| s.inst_id != inst_id)) {
        connection_lost(node, app, user, inst_id, heard);
    }
}

/// Tells of users who have been away for a while.
fn notice_away(node: &Node, app: &App, now: UnixMillis) {
    let mut away = Vec::new();
    {
        let mut all = lock(&app.rooms.seats);
        let is_due = |seats: &Seats| seats.lost.is_some_and(|(lost, _)| lost.0 + AWAY_MS <= now.0);
        for ((user, _), seats) in all.iter_mut().filter(|(_, s)| !s.away && is_due(s)) {
            seats.away = true;
            away.push((user.clone(), seats.rooms.clone()));
        }
        if !away.is_empty() {
            // Who has another device there is not away.
            let present = all.iter().filter(|(_, seats)| seats.lost.is_none());
            let present: HashSet<_> = present
                .flat_map(|((user, _), seats)| seats.rooms.iter().map(move |room| (user, room)))
                .collect();
            for (user, rooms) in &mut away {
                rooms.retain(|room| !present.contains(&(&*user, room)));
            }
        }
    }
    for (user, rooms) in away {
        tell_away(node, app, &user, &rooms, false);
    }
}

fn tell_away(node: &Node, app: &App, user: &UserId, rooms: &[GroupId], is_in: bool) {
    for room in rooms.iter().filter_map(|room| app.rooms.find(room)) {
        let group = lock(&room.state).group.clone();
        node.publish(&Event::ViewerAway(ViewerMoved { group, user: user.clone(), is_in }));
    }
}

/// Takes out devices that have not come back in time.
pub(crate) fn end_grace(node: &Node, app: &App) {
    let now = node.now();
    if app.wants(Command::OnMemberStateChange) {
        notice_away(node, app, now);
    }
    let is_over = |seats: &Seats| seats.lost.is_some_and(|(lost, _)| lost.0 + GRACE_MS <= now.0);
    // Taken away as they are found: a device that is back a moment later finds that it is out.
    let over: Vec<_> = lock(&app.rooms.seats).extract_if(|_, seats| is_over(seats)).collect();
    for ((user, inst_id), seats) in over {
        give_back(node, app, &user, inst_id, seats);
    }
}

/// Ends a room: everybody is out. Returns who was in.
pub(crate) fn dismiss(node: &Node, app: SdkAppId, group: &GroupId) -> Vec<UserId> {
    let Some(app) = node.app(app) else { return Vec::new() };
    let mut seats = lock(&app.rooms.seats);
    let room = lock(&app.rooms.rooms).remove(group);
    let Some(room) = room else { return Vec::new() };
    let users = room.users();
    seats.retain(|_, seats| {
        seats.rooms.retain(|other| other != group);
        !seats.rooms.is_empty()
    });
    users
}

/// Sends a message to a room: acknowledged at once, delivered as the room's limit allows. A repetition
/// within the duplicate window gets the first result.
pub(crate) fn send(
    node: &Node,
    app: &App,
    group: &GroupRef,
    message: &NewGroupMessage,
    never_dropped: bool,
) -> Sent {
    let now = node.now();
    let Some(room) = app.rooms.find(&group.id) else {
        // Nobody is there to hear it.
        return Sent { time: now.seconds(), seq: 0 };
    };
    // Without a clock of its sender it is stamped when it gets its turn.
    let row = message.row(now.seconds(), message.client_time.unwrap_or_default());
    let key = SendKey::of_row(&row);
    let seq = {
        let mut state = lock(&room.state);
        let since = now.seconds().minus_seconds(app.facts().settings.group_dedupe_s.into());
        if let Some((time, seq)) = state.dedupe.find(&key, since) {
            return Sent { time, seq };
        }
        // What the sender is told: the message gets its place when it gets its turn.
        let seq = state.seq + 1;
        state.dedupe.insert(key.clone(), now.seconds(), seq);
        seq
    };
    let said = GroupSaid {
        group: group.clone(),
        seq,
        online_only: false,
        origin: message.origin,
        row,
        overlay: OverlayRow::default(),
        body: Some(message.body.clone()),
        faces: message.faces.clone(),
        name_card: String::new(),
        only_for: Vec::new(),
    };
    let (group, priority, via) = (group.id.clone(), message.priority, Via::current());
    flow::admit_to_room(node, app, RoomMessage { group, priority, never_dropped, said, via });
    // Others may have been faster to their places.
    let placed = lock(&room.state).dedupe.find(&key, UnixSeconds(0));
    Sent { time: now.seconds(), seq: placed.map_or(seq, |(_, seq)| seq) }
}

/// A message has got its turn.
pub(crate) fn publish(node: &Node, app: &App, message: RoomMessage) {
    counted!("teahouse_messages_total", "kind" => "room").increment(1);
    if app.rooms.find(&message.group).is_some() {
        let said = Event::GroupMessage(Arc::new(message.said));
        // Webhooks are told when it has its place.
        message.via.scope_now(|| node.publish_stored(&said));
    }
}

/// Gives a message or tip of a room its place and hands it to the viewers. The order of places is the
/// order in which they are handed on.
pub(crate) fn deliver(node: &Node, app: &App, said: &GroupSaid, hand_on: impl FnOnce(GroupPiece)) {
    let Some(room) = app.rooms.find(&said.group.id) else { return };
    let now = node.now();
    let mut state = lock(&room.state);
    let mut said = said.clone();
    let told_seq = state.place(&mut said, now);
    let piece = said.piece();
    let is_message = said.row.tip.is_none();
    if is_message && told_seq != said.seq {
        state.dedupe.insert(SendKey::of_row(&said.row), UnixSeconds(said.row.time), said.seq);
    }
    let message = is_message.then(|| KeptMessage {
        name: said.name(),
        from: said.row.from.clone(),
        told_seq,
    });
    state.remember(&piece, message, now);
    hand_on(piece);
    drop(state);
    if said.row.tip.is_none() && app.has_hooks() {
        let told = hook::rows(node, &[Event::GroupMessage(Arc::new(said))]);
        hook::gather(node, app.id(), told);
    }
}

/// Hands something to the viewers that has no place among the messages of the room. Who comes back soon gets
/// it, too.
pub(crate) fn pass(
    node: &Node,
    app: &App,
    group: &GroupId,
    piece: GroupPiece,
    hand_on: impl FnOnce(GroupPiece),
) {
    let Some(room) = app.rooms.find(group) else { return };
    let mut state = lock(&room.state);
    state.remember(&piece, None, node.now());
    hand_on(piece);
}

/// Recalls messages that the ring still has: a device that comes back does not get them any more.
///
/// # Errors
/// Of a single message: `GroupMessageUnknown`, those of [`rules::may_recall`].
pub(crate) fn recall(
    node: &Node,
    app: &App,
    group: &GroupRef,
    seqs: &[u64],
    standing: Standing,
    recall: &Recall<'_>,
) -> Recalls {
    let now = node.now().seconds();
    let (mut recalls, mut messages) = (Vec::new(), Vec::new());
    let room = app.rooms.find(&group.id);
    for seq in seqs {
        let recalled = match &room {
            Some(room) => lock(&room.state).recall(*seq, standing, recall, now),
            None => Err(ErrorCode::GroupMessageUnknown.into()),
        };
        recalls.push((*seq, recalled.map(|name| messages.push(name))));
    }
    if !messages.is_empty() {
        node.publish(&Event::GroupMessagesRecalled(Arc::new(GroupMessagesRecalled {
            group: group.clone(),
            messages,
            by: recall.actor.user.to_string(),
            reason: recall.reason.to_owned(),
            faces: recall.faces.clone(),
            origin: recall.actor.origin.clone(),
            only_for: Vec::new(),
        })));
    }
    recalls
}

/// Forgets what was said up to a message, or all of it: a device that comes back does not get it any more.
pub(crate) fn clear(app: &App, group: &GroupId, through: Option<u64>) {
    let Some(room) = app.rooms.find(group) else { return };
    let is_meant = |kept: &Kept| {
        let message = kept.message.as_ref();
        message.is_some_and(|m| through.is_none_or(|through| m.name.seq <= through))
    };
    lock(&room.state).ring.retain(|kept| !is_meant(kept));
}

/// Tells those who are in a room what somebody has done to others.
pub(crate) fn tell_of(
    node: &Node,
    app: &App,
    group: &GroupId,
    kind: TipKind,
    who: (&str, &[UserId]),
    faces: &Arc<Faces>,
) {
    if let Some(room) = app.rooms.find(group) {
        tell_moving(node, &room, kind, who, faces);
    }
}

fn tell_moving(
    node: &Node,
    room: &Room,
    kind: TipKind,
    (operator, users): (&str, &[UserId]),
    faces: &Arc<Faces>,
) {
    if matches!(kind, TipKind::Joined | TipKind::Quit) {
        let (group, is_in) = (lock(&room.state).group.clone(), kind == TipKind::Joined);
        for user in users {
            let (group, user) = (group.clone(), user.clone());
            node.publish(&Event::ViewerMoved(ViewerMoved { group, user, is_in }));
        }
    }
    let (now, member_num, group) = {
        let mut state = lock(&room.state);
        let now = node.now().seconds();
        if !state.tips.take(now, TIPS_A_SECOND) {
            return counted!("teahouse_room_tips_dropped_total").increment(1);
        }
        (now, state.viewers.len() as u64, state.group.clone())
    };
    let tip = TipRow {
        kind: kind as u32,
        operator: operator.to_owned(),
        members: users.iter().map(ToString::to_string).collect(),
        member_num: Some(member_num),
        ..TipRow::default()
    };
    let random = u32::try_from(node.random() >> 32).expect("32 bits");
    node.publish(&Event::GroupMessage(Arc::new(GroupSaid {
        group,
        seq: 0,
        online_only: false,
        origin: None,
        row: GroupMessageRow {
            random,
            time: now.0,
            priority: Priority::Low.number(),
            tip: Some(tip),
            ..GroupMessageRow::default()
        },
        overlay: OverlayRow::default(),
        body: None,
        faces: faces.clone(),
        name_card: String::new(),
        only_for: Vec::new(),
    })));
}

/// Whether messages of this type of group go through a room.
pub(crate) fn is_room(kind: GroupType) -> bool {
    !super::rules::of(kind).stored
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("bookkeeping of rooms does not panic")
}

#[cfg(test)]
mod tests {
    use teahouse_proto::push::UserStatus;

    use super::super::changes::Actor;
    use super::*;

    /// A room in which each of these said something: sender, its place, and the place that the sender was told.
    fn room(said: &[(&str, u64, u64)]) -> Room {
        let id = GroupId::parse("live").expect("valid");
        let room = Room::new(&GroupRef {
            app: SdkAppId(1),
            id,
            name: Arc::from("live"),
            kind: GroupType::AvChatRoom,
        });
        for (from, seq, told_seq) in said {
            let user = UserId::parse(from).expect("valid");
            let piece = GroupPiece::status(&UserStatus { user: &user, status: 1, custom: "" });
            let row = GroupMessageRow { from_tiny_id: 7, time: 100, ..GroupMessageRow::default() };
            let message = KeptMessage {
                name: GroupMessageName::of(*seq, &row),
                from: (*from).to_owned(),
                told_seq: *told_seq,
            };
            lock(&room.state).remember(&piece, Some(message), UnixMillis(100_000));
        }
        room
    }

    fn recall(room: &Room, user: &str, standing: Standing, seq: u64) -> Result<u64, ErrorCode> {
        let actor = Actor {
            user: UserId::parse(user).expect("valid"),
            tiny_id: Some(TinyId(7)),
            origin: None,
        };
        let recall = Recall { actor: &actor, reason: "", faces: Arc::default(), within_s: 120 };
        let recalled = lock(&room.state).recall(seq, standing, &recall, UnixSeconds(220));
        recalled.map(|name| name.seq).map_err(|error| error.code)
    }

    #[test]
    fn a_sender_may_name_his_message_by_the_place_that_he_was_told() {
        let room = room(&[("bob", 1, 1), ("alice", 3, 1), ("alice", 2, 2)]);
        let by = |user, seq| recall(&room, user, Standing::Stranger, seq);
        assert_eq!(by("alice", 2), Ok(2), "where it is comes before what she was told");
        assert_eq!(by("alice", 1), Ok(3));
        assert_eq!(by("alice", 1), Err(ErrorCode::GroupPermissionDenied), "what is left is Bob's");
        assert_eq!(by("alice", 3), Err(ErrorCode::GroupMessageUnknown), "it is gone");
        assert_eq!(recall(&room, "alice", Standing::Owner, 1), Ok(1));
        assert!(lock(&room.state).ring.is_empty());
    }
}
