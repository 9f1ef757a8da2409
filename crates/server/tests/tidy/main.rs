//! Holds the repository to its own descriptions: layers, registry, generated documents, links.

mod documents;
mod layers;
mod links;
mod registry;

use std::path::PathBuf;

/// The folder of the workspace.
fn root() -> PathBuf {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
    path.canonicalize().expect("the workspace is there")
}
