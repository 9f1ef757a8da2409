//! Why a measurement did not come to an end, or came to a bad one.

use std::net::SocketAddr;

/// Failure of a benchmark.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// A file, process or socket failed.
    #[error("{what}: {source}")]
    Io {
        /// What was being done.
        what: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The other end does not speak WebSocket as expected.
    #[error("{peer} sent {what}")]
    Framing {
        /// The other end.
        peer: SocketAddr,
        /// What it sent.
        what: String,
    },
    /// The server refused a request.
    #[error("{command} was refused: {answer}")]
    Refused {
        /// The command.
        command: String,
        /// The beginning of the answer.
        answer: String,
    },
    /// Something did not happen in time.
    #[error("{what} did not happen within {seconds} s")]
    TimedOut {
        /// What was awaited.
        what: String,
        /// For how long.
        seconds: u64,
    },
    /// The server did not start, or went away during a measurement.
    #[error("{0}")]
    Server(String),
    /// The flags contradict each other or the machine.
    #[error("{0}")]
    Usage(String),
    /// The store failed during its ceiling.
    #[error("store: {0}")]
    Store(String),
    /// The measurement ended, and the server did not keep what it had promised.
    #[error("broken promise: {0}")]
    BrokenPromise(String),
}

impl BenchError {
    /// Says what was being done when the system failed: `.map_err(BenchError::io("connect"))`.
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source }
    }

    /// A refusal, with the beginning of the answer as its text.
    pub(crate) fn refused(command: &str, answer: &[u8]) -> Self {
        let beginning = &answer[..answer.len().min(300)];
        Self::Refused {
            command: command.to_owned(),
            answer: String::from_utf8_lossy(beginning).into_owned(),
        }
    }
}
