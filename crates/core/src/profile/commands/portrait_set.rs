//! `profile/portrait_set`: changes values of one profile, all or none.
//!
//! Callers: administrators for anyone, users for themselves.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::value::RawValue;
use teahouse_proto::error::{Error, ErrorCode};
use teahouse_proto::ids::UserId;

use crate::account;
use crate::account::commands::Empty;
use crate::caller::Caller;
use crate::error::Outcome;
use crate::event::{Event, ProfileChanged};
use crate::operation::Operation;
use crate::profile::{self, ProfileItem};
use crate::request;
use crate::settings::AppSettings;

pub(crate) const OPERATION: Operation<Request, Empty> =
    Operation::new("profile/portrait_set").rest().gateway();

request! {
    pub(crate) struct Request {
        /// Whose profile; an administrator names it, a user means himself.
        from_account: Option<UserId> = "From_Account",
        /// The new values.
        profile_item: Vec<GivenItem> = "ProfileItem",
    }
}

/// A tag and a value that is checked against the tag's type.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct GivenItem {
    /// `Tag_Profile_IM_…` or `Tag_Profile_Custom_…`.
    tag: String,
    /// A string or an unsigned number.
    #[schemars(with = "profile::ProfileValue")]
    value: Box<RawValue>,
}

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Empty> {
    if caller.is_admin() && request.from_account.is_none() {
        return Err(Error::with(ErrorCode::ProfileBadParameter, "From_Account is missing").into());
    }
    let user = caller.acting_as(request.from_account, ErrorCode::ProfileNotAdmin)?;
    if request.profile_item.is_empty() {
        return Err(Error::with(ErrorCode::ProfileBadParameter, "ProfileItem is empty").into());
    }
    let settings = &caller.app().facts().settings;
    let check = |item| checked(item, settings, caller.is_admin());
    let items = request.profile_item.into_iter().map(check).collect::<Result<Vec<_>, Error>>()?;
    account::change_user(caller.node(), caller.app(), &user, |state, change| {
        if state.account().is_none() {
            return Err(ErrorCode::ProfileAccountUnknown.into());
        }
        state.set_profile(caller.node(), &items, change);
        let readable = items.iter().filter(|item| profile::is_readable(&item.tag, settings));
        let readable: Vec<ProfileItem> = readable.cloned().collect();
        if !readable.is_empty() {
            change.event(Event::ProfileChanged(ProfileChanged {
                app: caller.app().id(),
                user: user.clone(),
                items: readable,
                origin: caller.origin(),
            }));
        }
        Ok(())
    })
    .await?;
    Ok(Empty {})
}

fn checked(item: GivenItem, settings: &AppSettings, by_admin: bool) -> Result<ProfileItem, Error> {
    let value = serde_json::from_str(item.value.get()).map_err(|_| {
        let info = format!("{} takes a string or an unsigned number", item.tag);
        Error::with(ErrorCode::ProfileValueType, info)
    })?;
    profile::check(&item.tag, &value, settings, by_admin)?;
    Ok(ProfileItem { tag: item.tag, value })
}
