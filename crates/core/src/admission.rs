//! The one admission point: whoever wants to write into a conversation passes here, after the request
//! itself was found valid and before anything changes. A new check (friendship, block list, mute,
//! webhook, moderation, flow control) is added here and then holds on every face.

use teahouse_proto::error::ErrorCode;
use teahouse_proto::ids::UserId;

use crate::account;
use crate::caller::Caller;
use crate::error::Outcome;
use crate::pair::Ends;

/// Lets `from` write to `to`: both accounts exist. Returns the two ends of their conversation.
///
/// # Errors
/// `AccountUnknown` for the sender, `ToAccountUnknown` for the receiver.
pub(crate) async fn to_user(caller: &Caller, from: UserId, to: UserId) -> Outcome<Ends> {
    let (node, app) = (caller.node(), caller.app());
    let own_tiny = account::existing(node, app, &from, ErrorCode::AccountUnknown).await?;
    let peer_tiny = account::existing(node, app, &to, ErrorCode::ToAccountUnknown).await?;
    Ok(Ends { own: from, own_tiny, peer: to, peer_tiny })
}
