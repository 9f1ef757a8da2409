//! The registry and `spec/endpoints.toml` say the same.

use std::collections::BTreeSet;

use serde::Deserialize;
use teahouse_core::operation::million_servcmd;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Endpoints {
    endpoint: Vec<Endpoint>,
    push: Vec<Push>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Endpoint {
    path: String,
    faces: Vec<Face>,
    status: Status,
    area: String,
    about: String,
    #[serde(default)]
    million: bool,
    #[serde(default)]
    one_way: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Push {
    path: String,
    #[expect(dead_code, reason = "read only to check that it is one of the two")]
    status: Status,
    about: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Face {
    Rest,
    Gateway,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Status {
    Served,
    Planned,
}

fn endpoints() -> Endpoints {
    let text = std::fs::read_to_string(crate::root().join("spec/endpoints.toml"));
    toml::from_str(&text.expect("the table is there")).expect("the table is as its header says")
}

fn served(table: &Endpoints) -> impl Iterator<Item = &Endpoint> {
    table.endpoint.iter().filter(|row| row.status == Status::Served)
}

#[test]
fn what_the_table_calls_served_is_what_the_registry_serves() {
    let table = endpoints();
    let registry = teahouse_core::commands::registry();
    let promised: BTreeSet<(&str, Face)> = served(&table)
        .flat_map(|row| row.faces.iter().map(|face| (row.path.as_str(), *face)))
        .collect();
    let mut registered = BTreeSet::new();
    for served in registry.iter() {
        let about = served.about;
        if registry.rest(about.path).is_some() {
            registered.insert((about.path, Face::Rest));
        }
        if registry.gateway(&about.path.replacen('/', ".", 1)).is_some() {
            registered.insert((about.path, Face::Gateway));
        }
        assert!(about.rest || about.gateway, "{} is on no face", about.path);
    }
    let missing: Vec<_> = promised.difference(&registered).collect();
    let unknown: Vec<_> = registered.difference(&promised).collect();
    assert!(missing.is_empty(), "in the table, but not in the registry: {missing:?}");
    assert!(unknown.is_empty(), "in the registry, but not served in the table: {unknown:?}");
}

#[test]
fn the_table_and_the_registry_agree_on_each_command() {
    let table = endpoints();
    let registry = teahouse_core::commands::registry();
    let find = |path: &str| registry.iter().find(|served| served.about.path == path);
    for row in served(&table) {
        let about =
            find(&row.path).unwrap_or_else(|| panic!("{} is not registered", row.path)).about;
        let twin = million_servcmd(&row.path);
        // What is a command of that service itself has no twin there.
        let has_twin = twin != row.path.replacen('/', ".", 1) && registry.gateway(&twin).is_some();
        assert_eq!(has_twin, row.million, "{}: million", row.path);
        assert_eq!(about.one_way, row.one_way, "{}: one_way", row.path);
    }
}

#[test]
fn each_command_is_in_the_table_once_and_in_order() {
    let table = endpoints();
    let mut seen = BTreeSet::new();
    for row in &table.endpoint {
        assert!(!row.faces.is_empty(), "{} is on no face", row.path);
        assert!(row.about.ends_with('.'), "{}: {:?} is no sentence", row.path, row.about);
        for face in &row.faces {
            assert!(seen.insert((row.path.as_str(), *face)), "{} twice on {face:?}", row.path);
        }
    }
    let key = |row: &Endpoint| (row.area.clone(), row.path.clone());
    for pair in table.endpoint.windows(2) {
        assert!(key(&pair[0]) <= key(&pair[1]), "{} is out of order", pair[1].path);
    }
    let pushes: BTreeSet<&str> = table.push.iter().map(|push| push.path.as_str()).collect();
    assert_eq!(pushes.len(), table.push.len(), "a push is listed twice");
    for push in &table.push {
        assert!(push.about.ends_with('.'), "{}: {:?} is no sentence", push.path, push.about);
        assert!(!seen.contains(&(push.path.as_str(), Face::Gateway)), "{} is a push", push.path);
    }
}
