//! The `openim_robot_http_svc` service.

pub(crate) mod create_robot;
pub(crate) mod delete_robot;
pub(crate) mod get_all_robots;
