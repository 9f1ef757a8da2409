//! Makes the accounts, groups and live rooms of the workloads, as a backend does: over REST.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::ops::Range;
use std::time::Duration;

use teahouse_proto::time::UnixSeconds;
use teahouse_proto::usersig::{self, SignRequest};

use crate::client::Target;
use crate::clock;
use crate::error::BenchError;
use crate::mark::find;
use crate::wire;

/// The account that a new app has, and which may make groups for anybody.
const ADMINISTRATOR: &str = "administrator";
/// Accounts that one request imports.
const IMPORTED_AT_ONCE: usize = 100;
/// Users taken in by one request.
const ADDED_AT_ONCE: usize = 300;
/// How long an answer may take.
const ANSWER_WAIT: Duration = Duration::from_secs(15);
/// An answer that is longer is none of these.
const ANSWER_BYTES_MAX: u64 = 1024 * 1024;

const CREATE: &str = "group_open_http_svc/create_group";
const IMPORT: &str = "im_open_login_svc/multiaccount_import";
const ADD: &str = "group_open_http_svc/add_group_member";

/// Makes the accounts of a crowd with these numbers.
pub(crate) fn import(target: &Target, numbers: Range<u32>) -> Result<(), BenchError> {
    let names: Vec<String> =
        numbers.map(|number| format!(r#""{}""#, wire::crowd_name(number))).collect();
    names.chunks(IMPORTED_AT_ONCE).try_for_each(|some| {
        let body = format!(r#"{{"Accounts":[{}]}}"#, some.join(","));
        ask(target, IMPORT, &body).map(drop)
    })
}

/// Makes a live room that everybody may enter.
pub(crate) fn make_room(target: &Target, id: &str) -> Result<(), BenchError> {
    let body = format!(r#"{{"Type":"AVChatRoom","Name":"bench","GroupId":"{id}"}}"#);
    ask(target, CREATE, &body).map(drop)
}

/// Makes a group with history whose members are `users`; the first of them is the owner. To a `ChatRoom` those
/// who come later see what was said before, to a `Public` one they do not.
pub(crate) fn make_group(
    target: &Target,
    kind: &str,
    id: &str,
    users: &[String],
) -> Result<(), BenchError> {
    let Some((owner, others)) = users.split_first() else { return Ok(()) };
    let body =
        format!(r#"{{"Type":"{kind}","Name":"bench","GroupId":"{id}","Owner_Account":"{owner}"}}"#);
    ask(target, CREATE, &body)?;
    add(target, id, others)
}

/// Takes `users` into a group, silently.
pub(crate) fn add(target: &Target, id: &str, users: &[String]) -> Result<(), BenchError> {
    for some in users.chunks(ADDED_AT_ONCE) {
        let accounts = some.iter().map(|user| format!(r#"{{"Member_Account":"{user}"}}"#));
        let list = accounts.collect::<Vec<_>>().join(",");
        let body = format!(r#"{{"GroupId":"{id}","Silence":1,"MemberList":[{list}]}}"#);
        let answer = ask(target, ADD, &body)?;
        if answer.matches(r#""Result":1"#).count() != some.len() {
            return Err(BenchError::refused(ADD, answer.as_bytes()));
        }
    }
    Ok(())
}

/// One REST call, which has to succeed; the whole answer.
pub(crate) fn ask(target: &Target, command: &str, body: &str) -> Result<String, BenchError> {
    let sig = usersig::sign(&SignRequest {
        app: target.app,
        user: ADMINISTRATOR,
        key: &target.secret,
        now: UnixSeconds(clock::unix_seconds()),
        expire_s: 3_600,
        userbuf: None,
    });
    let request = format!(
        "POST /v4/{command}?sdkappid={}&identifier={ADMINISTRATOR}&usersig={sig}&random=1\
         &contenttype=json HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        target.app,
        target.addr,
        body.len()
    );
    let exchange = || -> std::io::Result<Vec<u8>> {
        let mut answer = Vec::new();
        let mut stream = TcpStream::connect_timeout(&target.addr, ANSWER_WAIT)?;
        stream.set_read_timeout(Some(ANSWER_WAIT))?;
        stream.write_all(request.as_bytes())?;
        stream.take(ANSWER_BYTES_MAX).read_to_end(&mut answer)?;
        Ok(answer)
    };
    let answer = exchange().map_err(BenchError::io(format!("ask for {command}")))?;
    let body = find(&answer, b"\r\n\r\n").map_or(&answer[..], |end| &answer[end..]);
    if wire::number_after(body, b"\"ErrorCode\":") != Some(0) {
        return Err(BenchError::refused(command, body));
    }
    Ok(String::from_utf8_lossy(body).into_owned())
}
