//! Topics: a group or live room, or the status of a user, and the connections that listen to it.
//!
//! A message is encoded once. It goes to a topic, not to members: the topic knows its listeners by the
//! shard that owns their sockets, and each shard gets one [`Delivery`], which it walks in slices, so that
//! a room of 10,000 does not delay what else the shard has to do. Messages that come close together
//! leave as one frame: the more listeners, the longer a topic gathers, since a kernel writes some 100,000
//! small pieces a second and no more. Where even that is too fast for the machine, a topic gathers until its
//! last frame has been handed to all: fewer and longer frames, and no line of old ones. A quiet topic waits
//! for nothing.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Weak};

use teahouse_proto::group::Priority;
use teahouse_proto::push::{GroupPiece, group_frame};
use teahouse_proto::time::UnixMillis;
use tokio::sync::Notify;

use super::{Connection, Frame, TopicKey};

/// Connections that one step of a walk serves. Each of them then writes, some 15 us, before the shard looks
/// for new requests.
const SLICE: usize = 32;
/// Listeners that one millisecond of gathering pays for: 10,000 writes a second for one topic, a tenth of
/// what two cores can do. (With 50,000 a busy group of 500 took all of both and fell behind.)
const LISTENERS_PER_MS: u64 = 10;
/// A topic gathers no longer than this.
const GATHER_MS_MAX: u64 = 200;
/// How often a topic looks whether its last frame has been handed to all.
const WALK_LOOK_MS: u64 = 10;
/// A topic waits no longer for that: one shard that hangs does not hold up the others.
const WALK_MS_MAX: u64 = 1_000;
/// A topic that has gathered so much does not wait for more.
const GATHERED_BYTES_MAX: usize = 256 * 1024;
/// Deliveries that wait for one shard before topics gather as long as they may.
const BEHIND: usize = 8;
/// Deliveries that wait for one shard, at most. A publisher who finds more helps to walk them first.
const DELIVERIES_MAX: usize = 1_024;

/// How much a message matters to a connection that reads slowly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Weight {
    /// Left out first.
    Low,
    Normal,
    High,
    /// Never left out: rather than that, the connection is closed and catches up by pulling.
    Keep,
}

impl Weight {
    const ALL: [Self; 4] = [Self::Keep, Self::High, Self::Normal, Self::Low];

    /// Of a live room's message.
    pub(crate) fn of_room(priority: Priority) -> Self {
        match priority {
            Priority::High => Self::High,
            Priority::Normal => Self::Normal,
            Priority::Low | Priority::Lowest => Self::Low,
        }
    }

    /// Into which part of a send queue it still goes, in quarters.
    pub(super) fn quarters(self) -> Option<usize> {
        match self {
            Self::Low => Some(1),
            Self::Normal => Some(2),
            Self::High => Some(3),
            Self::Keep => None,
        }
    }
}

/// One message on its way to the listeners.
pub(crate) struct Piece {
    pub(crate) piece: GroupPiece,
    pub(crate) weight: Weight,
    /// These connections have it already, or something like it.
    pub(crate) except: Vec<Arc<Connection>>,
    /// Only these connections get it, in its place between the others.
    pub(crate) only: Option<Vec<Arc<Connection>>>,
}

impl Piece {
    fn is_for(&self, connection: &Arc<Connection>) -> bool {
        let is_it = |other: &Arc<Connection>| Arc::ptr_eq(other, connection);
        !self.except.iter().any(is_it)
            && self.only.as_ref().is_none_or(|only| only.iter().any(is_it))
    }
}

/// A group or live room, or the status of a user, as far as the hub is concerned.
pub(crate) struct Topic {
    pub(super) key: TopicKey,
    shards: Box<[Mutex<Listeners>]>,
    count: AtomicUsize,
    pace: Mutex<Pace>,
}

/// The listeners of one shard in slices that are shared with the walks under way.
#[derive(Default)]
struct Listeners {
    slices: Arc<Vec<Arc<Vec<Arc<Connection>>>>>,
}

/// What a topic gathers.
#[derive(Default)]
struct Pace {
    gathered: Vec<Piece>,
    bytes: usize,
    last: UnixMillis,
    /// What went out last, for as long as a shard walks it.
    walked: Weak<Batch>,
}

impl Topic {
    pub(super) fn new(key: TopicKey, shards: usize) -> Arc<Self> {
        Arc::new(Self {
            key,
            shards: (0..shards).map(|_| Mutex::default()).collect(),
            count: AtomicUsize::new(0),
            pace: Mutex::default(),
        })
    }

    /// How many connections listen.
    pub(crate) fn count(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// The caller knows that `connection` does not listen yet.
    pub(super) fn add(&self, connection: &Arc<Connection>) {
        let mut listeners = lock(&self.shards[connection.shard]);
        let slices = Arc::make_mut(&mut listeners.slices);
        match slices.last_mut().filter(|slice| slice.len() < SLICE) {
            Some(slice) => Arc::make_mut(slice).push(connection.clone()),
            None => slices.push(Arc::new(vec![connection.clone()])),
        }
        self.count.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn remove(&self, connection: &Arc<Connection>) {
        let mut listeners = lock(&self.shards[connection.shard]);
        let slices = Arc::make_mut(&mut listeners.slices);
        let place = slices.iter().enumerate().find_map(|(slice, listeners)| {
            let place = listeners.iter().position(|other| Arc::ptr_eq(other, connection))?;
            Some((slice, place))
        });
        let Some((slice, place)) = place else { return };
        // The last one takes the free place: all slices but the last stay full.
        let moved = slices.last_mut().and_then(|last| Arc::make_mut(last).pop());
        if slices.last().is_some_and(|last| last.is_empty()) {
            slices.pop();
        }
        if let (Some(moved), Some(slice)) = (moved, slices.get_mut(slice))
            && place < slice.len()
        {
            Arc::make_mut(slice)[place] = moved;
        }
        self.count.fetch_sub(1, Ordering::Relaxed);
    }

    /// All who listen now.
    pub(super) fn listeners(&self) -> Vec<Arc<Connection>> {
        let all = self.shards.iter().flat_map(|shard| {
            let slices = lock(shard).slices.clone();
            slices.iter().flat_map(|slice| slice.iter().cloned()).collect::<Vec<_>>()
        });
        all.collect()
    }

    /// Takes a message in. Answers when [`Topic::flush`] is due, if this message began to gather.
    pub(super) fn publish(
        &self,
        piece: Piece,
        fan_outs: &[FanOut],
        now: UnixMillis,
    ) -> Option<UnixMillis> {
        let mut pace = lock(&self.pace);
        pace.bytes += piece.piece.bytes();
        pace.gathered.push(piece);
        // A clock that steps back does not make a topic wait.
        pace.last = pace.last.min(now);
        let due = UnixMillis(pace.last.0 + self.gather_ms(fan_outs));
        let is_due = now >= due || pace.bytes > GATHERED_BYTES_MAX;
        if is_due && self.may_go(&pace, now) {
            self.send(&mut pace, fan_outs, now);
            return None;
        }
        let due = if is_due { UnixMillis(now.0 + WALK_LOOK_MS) } else { due };
        (pace.gathered.len() == 1).then_some(due)
    }

    /// Whether what was gathered for long enough need not wait for a walk. Few listeners never do: they are
    /// served before one would look again.
    fn may_go(&self, pace: &Pace, now: UnixMillis) -> bool {
        (self.count() as u64) < LISTENERS_PER_MS * WALK_LOOK_MS
            || pace.walked.strong_count() == 0
            || pace.bytes > GATHERED_BYTES_MAX
            || now.0 >= pace.last.0 + WALK_MS_MAX
    }

    /// Sends what was gathered, or answers when to look again.
    pub(super) fn flush(&self, fan_outs: &[FanOut], now: UnixMillis) -> Option<UnixMillis> {
        let mut pace = lock(&self.pace);
        if !pace.gathered.is_empty() && !self.may_go(&pace, now) {
            return Some(UnixMillis(now.0 + WALK_LOOK_MS));
        }
        self.send(&mut pace, fan_outs, now);
        None
    }

    fn gather_ms(&self, fan_outs: &[FanOut]) -> u64 {
        if fan_outs.iter().any(|fan_out| fan_out.waiting() > BEHIND) {
            return GATHER_MS_MAX;
        }
        (self.count() as u64 / LISTENERS_PER_MS).min(GATHER_MS_MAX)
    }

    /// Under the lock of the pace: frames keep the order of their messages.
    fn send(&self, pace: &mut Pace, fan_outs: &[FanOut], now: UnixMillis) {
        let gathered = std::mem::take(&mut pace.gathered);
        (pace.bytes, pace.last) = (0, now);
        if gathered.is_empty() {
            return;
        }
        let batch = Arc::new(Batch::new(&gathered));
        pace.walked = Arc::downgrade(&batch);
        for (listeners, fan_out) in self.shards.iter().zip(fan_outs) {
            let slices = lock(listeners).slices.clone();
            if !slices.is_empty() {
                fan_out.push(Delivery { batch: batch.clone(), slices, next: 0 });
            }
        }
    }
}

/// Frames by weight, the heaviest first.
type Weighed = Vec<(Weight, Arc<Frame>)>;

/// Frames for all listeners, and other ones for those who have sent something of it or get more.
struct Batch {
    frames: Weighed,
    messages: usize,
    others: Vec<(Arc<Connection>, Weighed)>,
}

impl Batch {
    fn new(gathered: &[Piece]) -> Self {
        let mut others: Vec<(Arc<Connection>, _)> = Vec::new();
        let special = gathered
            .iter()
            .flat_map(|piece| piece.except.iter().chain(piece.only.iter().flatten()));
        for connection in special {
            if others.iter().all(|(known, _)| !Arc::ptr_eq(known, connection)) {
                let own = frames(gathered, |piece| piece.is_for(connection));
                others.push((connection.clone(), own));
            }
        }
        let for_all = |piece: &Piece| piece.only.is_none();
        let is_counted = |piece: &&Piece| for_all(piece) && !piece.piece.is_status();
        let messages = gathered.iter().filter(is_counted).count();
        Self { frames: frames(gathered, for_all), messages, others }
    }

    fn of(&self, connection: &Arc<Connection>) -> &[(Weight, Arc<Frame>)] {
        let other = self.others.iter().find(|(sender, _)| Arc::ptr_eq(sender, connection));
        other.map_or(&self.frames, |(_, frames)| frames)
    }
}

/// One frame for each weight, the heaviest first: a slow reader loses the light ones.
fn frames(gathered: &[Piece], wanted: impl Fn(&Piece) -> bool) -> Weighed {
    let of = |weight: Weight| {
        let pieces = gathered.iter().filter(|piece| piece.weight == weight && wanted(piece));
        let pieces: Vec<&GroupPiece> = pieces.map(|piece| &piece.piece).collect();
        (!pieces.is_empty()).then(|| (weight, Arc::new(Frame::new(group_frame(pieces)))))
    };
    Weight::ALL.into_iter().filter_map(of).collect()
}

/// Frames on their way to the listeners of one shard.
struct Delivery {
    batch: Arc<Batch>,
    slices: Arc<Vec<Arc<Vec<Arc<Connection>>>>>,
    next: usize,
}

/// The deliveries of one shard, walked in their order.
#[derive(Default)]
pub(crate) struct FanOut {
    waiting: Mutex<VecDeque<Delivery>>,
    /// The walk under way; whoever holds the lock does the next slice.
    walk: Mutex<Option<Delivery>>,
    ready: Notify,
}

impl FanOut {
    fn waiting(&self) -> usize {
        lock(&self.waiting).len()
    }

    fn push(&self, delivery: Delivery) {
        while self.waiting() >= DELIVERIES_MAX {
            // The shard cannot keep up: publishers are slowed down by doing its work.
            self.step();
        }
        lock(&self.waiting).push_back(delivery);
        self.ready.notify_one();
    }

    /// Serves one slice; says whether there was one.
    pub(super) fn step(&self) -> bool {
        let mut walk = lock(&self.walk);
        if walk.is_none() {
            *walk = lock(&self.waiting).pop_front();
        }
        let Some(delivery) = &mut *walk else { return false };
        if let Some(slice) = delivery.slices.get(delivery.next) {
            slice.iter().for_each(|connection| connection.deliver(delivery.batch.of(connection)));
            crate::event::counted!("teahouse_deliveries_total", "kind" => "group")
                .increment((slice.len() * delivery.batch.messages) as u64);
        }
        delivery.next += 1;
        if delivery.next >= delivery.slices.len() {
            *walk = None;
        }
        true
    }

    /// Walks for as long as the shard lives, and gives way after each slice.
    pub(super) async fn run(&self) {
        loop {
            while self.step() {
                tokio::task::yield_now().await;
            }
            self.ready.notified().await;
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("bookkeeping of topics does not panic")
}
