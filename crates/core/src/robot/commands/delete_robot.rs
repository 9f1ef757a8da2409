//! `openim_robot_http_svc/delete_robot`: deletes a robot with its profile and conversations. Its id stays taken.
//!
//! Callers: administrators.

use teahouse_proto::error::{Error, ErrorCode};
use teahouse_proto::ids::UserId;

use crate::account::commands::Empty;
use crate::caller::Caller;
use crate::error::Outcome;
use crate::operation::Operation;
use crate::request;
use crate::robot;

pub(crate) const OPERATION: Operation<Request, Empty> =
    Operation::new("openim_robot_http_svc/delete_robot").rest();

request! {
    pub(crate) struct Request {
        /// The robot.
        robot_account: UserId = "Robot_Account",
    }
}

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Empty> {
    let robot = request.robot_account;
    if robot.is_robot() && robot::delete(caller.node(), caller.app(), &robot).await? {
        return Ok(Empty {});
    }
    let info = format!("there is no robot {robot}");
    Err(Error::with(ErrorCode::GroupBadParameter, info).into())
}
