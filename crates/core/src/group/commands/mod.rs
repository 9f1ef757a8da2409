//! `group_open_http_svc`, and its twin for communities.

pub(crate) mod batch_get_group_notify;
pub(crate) mod get_group_notify;
pub(crate) mod get_joined_group_list;
