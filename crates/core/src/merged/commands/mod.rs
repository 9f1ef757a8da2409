//! The `im_long_msg` service.

pub(crate) mod get_relay_json_msg;
pub(crate) mod save_relay_json_msg;
