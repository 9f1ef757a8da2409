//! What client packages ask for themselves: configuration, feature bits, telemetry.

pub(crate) mod commands;
