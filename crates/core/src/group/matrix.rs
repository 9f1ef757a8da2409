//! The types of groups side by side, made of the rules themselves: `docs/groups.md` is written from it, and each
//! of its cells is tested through the real interface (`spec/group-types.toml`).

use std::fmt::Write as _;

use teahouse_proto::error::{Error, ErrorCode};
use teahouse_proto::group::Role;
use teahouse_proto::time::UnixSeconds;

use super::rules::{Mute, Standing, TYPES, TypeRules};

/// One question, and what each type of group answers.
#[derive(Debug)]
pub struct Row {
    /// What is asked, in a few words: names the row.
    pub name: &'static str,
    /// What it means.
    pub help: &'static str,
    /// By type, in the order of [`types`].
    pub cells: Vec<String>,
}

/// The types, as the wire names them.
#[must_use]
pub fn types() -> Vec<&'static str> {
    TYPES.iter().map(|rules| rules.kind.word()).collect()
}

/// All rows.
#[must_use]
pub fn rows() -> Vec<Row> {
    QUESTIONS
        .iter()
        .map(|(name, help, answer)| Row { name, help, cells: TYPES.iter().map(answer).collect() })
        .collect()
}

type Question = (&'static str, &'static str, fn(&TypeRules) -> String);

static QUESTIONS: &[Question] = &[
    ("asking to join", "What happens to who asks, unless the group says otherwise.", |rules| {
        rules.apply.word().to_owned()
    }),
    ("approving", "Who decides on those who ask, where the group wants that.", |rules| {
        if rules.stored {
            who(rules, |who| check(who.manages() && who != Standing::Backend))
        } else {
            nobody()
        }
    }),
    ("adding members", "Who adds others, unless the group says otherwise.", |rules| {
        who(rules, |who| rules.may_invite(who, rules.invite).map(drop))
    }),
    ("removing members", "", |rules| who(rules, |who| rules.may_kick(who, Role::Member))),
    ("muting members", "", |rules| who(rules, |who| rules.may_mute(who, Some(Role::Member)))),
    ("banning members", "", |rules| who(rules, |who| rules.may_ban(who, Some(Role::Member)))),
    ("making admins", "", |rules| {
        who(rules, |who| rules.may_set_role(who, Role::Member, Role::Admin))
    }),
    ("editing looks", "Name, avatar, introduction and notice.", |rules| {
        who(rules, |who| rules.may_edit(who, true))
    }),
    ("editing options", "How one joins, most members, custom fields; muting everybody.", |rules| {
        who(rules, |who| rules.may_edit(who, false))
    }),
    ("handing over", "Making a member the owner.", |rules| {
        who(rules, |who| rules.may_transfer(who))
    }),
    ("dismissing", "", |rules| who(rules, |who| rules.may_dismiss(who))),
    ("leaving", "", |rules| {
        who(rules, |who| match who {
            Standing::Owner => rules.may_quit(Role::Owner),
            Standing::Admin => rules.may_quit(Role::Admin),
            Standing::Member => rules.may_quit(Role::Member),
            Standing::Backend | Standing::Stranger => check(false),
        })
    }),
    ("speaking", "Who is neither muted nor banned.", |rules| {
        who(rules, |who| rules.may_send(who, Mute::default(), UnixSeconds(0)))
    }),
    ("listing members", "", |rules| {
        who(rules, |who| check(rules.stored && who != Standing::Stranger))
    }),
    ("history", "Messages are kept, and read again.", |rules| yes_or_no(rules.stored)),
    ("earlier messages", "Newcomers see what was said before they came.", |rules| {
        yes_or_no(rules.newcomers_see_history)
    }),
    ("unread counts", "Messages count as unread.", |rules| yes_or_no(rules.unread)),
    ("found by id", "Strangers find it by its exact id.", |rules| yes_or_no(rules.found_by_id)),
    ("beginning inactive", "Nobody but the owner sees it before its first message.", |rules| {
        yes_or_no(rules.begins_inactive)
    }),
    (
        "told who comes and goes",
        "Members are, by tips; of live rooms those are not stored.",
        |rules| yes_or_no(rules.membership_tips),
    ),
];

fn check(allowed: bool) -> Result<(), Error> {
    if allowed { Ok(()) } else { Err(ErrorCode::GroupPermissionDenied.into()) }
}

fn yes_or_no(yes: bool) -> String {
    if yes { "yes" } else { "no" }.to_owned()
}

fn nobody() -> String {
    "nobody".to_owned()
}

/// Those whom a rule allows it.
fn who(rules: &TypeRules, may: impl Fn(Standing) -> Result<(), Error>) -> String {
    let all = [
        (Standing::Backend, "backend"),
        (Standing::Owner, "owner"),
        (Standing::Admin, "admins"),
        (Standing::Member, "members"),
        (Standing::Stranger, "strangers"),
    ];
    let there = all.iter().filter(|(who, _)| rules.admins || *who != Standing::Admin);
    let allowed: Vec<&str> =
        there.filter(|(who, _)| may(*who).is_ok()).map(|(_, name)| *name).collect();
    if allowed.is_empty() { nobody() } else { allowed.join(", ") }
}

/// The matrix as a page of the manual.
#[must_use]
pub fn markdown() -> String {
    let mut page = format!("| | {} |\n|---|{}\n", types().join(" | "), "---|".repeat(TYPES.len()));
    for Row { name, cells, .. } in rows() {
        let _ = writeln!(page, "| {name} | {} |", cells.join(" | "));
    }
    page.push('\n');
    for Row { name, help, .. } in rows().iter().filter(|row| !row.help.is_empty()) {
        let _ = writeln!(page, "- **{name}**: {help}");
    }
    page
}

#[cfg(test)]
mod tests {
    use teahouse_proto::group::ApplyJoinOption;

    use super::*;

    #[test]
    fn each_row_has_a_name_of_its_own_and_a_cell_for_each_type() {
        let rows = rows();
        let names: std::collections::BTreeSet<&str> = rows.iter().map(|row| row.name).collect();
        assert_eq!(names.len(), rows.len());
        assert!(rows.iter().all(|row| row.cells.len() == types().len()));
        let applying = &rows.iter().find(|row| row.name == "asking to join").expect("there").cells;
        assert_eq!(applying[0], ApplyJoinOption::DisableApply.word());
    }
}
