//! The world: one process on one machine, devices with links, a backend, and what happens next.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::hash::{DefaultHasher, Hasher};
use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Value, json};
use teahouse_core::env::Clock;
use teahouse_core::hub::Connection;
use teahouse_proto::error::Error;
use teahouse_proto::platform::Platform;

use crate::device::{
    Context, Device, Stage, list, name, number, number_of, seconds, text, user_of,
};
use crate::disk::{Disk, Written};
use crate::in_groups::Pushed;
use crate::ledger::{
    Author, Change, ChangeKind, Ledger, Mark, MarkKind, Message, NEVER, Step, Truth,
};
use crate::random::Dice;
use crate::server::{Process, Request, Slot, WallClock, is_internal, take};
use crate::{Check, broken};

pub(crate) const USERS: usize = 4;
const DEVICES_A_USER: [Platform; 3] = [Platform::Web, Platform::Android, Platform::Mac];
/// A Monday in 2026, shortly before midnight: days change during a run.
const START_MS: u64 = 1_795_650_900_000;
/// From a change to its push nothing takes longer: the clock waits for a busy process.
const BUSY_MS: u64 = 700;
/// A frame on its way to a client arrives before the client's next request is heard, if it is older.
const TRANSIT_MS: u64 = 1_000;
/// A device that came back asks within this time what it missed; until then it is pushed no message.
const SYNC_EXPECTED_MS: u64 = 4_000;
/// A process takes at least this long to start.
const START_TAKES_MS: u64 = 20;
/// More than a client pulls forward by itself.
const BURST: usize = 70;

/// A frame on its way to a client.
struct Down {
    frame: Value,
    queued: Step,
    at_ms: u64,
}

/// A connection, both of its directions, and what was seen on it.
pub(crate) struct Link {
    pub(crate) device: usize,
    connection: Arc<Connection>,
    up: VecDeque<Request>,
    down: VecDeque<Down>,
    /// The client's end is gone; the server may not know yet.
    is_cut: bool,
    is_closed: bool,
    /// Ordinal of the last pushed message of each pair.
    pushed: BTreeMap<(u64, u64), u64>,
    /// What each peer is known to have read.
    receipts: BTreeMap<usize, u32>,
    /// Step in which a sync was answered.
    synced: Step,
    /// When a device came back on it, until a sync is answered.
    back_ms: Option<u64>,
    /// Requests whose token was dead when they arrived.
    doomed: BTreeSet<u64>,
    /// What was pushed of groups.
    pub(crate) groups: Pushed,
    /// Step in which a login was answered.
    pub(crate) listens: Step,
}

/// A REST call under way.
struct BackendCall {
    path: &'static str,
    slot: Slot<Result<String, Error>>,
    what: BackendWork,
    asked: Step,
}

#[derive(Clone, Copy)]
pub(crate) enum BackendWork {
    Send(u32),
    GroupSend(u32),
    /// A change of a group.
    Deed(usize),
    /// A change of a message of a group.
    GroupChange(usize),
    /// A change of a message.
    Change(usize),
    /// Ends all sessions of a user.
    End(usize),
    Other,
}

/// All sessions of a user were ended, or perhaps one.
struct Ended {
    user: usize,
    asked: Step,
    done: Step,
}

/// What a run has done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Single happenings: a task ran to its next await, a frame arrived, a commit became durable, …
    pub steps: u64,
    /// Messages that became durable.
    pub stored: u64,
    /// Pushed messages that the server queued.
    pub pushes: u64,
    /// Crashes of the process.
    pub crashes: u64,
    /// Links that were cut.
    pub cuts: u64,
    /// Audits of everything at rest.
    pub audits: u64,
    /// Of all frames and commits, in order: two runs of a seed agree.
    pub digest: u64,
}

impl Statistics {
    /// Both together.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        Self {
            steps: self.steps + other.steps,
            stored: self.stored + other.stored,
            pushes: self.pushes + other.pushes,
            crashes: self.crashes + other.crashes,
            cuts: self.cuts + other.cuts,
            audits: self.audits + other.audits,
            digest: self.digest ^ other.digest,
        }
    }
}

/// See the crate.
pub struct Sim {
    pub(crate) dice: Dice,
    pub(crate) clock: WallClock,
    pub(crate) disk: Arc<Disk>,
    pub(crate) process: Option<Process>,
    pub(crate) ledger: Ledger,
    pub(crate) devices: Vec<Device>,
    pub(crate) links: BTreeMap<u64, Link>,
    last_link: u64,
    pub(crate) step: Step,
    busy_since: Option<u64>,
    is_out: bool,
    tick: Option<(Slot<()>, Step)>,
    last_tick_ms: u64,
    calls: Vec<BackendCall>,
    ended: Vec<Ended>,
    /// Dead tokens, and since when.
    dead_tokens: BTreeMap<String, Step>,
    /// Nothing new is begun: everything comes to rest.
    pub(crate) is_settling: bool,
    pub(crate) statistics: Statistics,
    digest: DefaultHasher,
    trace: bool,
}

impl Sim {
    /// A world in which `seed` decides everything.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let device = |number: usize| {
            let platform = DEVICES_A_USER[number % DEVICES_A_USER.len()];
            Device::new(number, number / DEVICES_A_USER.len(), platform)
        };
        Self {
            dice: Dice::new(seed),
            clock: WallClock::starting_at(START_MS),
            disk: Disk::new(),
            process: None,
            ledger: Ledger::default(),
            devices: (0..USERS * DEVICES_A_USER.len()).map(device).collect(),
            links: BTreeMap::new(),
            last_link: 0,
            step: 0,
            busy_since: None,
            is_out: false,
            tick: None,
            last_tick_ms: START_MS,
            calls: Vec::new(),
            ended: Vec::new(),
            dead_tokens: BTreeMap::new(),
            is_settling: false,
            statistics: Statistics::default(),
            digest: DefaultHasher::new(),
            trace: false,
        }
    }

    /// Prints every happening.
    #[must_use]
    pub fn with_trace(mut self) -> Self {
        self.trace = true;
        self
    }

    /// What has happened so far.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        Statistics { steps: self.step, digest: self.digest.finish(), ..self.statistics }
    }

    /// Lets `steps` things happen, at random, with an audit of everything at rest now and then.
    ///
    /// # Errors
    /// The first broken promise.
    pub fn run(&mut self, steps: u64) -> Check {
        let end = self.step + steps;
        while self.step < end {
            let rest = (self.step + 300 + self.dice.below(2_000) as u64).min(end);
            while self.step < rest {
                self.happen().map_err(|problem| problem.at(self.step))?;
            }
            self.audit().map_err(|problem| problem.at(self.step))?;
        }
        Ok(())
    }

    pub(crate) fn note(&self, what: impl FnOnce() -> String) {
        if self.trace {
            let ms = self.now_ms() - START_MS;
            #[allow(clippy::print_stdout, reason = "the trace is asked for on the command line")]
            {
                println!("{:>7} {:>5}.{:03}  {}", self.step, ms / 1000, ms % 1000, what());
            }
        }
    }

    pub(crate) fn now_ms(&self) -> u64 {
        self.clock.now().0
    }

    /// One step.
    pub(crate) fn happen(&mut self) -> Check {
        self.step += 1;
        match self.dice.below(100) {
            0..40 => self.run_a_task()?,
            40..52 => self.sync_some()?,
            52..62 => self.carry_up()?,
            62..74 => self.carry_down()?,
            74..80 => self.pass_time(),
            80..92 => self.somebody_acts(),
            92..95 => self.networks_fail(),
            95..98 => self.backend_acts(),
            _ => self.machine_fails()?,
        }
        self.look_around()
    }

    /// What follows from the last happening without any choice.
    pub(crate) fn look_around(&mut self) -> Check {
        if let Some(process) = &mut self.process {
            process.look()?;
            process.run_due();
        }
        self.drain_queues()?;
        self.hear_backend_answers()?;
        if let Some((done, began)) = &self.tick
            && take(done).is_some()
        {
            self.ledger.saved(*began);
            self.tick = None;
            self.note(|| "the tick is done".to_owned());
        }
        let is_busy = self.disk.waiting() > 0
            || self.process.as_ref().is_some_and(|process| process.executor.has_ready());
        let now = self.now_ms();
        self.busy_since = is_busy.then(|| self.busy_since.unwrap_or(now));
        Ok(())
    }

    pub(crate) fn run_a_task(&mut self) -> Check {
        if let Some(process) = &mut self.process {
            process.executor.step(&mut self.dice);
        }
        Ok(())
    }

    pub(crate) fn sync_some(&mut self) -> Check {
        let count = 1 + self.dice.below(3);
        let rows = self.disk.sync(count);
        self.became_durable(&rows)
    }

    fn became_durable(&mut self, written: &[Written]) -> Check {
        for group in written.iter().filter_map(|commit| commit.group.as_ref()) {
            self.note(|| format!("durable: {group:?}"));
            for (seq, message) in &group.messages {
                self.digest.write_u64(u64::from(message.unwrap_or_default()) << 32 | seq);
                self.statistics.stored += 1;
            }
            self.ledger.groups.became_durable(group, self.step)?;
        }
        for row in written.iter().flat_map(|commit| &commit.rows) {
            let (time, ordinal) = row.place();
            self.note(|| format!("message {} is durable at {time}/{ordinal}", row.message));
            self.digest.write_u64(u64::from(row.message) << 32 | ordinal);
            self.statistics.stored += 1;
            self.ledger.became_durable(row, self.step)?;
        }
        Ok(())
    }

    /// Moves the clock. While the process is busy only a little: what it does takes milliseconds.
    pub(crate) fn pass_time(&mut self) {
        let now = self.now_ms();
        let flying = self.links.values().any(|link| !link.up.is_empty() || !link.down.is_empty());
        let ms = match self.busy_since {
            Some(since) if now - since >= BUSY_MS => 0,
            Some(_) => 1 + self.dice.below(20),
            None if flying => self.dice.below(100),
            None if self.dice.chance(20) => 1_000 * self.dice.below(600),
            None if self.dice.chance(150) => self.dice.below(5_000),
            None => self.dice.below(400),
        };
        self.clock.advance(ms as u64);
        let now = self.now_ms();
        if now - self.last_tick_ms >= 1_000 && self.tick.is_none() {
            self.begin_tick();
        }
    }

    pub(crate) fn begin_tick(&mut self) {
        self.last_tick_ms = self.now_ms();
        if let Some(process) = self.process.as_mut().filter(|process| process.is_up()) {
            self.tick = Some((process.tick(), self.step));
            self.note(|| "tick".to_owned());
        }
    }

    pub(crate) fn tick_is_done(&self) -> bool {
        self.tick.is_none()
    }

    // ---- the network ----

    /// A client's request arrives at the server.
    fn carry_up(&mut self) -> Check {
        let waiting: Vec<u64> =
            self.links.iter().filter(|(_, link)| !link.up.is_empty()).map(|(id, _)| *id).collect();
        let Some(id) = self.dice.pick(&waiting) else { return Ok(()) };
        self.carry_up_on(id)
    }

    fn carry_up_on(&mut self, id: u64) -> Check {
        let late = |down: &Down, now: u64| now.saturating_sub(down.at_ms) >= TRANSIT_MS;
        loop {
            let now = self.now_ms();
            let Some(link) = self.links.get(&id) else { return Ok(()) };
            if !link.down.front().is_some_and(|down| late(down, now)) {
                break;
            }
            self.carry_down_on(id)?;
        }
        let Some(link) = self.links.get_mut(&id) else { return Ok(()) };
        let Some(request) = link.up.pop_front() else { return Ok(()) };
        if self.dead_tokens.contains_key(&request.token) {
            link.doomed.insert(request.seq);
        }
        let (connection, device) = (link.connection.clone(), link.device);
        self.note(|| format!("server hears device {device}: {} {}", request.servcmd, request.body));
        if let Some(process) = &mut self.process {
            process.receive(&connection, request);
        }
        Ok(())
    }

    /// A frame of the server arrives at a client.
    fn carry_down(&mut self) -> Check {
        let waiting: Vec<u64> = self
            .links
            .iter()
            .filter(|(_, link)| !link.down.is_empty())
            .map(|(id, _)| *id)
            .collect();
        let Some(id) = self.dice.pick(&waiting) else { return Ok(()) };
        self.carry_down_on(id)
    }

    fn carry_down_on(&mut self, id: u64) -> Check {
        let Some(link) = self.links.get_mut(&id) else { return Ok(()) };
        let Some(down) = link.down.pop_front() else { return Ok(()) };
        if link.is_cut {
            return Ok(());
        }
        let device = link.device;
        self.note(|| format!("device {device} hears {}", down.frame));
        self.check_session_error(device, &down.frame)?;
        let mut context =
            Context { ledger: &mut self.ledger, step: self.step, now_ms: self.clock.now().0 };
        self.devices[device].receive(&down.frame, down.queued, &mut context)?;
        self.after_device(device);
        Ok(())
    }

    /// Puts what a device wants to send on its link, and cuts that if the device has given it up.
    fn after_device(&mut self, device: usize) {
        let sending = std::mem::take(&mut self.devices[device].sending);
        let Some(id) = self.devices[device].link else { return };
        if let Some(link) = self.links.get_mut(&id) {
            link.up.extend(sending);
        }
        if self.devices[device].hang_up {
            self.cut(id);
        }
    }

    /// A session ends only because somebody has ended it.
    fn check_session_error(&self, device: usize, frame: &Value) -> Check {
        let code = frame["body"]["ErrorCode"].as_i64().unwrap_or(0);
        if !matches!(code, 1002 | 20_002 | 70_001) {
            return Ok(());
        }
        let device = &self.devices[device];
        let Some(session) = &device.session else { return Ok(()) };
        let is_ended = |ended: &Ended| ended.user == device.user && ended.done >= session.asked;
        if self.ended.iter().any(is_ended) {
            return Ok(());
        }
        Err(broken(format!("device {} loses a session that nobody ended: {frame}", device.number)))
    }

    fn connect(&mut self, device: usize) {
        if !self.process.as_ref().is_some_and(Process::is_up) {
            return;
        }
        self.last_link += 1;
        let id = self.last_link;
        let connection = Connection::new(
            self.devices[device].instance(),
            self.devices[device].platform,
            false,
            0,
            1 << 20,
            None,
            self.clock.now(),
        );
        self.links.insert(
            id,
            Link {
                device,
                connection,
                up: VecDeque::new(),
                down: VecDeque::new(),
                is_cut: false,
                is_closed: false,
                pushed: BTreeMap::new(),
                receipts: BTreeMap::new(),
                synced: NEVER,
                back_ms: None,
                doomed: BTreeSet::new(),
                groups: Pushed::new(),
                listens: NEVER,
            },
        );
        self.note(|| format!("device {device} connects, link {id}"));
        let mut context =
            Context { ledger: &mut self.ledger, step: self.step, now_ms: self.clock.now().0 };
        self.devices[device].connected(id, &mut context);
        self.after_device(device);
    }

    /// The client's end of a link is gone: what was under way is lost, the server does not know yet.
    fn cut(&mut self, id: u64) {
        let now = self.now_ms();
        let Some(link) = self.links.get_mut(&id) else { return };
        if link.is_cut {
            return;
        }
        link.is_cut = true;
        link.down.clear();
        if self.dice.chance(500) {
            link.up.clear();
        }
        let device = link.device;
        self.statistics.cuts += 1;
        self.note(|| format!("link {id} of device {device} is cut"));
        if self.devices[device].stage == Stage::LoggingOut {
            // Whether the server has heard the goodbye is open.
            let user = self.devices[device].user;
            self.ended.push(Ended { user, asked: self.step, done: NEVER });
        }
        self.devices[device].lost(now);
    }

    /// The server notices a cut link.
    fn notice_cut(&mut self, id: u64) {
        let Some(link) = self.links.remove(&id) else { return };
        self.note(|| format!("server notices that link {id} is gone"));
        if let Some(process) = &mut self.process {
            process.disconnected(&link.connection);
        }
    }

    fn networks_fail(&mut self) {
        let ids: Vec<u64> = self.links.keys().copied().collect();
        let Some(id) = self.dice.pick(&ids) else { return };
        match self.links[&id].is_cut {
            true => self.notice_cut(id),
            false if self.dice.chance(300) => self.cut(id),
            false => {}
        }
    }

    /// Takes what the server has queued for its sockets, and checks it: this is the server's word.
    fn drain_queues(&mut self) -> Check {
        let mut frames: Vec<Bytes> = Vec::new();
        let ids: Vec<u64> = self.links.keys().copied().collect();
        for id in ids {
            let Some(link) = self.links.get_mut(&id) else { continue };
            link.is_closed |= link.connection.queue().take(&mut frames).is_some();
            for frame in frames.drain(..) {
                self.digest.write(&frame);
                let frame: Value = serde_json::from_slice(&frame)
                    .map_err(|problem| broken(format!("a frame is not JSON: {problem}")))?;
                self.note(|| format!("link {id} gets {frame}"));
                self.check_frame(id, &frame)?;
                let at_ms = self.clock.now().0;
                let link = self.links.get_mut(&id).expect("just seen");
                if !link.is_cut {
                    link.down.push_back(Down { frame, queued: self.step, at_ms });
                }
            }
            let link = &self.links[&id];
            if link.is_closed && (link.down.is_empty() || link.is_cut) {
                self.cut(id);
                self.notice_cut(id);
            }
        }
        Ok(())
    }

    fn check_frame(&mut self, id: u64, frame: &Value) -> Check {
        let servcmd = text(&frame["head"], "servcmd");
        if servcmd == "im_open_push.msg_push" {
            for event in list(&frame["body"], "EventArray") {
                self.check_event(id, event)?;
            }
            return Ok(());
        }
        let code = frame["body"]["ErrorCode"].as_i64().unwrap_or(-1);
        let link = &self.links[&id];
        let seq = number(&frame["head"], "seq");
        let for_anyone = matches!(&*servcmd, "im_open_status.wslogout" | "heartbeat.alive");
        if code == 0 && !for_anyone && link.doomed.contains(&seq) {
            return Err(broken(format!("a request with a dead token is served: {frame}")));
        }
        if servcmd == "openim.getmsg" {
            let step = self.step;
            let link = self.links.get_mut(&id).expect("it has the frame");
            (link.synced, link.back_ms) = (step, None);
        }
        if code == 0 && servcmd == "im_open_status.wslogin" {
            let (now, step) = (self.now_ms(), self.step);
            let link = self.links.get_mut(&id).expect("it has the frame");
            link.listens = step;
            let device = &self.devices[link.device];
            let comes_back = device.link == Some(id) && device.session.is_some();
            link.back_ms = comes_back.then_some(now);
        }
        if code == 0 && servcmd == "group_open_http_svc.send_group_msg" {
            let device = &self.devices[self.links[&id].device];
            if let Some(message) = device.group_message_asked(seq) {
                self.check_group_ack(message, &frame["body"])?;
            }
        }
        if code == 0 && servcmd == "openim.sendmsg" {
            let key = text(&frame["body"], "MsgKey");
            self.check_ack(&key, seconds(&frame["body"], "MsgTime"))?;
        }
        Ok(())
    }

    /// Acknowledged is durable, at that time.
    fn check_ack(&self, key: &str, time: u32) -> Check {
        let number = key.split('_').next().and_then(|seq| seq.parse::<u32>().ok());
        let Some(number) = number.and_then(|seq| seq.checked_sub(1)) else {
            return Err(broken(format!("an answer has the key {key}")));
        };
        if self.ledger.is_stored_at(number, time) {
            return Ok(());
        }
        let durable = self.ledger.message(number)?.durable;
        Err(broken(format!("message {number} is acknowledged at {time}, stored: {durable:?}")))
    }

    fn check_event(&mut self, id: u64, event: &Value) -> Check {
        self.check_group_event(id, event)?;
        for item in list(event, "C2cMsgArray") {
            self.check_push(id, item)?;
        }
        for notice in list(event, "C2cNotifyMsgArray") {
            let receipt = &notice["C2cReadedReceipt"];
            for read in list(receipt, "UinPairReadArray") {
                let reader = user_of(&text(receipt, "To_Account"))?;
                let time = seconds(read, "LastReadTime");
                let link = self.links.get_mut(&id).expect("it has the frame");
                let last = link.receipts.entry(reader).or_default();
                // Behind a sync come first what it knows, then older pushes that it has held back.
                if time < *last && link.synced != self.step {
                    return Err(broken(format!(
                        "u{reader} had read up to {last}, now up to {time} (link {id})"
                    )));
                }
                *last = time.max(*last);
            }
        }
        Ok(())
    }

    fn check_push(&mut self, id: u64, item: &Value) -> Check {
        self.statistics.pushes += 1;
        if !item["EventArray"].is_null() {
            return Ok(());
        }
        let number = number_of(item)?;
        let message = self.ledger.message(number)?;
        let Some(durable) = message.durable else {
            return Err(broken(format!("message {number} is pushed before it is durable")));
        };
        if !self.ledger.is_stored_at(number, seconds(item, "MsgTimeStamp")) {
            return Err(broken(format!("message {number} is pushed with another time: {item}")));
        }
        let link = self.links.get_mut(&id).expect("it has the frame");
        let user = self.devices[link.device].user;
        if user != message.to && user != message.from {
            return Err(broken(format!("message {number} is pushed to u{user}: {item}")));
        }
        let now = self.clock.now().0;
        let has_waited = link.back_ms.is_none_or(|back| now >= back + SYNC_EXPECTED_MS);
        if !has_waited && link.connection.session().is_some() {
            return Err(broken(format!(
                "message {number} is pushed on link {id} before the sync that counts what was missed"
            )));
        }
        if self.ledger.times_stored(number) > 1 {
            // Sent again to an account that was made again: which of the two this is does not show.
            return Ok(());
        }
        let last = link.pushed.insert(durable.pair, durable.ordinal);
        if last.is_some_and(|last| last >= durable.ordinal) {
            return Err(broken(format!(
                "message {number}, ordinal {}, is pushed on link {id} after ordinal {last:?}",
                durable.ordinal
            )));
        }
        Ok(())
    }

    // ---- people ----

    fn somebody_acts(&mut self) {
        let device = self.dice.below(self.devices.len());
        self.act(device);
    }

    fn act(&mut self, device: usize) {
        let own = &self.devices[device];
        match (own.link, own.stage) {
            (None, Stage::Out) if self.dice.chance(300) => self.connect(device),
            (None, Stage::Out) => {}
            (None, _) => self.connect(device),
            (Some(_), Stage::Out) if self.dice.chance(300) => {
                let context = Context {
                    ledger: &mut self.ledger,
                    step: self.step,
                    now_ms: self.clock.now().0,
                };
                self.devices[device].log_in(&context);
            }
            (Some(_), Stage::Ready) => self.use_device(device),
            (Some(_), _) => {}
        }
        self.after_device(device);
    }

    fn use_device(&mut self, device: usize) {
        let user = self.devices[device].user;
        let peers = self.devices[device].peers();
        let peer = self.dice.pick(&peers);
        match (self.dice.below(100), peer) {
            (0..30, _) => self.device_sends(device),
            (30..50, _) => self.device_in_group(device),
            (50..70, Some(peer)) => self.device_reads(device, peer),
            (70..76, Some(peer)) => self.device_deletes(device, peer),
            (76..84, Some(peer)) => {
                self.with_device(device, |device, context| device.pull_page(context, peer));
            }
            (84..88, _) if self.dice.chance(200) => {
                self.ended.push(Ended { user, asked: self.step, done: self.step });
                self.with_device(device, |device, context| device.log_out(context));
            }
            (88..98, Some(peer)) => self.device_changes(device, peer),
            _ => self.with_device(device, |device, context| device.hello(context)),
        }
    }

    pub(crate) fn with_device(
        &mut self,
        device: usize,
        act: impl FnOnce(&mut Device, &Context<'_>),
    ) {
        let context =
            Context { ledger: &mut self.ledger, step: self.step, now_ms: self.clock.now().0 };
        act(&mut self.devices[device], &context);
    }

    pub(crate) fn another(&mut self, user: usize) -> usize {
        (user + 1 + self.dice.below(USERS - 1)) % USERS
    }

    fn new_message(&mut self, from: usize, to: usize, author: Author, counted: bool) -> u32 {
        let number = u32::try_from(self.ledger.messages.len()).expect("few messages");
        self.ledger.messages.push(Message {
            from,
            to,
            author,
            counted,
            hidden_from_sender: false,
            synced: matches!(author, Author::Device(_)),
            sent: self.step,
            acked: NEVER,
            repeated: false,
            durable: None,
        });
        number
    }

    fn device_sends(&mut self, device: usize) {
        let from = self.devices[device].user;
        for _ in 0..1 + self.dice.below(3) {
            let to = self.another(from);
            let counted = !self.dice.chance(100);
            let number = self.new_message(from, to, Author::Device(device), counted);
            self.note(|| format!("device {device} sends message {number} to u{to}"));
            self.with_device(device, |device, context| device.send(context, number, to, !counted));
        }
    }

    fn mark(&mut self, reader: usize, peer: usize, kind: MarkKind) -> usize {
        self.ledger.marks.push(Mark {
            reader,
            peer,
            kind,
            asked: self.step,
            done: NEVER,
            saved: false,
            doubtful: false,
            repeated: false,
        });
        self.ledger.marks.len() - 1
    }

    fn device_reads(&mut self, device: usize, peer: usize) {
        let time = self.devices[device].last_time(peer);
        if time == 0 {
            return;
        }
        let mark = self.mark(self.devices[device].user, peer, MarkKind::Read(time));
        self.note(|| format!("device {device} has read u{peer} up to {time}"));
        self.with_device(device, |device, context| device.mark_read(context, peer, mark, time));
    }

    fn device_deletes(&mut self, device: usize, peer: usize) {
        let user = self.devices[device].user;
        let clear = self.dice.chance(500);
        let mark = self.mark(user, peer, MarkKind::Delete(clear));
        self.note(|| format!("device {device} deletes u{peer}, clear {clear}"));
        self.with_device(device, |device, context| device.delete(context, peer, mark, clear));
        // Other devices are not told.
        self.all_become_vague(user, peer);
    }

    /// Does something with one of the messages that it knows.
    fn device_changes(&mut self, device: usize, peer: usize) {
        let user = self.devices[device].user;
        let Some(conversation) = self.devices[device].conversations.get(&peer) else { return };
        let known: Vec<_> = conversation.known.iter().map(|(id, k)| (id.clone(), *k)).collect();
        // The last ones are changed most.
        let recent = known.len().min(6);
        if recent == 0 {
            return;
        }
        let (id, known) = &known[known.len() - 1 - self.dice.below(recent)];
        let is_own = id.0 == name(user);
        let kind = match (self.dice.below(4), is_own) {
            (0, true) => ChangeKind::Withdraw,
            (0, false) => ChangeKind::Confirm,
            (1, _) => ChangeKind::Delete(user),
            _ => ChangeKind::Modify,
        };
        let message = u32::try_from(id.3 - 1).expect("a number of ours");
        let change = self.new_change(message, kind);
        self.note(|| format!("device {device} does {kind:?} with message {message}"));
        self.with_device(device, |device, context| {
            device.change(context, change, id, known.version);
        });
    }

    fn new_change(&mut self, message: u32, kind: ChangeKind) -> usize {
        self.ledger.changes.push(Change {
            message,
            kind,
            done: Truth::Perhaps,
            asked: self.step,
            over: NEVER,
        });
        self.ledger.changes.len() - 1
    }

    fn backend_withdraws(&mut self) {
        let stored: Vec<_> = self.ledger.stored.values().flatten().copied().collect();
        let recent = stored.len().saturating_sub(40);
        let Some((number, durable)) = self.dice.pick(&stored[recent..]) else { return };
        let message = &self.ledger.messages[number as usize];
        let random = number.wrapping_mul(2_654_435_761);
        let body = json!({
            "From_Account": name(message.from),
            "To_Account": name(message.to),
            "MsgKey": format!("{}_{random}_{}", number + 1, durable.time),
        });
        self.note(|| format!("backend withdraws message {number}"));
        let change = self.new_change(number, ChangeKind::Withdraw);
        self.call("openim/admin_msgwithdraw", body, BackendWork::Change(change));
    }

    fn all_become_vague(&mut self, user: usize, peer: usize) {
        for device in self.devices.iter_mut().filter(|device| device.user == user) {
            if device.stage != Stage::Out {
                device.becomes_vague(peer);
            }
        }
    }

    // ---- the backend ----

    fn backend_acts(&mut self) {
        if !self.process.as_ref().is_some_and(Process::is_up) {
            return;
        }
        let user = self.dice.below(USERS);
        match self.dice.below(100) {
            0..30 => self.backend_sends(user, 1),
            30..60 => self.backend_in_group(),
            60..62 => self.backend_sends(user, BURST),
            62..72 => {
                let body = json!({"UserID": name(user), "Nick": "Nick"});
                self.call("im_open_login_svc/account_import", body, BackendWork::Other);
            }
            72..75 => self.end_sessions("im_open_login_svc/kick", user),
            75..77 => self.backend_withdraws(),
            77..80 => self.end_sessions("im_open_login_svc/account_delete", user),
            80..90 => {
                let body = json!({"To_Account": [name(user)]});
                self.call("openim/query_online_status", body, BackendWork::Other);
            }
            _ => {
                let body = json!({
                    "From_Account": name(user), "TimeStamp": 0, "StartIndex": 0,
                    "TopTimeStamp": 0, "TopStartIndex": 0, "AssistFlags": 15,
                });
                self.call("recentcontact/get_list", body, BackendWork::Other);
            }
        }
    }

    fn backend_sends(&mut self, from: usize, count: usize) {
        let to = self.another(from);
        for _ in 0..count {
            let number = self.new_message(from, to, Author::Backend, true);
            let sync = 1 + self.dice.below(2);
            let message = &mut self.ledger.messages[number as usize];
            message.synced = sync == 1;
            message.hidden_from_sender = sync == 2;
            self.note(|| format!("backend sends message {number}, u{from} to u{to}, sync {sync}"));
            let text = format!("#{number}#");
            let body = json!({
                "SyncOtherMachine": sync,
                "From_Account": name(from),
                "To_Account": name(to),
                "MsgSeq": number + 1,
                "MsgRandom": number.wrapping_mul(2_654_435_761),
                "MsgBody": [{"MsgType": "TIMTextElem", "MsgContent": {"Text": text}}],
            });
            self.call("openim/sendmsg", body, BackendWork::Send(number));
        }
    }

    fn end_sessions(&mut self, path: &'static str, user: usize) {
        self.note(|| format!("backend calls {path} for u{user}"));
        self.ended.push(Ended { user, asked: self.step, done: NEVER });
        if path == "im_open_login_svc/account_delete" {
            self.user_goes(user);
        }
        let body = match path {
            "im_open_login_svc/kick" => json!({"UserID": name(user)}),
            _ => json!({"DeleteItem": [{"UserID": name(user)}]}),
        };
        self.call(path, body, BackendWork::End(user));
    }

    pub(crate) fn call(&mut self, path: &'static str, body: Value, what: BackendWork) {
        let Some(process) = &mut self.process else { return };
        let slot = process.rest(path, body.to_string());
        self.calls.push(BackendCall { path, slot, what, asked: self.step });
    }

    fn hear_backend_answers(&mut self) -> Check {
        let calls = std::mem::take(&mut self.calls);
        for call in calls {
            let Some(answer) = take(&call.slot) else {
                self.calls.push(call);
                continue;
            };
            self.backend_hears(&call, answer)?;
        }
        Ok(())
    }

    fn backend_hears(&mut self, call: &BackendCall, answer: Result<String, Error>) -> Check {
        self.note(|| format!("backend hears of {}: {answer:?}", call.path));
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => {
                if let BackendWork::Change(change) = call.what {
                    let is_open = is_internal(call.path, error.code.number().into());
                    let done = if is_open { Truth::Perhaps } else { Truth::No };
                    self.ledger.change_is_over(change, done, self.step);
                }
                if let BackendWork::Deed(deed) = call.what {
                    self.deed_done(deed, call.path, Err(error.code.number().into()));
                }
                if let BackendWork::GroupChange(change) = call.what {
                    let code = error.code.number().into();
                    self.backend_change_answered(change, call.path, Err(code));
                }
                return Ok(());
            }
        };
        let answer: Value = serde_json::from_str(&answer)
            .map_err(|problem| broken(format!("an answer is not JSON: {problem}")))?;
        match call.what {
            BackendWork::Send(number) => {
                self.check_ack(&text(&answer, "MsgKey"), seconds(&answer, "MsgTime"))?;
                let step = self.step;
                self.ledger.messages[number as usize].acked = step;
            }
            BackendWork::GroupSend(message) => self.check_group_ack(message, &answer)?,
            BackendWork::Deed(deed) => self.deed_done(deed, call.path, Ok(&answer)),
            BackendWork::GroupChange(change) => {
                self.backend_change_answered(change, call.path, Ok(&answer));
            }
            BackendWork::Change(change) => {
                self.ledger.change_is_over(change, Truth::Yes, self.step);
            }
            BackendWork::End(user) => {
                if list(&answer, "ResultItem").all(|item| number(item, "ResultCode") == 0) {
                    self.user_is_gone(user, call.asked);
                }
                for ended in &mut self.ended {
                    if ended.user == user && ended.asked == call.asked {
                        ended.done = self.step;
                    }
                }
                for device in self.devices.iter().filter(|device| device.user == user) {
                    if let Some(session) = &device.session
                        && session.started < call.asked
                        && list(&answer, "ResultItem").all(|item| number(item, "ResultCode") == 0)
                    {
                        self.dead_tokens.insert(session.token.clone(), self.step);
                    }
                }
            }
            BackendWork::Other => {}
        }
        Ok(())
    }

    // ---- the machine ----

    fn machine_fails(&mut self) -> Check {
        match (&self.process, self.dice.below(100)) {
            (None, 0..50) => self.start(),
            (Some(_), 0..3) => self.crash()?,
            _ => {}
        }
        Ok(())
    }

    pub(crate) fn start(&mut self) {
        self.note(|| "the process starts".to_owned());
        // No process starts within the millisecond in which another one died: ids rely on that.
        self.clock.advance(START_TAKES_MS);
        let seed = self.dice.roll();
        self.process = Some(Process::start(&self.disk, &self.clock, seed));
    }

    fn crash(&mut self) -> Check {
        let waiting = self.disk.waiting();
        let applied = self.dice.below(waiting + 1);
        self.note(|| format!("the process dies, {applied} of {waiting} commits stay"));
        self.statistics.crashes += 1;
        if self.dice.chance(200) {
            self.note(|| "it was the power".to_owned());
            self.disk.power_cut();
            self.ledger.marks.iter_mut().for_each(|mark| mark.saved = false);
            self.ledger.groups.marks.iter_mut().for_each(|mark| mark.saved = false);
        } else {
            let rows = self.disk.crash(applied);
            self.became_durable(&rows)?;
        }
        self.process = None;
        self.tick = None;
        self.calls.clear();
        self.ledger.groups.crash(self.step);
        for (reader, peer) in self.ledger.crash() {
            self.all_become_vague(reader, peer);
        }
        let ids: Vec<u64> = self.links.keys().copied().collect();
        for id in ids {
            self.cut(id);
        }
        self.links.clear();
        Ok(())
    }

    // ---- coming to rest ----

    /// Nothing new happens; everything under way ends, every device with a session comes back.
    pub(crate) fn settle(&mut self) -> Check {
        const STEPS_MAX: u64 = 200_000;
        self.is_settling = true;
        if self.is_out {
            self.is_out = false;
            self.disk.set_unavailable(false);
        }
        let begin = self.step;
        let mut quiet_ticks = 0;
        loop {
            if self.step - begin > STEPS_MAX {
                return Err(broken(self.describe_unrest()));
            }
            self.step += 1;
            if self.process.is_none() {
                self.start();
            }
            let did = self.settle_step()?;
            self.look_around()?;
            if did {
                continue;
            }
            let has_due = self.process.as_ref().is_some_and(Process::has_due);
            if quiet_ticks >= 3 && !has_due {
                break;
            }
            self.clock.advance(1_000);
            self.begin_tick();
            // Before anybody finds that there is nothing to do: what waited for its time goes on.
            self.process.iter().for_each(Process::run_due);
            quiet_ticks += 1;
        }
        self.is_settling = false;
        Ok(())
    }

    /// Does one of the things that are still to do, at random; says whether there was one.
    fn settle_step(&mut self) -> Result<bool, crate::Broken> {
        let up: Vec<u64> =
            self.links.iter().filter(|(_, l)| !l.up.is_empty()).map(|(id, _)| *id).collect();
        let down: Vec<u64> =
            self.links.iter().filter(|(_, l)| !l.down.is_empty()).map(|(id, _)| *id).collect();
        let cut: Vec<u64> =
            self.links.iter().filter(|(_, l)| l.is_cut).map(|(id, _)| *id).collect();
        let is_up = self.process.as_ref().is_some_and(Process::is_up);
        let away: Vec<usize> = (0..self.devices.len())
            .filter(|d| {
                is_up && self.devices[*d].link.is_none() && self.devices[*d].session.is_some()
            })
            .collect();
        let has_ready = self.process.as_ref().is_some_and(|p| p.executor.has_ready());
        let mut things = Vec::new();
        things.extend((has_ready).then_some(0));
        things.extend((self.disk.waiting() > 0).then_some(1));
        things.extend((!up.is_empty()).then_some(2));
        things.extend((!down.is_empty()).then_some(3));
        things.extend((!cut.is_empty()).then_some(4));
        things.extend((!away.is_empty()).then_some(5));
        match self.dice.pick(&things) {
            Some(0) => self.run_a_task()?,
            Some(1) => self.sync_some()?,
            Some(2) => self.carry_up()?,
            Some(3) => self.carry_down()?,
            Some(4) => {
                if let Some(id) = self.dice.pick(&cut) {
                    self.notice_cut(id);
                }
            }
            Some(_) => {
                if let Some(device) = self.dice.pick(&away) {
                    self.connect(device);
                }
            }
            None => return Ok(false),
        }
        Ok(true)
    }

    /// Why a device, or the server, is not at rest.
    pub(crate) fn check_rest(&self) -> Check {
        let restless =
            self.devices.iter().find(|device| !device.is_settled() && device.link.is_some());
        if let Some(device) = restless {
            let stage = device.stage;
            return Err(broken(format!("device {} waits for ever in {stage:?}", device.number)));
        }
        let unfinished = self.process.as_ref().map_or(0, Process::unfinished);
        if unfinished > 0 || !self.calls.is_empty() || !self.tick_is_done() {
            return Err(broken(self.describe_unrest()));
        }
        Ok(())
    }

    fn describe_unrest(&self) -> String {
        let tasks = self.process.as_ref().map_or(0, Process::unfinished);
        let calls: Vec<&str> = self.calls.iter().map(|call| call.path).collect();
        format!(
            "it does not come to rest: {tasks} tasks, {} commits, REST {calls:?}",
            self.disk.waiting()
        )
    }
}
