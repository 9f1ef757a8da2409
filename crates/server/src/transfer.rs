//! `teahouse export` and `teahouse import`: all data as one stream, between machines and engines.

use std::fs::File;
use std::io::{BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use teahouse_store::embedded::Options;
use teahouse_store::stream::Exported;
use teahouse_store::{Embedded, Store};

use crate::Failure;
use crate::cli::{ExportArgs, ImportArgs};
use crate::control::{Ask, ControlFile};
use crate::serve::store_dir;

/// Exports a running server through its control address, or else the directory itself.
pub(crate) fn export(args: &ExportArgs) -> Result<(), Failure> {
    match (ControlFile::read(&args.data), &args.out) {
        (Ok(control), Some(out)) => {
            let file = std::path::absolute(out).map_err(|problem| at(out, &problem))?;
            crate::ctl::ask(&control, &Ask::Export { file })?;
            Ok(())
        }
        (Ok(_), None) => Err(Failure::new("name a file with --out to export a running server")),
        (Err(_), out) => {
            let dir = store_dir(&args.data);
            if !dir.exists() {
                return Err(Failure(format!(
                    "{} is not a teahouse data directory",
                    args.data.display()
                )));
            }
            let store = Embedded::open(&dir, &Options::default()).map_err(Failure::new)?;
            match out {
                Some(out) => export_to(&store, out).map(drop),
                None => store.export(&mut std::io::stdout()).map(drop).map_err(Failure::new),
            }
        }
    }
}

/// Writes the file beside its final name first: a reader never sees half of it.
pub(crate) fn export_to(store: &dyn Store, out: &Path) -> Result<Exported, Failure> {
    let mut partial = out.as_os_str().to_owned();
    partial.push(".partial");
    let partial = PathBuf::from(partial);
    let write = || -> Result<Exported, Failure> {
        let file = File::create(&partial).map_err(|problem| at(&partial, &problem))?;
        let mut output = BufWriter::new(file);
        let exported = store.export(&mut output).map_err(Failure::new)?;
        output.flush().map_err(|problem| at(&partial, &problem))?;
        output.get_ref().sync_all().map_err(|problem| at(&partial, &problem))?;
        std::fs::rename(&partial, out).map_err(|problem| at(out, &problem))?;
        Ok(exported)
    };
    write().inspect_err(|_| {
        // What is left of a failed export is of no use; its own error is what matters.
        let _ = std::fs::remove_file(&partial);
    })
}

/// Fills a new data directory.
pub(crate) fn import(args: &ImportArgs) -> Result<(), Failure> {
    if std::fs::read_dir(&args.data).is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(Failure(format!("{} is not empty", args.data.display())));
    }
    std::fs::create_dir_all(&args.data).map_err(|problem| at(&args.data, &problem))?;
    let into = |input: &mut dyn std::io::Read| {
        Embedded::import(&store_dir(&args.data), input, &Options::default())
            .map(drop)
            .map_err(Failure::new)
    };
    match &args.input {
        Some(path) => {
            let file = File::open(path).map_err(|problem| at(path, &problem))?;
            into(&mut BufReader::new(file))
        }
        None => into(&mut std::io::stdin().lock()),
    }
}

fn at(path: &Path, problem: &std::io::Error) -> Failure {
    Failure(format!("{}: {problem}", path.display()))
}
