//! `sns/friend_add`: adds up to 1000 friends, or asks them, as the other's `AllowType` wants it.
//!
//! Callers: administrators for anyone, users for themselves. A target that is asked has the code 30539. Nobody is
//! asked who has the user as friend already, or has asked himself. A target whose friend list is full is refused;
//! of several who add the same target at once, a few may come in beyond that.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use teahouse_proto::error::ErrorCode;
use teahouse_proto::ids::UserId;

use super::{Denied, Results, desk};
use crate::account;
use crate::caller::Caller;
use crate::error::Outcome;
use crate::hook::table::Command;
use crate::hook::via::Via;
use crate::operation::Operation;
use crate::profile;
use crate::relation::book::Book;
use crate::relation::rules::{self, Refusal, Verdict, Wish};
use crate::relation::{BATCH_MAX, ItemOutcome, Peer, check_batch, owner, tags};
use crate::request;
use crate::rows::{ErrandRow, Tie, TieRow};
use crate::settings::AppSettings;

pub(crate) const OPERATION: Operation<Request, Results> =
    Operation::new("sns/friend_add").rest().gateway();

request! {
    pub(crate) struct Request {
        /// Who adds.
        from_account: Option<UserId> = "From_Account",
        /// 1 to 1000 targets.
        add_friend_item: Vec<NewFriend> = "AddFriendItem",
        /// `Add_Type_Both` (default): each has the other as friend; `Add_Type_Single`: only `From_Account`.
        add_type: Option<AddType> = "AddType",
        /// 1, by administrators: nobody is asked.
        force_add_flags: Option<u32> = "ForceAddFlags",
    }
}

/// One target.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct NewFriend {
    /// The account.
    #[serde(rename = "To_Account")]
    pub(super) to_account: String,
    /// How they met: `AddSource_Type_` and 1 to 8 letters.
    pub(super) add_source: String,
    /// What the user calls the friend, at most 96 bytes.
    #[serde(default)]
    pub(super) remark: Option<String>,
    /// A friend group for the friend, made if it is not there.
    #[serde(default)]
    group_name: Option<String>,
    /// What is said to the target, at most 256 bytes.
    #[serde(default)]
    pub(super) add_wording: Option<String>,
}

/// In which direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
pub(crate) enum AddType {
    #[serde(rename = "Add_Type_Single")]
    Single,
    #[serde(rename = "Add_Type_Both")]
    Both,
}

/// What is the same for all targets.
struct How<'a> {
    settings: &'a AppSettings,
    forbidden: bool,
    forced: bool,
    both: bool,
    now: u32,
}

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Results> {
    let user = owner(&caller, request.from_account).await?;
    check_batch("AddFriendItem", request.add_friend_item.len(), BATCH_MAX)?;
    let entity = account::user(caller.node(), caller.app(), &user).await?;
    let how = How {
        settings: &caller.app().facts().settings,
        forbidden: entity.read(|state| profile::may_not_ask(&state.profile)),
        forced: caller.is_admin() && request.force_add_flags == Some(1),
        both: request.add_type != Some(AddType::Single),
        now: caller.now().seconds().0,
    };
    let mut targets: Vec<(String, NewFriend)> =
        request.add_friend_item.into_iter().map(|item| (item.to_account.clone(), item)).collect();
    let denied = ask(&caller, &user, &targets, &how).await?;
    let all = targets.iter().map(|(to, _)| to.clone()).collect();
    targets.retain(|(to, _)| denied.allows(to));
    let add = |book: &mut Book, peer: &Peer, item: &NewFriend| add(book, peer, item, &how);
    let via = Via { forced: how.forced, ..Via::current() };
    let outcomes = via.scope(desk(&caller, &user).each(&targets, add)).await?;
    Ok(denied.results(all, outcomes))
}

/// Asks the app's webhook.
async fn ask(
    caller: &Caller,
    user: &UserId,
    targets: &[(String, NewFriend)],
    how: &How<'_>,
) -> Outcome<Denied> {
    #[derive(Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct Item<'a> {
        #[serde(rename = "To_Account")]
        to_account: &'a str,
        remark: &'a str,
        group_name: &'a str,
        add_source: &'a str,
        add_wording: &'a str,
    }
    Denied::ask(caller, Command::PrevFriendAdd, |body| {
        let items = targets.iter().map(|(to, item)| Item {
            to_account: to,
            remark: item.remark.as_deref().unwrap_or_default(),
            group_name: item.group_name.as_deref().unwrap_or_default(),
            add_source: &item.add_source,
            add_wording: item.add_wording.as_deref().unwrap_or_default(),
        });
        body.put("Requester_Account", user)
            .put("From_Account", user)
            .put("FriendItem", &items.collect::<Vec<_>>())
            .put("AddType", if how.both { "Add_Type_Both" } else { "Add_Type_Single" })
            .put("ForceAddFlags", &u8::from(how.forced))
    })
    .await
}

fn add(book: &mut Book, peer: &Peer, item: &NewFriend, how: &How<'_>) -> ItemOutcome {
    let own_friends = book.count(Tie::Friend);
    let requests_max = u64::from(how.settings.friend_requests_max);
    let open = (book.count(Tie::Asked), book.edge(&peer.id).has(Tie::Asked));
    let verdict = rules::may_befriend(&Wish {
        edge: book.edge(&peer.id),
        forbidden: how.forbidden,
        forced: how.forced,
        both: how.both,
        consent: peer.consent,
        own_friends,
        peer_friends: peer.friends,
        friends_max: how.settings.friend_list_max.into(),
    })?;
    let (sent, asked_already) = open;
    let full = sent >= requests_max || peer.requests >= requests_max;
    if verdict == Verdict::Ask && full && !asked_already {
        return Err(ErrorCode::PendencyFull.into());
    }
    let mut row = row(peer, item, how.now)?;
    let groups =
        item.group_name.iter().filter(|name| !name.is_empty()).cloned().collect::<Vec<_>>();
    row.groups = book.groups(&groups, how.settings.friend_groups_max as usize)?;
    let befriend = verdict == Verdict::Befriend && how.both;
    book.errand(ErrandRow { befriend, ..peer.errand() });
    match verdict {
        Verdict::Befriend => {
            let edge = book.edge(&peer.id);
            edge.take(Tie::Asked);
            edge.set(Tie::Friend, row);
            Ok(())
        }
        Verdict::Ask => {
            row.request = book.new_request();
            book.edge(&peer.id).set(Tie::Asked, row);
            Err(Refusal {
                code: ErrorCode::FriendConfirmationPending,
                info: "Err_SNS_FriendAdd_Friend_Allow_Type_Need_Confirm",
            })
        }
    }
}

/// The friend as given, but for his groups.
pub(super) fn row(peer: &Peer, item: &NewFriend, now: u32) -> Result<TieRow, Refusal> {
    let remark = item.remark.clone().unwrap_or_default();
    let wording = item.add_wording.clone().unwrap_or_default();
    tags::check_source(&item.add_source)?;
    tags::check_remark(&remark)?;
    tags::check_wording(&wording)?;
    let mut row = TieRow { source: item.add_source.clone(), wording, ..peer.row(now) };
    tags::set_remark(&mut row, &remark, teahouse_proto::time::UnixSeconds(now));
    Ok(row)
}
