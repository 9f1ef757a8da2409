//! Groups, as far as a client asks for its own after each login.

pub(crate) mod commands;
