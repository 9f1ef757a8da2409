//! The one-to-one load: pairs of logged-in users, one of whom sends and one of whom receives.
//!
//! One current-thread runtime per generator thread reads all its sockets from the first byte; a
//! read is scanned in a buffer shared by the thread, and the answers in it lead to one write. Open
//! loops are paced by a thread of their own, because the runtime's timer knows only milliseconds.
//! Raw `TcpStream`s with the framing of this crate were chosen over a WebSocket library because the
//! generator shares the machine with the server: what it saves, the server can use.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::Duration;

use futures_util::stream::{self, StreamExt, TryStreamExt};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::client::{Client, Target, runtime};
use crate::clock::Clock;
use crate::error::BenchError;
use crate::framing::{BINARY, PING, PONG, Side, put_frame};
use crate::histogram::Latencies;
use crate::mark::{Mark, marks};
use crate::schedule::Schedule;
use crate::socket::{Link, ReadSide, split};
use crate::verify::SentRun;
use crate::wire::{self, Credentials, Envelope, Identity, Incoming};

/// How the load decides when to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Loop {
    /// Each pair keeps this many messages unanswered.
    Closed {
        /// Messages in flight per pair.
        window: u32,
    },
    /// All pairs together send at a fixed rate.
    Open {
        /// Messages per second.
        rate: u32,
    },
}

/// What to send, and for how long.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// Pairs of users.
    pub(crate) pairs: u32,
    /// When to send.
    pub(crate) send: Loop,
    /// Sending before the measurement begins.
    pub(crate) warmup: Duration,
    /// Length of the measurement; sending ends with it.
    pub(crate) measure: Duration,
    /// Number of this run, unlike that of any run before it.
    pub(crate) epoch: u32,
    /// Generator threads.
    pub(crate) threads: u32,
    /// At most so many messages per pair.
    pub(crate) per_pair_max: u32,
}

/// What came of a run.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// The clock of all its times.
    pub(crate) clock: Clock,
    /// Messages sent, warm-up included.
    pub(crate) sent: u64,
    /// Acknowledged, warm-up included.
    pub(crate) acked: u64,
    /// Acknowledgements that arrived during the measurement.
    pub(crate) acked_in_measure: u64,
    /// Answered with an error code.
    pub(crate) refused: u64,
    /// Acknowledged but not delivered when the run had come to rest.
    pub(crate) undelivered: u64,
    /// Delivered a second time.
    pub(crate) duplicates: u64,
    /// Delivered after a message that was sent later.
    pub(crate) reordered: u64,
    /// From the intended time of sending to the acknowledgement.
    pub(crate) ack: Latencies,
    /// From the intended time of sending to the arrival at the receiver.
    pub(crate) delivery: Latencies,
    /// From the intended time of sending to the write: how late the generator itself was.
    pub(crate) lateness: Latencies,
    /// Bytes of the last request, acknowledgement and push, WebSocket payload only.
    pub(crate) frame_bytes: FrameBytes,
    /// The first answer with an error code.
    pub(crate) first_refusal: Option<String>,
    /// Why connections ended before the run did; the first one only.
    pub(crate) broken: Option<String>,
    /// What each pair sent, for a later look into the histories.
    pub(crate) runs: Vec<SentRun>,
    /// Tokens of each pair's sender and receiver.
    pub(crate) credentials: Vec<[Credentials; 2]>,
}

/// Sizes of the frames of one message, in bytes of payload.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub(crate) struct FrameBytes {
    /// The request.
    pub(crate) request: usize,
    /// Its answer.
    pub(crate) ack: usize,
    /// The push to the receiver.
    pub(crate) push: usize,
}

/// A load that is logged in; nothing has been sent yet.
pub(crate) struct Load {
    shared: Arc<Shared>,
    start: watch::Sender<Option<Times>>,
    stop: watch::Sender<bool>,
    threads: Vec<JoinHandle<Result<(), BenchError>>>,
}

/// A load that is running.
pub(crate) struct Running {
    load: Load,
    pacer: Option<JoinHandle<()>>,
    times: Times,
}

/// When a run measures, in nanoseconds of its clock.
#[derive(Debug, Clone, Copy)]
struct Times {
    start_ns: u64,
    measure_ns: u64,
    end_ns: u64,
}

/// What the threads of a run have in common.
struct Shared {
    plan: Plan,
    clock: Clock,
    app: u32,
    pairs: Mutex<Vec<Arc<Pair>>>,
    sent: AtomicU64,
    acked: AtomicU64,
    refused: AtomicU64,
    delivered: AtomicU64,
    hung_up: AtomicU64,
    ended: AtomicBool,
    trouble: Mutex<Trouble>,
    measured: Mutex<Vec<Arc<Mutex<Measured>>>>,
}

#[derive(Default)]
struct Trouble {
    first_refusal: Option<String>,
    broken: Option<String>,
}

/// What one generator thread measures.
#[derive(Default)]
struct Measured {
    acked_in_measure: u64,
    ack: Latencies,
    delivery: Latencies,
    lateness: Latencies,
    frame_bytes: FrameBytes,
}

/// One sender and one receiver.
struct Pair {
    number: u32,
    names: [String; 2],
    credentials: [Credentials; 2],
    sender: Link,
    receiver: Link,
    book: Mutex<Book>,
}

/// What a pair has sent, and what became of it, by index.
#[derive(Default)]
struct Book {
    sent_ns: Vec<u64>,
    acked: Vec<bool>,
    delivered: Vec<bool>,
    latest_delivered: Option<u32>,
    duplicates: u64,
    reordered: u64,
}

/// How often a thread retries writes that found a full socket.
const HOUSEKEEPING: Duration = Duration::from_millis(10);

/// The client protocol wants a sign of life at least every ten seconds.
const HEARTBEAT_EVERY: Duration = Duration::from_secs(8);

/// The pacer wakes at most once in this time and then writes all that is due. A wake-up costs some
/// microseconds of the shared machine; the delay is part of every latency and shown as lateness.
const PACER_QUANTUM_NS: u64 = 200_000;

/// Logins in flight per generator thread.
const LOGINS_AT_ONCE: usize = 32;

/// Locks what only a panicked thread could have left poisoned.
/// The lock of something that only threads of this crate share.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no thread of the generator panics while it holds a lock")
}

impl Load {
    /// Connects and logs in all users of `plan`; returns when the last one is in.
    pub(crate) fn connect(target: &Target, plan: Plan) -> Result<Self, BenchError> {
        let (start, starts) = watch::channel(None);
        let (stop, stops) = watch::channel(false);
        let shared = Arc::new(Shared {
            clock: Clock::start(),
            app: target.app.0,
            pairs: Mutex::default(),
            sent: AtomicU64::new(0),
            acked: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            delivered: AtomicU64::new(0),
            hung_up: AtomicU64::new(0),
            ended: AtomicBool::new(false),
            trouble: Mutex::default(),
            measured: Mutex::default(),
            plan,
        });
        let count = shared.plan.threads.clamp(1, shared.plan.pairs.max(1));
        let (ready, readies) = sync_channel(count as usize);
        let threads = (0..count).map(|thread| {
            let shard = Shard {
                shared: Arc::clone(&shared),
                target: target.clone(),
                first: thread,
                step: count,
                start: starts.clone(),
                stop: stops.clone(),
            };
            let ready = ready.clone();
            std::thread::Builder::new()
                .name(format!("bench-{thread}"))
                .spawn(move || shard.run(&ready))
                .map_err(BenchError::io("start a generator thread"))
        });
        let threads = threads.collect::<Result<_, _>>()?;
        drop(ready);
        let load = Self { shared, start, stop, threads };
        load.await_logins(&readies, count)
    }

    fn await_logins(self, readies: &Receiver<()>, count: u32) -> Result<Self, BenchError> {
        if (0..count).all(|_| readies.recv().is_ok()) {
            lock(&self.shared.pairs).sort_by_key(|pair| pair.number);
            return Ok(self);
        }
        let failed = BenchError::Server("a generator thread ended before its logins".to_owned());
        self.end().and(Err(failed))
    }

    /// Starts to send.
    pub(crate) fn start(self) -> Result<Running, BenchError> {
        // A moment ahead, so that the first messages of an open loop are not late from the start.
        let start_ns = self.shared.clock.now_ns() + 20_000_000;
        let measure_ns = start_ns + self.shared.plan.warmup.as_nanos() as u64;
        let end_ns = measure_ns + self.shared.plan.measure.as_nanos() as u64;
        let times = Times { start_ns, measure_ns, end_ns };
        self.start.send_replace(Some(times));
        let pacer = match self.shared.plan.send {
            Loop::Closed { .. } => None,
            Loop::Open { rate } => {
                let pairs = self.shared.plan.pairs;
                let schedule = Schedule { start_ns, end_ns, rate: rate.max(1), pairs };
                let shared = Arc::clone(&self.shared);
                let pacer = std::thread::Builder::new()
                    .name("bench-pacer".to_owned())
                    .spawn(move || pace(&shared, &schedule, times))
                    .map_err(BenchError::io("start the pacer"))?;
                Some(pacer)
            }
        };
        Ok(Running { load: self, pacer, times })
    }

    fn end(self) -> Result<(), BenchError> {
        self.shared.ended.store(true, Ordering::Relaxed);
        self.stop.send_replace(true);
        self.start.send_replace(Some(Times { start_ns: 0, measure_ns: 0, end_ns: 0 }));
        for thread in self.threads {
            thread
                .join()
                .map_err(|_| BenchError::Server("a generator thread panicked".into()))??;
        }
        Ok(())
    }
}

impl Running {
    /// Blocks until the measurement begins.
    pub(crate) fn wait_for_measure(&self) {
        self.load.shared.clock.sleep_until(self.times.measure_ns);
    }

    /// Blocks until the measurement ends, and with it all sending.
    pub(crate) fn wait_for_end(&self) {
        self.load.shared.clock.sleep_until(self.times.end_ns);
    }

    /// Messages acknowledged until now.
    pub(crate) fn acked(&self) -> u64 {
        self.load.shared.acked.load(Ordering::Relaxed)
    }

    /// Whether a connection has ended by itself.
    pub(crate) fn is_broken(&self) -> bool {
        lock(&self.load.shared.trouble).broken.is_some()
    }

    /// Blocks until everything sent is answered and delivered, a connection broke, or
    /// `longest` has passed. Meant for a load that has stopped sending or is about to.
    pub(crate) fn wait_for_rest(&self, longest: Duration) {
        let shared = &self.load.shared;
        let deadline = shared.clock.now_ns() + longest.as_nanos() as u64;
        loop {
            // In this order: a message counts as sent before it can count as anything else.
            let delivered = shared.delivered.load(Ordering::Acquire);
            let (acked, refused) =
                (shared.acked.load(Ordering::Acquire), shared.refused.load(Ordering::Acquire));
            let sent = shared.sent.load(Ordering::Acquire);
            let paced = self.pacer.as_ref().is_none_or(JoinHandle::is_finished);
            let at_rest = paced && sent > 0 && acked + refused == sent && delivered >= acked;
            let broken = lock(&shared.trouble).broken.is_some();
            let now = shared.clock.now_ns();
            if at_rest || broken || now >= deadline {
                return;
            }
            shared.clock.sleep_until(now + 5_000_000);
        }
    }

    /// Blocks until every connection has ended and everything that was in it has been read, or
    /// `longest` has passed: what one does after the server was killed.
    pub(crate) fn wait_for_hangup(&self, longest: Duration) {
        let shared = &self.load.shared;
        let deadline = shared.clock.now_ns() + longest.as_nanos() as u64;
        let all = 2 * u64::from(shared.plan.pairs);
        while shared.hung_up.load(Ordering::Acquire) < all && shared.clock.now_ns() < deadline {
            shared.clock.sleep_until(shared.clock.now_ns() + 5_000_000);
        }
    }

    /// Hangs up and gathers what the threads saw.
    pub(crate) fn finish(self) -> Result<Outcome, BenchError> {
        let shared = Arc::clone(&self.load.shared);
        shared.ended.store(true, Ordering::Relaxed);
        if let Some(pacer) = self.pacer {
            pacer.join().map_err(|_| BenchError::Server("the pacer panicked".into()))?;
        }
        // Before the sockets close, so that the end of the run is not taken for trouble.
        let trouble = std::mem::take(&mut *lock(&shared.trouble));
        self.load.end()?;
        let mut outcome = Outcome::new(&shared, trouble);
        for measured in lock(&shared.measured).iter() {
            outcome.add_measured(&lock(measured));
        }
        for pair in lock(&shared.pairs).iter() {
            outcome.add_pair(pair, shared.plan.epoch);
        }
        Ok(outcome)
    }
}

impl Outcome {
    fn new(shared: &Shared, trouble: Trouble) -> Self {
        Self {
            clock: shared.clock,
            sent: shared.sent.load(Ordering::Relaxed),
            acked: shared.acked.load(Ordering::Relaxed),
            acked_in_measure: 0,
            refused: shared.refused.load(Ordering::Relaxed),
            undelivered: 0,
            duplicates: 0,
            reordered: 0,
            ack: Latencies::default(),
            delivery: Latencies::default(),
            lateness: Latencies::default(),
            frame_bytes: FrameBytes::default(),
            first_refusal: trouble.first_refusal,
            broken: trouble.broken,
            runs: Vec::new(),
            credentials: Vec::new(),
        }
    }

    fn add_measured(&mut self, measured: &Measured) {
        self.acked_in_measure += measured.acked_in_measure;
        self.ack.merge(&measured.ack);
        self.delivery.merge(&measured.delivery);
        self.lateness.merge(&measured.lateness);
        let (all, one) = (&mut self.frame_bytes, measured.frame_bytes);
        all.request = all.request.max(one.request);
        all.ack = all.ack.max(one.ack);
        all.push = all.push.max(one.push);
    }

    fn add_pair(&mut self, pair: &Pair, epoch: u32) {
        let book = std::mem::take(&mut *lock(&pair.book));
        self.duplicates += book.duplicates;
        self.reordered += book.reordered;
        let missing =
            book.acked.iter().zip(&book.delivered).filter(|(acked, got)| **acked && !**got);
        self.undelivered += missing.count() as u64;
        self.runs.push(SentRun { epoch, sent_ns: book.sent_ns, acked: book.acked });
        self.credentials.push(pair.credentials.clone());
    }
}

/// One generator thread: every `step`th pair from `first`.
struct Shard {
    shared: Arc<Shared>,
    target: Target,
    first: u32,
    step: u32,
    start: watch::Receiver<Option<Times>>,
    stop: watch::Receiver<bool>,
}

impl Shard {
    fn run(self, ready: &SyncSender<()>) -> Result<(), BenchError> {
        let runtime = runtime()?;
        runtime.block_on(self.drive(ready))
    }

    async fn drive(mut self, ready: &SyncSender<()>) -> Result<(), BenchError> {
        let connected = self.connect().await?;
        let measured = Arc::new(Mutex::new(Measured::default()));
        lock(&self.shared.measured).push(Arc::clone(&measured));
        lock(&self.shared.pairs).extend(connected.iter().map(|joined| Arc::clone(&joined.pair)));
        // A closed channel means that the connecting thread has given up: there is a `stop` too.
        let _given_up = ready.send(());
        let Ok(times) = self.start.wait_for(Option::is_some).await.map(|times| *times) else {
            return Ok(());
        };
        let times = times.expect("waited for a start");
        let mut tasks = JoinSet::new();
        let pairs: Vec<_> = connected.iter().map(|joined| Arc::clone(&joined.pair)).collect();
        for joined in connected {
            let worker = Worker {
                shared: Arc::clone(&self.shared),
                measured: Arc::clone(&measured),
                pair: joined.pair,
                times,
            };
            let [sender, receiver] = joined.reads;
            tasks.spawn(worker.clone().receive(receiver));
            tasks.spawn(worker.send(sender));
        }
        tasks.spawn(keep_house(pairs, self.shared.app));
        // An error here means the sender of the signal is gone, which is a stop as well.
        let _stopped = self.stop.wait_for(|stop| *stop).await;
        Ok(())
    }

    async fn connect(&self) -> Result<Vec<Joined>, BenchError> {
        let numbers = (self.first..self.shared.plan.pairs).step_by(self.step as usize);
        stream::iter(numbers)
            .map(|number| join(&self.target, number))
            .buffer_unordered(LOGINS_AT_ONCE)
            .try_collect()
            .await
    }
}

/// A pair whose users are logged in, and the reading halves of its two connections.
struct Joined {
    pair: Arc<Pair>,
    reads: [ReadSide; 2],
}

async fn join(target: &Target, number: u32) -> Result<Joined, BenchError> {
    let names = [wire::user_name(number, true), wire::user_name(number, false)];
    let (read_b, write_b, credentials_b) = log_in(target, 2 * number + 1, &names[1]).await?;
    let (read_a, write_a, credentials_a) = log_in(target, 2 * number, &names[0]).await?;
    let pair = Pair {
        number,
        names,
        credentials: [credentials_a, credentials_b],
        sender: write_a,
        receiver: write_b,
        book: Mutex::default(),
    };
    Ok(Joined { pair: Arc::new(pair), reads: [read_a, read_b] })
}

async fn log_in(
    target: &Target,
    socket: u32,
    user: &str,
) -> Result<(ReadSide, Link, Credentials), BenchError> {
    let mut client = Client::open(target, socket).await?;
    let credentials = client.login(&target.secret, user, None).await?;
    let (stream, frames) = client.into_parts();
    let (read, write) = split(stream, frames);
    Ok((read, write, credentials))
}

/// Retries full sockets, and gives signs of life on all connections of a thread.
async fn keep_house(pairs: Vec<Arc<Pair>>, app: u32) {
    let mut tick = tokio::time::interval(HOUSEKEEPING);
    let mut next_heartbeat = tokio::time::Instant::now() + HEARTBEAT_EVERY;
    let (mut request, mut frame) = (Vec::new(), Vec::new());
    loop {
        let now = tick.tick().await;
        let alive = now >= next_heartbeat;
        if alive {
            next_heartbeat = now + HEARTBEAT_EVERY;
        }
        for pair in &pairs {
            for (link, credentials) in
                [&pair.sender, &pair.receiver].into_iter().zip(&pair.credentials)
            {
                if !alive {
                    link.flush();
                    continue;
                }
                let identity = Identity::Token(credentials);
                wire::put_request(&mut request, app, identity, wire::HEARTBEAT, 1, b"{}");
                frame.clear();
                put_frame(&mut frame, Side::Client, BINARY, &request);
                link.send(&frame);
            }
        }
    }
}

/// Sends what the schedule demands, from a thread of its own.
fn pace(shared: &Shared, schedule: &Schedule, times: Times) {
    let pairs = lock(&shared.pairs).clone();
    let mut writer = Writer::default();
    let mut lateness = Latencies::default();
    let mut number = 0;
    let mut woke_ns = 0;
    while let Some(due) = schedule.due(number) {
        if shared.ended.load(Ordering::Relaxed) {
            break;
        }
        if due.at_ns > shared.clock.now_ns() {
            shared.clock.sleep_until(due.at_ns.max(woke_ns + PACER_QUANTUM_NS));
            woke_ns = shared.clock.now_ns();
        }
        let pair = &pairs[due.pair as usize];
        writer.add(shared, pair, due.at_ns);
        writer.write(pair);
        if due.at_ns >= times.measure_ns {
            lateness.record(shared.clock.now_ns().saturating_sub(due.at_ns));
        }
        number += 1;
    }
    let frame_bytes = FrameBytes { request: writer.request.len(), ..FrameBytes::default() };
    let measured = Measured { lateness, frame_bytes, ..Measured::default() };
    lock(&shared.measured).push(Arc::new(Mutex::new(measured)));
}

/// Builds requests; keeps its buffers.
#[derive(Default)]
struct Writer {
    out: Vec<u8>,
    request: Vec<u8>,
    body: Vec<u8>,
}

impl Writer {
    /// Enters the pair's next message into its book and appends its frame to the batch. Returns
    /// whether the pair was still allowed one.
    fn add(&mut self, shared: &Shared, pair: &Pair, intended_ns: u64) -> bool {
        let index = {
            let mut book = lock(&pair.book);
            let index = book.sent_ns.len() as u32;
            if index >= shared.plan.per_pair_max {
                return false;
            }
            book.sent_ns.push(intended_ns);
            book.acked.push(false);
            book.delivered.push(false);
            index
        };
        let mark =
            Mark { epoch: shared.plan.epoch, pair: pair.number, index, sent_ns: intended_ns };
        let envelope = Envelope {
            app: shared.app,
            credentials: &pair.credentials[0],
            from: &pair.names[0],
            to: &pair.names[1],
            client_seconds: shared.clock.unix_seconds_at(intended_ns),
        };
        wire::put_send(&mut self.request, &mut self.body, envelope, &mark);
        put_frame(&mut self.out, Side::Client, BINARY, &self.request);
        shared.sent.fetch_add(1, Ordering::Release);
        true
    }

    /// Writes the batch to the pair's sender.
    fn write(&mut self, pair: &Pair) {
        if !self.out.is_empty() {
            pair.sender.send(&self.out);
            self.out.clear();
        }
    }
}

/// What drives the two connections of one pair.
#[derive(Clone)]
struct Worker {
    shared: Arc<Shared>,
    measured: Arc<Mutex<Measured>>,
    pair: Arc<Pair>,
    times: Times,
}

impl Worker {
    /// The sender's connection: takes answers and, in a closed loop, replaces what was answered.
    async fn send(self, mut read: ReadSide) {
        let mut writer = Writer::default();
        if let Loop::Closed { window } = self.shared.plan.send {
            let wait = self.times.start_ns.saturating_sub(self.shared.clock.now_ns());
            tokio::time::sleep(Duration::from_nanos(wait)).await;
            self.replace(&mut writer, window);
        }
        loop {
            let mut answered = 0;
            let read = read.frames(|opcode, frame| match opcode {
                PING => self.pong(&self.pair.sender, frame),
                BINARY => answered += u32::from(self.take_answer(frame)),
                _ => {}
            });
            if let Err(reason) = read.await {
                return self.report(reason);
            }
            if matches!(self.shared.plan.send, Loop::Closed { .. }) {
                self.replace(&mut writer, answered);
            }
            if !writer.request.is_empty() {
                lock(&self.measured).frame_bytes.request = writer.request.len();
            }
        }
    }

    fn replace(&self, writer: &mut Writer, answered: u32) {
        for _ in 0..answered {
            let now = self.shared.clock.now_ns();
            if now >= self.times.end_ns || !writer.add(&self.shared, &self.pair, now) {
                break;
            }
        }
        writer.write(&self.pair);
    }

    /// Books an answer; returns whether it was one to a message.
    fn take_answer(&self, frame: &[u8]) -> bool {
        let Incoming::SendReply { index, accepted } = wire::classify(frame) else { return false };
        let now = self.shared.clock.now_ns();
        let sent_ns = {
            let mut book = lock(&self.pair.book);
            let Some(sent_ns) = book.sent_ns.get(index as usize).copied() else { return false };
            if book.acked[index as usize] {
                return false;
            }
            book.acked[index as usize] = accepted;
            sent_ns
        };
        if !accepted {
            self.shared.refused.fetch_add(1, Ordering::Release);
            let text = String::from_utf8_lossy(&frame[..frame.len().min(300)]).into_owned();
            lock(&self.shared.trouble).first_refusal.get_or_insert(text);
            return true;
        }
        self.shared.acked.fetch_add(1, Ordering::Release);
        let mut measured = lock(&self.measured);
        measured.frame_bytes.ack = frame.len();
        if (self.times.measure_ns..self.times.end_ns).contains(&now) {
            measured.acked_in_measure += 1;
        }
        if sent_ns >= self.times.measure_ns {
            measured.ack.record(now.saturating_sub(sent_ns));
        }
        true
    }

    /// The receiver's connection: takes pushes.
    async fn receive(self, mut read: ReadSide) {
        let mut acks = Vec::new();
        loop {
            let read = read.frames(|opcode, frame| match opcode {
                PING => self.pong(&self.pair.receiver, frame),
                BINARY => self.take_push(frame, &mut acks),
                _ => {}
            });
            if let Err(reason) = read.await {
                return self.report(reason);
            }
            if !acks.is_empty() {
                self.pair.receiver.send(&acks);
                acks.clear();
            }
        }
    }

    fn take_push(&self, frame: &[u8], acks: &mut Vec<u8>) {
        if wire::classify(frame) != Incoming::Push {
            return;
        }
        let now = self.shared.clock.now_ns();
        for mark in marks(frame) {
            if mark.epoch != self.shared.plan.epoch || mark.pair != self.pair.number {
                continue;
            }
            if !lock(&self.pair.book).deliver(mark.index) {
                continue;
            }
            self.shared.delivered.fetch_add(1, Ordering::Release);
            let mut measured = lock(&self.measured);
            measured.frame_bytes.push = frame.len();
            if mark.sent_ns >= self.times.measure_ns {
                measured.delivery.record(now.saturating_sub(mark.sent_ns));
            }
        }
        if let Some(session) = wire::wanted_ack(frame) {
            let body = [&b"{\"SessionData\":"[..], session, b"}"].concat();
            let mut request = Vec::new();
            let identity = Identity::Token(&self.pair.credentials[1]);
            wire::put_request(&mut request, self.shared.app, identity, wire::PUSH_ACK, 2, &body);
            put_frame(acks, Side::Client, BINARY, &request);
        }
    }

    fn pong(&self, link: &Link, payload: &[u8]) {
        let mut frame = Vec::new();
        put_frame(&mut frame, Side::Client, PONG, payload);
        link.send(&frame);
    }

    fn report(&self, reason: String) {
        self.shared.hung_up.fetch_add(1, Ordering::Release);
        if !self.shared.ended.load(Ordering::Relaxed) {
            lock(&self.shared.trouble).broken.get_or_insert(reason);
        }
    }
}

impl Book {
    /// Books an arrival; returns whether it was the first of a message that this pair sent.
    fn deliver(&mut self, index: u32) -> bool {
        match self.delivered.get_mut(index as usize) {
            None => false,
            Some(true) => {
                self.duplicates += 1;
                false
            }
            Some(delivered) => {
                *delivered = true;
                self.reordered += u64::from(self.latest_delivered > Some(index));
                self.latest_delivered = self.latest_delivered.max(Some(index));
                true
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deliveries_are_booked_once_and_disorder_is_seen() {
        let mut book = Book { delivered: vec![false; 4], ..Book::default() };
        assert_eq!(
            [0, 2, 1, 2, 3, 9].map(|index| book.deliver(index)),
            [true, true, true, false, true, false]
        );
        assert_eq!((book.duplicates, book.reordered), (1, 1));
    }
}
