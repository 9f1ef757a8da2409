//! A live room to look at: a bounded crowd over real sockets, which others steer while it runs and
//! read figures from. The page that a server shows to newcomers uses it.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use teahouse_proto::ids::SdkAppId;

use crate::client::Target;
use crate::clock;
use crate::crowd::{Crowd, Invitation};
use crate::error::BenchError;
use crate::load::lock;
use crate::program::Level;
use crate::tally::Tally;

/// The server, and the app in whose room the viewers sit.
#[derive(Debug, Clone)]
pub struct SimulationTarget {
    /// Where the server listens, without TLS.
    pub address: SocketAddr,
    /// The app.
    pub app: SdkAppId,
    /// The key that signs its users in.
    pub secret: String,
}

/// What a simulation has seen since its start.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct RoomStats {
    /// Viewers wanted.
    pub viewers: u32,
    /// Viewers who are in.
    pub connected: u32,
    /// Messages a second that are offered.
    pub messages_per_second: u32,
    /// Messages that were sent.
    pub offered: u64,
    /// Messages that arrived, counted at each viewer.
    pub delivered: u64,
    /// Messages that no viewer got within three seconds.
    pub dropped: u64,
    /// Half of the deliveries of the last second took no longer than this, in milliseconds.
    pub p50_ms: f64,
    /// All but a hundredth of them took no longer than this, in milliseconds.
    pub p99_ms: f64,
}

/// A running simulation. One member of the room more than there are viewers speaks; the viewers
/// listen. It ends by itself when nobody has looked at it or steered it for 30 s, and when it is
/// dropped.
#[derive(Debug)]
pub struct RoomSimulation {
    shared: Arc<Mutex<State>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct State {
    stats: RoomStats,
    /// Set by whoever steers or looks, cleared by the simulation.
    asked: bool,
    stop: bool,
    ended: bool,
}

/// The member who speaks has this number; the viewers have those above.
const HOST: u32 = 0;
/// How long the simulation goes on when nobody asks.
const UNASKED_NS: u64 = 30 * SECOND_NS;
/// A message that nobody got for so long was dropped.
const DROPPED_NS: u64 = 3 * SECOND_NS;
const SECOND_NS: u64 = 1_000_000_000;
/// How often the simulation looks at what is due.
const STEP_NS: u64 = 5_000_000;

impl RoomSimulation {
    /// Viewers at most.
    pub const VIEWERS_MAX: u32 = 1_000;
    /// Messages a second at most.
    pub const MESSAGES_PER_SECOND_MAX: u32 = 200;

    /// Fills the live room `group`, which exists, and begins to speak in it. Returns at once; the
    /// viewers come one after another.
    ///
    /// # Errors
    /// A thread cannot be started.
    pub fn start(
        target: &SimulationTarget,
        group: &str,
        viewers: u32,
        messages_per_second: u32,
    ) -> Result<Self, BenchError> {
        let target =
            Target { addr: target.address, app: target.app, secret: target.secret.clone() };
        let invitation = Invitation {
            members: HOST + 1,
            speakers: HOST + 1,
            group: group.to_owned(),
            enters: true,
        };
        let crowd = Crowd::start(&target, invitation)?;
        let shared = Arc::new(Mutex::new(State::default()));
        let state = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("room-simulation".to_owned())
            .spawn(move || Simulation::new(crowd, state).run())
            .map_err(BenchError::io("start the simulation"))?;
        let simulation = Self { shared, thread: Some(thread) };
        simulation.adjust(viewers, messages_per_second);
        Ok(simulation)
    }

    /// Changes how many watch and how much is said, within the bounds.
    pub fn adjust(&self, viewers: u32, messages_per_second: u32) {
        let mut state = lock(&self.shared);
        state.asked = true;
        state.stats.viewers = viewers.min(Self::VIEWERS_MAX);
        state.stats.messages_per_second = messages_per_second.min(Self::MESSAGES_PER_SECOND_MAX);
    }

    /// What it has seen so far.
    #[must_use]
    pub fn stats(&self) -> RoomStats {
        let mut state = lock(&self.shared);
        state.asked = true;
        state.stats
    }

    /// Whether it has ended by itself.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        lock(&self.shared).ended
    }

    /// Ends it; returns when all have left. May block for a moment.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        lock(&self.shared).stop = true;
        if let Some(thread) = self.thread.take() {
            // A panic on that thread has been printed, and its crowd is gone all the same.
            let _ended = thread.join();
        }
    }
}

impl Drop for RoomSimulation {
    fn drop(&mut self) {
        self.end();
    }
}

/// The thread's side.
struct Simulation {
    crowd: Crowd,
    shared: Arc<Mutex<State>>,
    asked_ns: u64,
    /// When the next message is due.
    due_ns: u64,
    /// When the figures of the last second were taken, and lost viewers invited again.
    second_ns: u64,
    viewers: u32,
}

impl Simulation {
    fn new(crowd: Crowd, shared: Arc<Mutex<State>>) -> Self {
        let books = Tally::new(clock::unix_seconds(), 1, 0..u64::MAX, u64::MAX);
        crowd.open_books(books);
        let now = crowd.clock().now_ns();
        Self { crowd, shared, asked_ns: now, due_ns: now, second_ns: now, viewers: 0 }
    }

    fn run(mut self) {
        let clock = self.crowd.clock();
        while self.step(clock.now_ns()) {
            clock.sleep_until(clock.now_ns() + STEP_NS);
        }
        lock(&self.shared).ended = true;
    }

    /// Does what is due; says whether the simulation goes on.
    fn step(&mut self, now: u64) -> bool {
        let wanted = {
            let mut state = lock(&self.shared);
            if state.stop {
                return false;
            }
            if std::mem::take(&mut state.asked) {
                self.asked_ns = now;
            }
            state.stats
        };
        if now > self.asked_ns + UNASKED_NS {
            return false;
        }
        let is_new_second = now >= self.second_ns + SECOND_NS;
        if wanted.viewers != self.viewers || is_new_second {
            self.viewers = wanted.viewers;
            self.crowd.resize(HOST + 1 + wanted.viewers);
        }
        self.speak(wanted.messages_per_second, now);
        let present = self.crowd.present();
        let (offered, delivered, dropped) = self.crowd.with_books(|books| {
            let dropped = books.settle(now.saturating_sub(DROPPED_NS));
            (books.sent(), books.deliveries, dropped)
        });
        let latency = is_new_second.then(|| {
            self.second_ns = now;
            self.crowd.with_books(|books| std::mem::take(&mut books.delivery).percentiles())
        });
        let stats = &mut lock(&self.shared).stats;
        stats.connected = present.saturating_sub(HOST + 1);
        (stats.offered, stats.delivered) = (offered, delivered);
        stats.dropped += dropped;
        if let Some(latency) = latency {
            (stats.p50_ms, stats.p99_ms) = (latency.p50_ms, latency.p99_ms);
        }
        true
    }

    /// Says what is due by now. What was not said for longer than a second is not made up for.
    fn speak(&mut self, rate: u32, now: u64) {
        let mut speaker = self.crowd.speaker();
        if rate == 0 || !speaker.is_present(HOST) {
            self.due_ns = now;
            return;
        }
        self.due_ns = self.due_ns.max(now.saturating_sub(SECOND_NS));
        while self.due_ns <= now {
            speaker.say(HOST, Level::Normal, self.due_ns);
            self.due_ns += SECOND_NS / u64::from(rate);
        }
    }
}
