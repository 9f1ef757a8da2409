//! `im_sdk_config_mgr`, `imopenstat`, media keys.

pub(crate) mod authkey;
pub(crate) mod fetch_config;
pub(crate) mod fetch_purchase_bits;
pub(crate) mod web_report;

/// How long a client keeps an answer, seconds. 0 would make it ask every second.
const EXPIRES_S: u32 = 3_600;
