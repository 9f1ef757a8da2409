//! Reads whole conversations back through the client protocol, and sends again what a crash left
//! unanswered, as the public web client does after a reconnect.

use std::time::Duration;

use tokio::time::timeout;

use crate::client::{Client, Target};
use crate::error::BenchError;
use crate::load::Outcome;
use crate::mark::{Mark, marks};
use crate::wire::{self, Credentials, Envelope, Identity, Incoming};

/// Messages wanted per page; a server may give fewer.
const PAGE: u32 = 100;

/// How long the answers to all repeated requests of one pair may take.
const REPEAT_WAIT: Duration = Duration::from_secs(30);

#[derive(serde::Deserialize)]
struct PageBody {
    #[serde(rename = "Complete", default)]
    complete: u32,
    #[serde(rename = "LastMsgTime", default)]
    last_time: u64,
    #[serde(rename = "MsgKey", default)]
    key: String,
}

/// All messages of runs from `since_epoch` on in the conversation of `pair`, oldest first, as its
/// receiver sees it.
pub(crate) async fn read(
    target: &Target,
    pair: u32,
    since_epoch: u32,
) -> Result<Vec<Mark>, BenchError> {
    let mut client = Client::open(target, 2 * pair + 1).await?;
    let user = wire::user_name(pair, false);
    let credentials = client.login(&target.secret, &user, None).await?;
    let peer = wire::user_name(pair, true);
    let mut pages =
        Pages { pair, since_epoch, newest_first: Vec::new(), cursor: Cursor::default() };
    while !pages.take(&page(&mut client, &credentials, &peer, &pages.cursor).await?)? {}
    Ok(pages.oldest_first())
}

/// Where the next older page begins: time and key of the oldest message seen.
type Cursor = (u64, String);

/// What has been read of one conversation.
struct Pages {
    pair: u32,
    since_epoch: u32,
    newest_first: Vec<Vec<Mark>>,
    cursor: Cursor,
}

impl Pages {
    /// Takes the answer to a request for the next older page; returns whether it was the last one
    /// that matters.
    fn take(&mut self, answer: &[u8]) -> Result<bool, BenchError> {
        let found: Vec<Mark> = marks(answer).filter(|mark| mark.pair == self.pair).collect();
        let reached_older = found.iter().any(|mark| mark.epoch < self.since_epoch);
        let body: PageBody = wire::body(wire::HISTORY, answer)?;
        let next = (body.last_time, body.key);
        self.newest_first.push(found);
        if body.complete == 1 || reached_older {
            return Ok(true);
        }
        if next == self.cursor {
            let said = "a history is said to go on, but its cursor stands still";
            return Err(BenchError::Server(said.to_owned()));
        }
        self.cursor = next;
        Ok(false)
    }

    fn oldest_first(self) -> Vec<Mark> {
        let marks = self.newest_first.into_iter().rev().flatten();
        marks.filter(|mark| mark.epoch >= self.since_epoch).collect()
    }
}

async fn page(
    client: &mut Client,
    credentials: &Credentials,
    peer: &str,
    (last_time, key): &Cursor,
) -> Result<Vec<u8>, BenchError> {
    let body = format!(
        r#"{{"Peer_Account":"{peer}","MaxCnt":{PAGE},"LastMsgTime":{last_time},"MsgKey":"{key}","WithRecalledMsg":1,"GetDirection":0}}"#
    );
    client.call(Identity::Token(credentials), wire::HISTORY, body.as_bytes()).await
}

/// Reconnects the sender of `pair` with the token of its login before the crash and sends again
/// what was not answered: first the pending requests with their old numbers and bodies, then the
/// login, in the order of the web client. Enters the answers into the outcome's books.
pub(crate) async fn send_again(
    target: &Target,
    pair: u32,
    outcome: &Outcome,
) -> Result<Vec<bool>, BenchError> {
    let run = &outcome.runs[pair as usize];
    let mut acked = run.acked.clone();
    let pending: Vec<usize> = (0..acked.len()).filter(|index| !acked[*index]).collect();
    let credentials = &outcome.credentials[pair as usize][0];
    let (from, to) = (wire::user_name(pair, true), wire::user_name(pair, false));
    let mut client = Client::open(target, 2 * pair).await?;
    let (mut request, mut body) = (Vec::new(), Vec::new());
    for index in &pending {
        let sent_ns = run.sent_ns[*index];
        let mark = Mark { epoch: run.epoch, pair, index: *index as u32, sent_ns };
        let envelope = Envelope {
            app: target.app.0,
            credentials,
            from: &from,
            to: &to,
            client_seconds: outcome.clock.unix_seconds_at(sent_ns),
        };
        wire::put_send(&mut request, &mut body, envelope, &mark);
        client.send(&request).await?;
    }
    let token = Identity::Token(credentials);
    wire::put_request(&mut request, target.app.0, token, wire::LOGIN, 1, wire::LOGIN_BODY);
    client.send(&request).await?;
    let answers = take_answers(&mut client, pending.len(), &mut acked);
    timeout(REPEAT_WAIT, answers).await.unwrap_or_else(|_| {
        Err(BenchError::TimedOut {
            what: format!("the answers to {} repeated messages of {from}", pending.len()),
            seconds: REPEAT_WAIT.as_secs(),
        })
    })?;
    Ok(acked)
}

/// Reads until `pending` messages and one login are answered.
async fn take_answers(
    client: &mut Client,
    mut pending: usize,
    acked: &mut [bool],
) -> Result<(), BenchError> {
    let mut logged_in = false;
    while pending > 0 || !logged_in {
        let frame = client.next_frame().await?;
        match wire::classify(&frame) {
            Incoming::SendReply { index, accepted: true } => {
                if let Some(acked) = acked.get_mut(index as usize) {
                    pending -= usize::from(!*acked);
                    *acked = true;
                }
            }
            Incoming::SendReply { accepted: false, .. } => {
                return Err(BenchError::refused("a repeated message", &frame));
            }
            Incoming::Push => {}
            Incoming::Other => {
                if crate::mark::find(&frame, wire::LOGIN.as_bytes()).is_some() {
                    if !matches!(wire::number_after(&frame, b"\"ErrorCode\":"), None | Some(0)) {
                        return Err(BenchError::refused("a login by token", &frame));
                    }
                    logged_in = true;
                }
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An answer with messages `(epoch, index)` of pair 1, and one of pair 2.
    fn answer(complete: u32, key: &str, ids: &[(u32, u32)]) -> Vec<u8> {
        let mut answer = format!(
            r#"{{"head":{{}},"body":{{"Complete":{complete},"LastMsgTime":5,"MsgKey":"{key}","MsgList":["#
        )
        .into_bytes();
        for (pair, (epoch, index)) in [(2, &(1, 0))].into_iter().chain(ids.iter().map(|id| (1, id)))
        {
            answer.push(b'"');
            Mark { epoch: *epoch, pair, index: *index, sent_ns: 0 }.put_text(&mut answer);
            answer.extend_from_slice(b"\",");
        }
        answer.extend_from_slice(b"0]}}");
        answer
    }

    fn pages(since_epoch: u32) -> Pages {
        Pages { pair: 1, since_epoch, newest_first: Vec::new(), cursor: Cursor::default() }
    }

    fn ids(pages: Pages) -> Vec<(u32, u32)> {
        pages.oldest_first().iter().map(|mark| (mark.epoch, mark.index)).collect()
    }

    #[test]
    fn pages_join_to_one_history_oldest_first() {
        let mut pages = pages(0);
        assert!(!pages.take(&answer(0, "a", &[(2, 0), (2, 1)])).unwrap());
        assert_eq!(pages.cursor, (5, "a".to_owned()));
        assert!(pages.take(&answer(1, "a", &[(1, 0), (1, 1)])).unwrap());
        assert_eq!(ids(pages), [(1, 0), (1, 1), (2, 0), (2, 1)]);
    }

    #[test]
    fn older_runs_end_the_reading_and_are_left_out() {
        let mut pages = pages(2);
        assert!(pages.take(&answer(0, "a", &[(1, 9), (2, 0)])).unwrap());
        assert_eq!(ids(pages), [(2, 0)]);
    }

    #[test]
    fn a_cursor_that_stands_still_is_an_error() {
        let mut pages = pages(0);
        assert!(!pages.take(&answer(0, "a", &[])).unwrap());
        assert!(pages.take(&answer(0, "a", &[])).is_err());
        assert!(pages.take(b"{}").is_err());
    }
}
