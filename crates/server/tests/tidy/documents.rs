//! Documents that are written from the code are current.
//!
//! `UPDATE_DOCS=1 cargo test -p teahouse-server --test tidy` writes them anew.

use teahouse_core::settings::AppSettings;

#[test]
fn the_error_table_is_current() {
    check("docs/errors.md", &teahouse_proto::error::markdown());
}

#[test]
fn the_settings_page_is_current() {
    let page = format!(
        "# Settings of an app\n\n\
         Generated from the table in `crates/core/src/settings.rs`; do not edit.\n\n\
         Each app has settings of its own. `teahouse ctl --data DIR app set SDKAPPID NAME=VALUE` changes\n\
         some while the server runs, `teahouse ctl --data DIR app show SDKAPPID` shows all.\n\n{}",
        AppSettings::markdown()
    );
    check("docs/settings.md", &page);
}

#[test]
fn the_types_of_groups_are_current() {
    let page = format!(
        "# Types of groups\n\n\
         Generated from the rules in `crates/core/src/group/rules.rs`; do not edit. Each cell is tested\n\
         through the real interface, see `spec/group-types.toml`.\n\n\
         Private groups are called Work by newer packages, ChatRoom groups Meeting. Who is above another\n\
         may do to him what the table says of members: the owner to admins, too. A live room is an\n\
         AVChatRoom; its members are those who are there now. A backend may act in any group.\n\n{}",
        teahouse_core::group_types::markdown()
    );
    check("docs/groups.md", &page);
}

#[test]
fn the_api_reference_is_current() {
    let document = teahouse_server::openapi::document(&teahouse_core::commands::registry());
    let text = serde_json::to_string_pretty(&document).expect("a document is JSON");
    check("docs/openapi.json", &format!("{text}\n"));
}

fn check(name: &str, generated: &str) {
    let path = crate::root().join(name);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, generated).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    let line = written.lines().zip(generated.lines()).position(|(a, b)| a != b);
    let line = line.unwrap_or_else(|| written.lines().count().min(generated.lines().count())) + 1;
    assert!(
        written == generated,
        "{name} differs from what the code says, from line {line} on; \
         `UPDATE_DOCS=1 cargo test -p teahouse-server --test tidy` writes it anew"
    );
}
