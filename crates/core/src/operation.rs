//! Operations and their registry: the one table from which the faces dispatch, the API reference is
//! written, the feature bits are derived, and `spec/endpoints.toml` is checked.
//!
//! An operation is one file: its path, its request and response types, and one async function.
//! Decoding, authentication, rates and the reply envelope are done here and in the faces, once for all.

use std::collections::HashMap;
use std::marker::PhantomData;

use futures_util::future::{BoxFuture, FutureExt};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Serialize;
use teahouse_proto::error::{Error, ErrorCode};
use teahouse_proto::fields::Fields;

use crate::caller::Caller;
use crate::error::{Failure, Outcome};
use crate::hook::via::Via;

/// A service's own codes for what every service can refuse, and its habits.
#[derive(Debug)]
pub struct Family {
    /// The service name, as in the path.
    pub service: &'static str,
    /// The caller is not an administrator.
    pub not_admin: ErrorCode,
    /// The body is not a JSON object.
    pub not_json: ErrorCode,
    /// A field is missing, of the wrong type or out of range, and has no code of its own.
    pub argument: ErrorCode,
    /// The server failed.
    pub internal: ErrorCode,
    /// There is no such command in this service.
    pub unknown_command: ErrorCode,
    /// Replies carry an (empty) `ErrorDisplay`.
    pub error_display: bool,
}

macro_rules! families {
    ($($service:literal: $not_admin:ident $not_json:ident $argument:ident $internal:ident $unknown:ident $display:literal;)+) => {
        /// Every service with codes of its own. The first is for all others.
        pub static FAMILIES: &[Family] = &[$(Family {
            service: $service,
            not_admin: ErrorCode::$not_admin,
            not_json: ErrorCode::$not_json,
            argument: ErrorCode::$argument,
            internal: ErrorCode::$internal,
            unknown_command: ErrorCode::$unknown,
            error_display: $display,
        },)+];
    };
}

families! {
    // service                 not admin          not JSON          argument           internal         unknown command  display
    "":                        NotAdmin JsonMalformed UrlParameterWrong ServiceTimeout UnknownCommand false;
    "im_open_login_svc":       AccountNotAdmin AccountBadParameter AccountBadParameter AccountInternal UnknownCommand false;
    "im_open_status":          NotAdmin JsonMalformed RequestIllegal MessageInternal UnknownCommand false;
    "openim":                  MsgNotAdmin MsgJsonMalformed MsgJsonMalformed OpenimInternal UnknownCommand false;
    "openim_msg_ext_http_svc": NotAdmin GroupBadParameter GroupBadParameter GroupInternal GroupUnknownCommand false;
    "profile":                 ProfileNotAdmin ProfileBadParameter ProfileBadParameter ProfileInternal UnknownCommand true;
    "sns":                     RelationNotAdmin RelationBadParameter RelationBadParameter RelationInternal UnknownCommand true;
    "follow":                  RelationNotAdmin RelationBadParameter RelationBadParameter RelationInternal UnknownCommand true;
    "recentcontact":           ConversationNotAdmin ConversationBadParameter ConversationBadParameter ConversationInternal UnknownCommand true;
    "openconfigsvr":           NotAdmin ConfigJsonMalformed ConfigJsonMalformed ConfigInternal UnknownCommand false;
    "openim_robot_http_svc":   GroupRequestIllegal GroupBadParameter GroupBadParameter GroupInternal UnknownCommand false;
    "im_long_msg":             NotAdmin JsonMalformed RequestIllegal MessageInternal UnknownCommand false;
    "im_msg_db_logic":         NotAdmin JsonMalformed RequestIllegal MessageInternal UnknownCommand false;
    "group_search":            NotAdmin SearchBadParameter SearchBadParameter ServiceTimeout UnknownCommand false;
    "group_member_search":     NotAdmin SearchBadParameter SearchBadParameter ServiceTimeout UnknownCommand false;
    "group_open_http_svc":     NotAdmin GroupJsonMalformed GroupBadParameter GroupInternal GroupUnknownCommand false;
    "group_open_attr_http_svc": NotAdmin GroupJsonMalformed GroupBadParameter GroupInternal GroupUnknownCommand false;
    "million_group_open_http_svc": NotAdmin GroupJsonMalformed GroupBadParameter GroupInternal GroupUnknownCommand false;
}

/// What clients call an operation on a community, whichever service it belongs to.
pub fn million_servcmd(path: &str) -> String {
    let command = path.rsplit('/').next().unwrap_or_default();
    format!("million_group_open_http_svc.{command}")
}

/// The codes of the service in `path`.
pub fn family(path: &str) -> &'static Family {
    let service = path.split(['/', '.']).next().unwrap_or_default();
    FAMILIES.iter().find(|family| family.service == service).unwrap_or(&FAMILIES[0])
}

/// Who may call an operation on the gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Only a logged-in user (or an administrator on REST).
    LoggedIn,
    /// Also a connection without a login.
    Anyone,
}

/// What the registry and the documents know of an operation.
#[derive(Debug, Clone, Copy)]
pub struct About {
    /// `service/command`.
    pub path: &'static str,
    /// Served over REST, to administrators.
    pub rest: bool,
    /// Served on the gateway, to users.
    pub gateway: bool,
    /// Who may call it on the gateway.
    pub access: Access,
    /// REST calls a second and app, at the default of the setting `rest.calls_per_second`.
    pub calls_per_second: u32,
    /// Clients call it for communities under `million_group_open_http_svc`.
    pub million: bool,
    /// Requests of one connection take effect in the order in which they were sent.
    pub in_order: bool,
    /// A request without a reply.
    pub one_way: bool,
    /// The client's feature bit which says that the server offers this.
    pub feature_bit: Option<u32>,
}

/// An operation's description, tied to its request and response types.
pub struct Operation<Q, R> {
    about: About,
    types: PhantomData<fn(Q) -> R>,
}

impl<Q, R> Operation<Q, R> {
    /// An operation that no face serves yet; see [`Operation::rest`] and [`Operation::gateway`].
    pub const fn new(path: &'static str) -> Self {
        let about = About {
            path,
            rest: false,
            gateway: false,
            access: Access::LoggedIn,
            calls_per_second: 200,
            million: false,
            in_order: false,
            one_way: false,
            feature_bit: None,
        };
        Self { about, types: PhantomData }
    }

    /// Served over REST.
    pub const fn rest(mut self) -> Self {
        self.about.rest = true;
        self
    }

    /// Served on the gateway.
    pub const fn gateway(mut self) -> Self {
        self.about.gateway = true;
        self
    }

    /// Needs no login on the gateway.
    pub const fn for_anyone(mut self) -> Self {
        self.about.access = Access::Anyone;
        self
    }

    /// Also called under the service name of communities.
    pub const fn million(mut self) -> Self {
        self.about.million = true;
        self
    }

    /// Takes effect in the order of sending: the operation ends its turn (`Caller::end_turn`) as soon
    /// as its place is certain.
    pub const fn in_order(mut self) -> Self {
        self.about.in_order = true;
        self
    }

    /// Has no reply.
    pub const fn one_way(mut self) -> Self {
        self.about.one_way = true;
        self
    }

    /// Clients use it only if the server has this bit set.
    pub const fn feature_bit(mut self, bit: u32) -> Self {
        self.about.feature_bit = Some(bit);
        self
    }

    /// REST calls a second and app.
    pub const fn calls_per_second(mut self, calls: u32) -> Self {
        self.about.calls_per_second = calls;
        self
    }
}

/// A request that decodes itself from a JSON object; made by [`request!`](crate::request).
pub trait Request: Sized + Send + 'static {
    /// Reads the fields; a field that does not fit is refused with its own code or `family`'s.
    ///
    /// # Errors
    /// The first field that is missing or has the wrong type.
    fn decode(fields: &Fields<'_>, family: &Family) -> Result<Self, Error>;
    /// The fields, for the API reference.
    fn fields(schemas: &mut SchemaGenerator) -> Vec<FieldInfo>;
}

/// One field of a request.
pub struct FieldInfo {
    /// The name to use.
    pub name: &'static str,
    /// Older names that are accepted too.
    pub older_names: &'static [&'static str],
    /// What it means.
    pub help: String,
    /// Must be there.
    pub required: bool,
    /// Its type.
    pub schema: Schema,
}

/// Defines a request: fields with their wire names (the one to use first, then older ones) and, after
/// `else`, the error code of a value that is missing or of the wrong type; after `malformed`, only of one of
/// the wrong type.
#[macro_export]
macro_rules! request {
    ($(#[doc = $about:literal])* $vis:vis struct $name:ident { $(
        $(#[doc = $help:literal])*
        $field:ident: $type:ty = $wire:literal $(| $older:literal)* $(else $code:ident)?
            $(malformed $malformed:ident)?,
    )* }) => {
        $(#[doc = $about])*
        #[derive(Debug)]
        #[allow(dead_code, reason = "a field may be there only to be checked and documented")]
        $vis struct $name { $($(#[doc = $help])* $field: $type,)* }

        impl $crate::operation::Request for $name {
            #[allow(unused_variables, reason = "a request without fields")]
            fn decode(
                fields: &teahouse_proto::fields::Fields<'_>,
                family: &$crate::operation::Family,
            ) -> Result<Self, teahouse_proto::error::Error> {
                Ok(Self { $(
                    $field: {
                        let missing = family.argument;
                        $(let missing = teahouse_proto::error::ErrorCode::$code;)?
                        let malformed = missing;
                        $(let malformed = teahouse_proto::error::ErrorCode::$malformed;)?
                        $crate::operation::field(fields, &[$wire $(, $older)*], missing, malformed)?
                    },
                )* })
            }

            #[allow(unused_variables, reason = "a request without fields")]
            fn fields(schemas: &mut schemars::SchemaGenerator) -> Vec<$crate::operation::FieldInfo> {
                vec![$($crate::operation::FieldInfo {
                    name: $wire,
                    older_names: &[$($older),*],
                    help: concat!("" $(, $help)*).trim().to_owned(),
                    required: serde_json::from_str::<$type>("null").is_err(),
                    schema: schemas.subschema_for::<$type>(),
                },)*]
            }
        }
    };
}

/// One field of a request; absent and `null` are the same.
///
/// # Errors
/// The field does not deserialise: `missing` or `malformed`, with its name and what was expected.
pub fn field<T: serde::de::DeserializeOwned>(
    fields: &Fields<'_>,
    names: &[&str],
    missing: ErrorCode,
    malformed: ErrorCode,
) -> Result<T, Error> {
    let raw = fields.get(names);
    serde_json::from_str(raw.map_or("null", |raw| raw.get())).map_err(|problem| match raw {
        None => Error::with(missing, format!("{} is missing", names[0])),
        Some(_) => {
            let info = format!("{}: {}", names[0], without_position(&problem));
            Error::with(malformed, info)
        }
    })
}

fn without_position(problem: &serde_json::Error) -> String {
    let text = problem.to_string();
    text.split(" at line ").next().unwrap_or(&text).to_owned()
}

type Run = dyn Fn(Caller, &str) -> BoxFuture<'static, Result<String, Error>> + Send + Sync;
type Describe = dyn Fn(&mut SchemaGenerator) -> (Vec<FieldInfo>, Schema) + Send + Sync;

/// An operation as the faces see it.
pub struct Served {
    /// What it is.
    pub about: About,
    /// Its service's codes.
    pub family: &'static Family,
    /// Its place in the table, for counters.
    pub index: usize,
    run: Box<Run>,
    describe: Box<Describe>,
}

impl Served {
    /// Decodes `body` (the JSON text of the request), runs the operation to its end, and returns the
    /// fields of the reply as a JSON object. Decoding happens in the call itself, so the future holds no borrow.
    pub fn run(&self, caller: Caller, body: &str) -> BoxFuture<'static, Result<String, Error>> {
        (self.run)(caller, body)
    }

    /// Request fields and response schema, for the API reference.
    pub fn describe(&self, schemas: &mut SchemaGenerator) -> (Vec<FieldInfo>, Schema) {
        (self.describe)(schemas)
    }
}

/// All operations, by path.
#[derive(Default)]
pub struct Registry {
    served: Vec<Served>,
    by_path: HashMap<&'static str, usize>,
    /// As clients name them: `service.command`.
    by_servcmd: HashMap<String, usize>,
}

impl Registry {
    /// Adds an operation.
    ///
    /// # Panics
    /// The path is taken.
    pub fn on<Q, R, F>(
        mut self,
        operation: Operation<Q, R>,
        run: impl Fn(Caller, Q) -> F + Copy + Send + Sync + 'static,
    ) -> Self
    where
        Q: Request,
        R: Serialize + JsonSchema + 'static,
        F: Future<Output = Outcome<R>> + Send + 'static,
    {
        let about = operation.about;
        let family = family(about.path);
        let index = self.served.len();
        assert!(self.by_path.insert(about.path, index).is_none(), "{} is taken", about.path);
        if about.gateway {
            let servcmd = about.path.replacen('/', ".", 1);
            if about.million {
                self.by_servcmd.insert(million_servcmd(about.path), index);
            }
            self.by_servcmd.insert(servcmd, index);
        }
        self.served.push(Served {
            about,
            family,
            index,
            run: Box::new(move |caller, body| match decode::<Q>(body, family) {
                Ok(request) => {
                    let via = Via::of(&caller, about.path);
                    via.scope(finish(run(caller, request), about.path, family)).boxed()
                }
                Err(error) => std::future::ready(Err(error)).boxed(),
            }),
            describe: Box::new(|schemas| (Q::fields(schemas), schemas.subschema_for::<R>())),
        });
        self
    }

    /// The operation that REST serves under `service/command`.
    pub fn rest(&self, path: &str) -> Option<&Served> {
        let served = &self.served[*self.by_path.get(path)?];
        served.about.rest.then_some(served)
    }

    /// The operation that the gateway serves under `service.command`.
    pub fn gateway(&self, servcmd: &str) -> Option<&Served> {
        Some(&self.served[*self.by_servcmd.get(servcmd)?])
    }

    /// The operation at [`Served::index`].
    pub fn at(&self, index: usize) -> &Served {
        &self.served[index]
    }

    /// All operations, in the order of the table.
    pub fn iter(&self) -> impl Iterator<Item = &Served> {
        self.served.iter()
    }

    /// The client's bit string of what the server offers: 64 characters, the rightmost is bit 0.
    pub fn feature_bits(&self) -> String {
        let set = |bit| self.served.iter().any(|served| served.about.feature_bit == Some(bit));
        (0..64).rev().map(|bit| if set(bit) { '1' } else { '0' }).collect()
    }
}

fn decode<Q: Request>(body: &str, family: &Family) -> Result<Q, Error> {
    let fields = Fields::parse(body.as_bytes())
        .map_err(|problem| Error::with(family.not_json, format!("request body: {problem}")))?;
    Q::decode(&fields, family)
}

async fn finish<R: Serialize>(
    run: impl Future<Output = Outcome<R>>,
    path: &'static str,
    family: &'static Family,
) -> Result<String, Error> {
    match run.await {
        Ok(response) => serde_json::to_string(&response).map_err(|problem| {
            tracing::error!(path, %problem, "a reply cannot be written as JSON");
            Error::new(family.internal)
        }),
        Err(Failure::Refused(error)) => Err(error),
        Err(failure @ (Failure::Read(_) | Failure::Commit(_))) => {
            tracing::error!(path, %failure, "an operation failed");
            Err(Error::new(family.internal))
        }
    }
}
