//! What is attached to a message after it was sent: extensions and reactions. The rules are the same one to one and
//! in groups. Where the rows of a message lie, who may attach something to it and who is told is not known here.

pub(crate) mod commands;
pub(crate) mod extensions;
pub(crate) mod reactions;
