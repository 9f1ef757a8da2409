//! A user with a client that comes and goes: what workloads of logins and lists of conversations share.

use crate::client::{Client, Target};
use crate::error::BenchError;
use crate::mark::Mark;
use crate::wire::{self, Credentials, Envelope, Identity};

const PAGE_GET: &str = "recentcontact.page_get";
const GETMSG: &str = "openim.getmsg";
/// Number of the first socket: far from those of the pairs, which are other users.
pub(crate) const FIRST_SOCKET: u32 = 400_000;

/// A user with a client.
pub(crate) struct Member {
    /// Of its socket.
    pub(crate) number: u32,
    /// Its name.
    pub(crate) user: String,
    /// Of its last login.
    pub(crate) credentials: Credentials,
    /// Of its last sync.
    pub(crate) cookie: String,
}

/// Logs `user` in for the first time, on the socket of that number.
pub(crate) async fn enter(
    target: &Target,
    number: u32,
    user: String,
) -> Result<(Member, Client), BenchError> {
    let mut client = Client::open(target, FIRST_SOCKET + number).await?;
    let credentials = client.login(&target.secret, &user, None).await?;
    Ok((Member { number, user, credentials, cookie: String::new() }, client))
}

/// Sends one message.
pub(crate) async fn greet(
    target: &Target,
    client: &mut Client,
    member: &Member,
    to: &str,
    epoch: u32,
    index: u32,
) -> Result<(), BenchError> {
    let (mut request, mut body) = (Vec::new(), Vec::new());
    let envelope = Envelope {
        app: target.app.0,
        credentials: &member.credentials,
        from: &member.user,
        to,
        client_seconds: crate::clock::unix_seconds(),
    };
    let mark = Mark { epoch, pair: member.number, index, sent_ns: 0 };
    wire::put_send(&mut request, &mut body, envelope, &mark);
    client.send(&request).await?;
    client.answer(wire::SEND, wire::FIRST_SEND_SEQ + index).await.map(drop)
}

/// Comes back with the token of the last login, and asks what there is.
pub(crate) async fn come_back(target: &Target, member: &mut Member) -> Result<Client, BenchError> {
    let mut client = Client::open(target, FIRST_SOCKET + member.number).await?;
    let token = Some(&member.credentials);
    member.credentials = client.login(&target.secret, &member.user, token).await?;
    sync(&mut client, member).await?;
    Ok(client)
}

/// Asks for the list of conversations, and for what was missed, until there is no more.
pub(crate) async fn sync(client: &mut Client, member: &mut Member) -> Result<(), BenchError> {
    #[derive(serde::Deserialize, Default)]
    #[serde(rename_all = "PascalCase", default)]
    struct Page {
        complete_flag: u8,
        time_stamp: u64,
        start_index: u64,
        top_time_stamp: u64,
        top_start_index: u64,
    }
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Missed {
        sync_flag: u8,
        cookie: String,
    }
    let mut at = Page::default();
    while at.complete_flag == 0 {
        let body = format!(
            r#"{{"From_Account":"{}","TimeStamp":{},"StartIndex":{},"TopTimeStamp":{},"TopStartIndex":{},"OrderType":1,"MsgAssistFlags":15,"AssistFlags":31}}"#,
            member.user, at.time_stamp, at.start_index, at.top_time_stamp, at.top_start_index
        );
        let identity = Identity::Token(&member.credentials);
        let answer = client.call(identity, PAGE_GET, body.as_bytes()).await?;
        at = wire::body(PAGE_GET, &answer)?;
    }
    let mut flag = 0;
    while flag != 2 {
        let body = format!(
            r#"{{"Cookie":"{}","SyncFlag":{flag},"NeedAbstract":1,"IsOnlineSync":0,"NeedSignaling":0,"NeedCachedMsg":0}}"#,
            member.cookie
        );
        let identity = Identity::Token(&member.credentials);
        let answer = client.call(identity, GETMSG, body.as_bytes()).await?;
        let missed: Missed = wire::body(GETMSG, &answer)?;
        (flag, member.cookie) = (missed.sync_flag, missed.cookie);
    }
    Ok(())
}
