//! A crowd: many logged-in users, all of whom listen to one group or live room, and some of whom
//! speak.
//!
//! One thread with one current-thread runtime reads all sockets from the first byte; a member is one
//! task. What is said comes from whoever holds the crowd, at any time and from any thread. Signs of
//! life are spread evenly over their interval, so that they are no bursts of their own.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{Semaphore, watch};
use tokio::task::AbortHandle;

use crate::client::{Client, Target, runtime};
use crate::clock::Clock;
use crate::error::BenchError;
use crate::framing::{BINARY, PING, PONG, Side, put_frame};
use crate::group;
use crate::load::lock;
use crate::program::Level;
use crate::socket::{Link, ReadSide, split};
use crate::tally::{Ear, Scanner, Tally};
use crate::wire::{self, Credentials, GroupEnvelope, Identity, Incoming};

/// Logins and entries under way at once.
const LOGINS_AT_ONCE: usize = 64;
/// How long all members together may take to log in.
const JOIN_WAIT: Duration = Duration::from_secs(180);
/// How often signs of life are sent and full sockets tried again.
const HOUSEKEEPING: Duration = Duration::from_millis(10);
/// Each member gives a sign of life every 10 s, as the public web client does.
const HEARTBEAT_TURNS: u32 = 1_000;
/// Numbers of the first socket: far from those of the pairs, which are other users.
const FIRST_SOCKET: u32 = 200_000;

thread_local! {
    static SCANNER: RefCell<Scanner> = RefCell::default();
}

/// Who comes, and what for.
#[derive(Debug, Clone)]
pub(crate) struct Invitation {
    /// Users at first, numbered from 0.
    pub(crate) members: u32,
    /// Those with numbers below this may speak.
    pub(crate) speakers: u32,
    /// The group that they speak to.
    pub(crate) group: String,
    /// Each enters it after the login, as viewers enter a live room.
    pub(crate) enters: bool,
}

/// A user on a socket.
pub(crate) struct Member {
    user: String,
    credentials: Credentials,
    link: Link,
    /// Sending time of the newest message heard, in nanoseconds.
    newest_ns: AtomicU64,
}

impl Member {
    /// Sending time of the newest message that this member has heard of any run.
    pub(crate) fn newest_ns(&self) -> u64 {
        self.newest_ns.load(Ordering::Relaxed)
    }
}

/// See the module. Dropping it hangs up.
pub(crate) struct Crowd {
    shared: Arc<Shared>,
    runtime: Handle,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
    tasks: Mutex<BTreeMap<u32, AbortHandle>>,
}

struct Shared {
    target: Target,
    invitation: Invitation,
    clock: Clock,
    members: Mutex<BTreeMap<u32, Arc<Member>>>,
    tally: Mutex<Tally>,
    trouble: Mutex<Option<String>>,
    first_refusal: Mutex<Option<String>>,
    logins: Semaphore,
    ended: AtomicBool,
    /// Of a broadcast: all that have ended are told to its server.
    rounds: Mutex<Option<Rounds>>,
}

/// Frames of a broadcast that have arrived.
struct Rounds {
    frames: u64,
    told: u64,
}

impl Crowd {
    /// Makes a live room and has everybody enter it.
    pub(crate) fn in_room(
        target: &Target,
        group: String,
        members: u32,
        speakers: u32,
    ) -> Result<Self, BenchError> {
        group::make_room(target, &group)?;
        let crowd = Self::start(target, Invitation { members, speakers, group, enters: true })?;
        crowd.wait_for_all(members)?;
        Ok(crowd)
    }

    /// Starts the thread and invites the members; [`Crowd::wait_for_all`] waits for them.
    pub(crate) fn start(target: &Target, invitation: Invitation) -> Result<Self, BenchError> {
        let (stop, mut stopped) = watch::channel(false);
        let members = invitation.members;
        let shared = Arc::new(Shared {
            target: target.clone(),
            invitation,
            clock: Clock::start(),
            members: Mutex::default(),
            tally: Mutex::new(Tally::new(0, 0, 0..0, 0)),
            trouble: Mutex::default(),
            first_refusal: Mutex::default(),
            logins: Semaphore::new(LOGINS_AT_ONCE),
            ended: AtomicBool::new(false),
            rounds: Mutex::default(),
        });
        let runtime = runtime()?;
        let handle = runtime.handle().clone();
        let keeper = Arc::clone(&shared);
        let (started, starts) = sync_channel(1);
        let thread = std::thread::Builder::new()
            .name("bench-crowd".to_owned())
            .spawn(move || {
                runtime.block_on(async {
                    let house = tokio::spawn(keep_house(keeper));
                    // Whoever waits for this has not given up.
                    let _given_up = started.send(());
                    // An error means that the crowd is gone, which is a stop as well.
                    let _stopped = stopped.wait_for(|stop| *stop).await;
                    house.abort();
                });
            })
            .map_err(BenchError::io("start the crowd's thread"))?;
        let _started = starts.recv();
        let crowd =
            Self { shared, runtime: handle, stop, thread: Some(thread), tasks: Mutex::default() };
        crowd.resize(members);
        Ok(crowd)
    }

    /// Invites members up to `count`, again those who were lost, or lets those with the highest
    /// numbers go.
    pub(crate) fn resize(&self, count: u32) {
        let mut tasks = lock(&self.tasks);
        tasks.retain(|_, task| !task.is_finished());
        for number in 0..count {
            tasks.entry(number).or_insert_with(|| {
                let shared = Arc::clone(&self.shared);
                self.runtime.spawn(member(shared, number)).abort_handle()
            });
        }
        let gone = tasks.split_off(&count);
        gone.values().for_each(AbortHandle::abort);
        lock(&self.shared.members).retain(|number, _| *number < count);
    }

    /// Waits until `count` members are in.
    pub(crate) fn wait_for_all(&self, count: u32) -> Result<(), BenchError> {
        let clock = self.shared.clock;
        let deadline = clock.now_ns() + JOIN_WAIT.as_nanos() as u64;
        while self.present() < count {
            if let Some(reason) = self.trouble() {
                return Err(BenchError::Server(reason));
            }
            if clock.now_ns() > deadline {
                return Err(BenchError::TimedOut {
                    what: format!("the login of {count} users"),
                    seconds: JOIN_WAIT.as_secs(),
                });
            }
            clock.sleep_until(clock.now_ns() + 5_000_000);
        }
        Ok(())
    }

    /// Members who are in.
    pub(crate) fn present(&self) -> u32 {
        lock(&self.shared.members).len() as u32
    }

    /// The clock of all its times.
    pub(crate) fn clock(&self) -> Clock {
        self.shared.clock
    }

    /// Names of the members who are in.
    pub(crate) fn users(&self) -> Vec<String> {
        lock(&self.shared.members).values().map(|member| member.user.clone()).collect()
    }

    /// Every `step`th member.
    pub(crate) fn sample(&self, step: usize) -> Vec<Arc<Member>> {
        lock(&self.shared.members).values().step_by(step.max(1)).cloned().collect()
    }

    /// Why a connection ended before the crowd did; the first one only.
    pub(crate) fn trouble(&self) -> Option<String> {
        lock(&self.shared.trouble).clone()
    }

    /// The first answer with an error code, whichever books were open.
    pub(crate) fn first_refusal(&self) -> Option<String> {
        lock(&self.shared.first_refusal).clone()
    }

    /// Begins new books.
    pub(crate) fn open_books(&self, tally: Tally) {
        *lock(&self.shared.tally) = tally;
    }

    /// Looks into the books.
    pub(crate) fn with_books<R>(&self, look: impl FnOnce(&mut Tally) -> R) -> R {
        look(&mut lock(&self.shared.tally))
    }

    /// Who speaks for this crowd.
    pub(crate) fn speaker(&self) -> Speaker {
        let speakers = self.shared.invitation.speakers;
        let members = lock(&self.shared.members);
        let members = members.range(..speakers).map(|(_, member)| Arc::clone(member)).collect();
        Speaker {
            shared: Arc::clone(&self.shared),
            members,
            out: Vec::new(),
            request: Vec::new(),
            body: Vec::new(),
        }
    }

    /// Begins a broadcast: from now on the server is told how many whole rounds (one frame for each
    /// member) have arrived.
    pub(crate) fn tell_rounds(&self) {
        *lock(&self.shared.rounds) = Some(Rounds { frames: 0, told: 0 });
        self.shared.tell(0);
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::Relaxed);
        self.stop.send_replace(true);
        if let Some(thread) = self.thread.take() {
            // A panic on that thread has been printed; there is nobody to tell it to here.
            let _ended = thread.join();
        }
    }
}

/// Says what a crowd is to hear.
pub(crate) struct Speaker {
    shared: Arc<Shared>,
    members: Vec<Arc<Member>>,
    out: Vec<u8>,
    request: Vec<u8>,
    body: Vec<u8>,
}

impl Speaker {
    /// Whether a speaker is in.
    pub(crate) fn is_present(&self, speaker: u32) -> bool {
        self.members.get(speaker as usize).is_some()
    }

    /// Says one thing, which was meant to be said at `at_ns`. A speaker who is not in says nothing.
    pub(crate) fn say(&mut self, speaker: u32, level: Level, at_ns: u64) {
        let Some(member) = self.members.get(speaker as usize) else { return };
        let shared = &self.shared;
        let mark = lock(&shared.tally).say(speaker, level, at_ns);
        let envelope = GroupEnvelope {
            app: shared.target.app.0,
            credentials: &member.credentials,
            from: &member.user,
            group: &shared.invitation.group,
            priority: level.name(),
            client_seconds: shared.clock.unix_seconds_at(at_ns),
        };
        wire::put_group_send(&mut self.request, &mut self.body, envelope, &mark);
        self.out.clear();
        put_frame(&mut self.out, Side::Client, BINARY, &self.request);
        member.link.send(&self.out);
    }
}

/// One member, from the login to the end.
async fn member(shared: Arc<Shared>, number: u32) {
    match enter(&shared, number).await {
        Ok((member, read)) => {
            lock(&shared.members).insert(number, Arc::clone(&member));
            let reason = listen(&shared, number, &member, read).await;
            shared.report(reason);
        }
        Err(problem) => shared.report(problem.to_string()),
    }
    lock(&shared.members).remove(&number);
}

async fn enter(shared: &Shared, number: u32) -> Result<(Arc<Member>, ReadSide), BenchError> {
    let _turn = shared.logins.acquire().await.expect("it is never closed");
    let Invitation { group, enters, .. } = &shared.invitation;
    let user = wire::crowd_name(number);
    let mut client = Client::open(&shared.target, FIRST_SOCKET + number).await?;
    let credentials = client.login(&shared.target.secret, &user, None).await?;
    if *enters {
        let body = format!(r#"{{"GroupId":"{group}"}}"#);
        client.call(Identity::Token(&credentials), wire::GROUP_JOIN, body.as_bytes()).await?;
    }
    let (stream, frames) = client.into_parts();
    let (read, link) = split(stream, frames);
    Ok((Arc::new(Member { user, credentials, link, newest_ns: AtomicU64::new(0) }), read))
}

/// Reads until the connection ends; returns why it did.
async fn listen(shared: &Shared, number: u32, member: &Member, mut read: ReadSide) -> String {
    let mut ear = Ear::default();
    let speaks = number < shared.invitation.speakers;
    loop {
        let read = read.frames(|opcode, frame| match opcode {
            PING => {
                let mut pong = Vec::new();
                put_frame(&mut pong, Side::Client, PONG, frame);
                member.link.send(&pong);
            }
            BINARY => shared.take(member, &mut ear, speaks, frame),
            _ => {}
        });
        if let Err(reason) = read.await {
            return reason;
        }
    }
}

impl Shared {
    fn take(&self, member: &Member, ear: &mut Ear, speaks: bool, frame: &[u8]) {
        let heard = SCANNER.with_borrow_mut(|scanner| scanner.scan(frame));
        if !heard.is_empty() {
            let now = self.clock.now_ns();
            let newest = lock(&self.tally).hear(ear, &heard, frame.len(), now);
            if let Some(newest) = newest {
                member.newest_ns.fetch_max(newest, Ordering::Relaxed);
            }
            self.count_rounds();
        } else if speaks && let Incoming::SendReply { index, accepted } = wire::classify(frame) {
            lock(&self.tally).answer(index, accepted, self.clock.now_ns());
            if !accepted {
                let text = String::from_utf8_lossy(&frame[..frame.len().min(300)]).into_owned();
                lock(&self.first_refusal).get_or_insert(text);
            }
        }
    }

    fn count_rounds(&self) {
        let mut rounds = lock(&self.rounds);
        let Some(Rounds { frames, told }) = &mut *rounds else { return };
        *frames += 1;
        let members = u64::from(self.invitation.members);
        let ended = *frames / members;
        if ended == *told {
            return;
        }
        *told = ended;
        self.tell(ended);
    }

    fn tell(&self, rounds: u64) {
        let mut frame = Vec::new();
        let body = crate::broadcast::rounds_ended(rounds);
        put_frame(&mut frame, Side::Client, BINARY, body.as_bytes());
        if let Some((_, first)) = lock(&self.members).first_key_value() {
            first.link.send(&frame);
        }
    }

    fn report(&self, reason: String) {
        if !self.ended.load(Ordering::Relaxed) {
            lock(&self.trouble).get_or_insert(reason);
        }
    }
}

/// Retries the speakers' full sockets, and gives signs of life.
async fn keep_house(shared: Arc<Shared>) {
    let mut tick = tokio::time::interval(HOUSEKEEPING);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let (mut request, mut frame, mut turns) = (Vec::new(), Vec::new(), 0);
    let speakers = shared.invitation.speakers;
    loop {
        tick.tick().await;
        let members = lock(&shared.members);
        members.range(..speakers).for_each(|(_, member)| member.link.flush());
        let last = members.last_key_value().map_or(0, |(number, _)| *number);
        // By the clock: a thread that is busy with logins ticks late, and nobody may fall silent.
        let due = shared.clock.now_ns() / HOUSEKEEPING.as_nanos() as u64;
        // More than one sign of life each says no more.
        turns = turns.max(due.saturating_sub(HEARTBEAT_TURNS.into()));
        while turns < due {
            turns += 1;
            let first = (turns % u64::from(HEARTBEAT_TURNS)) as u32;
            for number in (first..=last).step_by(HEARTBEAT_TURNS as usize) {
                let Some(member) = members.get(&number) else { continue };
                let identity = Identity::Token(&member.credentials);
                let app = shared.target.app.0;
                wire::put_request(&mut request, app, identity, wire::HEARTBEAT, 1, b"{}");
                frame.clear();
                put_frame(&mut frame, Side::Client, BINARY, &request);
                member.link.send(&frame);
            }
        }
    }
}
