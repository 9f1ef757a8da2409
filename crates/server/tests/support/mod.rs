//! What the process tests share: the real binary as a child process, and clients that speak REST and
//! the gateway's protocol to it, with or without TLS.

#![allow(dead_code, reason = "each test binary uses its own part of this")]

pub(crate) mod client;
pub(crate) mod process;

use teahouse_proto::ids::SdkAppId;
use teahouse_proto::time::UnixSeconds;
use teahouse_proto::usersig::{self, SignRequest};
use tokio::time::Duration;

/// For anything that a test waits for. Generous: what works takes milliseconds.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// Seconds since 1970 on the test's clock.
#[expect(clippy::disallowed_methods, reason = "the test is a client, and clients have clocks")]
pub(crate) fn unix_seconds() -> u32 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.ok().and_then(|since| u32::try_from(since.as_secs()).ok()).expect("the years 1970 to 2105")
}

/// An app and one of its keys.
#[derive(Debug, Clone, Copy)]
pub(crate) struct App {
    pub(crate) id: u32,
    pub(crate) key: &'static str,
}

impl App {
    /// As `--app` wants it.
    pub(crate) fn argument(self) -> String {
        format!("{}:{}", self.id, self.key)
    }

    /// A signature for `user` that holds for a day.
    pub(crate) fn sign(self, user: &str) -> String {
        self.sign_at(user, unix_seconds(), 86_400)
    }

    /// A signature for `user`, issued at `now`.
    pub(crate) fn sign_at(self, user: &str, now: u32, expire_s: u64) -> String {
        usersig::sign(&SignRequest {
            app: SdkAppId(self.id),
            user,
            key: self.key,
            now: UnixSeconds(now),
            expire_s,
            userbuf: None,
        })
    }
}

/// Asks again and again until there is an answer: for what a server does in the background.
pub(crate) async fn eventually<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let mut pace = tokio::time::interval(Duration::from_millis(20));
    let answer = async {
        loop {
            pace.tick().await;
            if let Some(answer) = ask().await {
                return answer;
            }
        }
    };
    let answer = tokio::time::timeout(DEADLINE, answer).await;
    answer.unwrap_or_else(|_| panic!("it does not happen that {what}"))
}
