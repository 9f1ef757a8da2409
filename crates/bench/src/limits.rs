//! Descriptors: a process needs one for each socket.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::error::BenchError;

/// Descriptors that a process needs beside its sockets.
const OTHERS: u64 = 300;

/// Raises this process's limit of open files as far as it may; children inherit it. Returns how
/// many there may be.
pub(crate) fn raise_descriptors() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    // One who may not raise it has what he had.
    let _kept = setrlimit(Resource::Nofile, raised);
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

/// How many sockets one process may have.
pub(crate) fn sockets_max() -> u32 {
    u32::try_from(raise_descriptors().saturating_sub(OTHERS)).unwrap_or(u32::MAX)
}

/// Makes room for `sockets`.
pub(crate) fn make_room(sockets: u32) -> Result<(), BenchError> {
    let most = sockets_max();
    if sockets <= most {
        return Ok(());
    }
    Err(BenchError::Usage(format!(
        "{sockets} sockets are more than the {most} that the limit of open files (ulimit -Hn) allows"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_sockets_are_always_possible_and_all_are_not() {
        assert!(make_room(10).is_ok());
        let most = sockets_max();
        assert!(most == u32::MAX || make_room(most + 1).is_err());
    }
}
