//! The hub: which sockets are there, who is logged in on them, and what waits to be written.
//!
//! A **connection** is a socket; it has a bounded send queue and, after a login, a **session** (a user on
//! a device). A user's sessions are found under (app, user). Nothing here awaits: whoever publishes
//! appends to queues, and the gateway task of each socket writes them out.
//!
//! What goes to one user is queued at once. What goes to a group or live room, or to those who watch a user's
//! status, goes through a [`topic`]: each shard of the server walks the listeners whose sockets it owns.
//!
//! Locks are taken in this order: what was told of presence, who is expected to sync, a connection's topics,
//! the users of a shard, the topics of a shard, a topic's pace, its listeners, a fan-out, a connection's
//! session, its sync, its queue.

pub(crate) mod topic;

use std::collections::{HashMap, HashSet, VecDeque};
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, Weak};

use crate::event::Origin;
use crate::rows::PairKey;
use bytes::Bytes;
use teahouse_proto::frame;
use teahouse_proto::ids::{GroupId, SdkAppId, TinyId, UserId};
use teahouse_proto::platform::Platform;
use teahouse_proto::time::{UnixMillis, UnixSeconds};
use tokio::sync::{Notify, Semaphore};

use topic::{FanOut, Piece, Topic, Weight};

/// A push, encoded at most once for each variant in use, however many sockets it goes to.
#[derive(Debug)]
pub struct Frame {
    plain: Bytes,
    compressed: OnceLock<Option<Bytes>>,
}

impl Frame {
    /// A frame of these bytes.
    pub fn new(plain: Bytes) -> Self {
        Self { plain, compressed: OnceLock::new() }
    }

    /// The variant for a client that does (or does not) take compressed frames. Small frames do not
    /// gain from compression and stay plain.
    pub fn variant(&self, compress: bool) -> Bytes {
        if !compress {
            return self.plain.clone();
        }
        let compressed = self.compressed.get_or_init(|| frame::compress(&self.plain));
        compressed.as_ref().unwrap_or(&self.plain).clone()
    }
}

/// Why the server ends a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CloseReason {
    /// It reads more slowly than others write to it; it catches up by pulling after its reconnect.
    SlowReader,
    /// Nothing was heard for longer than its kind of client may be silent.
    Silent,
    /// The same device has a newer connection.
    Replaced,
    /// The server stops.
    Shutdown,
    /// The client has left.
    Gone,
}

impl CloseReason {
    /// The metric label.
    pub fn name(self) -> &'static str {
        match self {
            Self::SlowReader => "slow_reader",
            Self::Silent => "silent",
            Self::Replaced => "replaced",
            Self::Shutdown => "shutdown",
            Self::Gone => "gone",
        }
    }
}

/// What a push tells, and of which conversation: to know what a sync has told and counted already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) pair: PairKey,
    pub(crate) what: Placed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Placed {
    /// A message by its ordinal, and whether it counts as unread.
    Message { ordinal: u64, counted: bool },
    /// The copy of a message for the sender's other devices. No answer takes its place.
    Copy { ordinal: u64 },
    /// A change of a message by its number.
    Change { number: u64 },
}

/// How far a device's lost connection is known to have worked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Heard {
    /// Of the last sync that was answered on it. A client that comes back with another cookie has never
    /// got that answer, nor what came after it.
    pub(crate) cookie: UnixMillis,
    /// When the client was last heard on it.
    pub(crate) last: UnixMillis,
}

/// One socket.
pub struct Connection {
    /// Chosen by the client, stable over its reconnects.
    pub instance: String,
    /// The kind of client.
    pub platform: Platform,
    /// It takes compressed frames.
    pub compress: bool,
    /// Where it comes from, as far as that is known.
    pub ip: Option<IpAddr>,
    /// The shard of the server that owns the socket.
    shard: usize,
    queue: SendQueue,
    /// What it listens to.
    topics: Mutex<Vec<Arc<Topic>>>,
    session: Mutex<Option<Session>>,
    last_heard_ms: AtomicU64,
    /// Of the last answered sync; 0 before the first one.
    cookie_ms: AtomicU64,
    sync: Mutex<Sync>,
    turns: Semaphore,
    /// The client has closed it, and did not say that it goes on elsewhere.
    left: AtomicBool,
}

/// The right to take effect before all later requests of a connection that wait for theirs.
pub struct Turn {
    connection: Arc<Connection>,
    ended: AtomicBool,
}

impl Turn {
    pub(crate) fn end(&self) {
        if !self.ended.swap(true, Ordering::Relaxed) {
            self.connection.turns.add_permits(1);
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.end();
    }
}

/// A user on a device.
#[derive(Debug, Clone)]
pub struct Session {
    /// The app.
    pub app: SdkAppId,
    /// The user.
    pub user: UserId,
    /// The account's number.
    pub tiny_id: TinyId,
    /// The device's number.
    pub inst_id: u32,
    /// The session token it uses.
    pub token: Arc<str>,
    /// When it was given.
    pub issued: UnixMillis,
    /// Its last second.
    pub expires: UnixSeconds,
    /// The device came back with its token, so that it has what it had before.
    pub resumed: bool,
}

/// While a client asks what it missed, pushes wait: the unread counts of the answer are exact only if it
/// is known which pushes come before and which after it.
#[derive(Default)]
enum Sync {
    #[default]
    No,
    /// The client came back and will ask. Clients do not count a message that they have missed if a push of
    /// the same conversation was faster than the answer; at this time pushes go out all the same.
    Expected(Vec<(Arc<Frame>, Option<Place>)>, UnixMillis),
    /// The answer is being made.
    Held(Vec<(Arc<Frame>, Option<Place>)>),
    /// The answer is made and will be queued next.
    Answered(Vec<(Arc<Frame>, Option<Place>)>, Told),
    /// The answer is queued, and has told something whose pushes are still to come.
    Told(HashMap<PairKey, Through>),
}

/// How far an answer has told a conversation: all messages up to an ordinal, all changes up to a number.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Through {
    pub(crate) ordinal: u64,
    pub(crate) change: u64,
}

impl Through {
    fn has(self, what: Placed) -> bool {
        match what {
            Placed::Message { ordinal, .. } => ordinal <= self.ordinal,
            Placed::Copy { .. } => false,
            Placed::Change { number } => number <= self.change,
        }
    }

    /// Whether a message came after all that was told: then that has been published.
    fn is_before(self, what: Placed) -> bool {
        match what {
            Placed::Message { ordinal, .. } | Placed::Copy { ordinal } => ordinal > self.ordinal,
            Placed::Change { .. } => false,
        }
    }
}

/// What the answer of a sync has told.
#[derive(Debug, Default)]
pub(crate) struct Told {
    /// By pair, and not by peer: an account that is made again begins anew.
    pub(crate) through: HashMap<PairKey, Through>,
    /// Pairs of which something is durable that is not published yet.
    pub(crate) unpublished: Vec<PairKey>,
}

impl Told {
    /// Some of what is stored is not published yet.
    pub(crate) fn is_behind(&self) -> bool {
        !self.unpublished.is_empty()
    }

    fn has(&self, place: &Place) -> bool {
        self.through.get(&place.pair).is_some_and(|through| through.has(place.what))
    }

    /// What is to be remembered after the answer: of most conversations nothing.
    fn unpublished(self) -> HashMap<PairKey, Through> {
        let Self { through, unpublished } = self;
        through.into_iter().filter(|(pair, _)| unpublished.contains(pair)).collect()
    }
}

/// A sync holds at most this many pushes. Then they go out, and the counts of its answer may be off by
/// what came meanwhile: the price for never holding more.
const HELD_MAX: usize = 1_024;
/// A client that came back asks within this time, or perhaps never.
pub(crate) const EXPECTED_MS: u64 = 5_000;

impl Connection {
    /// A connection whose send queue holds at most `queue_bytes_max`.
    pub fn new(
        instance: String,
        platform: Platform,
        compress: bool,
        shard: usize,
        queue_bytes_max: usize,
        ip: Option<IpAddr>,
        now: UnixMillis,
    ) -> Arc<Self> {
        Arc::new(Self {
            instance,
            platform,
            compress,
            ip,
            shard,
            queue: SendQueue::new(queue_bytes_max),
            topics: Mutex::default(),
            session: Mutex::default(),
            last_heard_ms: AtomicU64::new(now.0),
            cookie_ms: AtomicU64::new(0),
            sync: Mutex::default(),
            turns: Semaphore::new(1),
            left: AtomicBool::new(false),
        })
    }

    /// Waits until all earlier requests that asked for a turn have ended theirs: first come, first served.
    pub async fn turn(self: &Arc<Self>) -> Turn {
        let permit = self.turns.acquire().await.expect("it is never closed");
        permit.forget();
        Turn { connection: self.clone(), ended: AtomicBool::new(false) }
    }

    /// The client closes the connection for good: it does not come back on another one.
    pub fn leave(&self) {
        self.left.store(true, Ordering::Relaxed);
    }

    /// Whether nobody needs to wait for the client to come back: it has left, or was silent for so long that
    /// it would be back.
    pub(crate) fn is_left(&self) -> bool {
        self.left.load(Ordering::Relaxed) || self.queue.closed() == Some(CloseReason::Silent)
    }

    /// What waits to be written.
    pub fn queue(&self) -> &SendQueue {
        &self.queue
    }

    /// The session, if somebody is logged in.
    pub fn session(&self) -> Option<Session> {
        lock(&self.session).clone()
    }

    /// Runs `look` on the session without copying it.
    pub fn with_session<R>(&self, look: impl FnOnce(Option<&Session>) -> R) -> R {
        look(lock(&self.session).as_ref())
    }

    /// Something was received.
    pub fn heard(&self, now: UnixMillis) {
        self.last_heard_ms.store(now.0, Ordering::Relaxed);
    }

    /// When something was last received.
    pub fn last_heard(&self) -> UnixMillis {
        UnixMillis(self.last_heard_ms.load(Ordering::Relaxed))
    }

    /// A sync is answered with this cookie.
    pub(crate) fn gave_cookie(&self, time: UnixMillis) {
        self.cookie_ms.store(time.0, Ordering::Relaxed);
    }

    /// What is known of the client's end if the connection is lost now; nothing before the first sync:
    /// then the client is where it was before it connected.
    pub(crate) fn heard_since(&self) -> Option<Heard> {
        let cookie = UnixMillis(self.cookie_ms.load(Ordering::Relaxed));
        (cookie.0 > 0).then(|| Heard { cookie, last: self.last_heard() })
    }

    /// Queues a reply, then whatever a sync has held back.
    pub fn reply(&self, frame: Bytes) {
        let frame = Frame::new(frame).variant(self.compress);
        let mut sync = lock(&self.sync);
        self.queue.push(frame);
        // Any other request may be answered while a sync is still under way.
        if matches!(*sync, Sync::Answered(..))
            && let Sync::Answered(held, told) = std::mem::take(&mut *sync)
        {
            for (frame, place) in held {
                // Already counted by the answer, and in its list of messages.
                if !place.as_ref().is_some_and(|place| told.has(place)) {
                    self.queue.push(frame.variant(self.compress));
                }
            }
            let unpublished = told.unpublished();
            if !unpublished.is_empty() {
                *sync = Sync::Told(unpublished);
            }
        }
    }

    /// Queues a push.
    pub(crate) fn push(&self, frame: &Arc<Frame>, place: Option<&Place>) {
        let mut sync = lock(&self.sync);
        match &mut *sync {
            Sync::Expected(held, _) | Sync::Held(held) | Sync::Answered(held, _)
                if held.len() < HELD_MAX =>
            {
                return held.push((frame.clone(), place.copied()));
            }
            Sync::Expected(..) | Sync::Held(_) | Sync::Answered(..) => self.release(&mut sync),
            Sync::Told(told) => {
                let through = place.and_then(|place| Some((place, *told.get(&place.pair)?)));
                match through {
                    // Told by an answer that was faster than its push.
                    Some((place, through)) if through.has(place.what) => return,
                    Some((place, through)) if through.is_before(place.what) => {
                        told.remove(&place.pair);
                    }
                    Some(_) | None => {}
                }
                if told.is_empty() {
                    *sync = Sync::No;
                }
            }
            Sync::No => {}
        }
        self.queue.push(frame.variant(self.compress));
    }

    /// Queues a push that no sync counts: it takes its place among the frames of topics.
    pub(crate) fn push_past_sync(&self, frame: &Frame) {
        self.queue.push(frame.variant(self.compress));
    }

    /// Queues frames of a topic. A slow reader loses those of a live room first.
    fn deliver(&self, frames: &[(Weight, Arc<Frame>)]) {
        for (weight, frame) in frames {
            let frame = frame.variant(self.compress);
            match weight.quarters() {
                None => self.queue.push(frame),
                Some(quarters) if self.queue.push_below(frame, quarters) => {}
                Some(_) => {
                    crate::event::counted!("teahouse_frames_left_out_total").increment(1);
                }
            }
        }
    }

    /// From now on pushes wait for the answer of a sync.
    pub(crate) fn hold_pushes(&self) {
        // What waits for longer than a cookie reaches back does not wait for this one's answer.
        self.sync_overdue(self.last_heard());
        let mut sync = lock(&self.sync);
        *sync = match std::mem::take(&mut *sync) {
            Sync::No | Sync::Told(_) => Sync::Held(Vec::new()),
            Sync::Expected(held, _) => Sync::Held(held),
            under_way @ (Sync::Held(_) | Sync::Answered(..)) => under_way,
        };
    }

    /// From now on pushes wait until the client asks what it missed, or until then.
    fn expect_sync(&self, until: UnixMillis) {
        let mut sync = lock(&self.sync);
        if matches!(*sync, Sync::No | Sync::Told(_)) {
            *sync = Sync::Expected(Vec::new(), until);
        }
    }

    /// What the held pushes tell: they will be delivered after the answer.
    pub(crate) fn held_places(&self) -> Vec<Place> {
        match &*lock(&self.sync) {
            Sync::No | Sync::Told(_) => Vec::new(),
            Sync::Expected(held, _) | Sync::Held(held) | Sync::Answered(held, _) => {
                held.iter().filter_map(|(_, place)| *place).collect()
            }
        }
    }

    /// The answer is made; it has told everything of a pair up to there, except what
    /// [`Connection::held_places`] returned.
    /// `first` goes out between the answer and what was held.
    pub(crate) fn sync_answered(&self, told: Told, except: &[Place], first: Option<Arc<Frame>>) {
        let mut sync = lock(&self.sync);
        if let Sync::Held(held) = std::mem::take(&mut *sync) {
            let keep = |place: Option<Place>| place.filter(|place| !except.contains(place));
            let held = held.into_iter().map(|(frame, place)| (frame, keep(place)));
            let held = first.map(|frame| (frame, None)).into_iter().chain(held).collect();
            *sync = Sync::Answered(held, told);
        }
    }

    /// The sync failed: what was held goes out.
    pub fn sync_failed(&self) {
        self.release(&mut lock(&self.sync));
    }

    /// What was held for a sync that did not come in time goes out.
    fn sync_overdue(&self, now: UnixMillis) {
        let mut sync = lock(&self.sync);
        if matches!(*sync, Sync::Expected(_, until) if until <= now) {
            self.release(&mut sync);
        }
    }

    fn release(&self, sync: &mut Sync) {
        if let Sync::Expected(held, _) | Sync::Held(held) | Sync::Answered(held, _) =
            std::mem::take(sync)
        {
            held.iter().for_each(|(frame, _)| self.queue.push(frame.variant(self.compress)));
        }
    }

    fn set_session(&self, session: Option<Session>) {
        *lock(&self.session) = session;
    }
}

/// Bytes that wait for one socket, in order, bounded. When it is full the connection is closed as a
/// slow reader: waiting for one client would cost every other one latency, and nothing is lost, since
/// a client that comes back pulls what it missed.
pub struct SendQueue {
    state: Mutex<QueueState>,
    ready: Notify,
    bytes_max: usize,
}

#[derive(Default)]
struct QueueState {
    frames: VecDeque<Bytes>,
    bytes: usize,
    closed: Option<CloseReason>,
}

impl SendQueue {
    /// A queue of at most `bytes_max` bytes and one frame: a long answer alone ends no connection.
    pub fn new(bytes_max: usize) -> Self {
        Self { state: Mutex::default(), ready: Notify::new(), bytes_max }
    }

    /// Appends one frame; when more than the bound waits already, the queue closes instead.
    pub fn push(&self, frame: Bytes) {
        let mut state = lock(&self.state);
        if state.closed.is_some() {
            return;
        }
        if state.bytes > self.bytes_max {
            state.closed = Some(CloseReason::SlowReader);
            state.frames.clear();
            state.bytes = 0;
        } else {
            state.bytes += frame.len();
            state.frames.push_back(frame);
        }
        drop(state);
        self.ready.notify_one();
    }

    /// Appends one frame if no more than so many quarters of the bound wait already; says whether it did.
    fn push_below(&self, frame: Bytes, quarters: usize) -> bool {
        let mut state = lock(&self.state);
        if state.closed.is_some() || state.bytes > self.bytes_max / 4 * quarters {
            return false;
        }
        state.bytes += frame.len();
        state.frames.push_back(frame);
        drop(state);
        self.ready.notify_one();
        true
    }

    /// Ends the queue: what is in it is still written unless the reader was slow.
    pub fn close(&self, reason: CloseReason) {
        let mut state = lock(&self.state);
        state.closed.get_or_insert(reason);
        drop(state);
        self.ready.notify_one();
    }

    /// Moves everything that waits into `frames`, and says whether the queue has ended.
    pub fn take(&self, frames: &mut Vec<Bytes>) -> Option<CloseReason> {
        let mut state = lock(&self.state);
        frames.extend(state.frames.drain(..));
        state.bytes = 0;
        if state.frames.capacity() > 64 {
            state.frames = VecDeque::new();
        }
        state.closed
    }

    /// Whether the queue has ended, and why.
    pub fn closed(&self) -> Option<CloseReason> {
        lock(&self.state).closed
    }

    /// Returns when something was pushed or the queue was closed since the last time.
    pub async fn ready(&self) {
        self.ready.notified().await;
    }
}

type UserKey = (SdkAppId, UserId);
type Sessions = HashMap<UserKey, Vec<Arc<Connection>>>;
/// What connections listen to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Channel {
    /// What is said in a group or live room.
    Group(GroupId),
    /// The status of a user.
    Status(UserId),
}

pub(crate) type TopicKey = (SdkAppId, Channel);
type Topics = HashMap<TopicKey, Arc<Topic>>;

/// All sessions of this node.
pub struct Hub {
    users: Box<[Mutex<Sessions>]>,
    sessions: AtomicUsize,
    topics: Box<[Mutex<Topics>]>,
    /// One for each shard of the server.
    fan_outs: Box<[FanOut]>,
    /// Who came back of late, and until when a sync is expected of it; earliest first.
    expected: Mutex<VecDeque<(UnixMillis, Weak<Connection>)>>,
}

/// Parts of the tables of users and topics, so that few wait for the same lock.
const PARTS: usize = 64;

impl Hub {
    /// The hub of a server whose sockets are spread over so many shards.
    pub(crate) fn new(shards: usize) -> Self {
        Self {
            users: (0..PARTS).map(|_| Mutex::default()).collect(),
            sessions: AtomicUsize::new(0),
            topics: (0..PARTS).map(|_| Mutex::default()).collect(),
            fan_outs: (0..shards.max(1)).map(|_| FanOut::default()).collect(),
            expected: Mutex::default(),
        }
    }

    /// Hands the messages of topics to the connections of one shard, for ever. To be run by that shard.
    pub async fn fan_out(&self, shard: usize) {
        self.fan_outs[shard].run().await;
    }

    /// Lets a connection listen to a group if it has a session of `user`.
    pub(crate) fn listen(&self, key: &TopicKey, connection: &Arc<Connection>, user: &UserId) {
        let mut own = lock(&connection.topics);
        // Looked at under the lock: a logout that comes later takes this topic away, too.
        if is_of(connection, key.0, user) {
            self.join(&mut own, key, connection);
        }
    }

    /// Lets a connection listen to the statuses of these users, and of no others, if it has a session of
    /// `owner`.
    pub(crate) fn watch(
        &self,
        app: SdkAppId,
        connection: &Arc<Connection>,
        owner: &UserId,
        watched: &[UserId],
    ) {
        let mut own = lock(&connection.topics);
        if !is_of(connection, app, owner) {
            return;
        }
        let wanted: HashSet<&UserId> = watched.iter().collect();
        own.retain(|topic| match &topic.key.1 {
            Channel::Status(user) if !wanted.contains(user) => {
                self.remove(topic, connection);
                false
            }
            Channel::Status(_) | Channel::Group(_) => true,
        });
        for user in watched {
            self.join(&mut own, &(app, Channel::Status(user.clone())), connection);
        }
    }

    fn join(&self, own: &mut Vec<Arc<Topic>>, key: &TopicKey, connection: &Arc<Connection>) {
        let mut topics = lock(part(&self.topics, key));
        let new = || Topic::new(key.clone(), self.fan_outs.len());
        let topic = topics.entry(key.clone()).or_insert_with(new);
        if own.iter().all(|known| !Arc::ptr_eq(known, topic)) {
            topic.add(connection);
            own.push(topic.clone());
        }
    }

    /// Ends that a connection listens to a group.
    pub(crate) fn unlisten(&self, key: &TopicKey, connection: &Arc<Connection>) {
        let mut own = lock(&connection.topics);
        if let Some(place) = own.iter().position(|known| known.key == *key) {
            let topic = own.swap_remove(place);
            self.remove(&topic, connection);
        }
    }

    /// Ends that anybody listens to a group.
    pub(crate) fn close_topic(&self, key: &TopicKey) {
        let Some(topic) = self.topic(key) else { return };
        topic.listeners().iter().for_each(|connection| self.unlisten(key, connection));
    }

    fn unlisten_all(&self, connection: &Arc<Connection>) {
        let mut own = lock(&connection.topics);
        for topic in std::mem::take(&mut *own) {
            self.remove(&topic, connection);
        }
    }

    fn remove(&self, topic: &Arc<Topic>, connection: &Arc<Connection>) {
        let mut topics = lock(part(&self.topics, &topic.key));
        topic.remove(connection);
        if topic.count() == 0 {
            topics.remove(&topic.key);
        }
    }

    pub(crate) fn topic(&self, key: &TopicKey) -> Option<Arc<Topic>> {
        lock(part(&self.topics, key)).get(key).cloned()
    }

    /// Hands a message to those who listen to a group, now or in a moment. Answers with the topic and when
    /// it has to be flushed, if that has to be entered into the agenda.
    pub(crate) fn publish(
        &self,
        key: &TopicKey,
        now: UnixMillis,
        piece: Piece,
    ) -> Option<(UnixMillis, Arc<Topic>)> {
        let topic = self.topic(key)?;
        let due = topic.publish(piece, &self.fan_outs, now)?;
        Some((due, topic))
    }

    /// Sends what a topic has gathered, or answers when to look again.
    pub(crate) fn flush(&self, topic: &Topic, now: UnixMillis) -> Option<UnixMillis> {
        topic.flush(&self.fan_outs, now)
    }

    /// The connection of one device.
    pub(crate) fn device(
        &self,
        app: SdkAppId,
        user: &UserId,
        inst_id: u32,
    ) -> Option<Arc<Connection>> {
        let is_it = |session: Option<&Session>| session.is_some_and(|s| s.inst_id == inst_id);
        self.connections(app, user).into_iter().find(|c| c.with_session(is_it))
    }

    /// Whether a user is connected.
    pub(crate) fn is_online(&self, app: SdkAppId, user: &UserId) -> bool {
        let key = (app, user.clone());
        lock(part(&self.users, &key)).contains_key(&key)
    }

    /// Attaches a session to its connection. An older connection of the same device is closed.
    pub(crate) fn login(&self, connection: &Arc<Connection>, session: Session) {
        self.logout(connection);
        if session.resumed {
            let until = UnixMillis(connection.last_heard().0 + EXPECTED_MS);
            connection.expect_sync(until);
            lock(&self.expected).push_back((until, Arc::downgrade(connection)));
        }
        let key = (session.app, session.user.clone());
        let inst_id = session.inst_id;
        connection.set_session(Some(session));
        let mut users = lock(part(&self.users, &key));
        let sessions = users.entry(key).or_default();
        let mut replaced = Vec::new();
        sessions.retain(|other| {
            let same = other.with_session(|s| s.is_some_and(|s| s.inst_id == inst_id));
            if same {
                other.set_session(None);
                other.queue.close(CloseReason::Replaced);
                self.sessions.fetch_sub(1, Ordering::Relaxed);
                replaced.push(other.clone());
            }
            !same
        });
        sessions.push(connection.clone());
        self.sessions.fetch_add(1, Ordering::Relaxed);
        drop(users);
        replaced.iter().for_each(|old| self.unlisten_all(old));
    }

    /// Detaches a device of a user, on whichever connection it is, and returns that.
    pub(crate) fn logout_device(
        &self,
        app: SdkAppId,
        user: &UserId,
        inst_id: u32,
    ) -> Option<Arc<Connection>> {
        let found = self.device(app, user, inst_id)?;
        let is_still = found.with_session(|s| {
            s.is_some_and(|s| (s.app, &s.user, s.inst_id) == (app, user, inst_id))
        });
        if is_still { self.logout(&found).map(|_| found) } else { None }
    }

    /// Detaches the session of a connection and returns it.
    pub(crate) fn logout(&self, connection: &Arc<Connection>) -> Option<Session> {
        let session = connection.session()?;
        let key = (session.app, session.user.clone());
        let mut users = lock(part(&self.users, &key));
        // Taken under the user's lock: another login may have been faster.
        let same =
            |s: &mut Session| (s.app, &s.user, s.inst_id) == (key.0, &key.1, session.inst_id);
        let session = lock(&connection.session).take_if(same)?;
        if let Some(sessions) = users.get_mut(&key) {
            sessions.retain(|other| !Arc::ptr_eq(other, connection));
            if sessions.is_empty() {
                users.remove(&key);
            }
            self.sessions.fetch_sub(1, Ordering::Relaxed);
        }
        drop(users);
        self.unlisten_all(connection);
        // Nobody will ask any more, and it may be the reason of its logout that waits.
        connection.sync_failed();
        Some(session)
    }

    /// Gives those who came back and did not ask what they missed their pushes. Called by each tick.
    pub(crate) fn release_overdue(&self, now: UnixMillis) {
        let mut expected = lock(&self.expected);
        while expected.front().is_some_and(|(until, _)| *until <= now) {
            let connection = expected.pop_front().and_then(|(_, connection)| connection.upgrade());
            if let Some(connection) = connection {
                connection.sync_overdue(now);
            }
        }
    }

    /// The connections of a user.
    pub fn connections(&self, app: SdkAppId, user: &UserId) -> Vec<Arc<Connection>> {
        let key = (app, user.clone());
        lock(part(&self.users, &key)).get(&key).cloned().unwrap_or_default()
    }

    /// Whether a device has logged in again since something came from it.
    pub(crate) fn is_back(&self, app: SdkAppId, origin: &Origin) -> bool {
        let is_new = |session: Option<&Session>| {
            session.is_some_and(|s| s.inst_id == origin.inst_id && s.issued > origin.since)
        };
        self.connections(app, &origin.user).iter().any(|other| other.with_session(is_new))
    }

    /// How many sessions there are.
    pub fn sessions(&self) -> usize {
        self.sessions.load(Ordering::Relaxed)
    }

    /// Queues `frame` for every device of `user` but `except`.
    pub(crate) fn push(
        &self,
        app: SdkAppId,
        user: &UserId,
        except: Option<u32>,
        frame: impl FnOnce() -> (Arc<Frame>, Option<Place>),
    ) -> usize {
        let key = (app, user.clone());
        let users = lock(part(&self.users, &key));
        let wanted = |connection: &&Arc<Connection>| {
            except.is_none()
                || connection.with_session(|s| s.is_some_and(|s| Some(s.inst_id) != except))
        };
        let mut targets = users.get(&key).into_iter().flatten().filter(wanted).peekable();
        if targets.peek().is_none() {
            return 0;
        }
        let (frame, place) = frame();
        targets.map(|connection| connection.push(&frame, place.as_ref())).count()
    }
}

fn is_of(connection: &Connection, app: SdkAppId, user: &UserId) -> bool {
    connection.with_session(|s| s.is_some_and(|s| (s.app, &s.user) == (app, user)))
}

fn part<'a, K: std::hash::Hash, T>(parts: &'a [Mutex<T>], key: &K) -> &'a Mutex<T> {
    let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(key);
    &parts[usize::try_from(hash % PARTS as u64).expect("below 64")]
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("bookkeeping of connections does not panic")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connection(instance: &str) -> Arc<Connection> {
        Connection::new(instance.into(), Platform::Web, false, 0, 100, None, UnixMillis(0))
    }

    fn session(inst_id: u32) -> Session {
        let user = UserId::parse("alice").expect("valid");
        Session {
            app: SdkAppId(1),
            user,
            tiny_id: TinyId(5),
            inst_id,
            token: "t".into(),
            issued: UnixMillis(1),
            expires: UnixSeconds(9),
            resumed: false,
        }
    }

    fn taken(connection: &Connection) -> (Vec<Bytes>, Option<CloseReason>) {
        let mut frames = Vec::new();
        let closed = connection.queue().take(&mut frames);
        (frames, closed)
    }

    fn frame(text: &'static str) -> Arc<Frame> {
        Arc::new(Frame::new(Bytes::from_static(text.as_bytes())))
    }

    #[test]
    fn a_full_queue_closes_its_connection_and_only_that() {
        let slow = connection("slow");
        slow.reply(Bytes::from(vec![b'x'; 100]));
        slow.reply(Bytes::from_static(b"y"));
        assert_eq!(slow.queue().closed(), None);
        slow.reply(Bytes::from_static(b"z"));
        assert_eq!(taken(&slow), (vec![], Some(CloseReason::SlowReader)));
    }

    #[test]
    fn one_frame_longer_than_the_bound_still_fits() {
        let connection = connection("a");
        connection.reply(Bytes::from_static(b"y"));
        connection.reply(Bytes::from(vec![b'x'; 500]));
        assert_eq!(taken(&connection).0.len(), 2);
    }

    #[test]
    fn a_device_that_comes_back_replaces_its_old_connection() {
        let hub = Hub::new(1);
        let (old, new, other) = (connection("a"), connection("a"), connection("b"));
        hub.login(&old, session(1));
        hub.login(&other, session(2));
        hub.login(&new, session(1));
        assert_eq!(old.queue().closed(), Some(CloseReason::Replaced));
        assert_eq!(hub.sessions(), 2);
        assert!(hub.logout(&old).is_none(), "the late end of the old socket touches nobody");
        assert_eq!(hub.sessions(), 2);
        let user = session(1).user;
        let sent = hub.push(SdkAppId(1), &user, Some(2), || (frame("x"), None));
        assert_eq!((sent, taken(&new).0.len(), taken(&other).0.len()), (1, 1, 0));
    }

    #[test]
    fn pushes_during_a_sync_come_after_its_answer_and_only_if_it_has_not_told_them() {
        let connection = connection("a");
        let pair = PairKey::new(TinyId(5), TinyId(6));
        let message = |ordinal| Placed::Message { ordinal, counted: true };
        let place = |ordinal| Place { pair, what: message(ordinal) };
        connection.hold_pushes();
        connection.push(&frame("five"), Some(&place(5)));
        connection.reply(Bytes::from_static(b"another answer"));
        let held = connection.held_places();
        connection.push(&frame("six"), Some(&place(6)));
        let through = Through { ordinal: 6, change: 0 };
        let told = || Told { through: HashMap::from([(pair, through)]), unpublished: vec![pair] };
        connection.sync_answered(told(), &held, Some(frame("notice")));
        connection.push(&frame("seven"), Some(&place(7)));
        connection.reply(Bytes::from_static(b"answer"));
        connection.push(&frame("six, published late"), Some(&place(6)));
        connection.push(&frame("eight"), Some(&place(8)));
        assert_eq!(
            taken(&connection).0,
            ["another answer", "answer", "notice", "five", "seven", "eight"]
        );
    }

    #[test]
    fn changes_that_the_answer_of_a_sync_has_told_are_not_pushed_again() {
        let connection = connection("a");
        let pair = PairKey::new(TinyId(5), TinyId(6));
        let change = |number| Place { pair, what: Placed::Change { number } };
        connection.hold_pushes();
        connection.push(&frame("one"), Some(&change(1)));
        connection.push(&frame("three"), Some(&change(3)));
        let through = Through { ordinal: 9, change: 2 };
        let told = Told { through: HashMap::from([(pair, through)]), unpublished: vec![pair] };
        connection.sync_answered(told, &[], Some(frame("notice")));
        connection.reply(Bytes::from_static(b"answer"));
        connection.push(&frame("two, published late"), Some(&change(2)));
        connection.push(&frame("four"), Some(&change(4)));
        assert_eq!(taken(&connection).0, ["answer", "notice", "three", "four"]);
    }

    #[test]
    fn a_device_that_comes_back_is_pushed_nothing_until_it_asks_or_does_not() {
        let hub = Hub::new(1);
        let (asks, silent, kicked) = (connection("a"), connection("b"), connection("c"));
        for (inst_id, connection) in [(1, &asks), (2, &silent), (3, &kicked)] {
            hub.login(connection, Session { resumed: true, ..session(inst_id) });
            connection.push(&frame("push"), None);
            connection.reply(Bytes::from_static(b"login"));
        }
        asks.hold_pushes();
        hub.release_overdue(UnixMillis(EXPECTED_MS - 1));
        assert_eq!(taken(&silent).0, ["login"]);
        hub.release_overdue(UnixMillis(EXPECTED_MS));
        assert_eq!(taken(&silent).0, ["push"]);
        hub.logout(&kicked);
        assert_eq!(taken(&kicked).0, ["login", "push"]);
        asks.sync_answered(Told::default(), &[], None);
        asks.reply(Bytes::from_static(b"answer"));
        assert_eq!(taken(&asks).0, ["login", "answer", "push"]);
    }
}
