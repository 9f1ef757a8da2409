//! What is said: the types and codecs of the Teahouse protocols.
//!
//! This crate owns everything that has one meaning on the wire, and nothing else:
//!
//! - [`ids`], [`time`], [`platform`]: the small values, valid by construction;
//! - [`error`]: the one table of error numbers;
//! - [`fields`]: reading a JSON object field by field;
//! - [`frame`], [`envelope`](mod@envelope): requests, replies and answers;
//! - [`message`]: message bodies with their elements, and what goes along with them;
//! - [`group`]: the words of groups;
//! - [`push`]: events for clients, and the frames that carry them;
//! - [`usersig`]: the ticket that lets a user in.
//!
//! It is pure: no I/O, no async, no clock, no randomness, no global state. It refuses to know who may
//! do what, what is stored, and how bytes travel. Every decoder is bounded in size, depth and time,
//! never panics on its input, and has a fuzz target.

mod compact;
pub mod envelope;
pub mod error;
pub mod fields;
pub mod frame;
pub mod fuzz;
pub mod group;
pub mod ids;
pub mod message;
pub mod platform;
mod problem;
pub mod push;
pub mod time;
pub mod usersig;
