//! The `sns` service.

pub(crate) mod black_list_get;
pub(crate) mod friend_get;
pub(crate) mod group_get;
pub(crate) mod pendency_get;
