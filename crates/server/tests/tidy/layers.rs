//! Which crate may use which.

use std::collections::BTreeMap;
use std::process::Command;

use serde::Deserialize;

/// Every crate with the crates of this workspace that it may name, in tests too. Dependencies point
/// one way, so that a lower layer cannot know of an upper one.
const LAYERS: &[(&str, &[&str])] = &[
    ("teahouse-proto", &[]),
    ("teahouse-store", &[]),
    ("teahouse-core", &["teahouse-proto", "teahouse-store"]),
    ("teahouse-sim", &["teahouse-proto", "teahouse-store", "teahouse-core"]),
    ("teahouse-bench", &["teahouse-proto", "teahouse-store"]),
    ("teahouse-migrate", &["teahouse-proto"]),
    (
        "teahouse-server",
        &[
            "teahouse-proto",
            "teahouse-store",
            "teahouse-core",
            "teahouse-sim",
            "teahouse-bench",
            "teahouse-migrate",
        ],
    ),
];

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
}

#[test]
fn crates_use_only_the_layers_below_them() {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(crate::root())
        .output()
        .expect("cargo can be run");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Metadata = serde_json::from_slice(&output.stdout).expect("metadata is JSON");
    let layers: BTreeMap<&str, &[&str]> = LAYERS.iter().copied().collect();
    let mut mistakes = Vec::new();
    for package in &metadata.packages {
        let Some(allowed) = layers.get(package.name.as_str()) else {
            mistakes.push(format!("{} has no row in LAYERS", package.name));
            continue;
        };
        let own = package.dependencies.iter().filter(|dependency| {
            metadata.packages.iter().any(|package| package.name == dependency.name)
        });
        mistakes.extend(
            own.filter(|dependency| !allowed.contains(&dependency.name.as_str()))
                .map(|dependency| format!("{} must not use {}", package.name, dependency.name)),
        );
    }
    assert_eq!(metadata.packages.len(), LAYERS.len(), "LAYERS has a row for a crate that is gone");
    assert!(mistakes.is_empty(), "{}", mistakes.join("\n"));
}
