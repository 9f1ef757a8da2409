//! The registry: one line per operation.

use crate::account::commands::{
    account_check, account_delete, account_import, kick, multiaccount_import,
};
use crate::conversation::commands::{
    batch_delete, clear_msg, create_contact_group, del_contact_group, delete, get_contact_group,
    get_list, mark_contact, page_get, search_contact_group, top, update_contact_group,
};
use crate::follow::commands::{
    follow_add, follow_check, follow_delete, follow_get, follow_get_info,
};
use crate::group::commands::{
    add_group_member, apply_join_group, ban_group_member, batch_get_group_notify,
    change_group_owner, clear_group_attr, clear_group_msg, create_group, delete_group_attr,
    delete_group_counter, delete_group_member, delete_group_msg_by_sender,
    delete_group_ramble_msg_by_seq, destroy_group, forbid_send_msg, get_appid_group_list,
    get_group_attr, get_group_ban_member, get_group_counter, get_group_info, get_group_member_info,
    get_group_msg_receipt, get_group_msg_receipt_detail, get_group_msg_receipts_by_users,
    get_group_muted_account, get_group_notify, get_group_public_info, get_group_self_member_info,
    get_group_shutted_uin, get_joined_group_list, get_online_member_num, get_pendency,
    get_pinned_messages, get_role_in_group, get_specified_group_member_info, group_get_key_values,
    group_msg_get, group_msg_get_simple, group_msg_recall, group_msg_receipt, group_reaction_add,
    group_reaction_del, group_reaction_iterate, group_reaction_multi_stat, group_set_key_values,
    handle_apply_join_group, handle_invite_join_group, handle_invite_join_permission_group,
    import_group, import_group_member, import_group_msg, modify_group_attr, modify_group_base_info,
    modify_group_member_info, modify_group_msg, msg_read_report, pin_message, quit_group,
    send_group_msg, send_group_system_notification, set_group_attr, set_unread_msg_num,
    unban_group_member, unpin_message, update_group_counter,
};
use crate::merged::commands::{get_relay_json_msg, save_relay_json_msg};
use crate::mute::commands::{getnospeaking, setnospeaking};
use crate::operation::Registry;
use crate::pair::commands::{
    admin_getroammsg, admin_msgwithdraw, admin_set_msg_read, batchsendmsg, c2c_msg_read_receipt,
    delete_c2c_msg_ramble, deletemsg, get_c2c_peer_mute_notifications, get_c2c_unread_msg_num,
    get_key_values, get_peer_read_time, getmsg, getroammsg, importmsg, modify_c2c_msg, msgreaded,
    msgwithdraw, reaction_add, reaction_del, reaction_iterate, reaction_multi_stat,
    read_all_unread_msg, sendmsg, set_c2c_peer_mute_notifications, set_key_values,
    ws_get_do_not_disturb, ws_set_do_not_disturb,
};
use crate::presence::commands::{
    query_online_status, querystate, ws_get_user_status, ws_set_custom_status, ws_status_subscribe,
    ws_status_unsubscribe,
};
use crate::profile::commands::{portrait_get, portrait_get_all, portrait_set};
use crate::relation::commands::{
    black_list_add, black_list_check, black_list_delete, black_list_get, friend_add, friend_check,
    friend_delete, friend_delete_all, friend_get, friend_get_list, friend_get_specified,
    friend_import, friend_response, friend_update, group_add, group_delete, group_get,
    group_update, pendency_delete, pendency_get, pendency_report,
};
use crate::robot::commands::{create_robot, delete_robot, get_all_robots};
use crate::sdk::commands::{authkey, fetch_config, fetch_purchase_bits, web_report};
use crate::search::commands::{group_member_search, group_search};
use crate::session::commands::{heartbeat, push_ack, wshello, wslogin, wslogout};

/// Every operation of this version.
pub fn registry() -> Registry {
    Registry::default()
        // accounts
        .on(account_import::OPERATION, account_import::run)
        .on(multiaccount_import::OPERATION, multiaccount_import::run)
        .on(account_delete::OPERATION, account_delete::run)
        .on(account_check::OPERATION, account_check::run)
        .on(kick::OPERATION, kick::run)
        // sessions
        .on(wslogin::OPERATION, wslogin::run)
        .on(wslogout::OPERATION, wslogout::run)
        .on(wshello::OPERATION, wshello::run)
        .on(heartbeat::OPERATION, heartbeat::run)
        .on(push_ack::OPERATION, push_ack::run)
        // presence
        .on(query_online_status::OPERATION, query_online_status::run)
        .on(querystate::OPERATION, querystate::run)
        .on(ws_set_custom_status::OPERATION, ws_set_custom_status::run)
        .on(ws_get_user_status::OPERATION, ws_get_user_status::run)
        .on(ws_status_subscribe::OPERATION, ws_status_subscribe::run)
        .on(ws_status_unsubscribe::OPERATION, ws_status_unsubscribe::run)
        // profiles
        .on(portrait_set::OPERATION, portrait_set::run)
        .on(portrait_get::OPERATION, portrait_get::run)
        .on(portrait_get_all::OPERATION, portrait_get_all::run)
        // one-to-one messages
        .on(sendmsg::OPERATION, sendmsg::run)
        .on(batchsendmsg::OPERATION, batchsendmsg::run)
        .on(importmsg::OPERATION, importmsg::run)
        .on(admin_getroammsg::OPERATION, admin_getroammsg::run)
        .on(getroammsg::OPERATION, getroammsg::run)
        .on(getmsg::OPERATION, getmsg::run)
        .on(msgreaded::OPERATION, msgreaded::run)
        .on(get_peer_read_time::OPERATION, get_peer_read_time::run)
        .on(admin_set_msg_read::OPERATION, admin_set_msg_read::run)
        .on(read_all_unread_msg::OPERATION, read_all_unread_msg::run)
        .on(get_c2c_unread_msg_num::OPERATION, get_c2c_unread_msg_num::run)
        .on(deletemsg::OPERATION, deletemsg::run)
        // how users are told of messages
        .on(get_c2c_peer_mute_notifications::OPERATION, get_c2c_peer_mute_notifications::run)
        .on(set_c2c_peer_mute_notifications::OPERATION, set_c2c_peer_mute_notifications::run)
        .on(ws_get_do_not_disturb::OPERATION, ws_get_do_not_disturb::run)
        .on(ws_set_do_not_disturb::OPERATION, ws_set_do_not_disturb::run)
        // merged messages
        .on(save_relay_json_msg::OPERATION, save_relay_json_msg::run)
        .on(get_relay_json_msg::OPERATION, get_relay_json_msg::run)
        // robots
        .on(create_robot::OPERATION, create_robot::run)
        .on(delete_robot::OPERATION, delete_robot::run)
        .on(get_all_robots::OPERATION, get_all_robots::run)
        // mutes everywhere
        .on(setnospeaking::OPERATION, setnospeaking::run)
        .on(getnospeaking::OPERATION, getnospeaking::run)
        // what becomes of one-to-one messages
        .on(msgwithdraw::OPERATION, msgwithdraw::run)
        .on(admin_msgwithdraw::OPERATION, admin_msgwithdraw::run)
        .on(modify_c2c_msg::OPERATION, modify_c2c_msg::run)
        .on(delete_c2c_msg_ramble::OPERATION, delete_c2c_msg_ramble::run)
        .on(c2c_msg_read_receipt::OPERATION, c2c_msg_read_receipt::run)
        .on(set_key_values::OPERATION, set_key_values::run)
        .on(get_key_values::OPERATION, get_key_values::run)
        .on(reaction_add::OPERATION, reaction_add::run)
        .on(reaction_del::OPERATION, reaction_del::run)
        .on(reaction_multi_stat::OPERATION, reaction_multi_stat::run)
        .on(reaction_iterate::OPERATION, reaction_iterate::run)
        // conversations
        .on(page_get::OPERATION, page_get::run)
        .on(get_list::OPERATION, get_list::run)
        .on(delete::OPERATION, delete::run)
        .on(batch_delete::OPERATION, batch_delete::run)
        .on(top::OPERATION, top::run)
        .on(mark_contact::OPERATION, mark_contact::run)
        .on(create_contact_group::OPERATION, create_contact_group::run)
        .on(update_contact_group::OPERATION, update_contact_group::run)
        .on(del_contact_group::OPERATION, del_contact_group::run)
        .on(clear_msg::OPERATION, clear_msg::run)
        .on(get_contact_group::OPERATION, get_contact_group::run)
        .on(search_contact_group::OPERATION, search_contact_group::run)
        // relations
        .on(friend_add::OPERATION, friend_add::run)
        .on(friend_import::OPERATION, friend_import::run)
        .on(friend_update::OPERATION, friend_update::run)
        .on(friend_delete::OPERATION, friend_delete::run)
        .on(friend_delete_all::OPERATION, friend_delete_all::run)
        .on(friend_check::OPERATION, friend_check::run)
        .on(friend_get::OPERATION, friend_get::run)
        .on(friend_get_list::OPERATION, friend_get_list::run)
        .on(friend_get_specified::OPERATION, friend_get_specified::run)
        .on(friend_response::OPERATION, friend_response::run)
        .on(pendency_get::OPERATION, pendency_get::run)
        .on(pendency_delete::OPERATION, pendency_delete::run)
        .on(pendency_report::OPERATION, pendency_report::run)
        .on(black_list_add::OPERATION, black_list_add::run)
        .on(black_list_delete::OPERATION, black_list_delete::run)
        .on(black_list_get::OPERATION, black_list_get::run)
        .on(black_list_check::OPERATION, black_list_check::run)
        .on(group_add::OPERATION, group_add::run)
        .on(group_delete::OPERATION, group_delete::run)
        .on(group_get::OPERATION, group_get::run)
        .on(group_update::OPERATION, group_update::run)
        // following
        .on(follow_add::OPERATION, follow_add::run)
        .on(follow_delete::OPERATION, follow_delete::run)
        .on(follow_get::OPERATION, follow_get::run)
        .on(follow_check::OPERATION, follow_check::run)
        .on(follow_get_info::OPERATION, follow_get_info::run)
        // groups
        .on(create_group::OPERATION, create_group::run)
        .on(destroy_group::OPERATION, destroy_group::run)
        .on(modify_group_base_info::OPERATION, modify_group_base_info::run)
        .on(change_group_owner::OPERATION, change_group_owner::run)
        .on(get_group_info::OPERATION, get_group_info::run)
        .on(get_group_self_member_info::OPERATION, get_group_self_member_info::run)
        .on(get_group_public_info::OPERATION, get_group_public_info::run)
        .on(get_appid_group_list::OPERATION, get_appid_group_list::run)
        // members of groups
        .on(add_group_member::OPERATION, add_group_member::run)
        .on(delete_group_member::OPERATION, delete_group_member::run)
        .on(apply_join_group::OPERATION, apply_join_group::run)
        .on(handle_apply_join_group::OPERATION, handle_apply_join_group::run)
        .on(handle_invite_join_group::OPERATION, handle_invite_join_group::run)
        .on(
            handle_invite_join_permission_group::OPERATION,
            handle_invite_join_permission_group::run,
        )
        .on(get_pendency::OPERATION, get_pendency::run)
        .on(get_pendency::OF_COMMUNITIES, get_pendency::run_of_communities)
        .on(quit_group::OPERATION, quit_group::run)
        .on(ban_group_member::OPERATION, ban_group_member::run)
        .on(unban_group_member::OPERATION, unban_group_member::run)
        .on(get_group_ban_member::OPERATION, get_group_ban_member::run)
        .on(get_group_member_info::OPERATION, get_group_member_info::run)
        .on(get_specified_group_member_info::OPERATION, get_specified_group_member_info::run)
        .on(modify_group_member_info::OPERATION, modify_group_member_info::run)
        .on(get_role_in_group::OPERATION, get_role_in_group::run)
        .on(get_online_member_num::OPERATION, get_online_member_num::run)
        .on(forbid_send_msg::OPERATION, forbid_send_msg::run)
        .on(get_group_muted_account::OPERATION, get_group_muted_account::run)
        .on(get_group_shutted_uin::OPERATION, get_group_shutted_uin::run)
        // groups of other systems
        .on(import_group::OPERATION, import_group::run)
        .on(import_group_msg::OPERATION, import_group_msg::run)
        .on(import_group_member::OPERATION, import_group_member::run)
        .on(set_unread_msg_num::OPERATION, set_unread_msg_num::run)
        // group messages
        .on(send_group_msg::OPERATION, send_group_msg::run)
        .on(send_group_system_notification::OPERATION, send_group_system_notification::run)
        .on(group_msg_get_simple::OPERATION, group_msg_get_simple::run)
        .on(group_msg_get::OPERATION, group_msg_get::run)
        .on(msg_read_report::OPERATION, msg_read_report::run)
        // what becomes of group messages
        .on(group_msg_recall::OPERATION, group_msg_recall::run)
        .on(modify_group_msg::OPERATION, modify_group_msg::run)
        .on(delete_group_msg_by_sender::OPERATION, delete_group_msg_by_sender::run)
        .on(clear_group_msg::OPERATION, clear_group_msg::run)
        .on(delete_group_ramble_msg_by_seq::OPERATION, delete_group_ramble_msg_by_seq::run)
        // what members do with group messages
        .on(group_msg_receipt::OPERATION, group_msg_receipt::run)
        .on(get_group_msg_receipt::OPERATION, get_group_msg_receipt::run)
        .on(get_group_msg_receipt_detail::OPERATION, get_group_msg_receipt_detail::run)
        .on(get_group_msg_receipts_by_users::OPERATION, get_group_msg_receipts_by_users::run)
        .on(group_reaction_add::OPERATION, group_reaction_add::run)
        .on(group_reaction_del::OPERATION, group_reaction_del::run)
        .on(group_reaction_iterate::OPERATION, group_reaction_iterate::run)
        .on(group_reaction_multi_stat::OPERATION, group_reaction_multi_stat::run)
        .on(group_set_key_values::OPERATION, group_set_key_values::run)
        .on(group_get_key_values::OPERATION, group_get_key_values::run)
        .on(pin_message::OPERATION, pin_message::run)
        .on(unpin_message::OPERATION, unpin_message::run)
        .on(get_pinned_messages::OPERATION, get_pinned_messages::run)
        // what clients ask for their groups
        .on(get_joined_group_list::OPERATION, get_joined_group_list::run)
        .on(batch_get_group_notify::OPERATION, batch_get_group_notify::run)
        .on(get_group_notify::OPERATION, get_group_notify::run)
        // what the members of a group share
        .on(get_group_attr::OPERATION, get_group_attr::run)
        .on(set_group_attr::OPERATION, set_group_attr::run)
        .on(modify_group_attr::OPERATION, modify_group_attr::run)
        .on(delete_group_attr::OPERATION, delete_group_attr::run)
        .on(clear_group_attr::OPERATION, clear_group_attr::run)
        .on(get_group_counter::OPERATION, get_group_counter::run)
        .on(update_group_counter::OPERATION, update_group_counter::run)
        .on(delete_group_counter::OPERATION, delete_group_counter::run)
        // search
        .on(group_search::OPERATION, group_search::run)
        .on(group_member_search::OPERATION, group_member_search::run)
        // what client packages ask for themselves
        .on(fetch_config::OPERATION, fetch_config::run)
        .on(fetch_purchase_bits::OPERATION, fetch_purchase_bits::run)
        .on(authkey::OPERATION, authkey::run)
        .on(web_report::OPERATION, web_report::run)
}
