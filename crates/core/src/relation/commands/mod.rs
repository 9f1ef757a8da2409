//! The `sns` service.

pub(crate) mod black_list_add;
pub(crate) mod black_list_check;
pub(crate) mod black_list_delete;
pub(crate) mod black_list_get;
pub(crate) mod friend_add;
pub(crate) mod friend_check;
pub(crate) mod friend_delete;
pub(crate) mod friend_delete_all;
pub(crate) mod friend_get;
pub(crate) mod friend_get_list;
pub(crate) mod friend_get_specified;
pub(crate) mod friend_import;
pub(crate) mod friend_response;
pub(crate) mod friend_update;
pub(crate) mod group_add;
pub(crate) mod group_delete;
pub(crate) mod group_get;
pub(crate) mod group_update;
pub(crate) mod pendency_delete;
pub(crate) mod pendency_get;
pub(crate) mod pendency_report;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::rules::Refusal;
use crate::caller::Caller;
use crate::error::Outcome;
use crate::hook::before;
use crate::hook::body::Body;
use crate::hook::table::Command;
use crate::relation::ItemOutcome;
use crate::relation::book::Desk;
use teahouse_proto::error::{AppCode, ErrorCode};
use teahouse_proto::ids::UserId;

/// What became of each target of a batch.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Results {
    /// In the order of the request.
    result_item: Vec<ItemResult>,
    /// Targets for which it failed.
    #[serde(rename = "Fail_Account", skip_serializing_if = "Vec::is_empty")]
    fail_account: Vec<String>,
}

/// What became of one target.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ItemResult {
    /// The target.
    #[serde(rename = "To_Account")]
    to_account: String,
    /// 0, or why nothing became of it.
    result_code: i32,
    /// The reason in words.
    result_info: String,
}

impl ItemResult {
    pub(crate) fn new<R>(to_account: String, outcome: &Result<R, Refusal>) -> Self {
        let (result_code, result_info) = match outcome {
            Ok(_) => (0, String::new()),
            Err(refusal) => (refusal.code.number(), refusal.info.to_owned()),
        };
        Self { to_account, result_code, result_info }
    }
}

impl From<Vec<(String, ItemOutcome)>> for Results {
    fn from(outcomes: Vec<(String, ItemOutcome)>) -> Self {
        let fail_account = failed(&outcomes);
        let item = |(to, outcome): (String, ItemOutcome)| ItemResult::new(to, &outcome);
        Self { result_item: outcomes.into_iter().map(item).collect(), fail_account }
    }
}

/// The targets for which something failed.
pub(crate) fn failed<R>(outcomes: &[(String, Result<R, Refusal>)]) -> Vec<String> {
    let failed = outcomes.iter().filter(|(_, outcome)| outcome.is_err());
    failed.map(|(to, _)| to.clone()).collect()
}

/// In one direction, or in both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
pub(crate) enum DeleteType {
    #[serde(rename = "Delete_Type_Single")]
    Single,
    #[serde(rename = "Delete_Type_Both")]
    Both,
}

/// The desk of `user` for a caller's request.
pub(crate) fn desk<'a>(caller: &'a Caller, user: &'a UserId) -> Desk<'a> {
    Desk { node: caller.node(), app: caller.app(), user, origin: caller.origin() }
}

/// What the app's webhook refuses of a batch, by target.
#[derive(Default)]
pub(crate) struct Denied(BTreeMap<String, (i32, String)>);

impl Denied {
    /// Asks the webhook. Backends do as they like, and whom it does not name may be.
    pub(crate) async fn ask(
        caller: &Caller,
        command: Command,
        body_of: impl FnOnce(Body) -> Body,
    ) -> Outcome<Self> {
        if caller.is_admin() {
            return Ok(Self::default());
        }
        let answer = before::ask(caller, command, body_of).await?;
        let items = answer.filter(|answer| answer.error_code == 0).map(|answer| answer.result_item);
        let denied = items.unwrap_or_default().into_iter().filter(|item| item.result_code != 0);
        let named = denied.map(|item| {
            // Another number than those that are the application's would be taken for one of ours.
            let own = AppCode::within(&AppCode::RELATION, item.result_code);
            let code = own.map_or(ErrorCode::RefusedByHook.number(), AppCode::number);
            (item.to_account, (code, item.result_info))
        });
        Ok(Self(named.collect()))
    }

    /// Whether something is to become of a target.
    pub(crate) fn allows(&self, target: &str) -> bool {
        !self.0.contains_key(target)
    }

    /// The results of the whole batch, in the order of the request.
    pub(crate) fn results(self, all: Vec<String>, outcomes: Vec<(String, ItemOutcome)>) -> Results {
        if self.0.is_empty() {
            return outcomes.into();
        }
        let mut outcomes = outcomes.into_iter();
        let mut results = Results { result_item: Vec::new(), fail_account: Vec::new() };
        for target in all {
            let item = match self.0.get(&target) {
                Some((code, info)) => {
                    ItemResult { to_account: target, result_code: *code, result_info: info.clone() }
                }
                None => match outcomes.next() {
                    Some((to, outcome)) => ItemResult::new(to, &outcome),
                    None => continue,
                },
            };
            if item.result_code != 0 {
                results.fail_account.push(item.to_account.clone());
            }
            results.result_item.push(item);
        }
        results
    }
}
