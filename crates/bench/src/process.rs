//! Servers as child processes, and what the kernel says about them.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::sync_channel;
use std::time::{Duration, Instant};

use crate::error::BenchError;

/// How long a server may take until it says that it is ready.
const READY_WAIT: Duration = Duration::from_secs(120);

/// How long the metrics page may take; a measurement waits for it.
const METRICS_WAIT: Duration = Duration::from_millis(500);

/// The kernel's unit of processor time in `/proc/PID/stat`, fixed for programs on Linux.
const TICK: Duration = Duration::from_millis(10);

/// A server that this process started. Dropping it kills it: its data is ours and temporary, and
/// not to depend on an orderly end is what is being tested.
#[derive(Debug)]
pub(crate) struct ServerProcess {
    child: Child,
    /// Where it listens.
    pub(crate) addr: SocketAddr,
    /// From the start of the process to its `ready` line.
    pub(crate) ready_after: Duration,
}

impl ServerProcess {
    /// Starts this program again with `arguments` and waits for its line `ready http://ADDR`.
    /// What it logs goes to the end of the file `log`.
    pub(crate) fn start(arguments: &[String], log: &Path) -> Result<Self, BenchError> {
        let program =
            std::env::current_exe().map_err(BenchError::io("find this program's own file"))?;
        let errors = File::options()
            .create(true)
            .append(true)
            .open(log)
            .map_err(BenchError::io(format!("open {}", log.display())))?;
        let started = Instant::now();
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(errors)
            .spawn()
            .map_err(BenchError::io("start the server"))?;
        let Some(stdout) = child.stdout.take() else {
            return Err(BenchError::Server("the server has no standard output".to_owned()));
        };
        let (found, addresses) = sync_channel(1);
        // The thread ends with the server's standard output; until then it keeps the pipe empty.
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if let Some(addr) = line.strip_prefix("ready http://").and_then(|a| a.parse().ok())
                {
                    // Only the first line finds the channel free, and only it is awaited.
                    let _later_line = found.try_send((addr, started.elapsed()));
                }
            }
        });
        let answer = addresses.recv_timeout(READY_WAIT);
        let mut server =
            Self { child, addr: SocketAddr::from(([127, 0, 0, 1], 0)), ready_after: READY_WAIT };
        match answer {
            Ok((addr, ready_after)) => {
                (server.addr, server.ready_after) = (addr, ready_after);
                Ok(server)
            }
            Err(_) => {
                server.kill();
                let said = fs::read_to_string(log).unwrap_or_default();
                let last: Vec<_> = said.lines().rev().take(5).collect();
                Err(BenchError::Server(format!(
                    "the server did not get ready; it said: {}",
                    last.into_iter().rev().collect::<Vec<_>>().join(" / ")
                )))
            }
        }
    }

    /// Its process number.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Kills it as `kill -9` does, and waits until it is gone. Killing twice is harmless.
    pub(crate) fn kill(&mut self) {
        // Fails only when it has already ended, which is what is wanted.
        let _ended = self.child.kill();
        let _status = self.child.wait();
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A moment's account of a server.
#[derive(Debug, Clone, Default)]
pub(crate) struct Account {
    /// Processor time since it started, user and system.
    pub(crate) cpu: Option<Duration>,
    /// Resident memory in bytes.
    pub(crate) resident_bytes: Option<u64>,
    /// Bytes allocated on disk by its data.
    pub(crate) disk_bytes: Option<u64>,
    /// Its metrics by name, summed over labels.
    pub(crate) metrics: BTreeMap<String, f64>,
}

impl Account {
    /// Processor time since `before`.
    pub(crate) fn cpu_since(&self, before: &Self) -> Option<Duration> {
        Some(self.cpu?.saturating_sub(before.cpu?))
    }

    /// The same for each of `count`, in microseconds.
    pub(crate) fn cpu_us_each(&self, before: &Self, count: f64) -> Option<f64> {
        Some(self.cpu_since(before)?.as_secs_f64() * 1e6 / count)
    }

    /// Resident memory.
    pub(crate) fn resident_mib(&self) -> Option<f64> {
        self.resident_bytes.map(mib)
    }
}

/// Bytes as MiB.
pub(crate) fn mib(bytes: u64) -> f64 {
    bytes as f64 / (1024.0 * 1024.0)
}

/// Where the figures of a server come from.
#[derive(Debug, Clone, Default)]
pub(crate) struct Observed {
    /// Its process, if it runs here.
    pub(crate) pid: Option<u32>,
    /// Its data, if it lies here.
    pub(crate) data: Option<PathBuf>,
    /// Where it serves `/metrics`, if it does.
    pub(crate) metrics: Option<SocketAddr>,
}

impl Observed {
    /// Only the process. A page of metrics takes time and memory of the server's own.
    pub(crate) fn process(&self) -> Self {
        Self { pid: self.pid, ..Self::default() }
    }

    /// Reads everything there is to read; what is not there stays empty.
    pub(crate) fn account(&self) -> Account {
        let file = |name: &str| {
            self.pid.and_then(|pid| fs::read_to_string(format!("/proc/{pid}/{name}")).ok())
        };
        Account {
            cpu: file("stat").as_deref().and_then(cpu_time),
            resident_bytes: file("status").as_deref().and_then(resident_bytes),
            disk_bytes: self.data.as_deref().map(disk_bytes),
            metrics: self.metrics.and_then(|addr| scrape(addr).ok()).unwrap_or_default(),
        }
    }
}

/// User and system time in the text of `/proc/PID/stat`.
fn cpu_time(stat: &str) -> Option<Duration> {
    // The name may hold spaces and brackets; the fields after its last bracket do not.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_ascii_whitespace().skip(11);
    let user: u32 = fields.next()?.parse().ok()?;
    let system: u32 = fields.next()?.parse().ok()?;
    TICK.checked_mul(user.checked_add(system)?)
}

fn resident_bytes(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.split_ascii_whitespace().next()?.parse().ok()?;
    Some(kib * 1024)
}

/// Bytes allocated under `path`. A file that goes away meanwhile counts nothing.
fn disk_bytes(path: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt;
    let Ok(entries) = fs::read_dir(path) else { return 0 };
    let sizes = entries.flatten().map(|entry| match entry.metadata() {
        Ok(found) if found.is_dir() => disk_bytes(&entry.path()),
        Ok(found) => found.blocks() * 512,
        Err(_) => 0,
    });
    sizes.sum()
}

/// The kernel's own memory that sockets are the cause of, over the whole machine.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kernel {
    slab_bytes: u64,
    socket_bytes: u64,
}

impl Kernel {
    /// What it is now; zeros where the kernel does not say.
    pub(crate) fn now() -> Self {
        let meminfo = fs::read_to_string("/proc/meminfo").unwrap_or_default();
        let sockstat = fs::read_to_string("/proc/net/sockstat").unwrap_or_default();
        Self { slab_bytes: slab_bytes(&meminfo), socket_bytes: socket_bytes(&sockstat) }
    }

    /// What was added since `before`, by whomever.
    pub(crate) fn bytes_since(&self, before: &Self) -> u64 {
        (self.slab_bytes + self.socket_bytes)
            .saturating_sub(before.slab_bytes + before.socket_bytes)
    }
}

/// Memory of kernel objects that cannot be given back on demand, in the text of `/proc/meminfo`.
fn slab_bytes(meminfo: &str) -> u64 {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("SUnreclaim:"));
    let kib = line.and_then(|line| line.split_ascii_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}

/// Buffers of TCP sockets, in the text of `/proc/net/sockstat`.
fn socket_bytes(sockstat: &str) -> u64 {
    const PAGE_BYTES: u64 = 4096;
    let line = sockstat.lines().find_map(|line| line.strip_prefix("TCP:"));
    let mut words = line.unwrap_or_default().split_ascii_whitespace();
    let pages = words.by_ref().find(|word| *word == "mem").and_then(|_| words.next()?.parse().ok());
    pages.map_or(0, |pages: u64| pages * PAGE_BYTES)
}

/// The machine's load average over one minute.
pub(crate) fn load_average() -> f64 {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().and_then(|load| load.parse().ok()).unwrap_or(f64::NAN)
}

/// The metrics page of `addr`, each name summed over its labels.
fn scrape(addr: SocketAddr) -> std::io::Result<BTreeMap<String, f64>> {
    let mut stream = TcpStream::connect_timeout(&addr, METRICS_WAIT)?;
    stream.set_read_timeout(Some(METRICS_WAIT))?;
    let request = format!("GET /metrics HTTP/1.1\r\nHost: {addr}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut page = String::new();
    stream.take(16 * 1024 * 1024).read_to_string(&mut page)?;
    Ok(sums(&page))
}

/// Lines `name{labels} value`; everything else is passed over.
fn sums(page: &str) -> BTreeMap<String, f64> {
    let mut sums = BTreeMap::new();
    for line in page.lines().filter(|line| !line.starts_with('#')) {
        let Some((series, value)) = line.rsplit_once(' ') else { continue };
        let Ok(value) = value.parse::<f64>() else { continue };
        let name = series.split_once('{').map_or(series, |(name, _)| name);
        if name.contains([' ', ':']) {
            continue;
        }
        *sums.entry(name.to_owned()).or_insert(0.0) += value;
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processor_time_is_the_14th_and_15th_field_whatever_the_name() {
        let stat = "7 (tea) (x y) S 1 7 7 0 -1 4194304 100 0 0 0 250 50 9 9 20 0 4 0 1 2 3";
        assert_eq!(cpu_time(stat), Some(Duration::from_secs(3)));
        assert_eq!(cpu_time("7 (tea) S 1"), None);
    }

    #[test]
    fn this_process_has_an_account() {
        let observed = Observed { pid: Some(std::process::id()), ..Observed::default() };
        let account = observed.account();
        assert!(account.cpu.is_some());
        assert!(account.resident_bytes.unwrap() > 100_000);
        assert!(account.metrics.is_empty());
    }

    #[test]
    fn the_kernels_share_is_read_out_of_its_own_words() {
        assert_eq!(slab_bytes("Slab: 9 kB\nSUnreclaim:      12 kB\n"), 12 * 1024);
        let sockstat =
            "sockets: used 9\nTCP: inuse 5 orphan 0 tw 2 alloc 7 mem 3\nUDP: inuse 1 mem 9\n";
        assert_eq!(socket_bytes(sockstat), 3 * 4096);
        assert_eq!((slab_bytes(""), socket_bytes("")), (0, 0));
    }

    #[test]
    fn metrics_are_summed_over_labels() {
        let page = "HTTP/1.1 200 OK\r\nx: 1\r\n\r\n# TYPE a counter\na{k=\"v w\"} 1\na{k=\"u\"} 2.5\nb 4\n";
        let sums = sums(page);
        assert_eq!((sums["a"], sums["b"]), (3.5, 4.0));
        assert_eq!(sums.len(), 2);
    }

    #[test]
    fn disk_bytes_count_whole_trees() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("deep")).unwrap();
        fs::write(dir.path().join("deep/file"), vec![1; 100_000]).unwrap();
        assert!(disk_bytes(dir.path()) >= 100_000);
        assert_eq!(disk_bytes(&dir.path().join("absent")), 0);
    }
}
