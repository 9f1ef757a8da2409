//! Links lead somewhere, and the repository stands alone.

use std::path::{Path, PathBuf};

/// Documents that have to exist; those of `docs` are added.
const DOCUMENTS: &[&str] = &["README.md", "ARCHITECTURE.md", "spec/README.md"];

/// Folders that hold no text of this project: what tools make, what others wrote, what servers store.
const FOREIGN: &[&str] = &[".git", "artifacts", "data", "node_modules", "target"];

#[test]
fn relative_links_lead_to_files() {
    let root = crate::root();
    let docs = files_below(&root.join("docs"));
    let docs = docs.into_iter().filter(|path| path.extension().is_some_and(|end| end == "md"));
    let mut mistakes = Vec::new();
    for document in DOCUMENTS.iter().map(|name| root.join(name)).chain(docs) {
        let name = document.strip_prefix(&root).unwrap_or(&document).display().to_string();
        let Ok(text) = std::fs::read_to_string(&document) else {
            mistakes.push(format!("{name} is missing"));
            continue;
        };
        let folder = document.parent().unwrap_or(&root);
        for target in relative_targets(&text) {
            if !folder.join(target).exists() {
                mistakes.push(format!("{name} links to {target}, which does not exist"));
            }
        }
    }
    assert!(mistakes.is_empty(), "{}", mistakes.join("\n"));
}

/// The files that `[text](target)` links of a Markdown text name, without their anchors.
fn relative_targets(text: &str) -> impl Iterator<Item = &str> {
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split([')', ' ', '\n']).next());
    targets
        .filter(|target| !target.contains("://") && !target.starts_with("mailto:"))
        .filter_map(|target| target.split('#').next())
        .filter(|path| !path.is_empty())
}

#[test]
fn links_are_found() {
    let text = "[a](docs/a.md), [b](b.md#part \"title\"), [c](#here), [d](https://d.example/d)";
    assert_eq!(relative_targets(text).collect::<Vec<_>>(), ["docs/a.md", "b.md"]);
}

#[test]
fn no_file_names_a_place_outside_the_repository() {
    let outside = [concat!("..", "/shared"), concat!("/wo", "rk/")];
    let mut mistakes = Vec::new();
    for file in files_below(&crate::root()) {
        let bytes = std::fs::read(&file).unwrap_or_else(|error| panic!("{file:?}: {error}"));
        for place in outside {
            if bytes.windows(place.len()).any(|window| window == place.as_bytes()) {
                mistakes.push(format!("{} names {place}", file.display()));
            }
        }
    }
    assert!(mistakes.is_empty(), "{}", mistakes.join("\n"));
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{folder:?}: {error}"));
    let mut files = Vec::new();
    for entry in entries.map(|entry| entry.expect("a folder can be listed")) {
        let (path, kind) = (entry.path(), entry.file_type().expect("an entry has a type"));
        if FOREIGN.iter().any(|name| entry.file_name() == *name) {
            continue;
        }
        if kind.is_dir() {
            files.extend(files_below(&path));
        } else if kind.is_file() {
            files.push(path);
        }
    }
    files
}
