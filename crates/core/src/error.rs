//! How an operation fails: refused by a rule (with the protocol's code), or the store could not do it.

use teahouse_proto::error::{Error, ErrorCode};
use teahouse_store::{CommitError, ReadError};

/// Why an operation did not do what it was asked to.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// A rule refused; the caller is told so.
    #[error(transparent)]
    Refused(#[from] Error),
    /// The store could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The store did not take the change, or its answer was lost.
    #[error(transparent)]
    Commit(CommitError),
}

impl From<ErrorCode> for Failure {
    fn from(code: ErrorCode) -> Self {
        Self::Refused(code.into())
    }
}

/// What rules and operations return.
pub type Outcome<T> = Result<T, Failure>;
