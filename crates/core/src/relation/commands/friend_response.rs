//! `sns/friend_response`: answers up to 100 friend requests.
//!
//! Callers: users. A request that is granted in one direction puts the user into the asker's list; in both, the
//! asker into the user's, too.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use teahouse_proto::error::ErrorCode;
use teahouse_proto::ids::UserId;

use super::{Denied, Results, desk};
use crate::caller::Caller;
use crate::error::Outcome;
use crate::hook::table::Command;
use crate::operation::Operation;
use crate::relation::book::Book;
use crate::relation::{ItemOutcome, Peer, check_batch, owner, tags};
use crate::request;
use crate::rows::{ErrandRow, Tie, TieRow};
use crate::settings::AppSettings;
use teahouse_proto::time::UnixSeconds;

pub(crate) const OPERATION: Operation<Request, Results> =
    Operation::new("sns/friend_response").gateway();

request! {
    pub(crate) struct Request {
        /// The caller.
        from_account: Option<UserId> = "From_Account",
        /// 1 to 100 answers.
        response_friend_item: Vec<Answer> = "ResponseFriendItem",
    }
}

/// One answer.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Answer {
    /// Who has asked.
    #[serde(rename = "To_Account")]
    to_account: String,
    /// The answer.
    response_action: Action,
    /// What the user calls the new friend, at most 96 bytes.
    #[serde(default)]
    remark: Option<String>,
    /// A friend group for the new friend, made if it is not there.
    #[serde(default)]
    tag_name: Option<String>,
}

/// What a user says to a friend request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
enum Action {
    #[serde(rename = "Response_Action_Agree")]
    Agree,
    #[serde(rename = "Response_Action_AgreeAndAdd")]
    AgreeAndAdd,
    #[serde(rename = "Response_Action_Reject")]
    Reject,
}

const ANSWERS_MAX: usize = 100;

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Results> {
    let user = owner(&caller, request.from_account).await?;
    check_batch("ResponseFriendItem", request.response_friend_item.len(), ANSWERS_MAX)?;
    let settings = &caller.app().facts().settings;
    let now = caller.now().seconds();
    let mut targets: Vec<(String, Answer)> = request
        .response_friend_item
        .into_iter()
        .map(|answer| (answer.to_account.clone(), answer))
        .collect();
    let respond =
        |book: &mut Book, peer: &Peer, answer: &Answer| respond(book, peer, answer, settings, now);
    let denied = ask(&caller, &user, &targets).await?;
    let all = targets.iter().map(|(to, _)| to.clone()).collect();
    targets.retain(|(to, _)| denied.allows(to));
    Ok(denied.results(all, desk(&caller, &user).each(&targets, respond).await?))
}

/// Asks the app's webhook.
async fn ask(caller: &Caller, user: &UserId, targets: &[(String, Answer)]) -> Outcome<Denied> {
    #[derive(Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct Item<'a> {
        #[serde(rename = "To_Account")]
        to_account: &'a str,
        remark: &'a str,
        tag_name: &'a str,
        response_action: Action,
    }
    Denied::ask(caller, Command::PrevFriendResponse, |body| {
        let items = targets.iter().map(|(to, answer)| Item {
            to_account: to,
            remark: answer.remark.as_deref().unwrap_or_default(),
            tag_name: answer.tag_name.as_deref().unwrap_or_default(),
            response_action: answer.response_action,
        });
        body.put("Requester_Account", user)
            .put("From_Account", user)
            .put("ResponseFriendItem", &items.collect::<Vec<_>>())
    })
    .await
}

fn respond(
    book: &mut Book,
    peer: &Peer,
    answer: &Answer,
    settings: &AppSettings,
    now: UnixSeconds,
) -> ItemOutcome {
    let asked = book.edge(&peer.id).get(Tie::AskedBy).cloned();
    let asked = asked.ok_or(ErrorCode::PendencyUnknown)?;
    let granted = answer.response_action != Action::Reject;
    let friends_max = u64::from(settings.friend_list_max);
    if granted && peer.friends >= friends_max {
        return Err(ErrorCode::PeerFriendsFull.into());
    }
    let adds = answer.response_action == Action::AgreeAndAdd;
    if adds && !book.edge(&peer.id).has(Tie::Friend) {
        if book.count(Tie::Friend) >= friends_max {
            return Err(ErrorCode::OwnFriendsFull.into());
        }
        let remark = answer.remark.as_deref().unwrap_or_default();
        tags::check_remark(remark)?;
        let group: Vec<String> =
            answer.tag_name.iter().filter(|name| !name.is_empty()).cloned().collect();
        let groups = book.groups(&group, settings.friend_groups_max as usize)?;
        let (source, wording) = (asked.source.clone(), asked.wording.clone());
        let mut row = TieRow { source, wording, groups, ..peer.row(now.0) };
        tags::set_remark(&mut row, remark, now);
        book.edge(&peer.id).set(Tie::Friend, row);
    }
    book.edge(&peer.id).take(Tie::AskedBy);
    book.errand(ErrandRow { ended_request: asked.request, granted, ..peer.errand() });
    Ok(())
}
