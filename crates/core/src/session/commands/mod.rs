//! Sessions as clients ask for them: `im_open_status`, `heartbeat`, push acknowledgements.

pub(crate) mod heartbeat;
pub(crate) mod push_ack;
pub(crate) mod wshello;
pub(crate) mod wslogin;
pub(crate) mod wslogout;
