//! Who calls an operation.

use std::net::IpAddr;
use std::sync::Arc;

use teahouse_proto::error::ErrorCode;
use teahouse_proto::ids::{TinyId, UserId};
use teahouse_proto::time::{UnixMillis, UnixSeconds};

use crate::app::App;
use crate::error::Outcome;
use crate::event::Origin;
use crate::hub::{Connection, Turn};
use crate::node::Node;
use crate::session::Credentials;

/// The caller of one operation: a node, an app, and somebody in it.
#[derive(Clone)]
pub struct Caller {
    node: Arc<Node>,
    app: Arc<App>,
    who: Who,
    turn: Option<Arc<Turn>>,
    ip: Option<IpAddr>,
}

/// The somebody.
#[derive(Clone)]
pub enum Who {
    /// An administrator of the app, over REST: may act for every account.
    Admin(UserId),
    /// A user with a session: acts for itself.
    User(Identity),
    /// A connection without a session, and what it shows to get one.
    Guest {
        /// The socket.
        connection: Arc<Connection>,
        /// What it shows.
        credentials: Credentials,
    },
    /// The server itself.
    System,
}

/// A user on one of its devices.
#[derive(Clone)]
pub struct Identity {
    /// The user.
    pub user: UserId,
    /// The account's number.
    pub tiny_id: TinyId,
    /// The device's number.
    pub inst_id: u32,
    /// When the session token was given.
    pub issued: UnixMillis,
    /// The last second of the session token.
    pub expires: UnixSeconds,
    /// The socket that the request came on.
    pub connection: Arc<Connection>,
}

impl Caller {
    /// Made by a face after it has checked who it is.
    pub fn new(node: Arc<Node>, app: Arc<App>, who: Who) -> Self {
        Self { node, app, who, turn: None, ip: None }
    }

    /// The same, for a REST request from this address.
    pub fn at(self, ip: Option<IpAddr>) -> Self {
        Self { ip, ..self }
    }

    /// Where the request came from, as far as that is known.
    pub(crate) fn ip(&self) -> Option<IpAddr> {
        self.ip.or_else(|| self.connection().and_then(|connection| connection.ip))
    }

    /// The same, for a request that waited for its turn on its connection.
    pub fn in_turn(self, turn: Turn) -> Self {
        Self { turn: Some(Arc::new(turn)), ..self }
    }

    /// The next request of the connection may take effect: this one's place is certain.
    pub(crate) fn end_turn(&self) {
        if let Some(turn) = &self.turn {
            turn.end();
        }
    }

    /// The node that runs the operation.
    pub fn node(&self) -> &Arc<Node> {
        &self.node
    }

    /// The app.
    pub fn app(&self) -> &Arc<App> {
        &self.app
    }

    /// The somebody.
    pub fn who(&self) -> &Who {
        &self.who
    }

    /// Now.
    pub fn now(&self) -> UnixMillis {
        self.node.now()
    }

    /// The device that this came from, which needs no copy of what it did itself.
    pub fn origin(&self) -> Option<u32> {
        match &self.who {
            Who::User(identity) => Some(identity.inst_id),
            Who::Admin(_) | Who::Guest { .. } | Who::System => None,
        }
    }

    /// The same, for what the devices of several users are told.
    pub(crate) fn origin_of_both(&self) -> Option<Origin> {
        match &self.who {
            Who::User(Identity { user, inst_id, issued, .. }) => {
                Some(Origin { user: user.clone(), inst_id: *inst_id, since: *issued })
            }
            Who::Admin(_) | Who::Guest { .. } | Who::System => None,
        }
    }

    /// A user acts for itself only; an administrator for whom it names, or itself.
    ///
    /// # Errors
    /// `otherwise` when a user names somebody else, or nobody is logged in.
    pub fn acting_as(&self, named: Option<UserId>, otherwise: ErrorCode) -> Outcome<UserId> {
        match (&self.who, named) {
            (Who::Admin(_), Some(named)) => Ok(named),
            (Who::Admin(admin), None) => Ok(admin.clone()),
            (Who::User(identity), named) => match named {
                Some(named) if named != identity.user => Err(otherwise.into()),
                _ => Ok(identity.user.clone()),
            },
            (Who::Guest { .. } | Who::System, _) => Err(otherwise.into()),
        }
    }

    /// The connection of a gateway request.
    pub fn connection(&self) -> Option<&Arc<Connection>> {
        match &self.who {
            Who::User(identity) => Some(&identity.connection),
            Who::Guest { connection, .. } => Some(connection),
            Who::Admin(_) | Who::System => None,
        }
    }

    /// Called over REST by an administrator, as opposed to a client.
    pub fn is_admin(&self) -> bool {
        matches!(self.who, Who::Admin(_))
    }
}
