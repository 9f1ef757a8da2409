//! How the request came in that an event follows from: what webhooks tell of it, and nothing else looks at.
//!
//! It goes along with the task of the operation, so that neither events nor entities carry it. What the server
//! does by itself, and what a job carries out later, has none.

use std::future::Future;
use std::net::IpAddr;

use teahouse_proto::ids::UserId;
use teahouse_proto::platform::Platform;

use crate::caller::{Caller, Who};
use crate::hub::Connection;

tokio::task_local! {
    static VIA: Via;
}

/// See the module.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Via {
    /// Who asked: an administrator, or a user.
    pub(crate) operator: Option<UserId>,
    /// Over REST.
    pub(crate) by_backend: bool,
    /// The kind of client that asked; nothing of REST.
    pub(crate) platform: Option<Platform>,
    /// Where the request came from.
    pub(crate) ip: Option<IpAddr>,
    /// The operation's path; empty if none has been asked for.
    pub(crate) path: &'static str,
    /// The request wants nobody to be told afterwards of the message that it sends.
    pub(crate) silent: bool,
    /// The other side of a relation has not been asked.
    pub(crate) forced: bool,
}

impl Via {
    /// The way of a request, if its app has webhooks: nobody else will ask.
    pub(crate) fn of(caller: &Caller, path: &'static str) -> Self {
        if !caller.app().has_hooks() {
            return Self::default();
        }
        let operator = match caller.who() {
            Who::Admin(admin) => Some(admin.clone()),
            Who::User(identity) => Some(identity.user.clone()),
            Who::Guest { .. } | Who::System => None,
        };
        Self {
            operator,
            by_backend: caller.is_admin(),
            platform: caller.connection().map(|connection| connection.platform),
            ip: caller.ip(),
            path,
            ..Self::default()
        }
    }

    /// The way of what happens to a connection by itself.
    pub(crate) fn of_connection(connection: &Connection) -> Self {
        Self { platform: Some(connection.platform), ip: connection.ip, ..Self::default() }
    }

    /// The same, for a message of whose sending nobody is told afterwards.
    pub(crate) fn silenced(self, silent: bool) -> Self {
        Self { silent, ..self }
    }

    /// Of the operation under way.
    pub(crate) fn current() -> Self {
        VIA.try_with(Self::clone).unwrap_or_default()
    }

    /// Runs `work`, for which [`Via::current`] is this one.
    pub(crate) async fn scope<R>(self, work: impl Future<Output = R>) -> R {
        VIA.scope(self, work).await
    }

    /// The same for what does not wait.
    pub(crate) fn scope_now<R>(self, work: impl FnOnce() -> R) -> R {
        VIA.sync_scope(self, work)
    }

    /// As in `OptPlatform`.
    pub(crate) fn platform_word(&self) -> &'static str {
        match self.platform {
            None if self.by_backend => "RESTAPI",
            None => "Unknown",
            Some(platform) => platform_word(platform),
        }
    }
}

/// As in `OptPlatform` and `KickedDevice`.
pub(crate) fn platform_word(platform: Platform) -> &'static str {
    match platform {
        Platform::Pc => "Windows",
        Platform::Android => "Android",
        Platform::IPhone => "iOS",
        Platform::Mac => "Mac",
        Platform::Web => "Web",
        Platform::IPad => "iPad",
    }
}
