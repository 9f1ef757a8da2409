//! `recentcontact/mark_contact`: sets marks and custom data of up to 100 conversations.
//!
//! Callers: administrators for anyone, users for themselves. Each conversation has its own result. At most
//! 1,000 carry marks or custom data.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use teahouse_proto::error::{Error, ErrorCode};
use teahouse_proto::ids::UserId;

use super::{Asked, ContactItem, ContactResult, bad_item, check_count, owner};
use crate::caller::Caller;
use crate::conversation;
use crate::conversation::contacts::Marking;
use crate::error::Outcome;
use crate::event::ContactChange;
use crate::operation::Operation;
use crate::request;

pub(crate) const OPERATION: Operation<Request, Response> =
    Operation::new("recentcontact/mark_contact").rest().gateway().feature_bit(9);

request! {
    pub(crate) struct Request {
        /// Whose conversations.
        from_account: Option<UserId> = "From_Account",
        /// 1 to 100 conversations, with what is to be set.
        mark_item: Vec<MarkItem> = "MarkItem",
    }
}

/// What is to be set for one conversation.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct MarkItem {
    /// 1: standard marks, 2: custom data, 3: both. What it does not name is left alone.
    opt_type: u32,
    contact_item: ContactItem,
    /// Bits to set, 0 to 63. Bit 0 is a star, 1 unread, 2 folded, 3 hidden; 32 to 63 are the app's own.
    set_mark: Option<Vec<u32>>,
    /// Bits to clear; a bit that is in both lists is cleared.
    clear_mark: Option<Vec<u32>>,
    /// At most 256 bytes; empty removes it.
    custom_mark: Option<String>,
}

/// See the module.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Response {
    /// In the order of the request.
    result_item: Vec<MarkResult>,
}

/// What became of one conversation.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
struct MarkResult {
    opt_type: u32,
    #[serde(flatten)]
    result: ContactResult,
}

const STANDARD: u32 = 1;
const CUSTOM: u32 = 2;
const CUSTOM_MARK_BYTES_MAX: usize = 256;

pub(crate) async fn run(caller: Caller, request: Request) -> Outcome<Response> {
    let user = owner(&caller, request.from_account).await?;
    check_count(request.mark_item.len())?;
    let asked = request.mark_item.into_iter().map(MarkItem::asked);
    let asked: Vec<(u32, Asked<Marking>)> = asked.collect::<Result<_, _>>()?;
    let outcomes = conversation::attach(&caller, &user, |index, now, change| {
        let mut marked = Vec::new();
        let mut outcomes = Vec::with_capacity(asked.len());
        for (_, asked) in &asked {
            let outcome = asked.check(index).and_then(|contact| {
                marked.extend(index.contacts.mark(contact, &asked.what, now, change)?);
                Ok(())
            });
            outcomes.push(outcome);
        }
        let told = (!marked.is_empty()).then_some(ContactChange::Marked(marked));
        Ok((outcomes, told.into_iter().collect()))
    });
    let outcomes: Vec<Result<(), ErrorCode>> = outcomes.await?;
    let result = |((opt_type, asked), outcome): ((u32, Asked<Marking>), _)| MarkResult {
        opt_type,
        result: ContactResult::new(asked.item, outcome),
    };
    Ok(Response { result_item: asked.into_iter().zip(outcomes).map(result).collect() })
}

impl MarkItem {
    /// # Errors
    /// A number or text that is out of its range.
    fn asked(self) -> Result<(u32, Asked<Marking>), Error> {
        let opt_type = self.opt_type;
        if !(STANDARD..=STANDARD | CUSTOM).contains(&opt_type) {
            return Err(bad_item(&format!("OptType is {opt_type}, 1 to 3 are possible")));
        }
        let custom = self.custom_mark.filter(|_| opt_type & CUSTOM != 0);
        if let Some(custom) = custom.as_ref().filter(|c| c.len() > CUSTOM_MARK_BYTES_MAX) {
            let info =
                format!("CustomMark is {} bytes, at most {CUSTOM_MARK_BYTES_MAX}", custom.len());
            return Err(bad_item(&info));
        }
        let is_standard = opt_type & STANDARD != 0;
        let bits = |name, list: Option<Vec<u32>>| bits(name, list.filter(|_| is_standard));
        let what = Marking {
            set: bits("SetMark", self.set_mark)?,
            clear: bits("ClearMark", self.clear_mark)?,
            custom,
        };
        Ok((opt_type, Asked::new(self.contact_item, what)?))
    }
}

fn bits(name: &str, list: Option<Vec<u32>>) -> Result<u64, Error> {
    list.unwrap_or_default().into_iter().try_fold(0, |bits, bit| match 1_u64.checked_shl(bit) {
        Some(mask) => Ok(bits | mask),
        None => Err(bad_item(&format!("{name} has {bit}, 0 to 63 are possible"))),
    })
}
