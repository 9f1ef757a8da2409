//! `spec/group-types.toml`: the matrix of the types of groups, as cases. Its header explains it.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};
use teahouse_core::group_types;

use crate::format::{Call, Case, Face, Step, steps};

const FILE: &str = "group-types.toml";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Matrix {
    row: Vec<Row>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    name: String,
    call: String,
    face: Option<Face>,
    #[serde(rename = "as")]
    caller: Option<String>,
    body: String,
    #[serde(default)]
    given: Vec<Value>,
    #[serde(default)]
    given_of: BTreeMap<String, Vec<Value>>,
    cells: BTreeMap<String, String>,
    #[serde(default)]
    denied: BTreeMap<String, i64>,
    #[serde(default)]
    outcomes: BTreeMap<String, Outcome>,
}

#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Outcome {
    /// JSON text.
    reply: Option<String>,
    error: Option<i64>,
}

/// Who tries what not everybody may: the word of a cell, and the caller.
const EVERYBODY: [(&str, &str); 5] = [
    ("backend", "administrator"),
    ("owner", "alice"),
    ("admins", "bob"),
    ("members", "carol"),
    ("strangers", "dave"),
];

/// A case for each cell, or for each who in it.
///
/// # Errors
/// A cell of the matrix is missing, or says something else.
pub(crate) fn cases(text: &str) -> Result<Vec<Case>, Vec<String>> {
    let Matrix { row: rows } = toml::from_str(text).map_err(|error| vec![error.to_string()])?;
    let mistakes = differences(&rows);
    if !mistakes.is_empty() {
        return Err(mistakes);
    }
    let mut cases = Vec::new();
    for row in &rows {
        for kind in group_types::types() {
            cases.extend(row.cases(kind).map_err(|mistake| vec![format!("{FILE}: {mistake}")])?);
        }
    }
    Ok(cases)
}

fn differences(rows: &[Row]) -> Vec<String> {
    let mut mistakes = Vec::new();
    for wanted in group_types::rows() {
        let Some(row) = rows.iter().find(|row| row.name == wanted.name) else {
            mistakes.push(format!("{FILE}: nothing tests the row {:?}", wanted.name));
            continue;
        };
        for (kind, cell) in group_types::types().into_iter().zip(wanted.cells) {
            if row.cells.get(kind) != Some(&cell) {
                let tested = row.cells.get(kind).map_or("nothing", String::as_str);
                mistakes.push(format!(
                    "{FILE}: {:?} of {kind} is {cell:?}, and tested is {tested:?}",
                    wanted.name
                ));
            }
        }
    }
    let is_known = |row: &&Row| group_types::rows().iter().any(|known| known.name == row.name);
    let unknown = rows.iter().filter(|row| !is_known(row));
    mistakes.extend(unknown.map(|row| format!("{FILE}: the matrix has no row {:?}", row.name)));
    mistakes
}

impl Row {
    fn cases(&self, kind: &str) -> Result<Vec<Case>, String> {
        let cell = &self.cells[kind];
        if let Some(caller) = &self.caller {
            let outcome = self.outcomes.get(kind).or_else(|| self.outcomes.get(cell));
            let outcome = outcome.ok_or(format!("{:?} has no outcome {cell:?}", self.name))?;
            return Ok(vec![self.case(kind, cell, self.face, caller, outcome.clone())?]);
        }
        let allowed: Vec<&str> = cell.split(", ").collect();
        let tries = EVERYBODY.iter().filter_map(|(who, caller)| {
            let own = if *who == "backend" { Face::Rest } else { Face::Gateway };
            let has_it = *who != "admins" || has_admins(kind);
            (self.face.is_none_or(|face| face == own) && has_it).then_some((*who, *caller, own))
        });
        tries
            .map(|(who, caller, face)| {
                let denied = self.denied.get(&format!("{kind} {who}")).or(self.denied.get(kind));
                let error = (!allowed.contains(&who)).then(|| denied.copied().unwrap_or(10_007));
                let outcome = Outcome { reply: None, error };
                self.case(kind, who, Some(face), caller, outcome)
            })
            .collect()
    }

    fn case(
        &self,
        kind: &str,
        what: &str,
        face: Option<Face>,
        caller: &str,
        outcome: Outcome,
    ) -> Result<Case, String> {
        let group = if kind == "Community" { "@TGS#_tea" } else { "tea" };
        let with = Map::from_iter([("group".to_owned(), Value::from(group))]);
        let given = self.given_of.get(kind).unwrap_or(&self.given);
        let given = made(kind).into_iter().chain(given.iter().cloned()).collect::<Vec<Value>>();
        let given = steps(&given, &BTreeMap::new())?;
        let with_group = |step| Step::With { step: Box::new(step), with: with.clone() };
        let fill = |text: &str| Value::from(text.replace("{{group}}", group));
        Ok(Case {
            file: FILE.to_owned(),
            name: format!("{}, {kind}: {what}", self.name),
            given: given.into_iter().map(with_group).collect(),
            change: None,
            call: Call {
                operation: self.call.clone(),
                face,
                caller: Some(caller.to_owned()),
                body: Some(fill(&self.body)),
                reply: outcome.reply.as_deref().map(fill),
                error: outcome.error,
                ..Call::default()
            },
        })
    }
}

fn has_admins(kind: &str) -> bool {
    !matches!(kind, "Private" | "AVChatRoom")
}

/// The group of a case, with everybody in it.
fn made(kind: &str) -> Vec<Value> {
    let step = |call: &str, body: String| serde_json::json!({ "call": call, "body": body });
    let users = r#"{"Accounts":["alice","bob","carol","dave","erin","gina"]}"#.to_owned();
    let members = match kind {
        "AVChatRoom" => String::new(),
        _ => {
            let admin = r#"{"Member_Account":"bob","Role":"Admin"},"#;
            let admin = if has_admins(kind) { admin } else { "" };
            let others = r#"{"Member_Account":"carol"},{"Member_Account":"erin"}"#;
            format!(r#","MemberList":[{admin}{others}]"#)
        }
    };
    let create = format!(
        r#"{{"Type":"{kind}","GroupId":"{{{{group}}}}","Name":"Tea","Owner_Account":"alice"{members}}}"#
    );
    let mut steps = vec![
        step("im_open_login_svc/multiaccount_import", users),
        step("group_open_http_svc/create_group", create),
    ];
    if kind == "AVChatRoom" {
        steps.extend(["alice", "carol", "erin"].map(|viewer| {
            serde_json::json!({
                "call": "group_open_http_svc/apply_join_group",
                "face": "gateway",
                "as": viewer,
                "body": r#"{"GroupId":"{{group}}"}"#,
            })
        }));
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_without_a_test_is_a_mistake() {
        let mistakes = cases("row = []").expect_err("nothing is tested");
        assert_eq!(mistakes.len(), group_types::rows().len(), "{mistakes:?}");
        let row = "[[row]]\nname = 'speaking'\ncall = 'a/b'\nbody = '{}'\ncells = { Private = 'backend' }\n";
        let mistakes = cases(row).expect_err("most is not tested");
        assert!(mistakes.iter().any(|m| m.contains("\"speaking\" of Public")), "{mistakes:?}");
        let row = "[[row]]\nname = 'dancing'\ncall = 'a/b'\nbody = '{}'\ncells = {}\n";
        let mistakes = cases(row).expect_err("there is no such row");
        assert!(mistakes.iter().any(|m| m.contains("no row \"dancing\"")), "{mistakes:?}");
    }
}
