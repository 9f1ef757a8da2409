//! The mutes of the `openconfigsvr` service.

pub(crate) mod getnospeaking;
pub(crate) mod setnospeaking;
