//! Every engine passes the conformance suite.

use std::sync::Arc;

use teahouse_store::{Embedded, Memory, Store, embedded::Options, store_suite, suite::Subject};

/// An embedded store in a directory that goes with it.
struct Directory {
    store: Option<Arc<Embedded>>,
    path: tempfile::TempDir,
    options: Options,
}

impl Directory {
    fn new() -> Directory {
        Directory::with(Options::default())
    }

    /// Small enough that the tests reach tables and evictions.
    fn small() -> Directory {
        Directory::with(Options {
            memtable_bytes_max: 64 * 1024,
            cache_bytes: 64 * 1024,
            reader_threads: 1,
            versions_max: 2,
            ..Options::default()
        })
    }

    fn with(options: Options) -> Directory {
        let path = tempfile::tempdir().expect("a temporary directory");
        let mut directory = Directory { store: None, path, options };
        directory.reopen();
        directory
    }
}

impl Subject for Directory {
    fn store(&self) -> Arc<dyn Store> {
        Arc::clone(self.store.as_ref().expect("it is open")) as Arc<dyn Store>
    }

    fn reopen(&mut self) {
        if let Some(store) = self.store.take() {
            Arc::into_inner(store).expect("the test has given its handle back");
        }
        let store = Embedded::open(self.path.path(), &self.options).expect("the store opens");
        self.store = Some(Arc::new(store));
    }
}

store_suite!(memory, || Arc::new(Memory::new()));
store_suite!(embedded, Directory::new);
store_suite!(embedded_small, Directory::small);
