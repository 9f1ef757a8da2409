//! Why a migration stops. What is left out does not stop it.

/// Failure of a migration.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// A file failed.
    #[error("{what}: {source}")]
    Io {
        /// What was being done.
        what: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// One of the two sides cannot be asked.
    #[error(transparent)]
    Call(#[from] CallError),
    /// A file is not what it should be.
    #[error("{0}")]
    Malformed(String),
    /// The flags contradict each other or the journal.
    #[error("{0}")]
    Usage(String),
    /// Both sides were compared.
    #[error("the two apps differ in {0} points")]
    Differ(u64),
}

impl MigrateError {
    /// Says what was being done when the system failed: `.map_err(MigrateError::io("open"))`.
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source }
    }
}

/// Why a call has no result.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// It was answered with an error.
    #[error("{side}: {command} was refused with {code}: {info}")]
    Refused {
        /// Which side.
        side: &'static str,
        /// The command.
        command: &'static str,
        /// `ErrorCode`.
        code: i64,
        /// `ErrorInfo`.
        info: String,
    },
    /// It was not answered, or with something that is no answer.
    #[error("{side}: {command}: {problem}")]
    Broken {
        /// Which side.
        side: &'static str,
        /// The command.
        command: &'static str,
        /// What happened.
        problem: String,
        /// The same call may succeed later.
        passing: bool,
    },
}

impl CallError {
    /// The code with which it was refused.
    pub(crate) fn code(&self) -> Option<i64> {
        match self {
            Self::Refused { code, .. } => Some(*code),
            Self::Broken { .. } => None,
        }
    }

    /// Whether the same call may succeed a moment later: it came too often, timed out, or did not come through.
    pub(crate) fn is_passing(&self) -> bool {
        /// Too often (of the gateway, of the services), time-outs, and internal errors that say "try again".
        const PASSING: &[i64] = &[
            10_002, 10_006, 10_023, 30_006, 30_007, 30_008, 40_006, 50_004, 50_005, 60_007, 60_008,
            60_011, 60_014, 60_018, 60_019, 70_169, 70_202, 70_500, 90_994, 91_000,
        ];
        match self {
            Self::Refused { code, .. } => PASSING.contains(code),
            Self::Broken { passing, .. } => *passing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_too_often_may_be_repeated_and_what_is_wrong_may_not() {
        let refused =
            |code| CallError::Refused { side: "", command: "", code, info: String::new() };
        for code in [60_007, 60_011, 10_006] {
            assert!(refused(code).is_passing(), "{code}");
        }
        for code in [10_004, 10_010, 60_010, 70_107] {
            assert!(!refused(code).is_passing(), "{code}");
        }
    }
}
