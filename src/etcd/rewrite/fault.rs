//! What stands in the way of saying options otherwise.

use semver::Version;

/// Why only the operator can say what is to stand there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RewriteFault {
    /// It would change what the cluster is to somebody.
    #[error("`{name}` is gone in {target}, and what becomes of it only you can say: {why}")]
    Decide {
        /// The option.
        name: String,
        /// The version.
        target: Version,
        /// Why.
        why: String,
    },
    /// What it becomes is said already, otherwise.
    #[error(
        "`{name}` is gone in {target} and would be `{new}={value}`, but `{new}` is {found} already; say which holds"
    )]
    Both {
        /// The option.
        name: String,
        /// The version.
        target: Version,
        /// What it becomes.
        new: String,
        /// With which value.
        value: String,
        /// What is said already.
        found: String,
    },
    /// The old and the new name of one option, with two values.
    #[error(
        "`{name}` is {value} and `{new}` is {found}, and {target} ends where both are said; say which holds, as `{new}`"
    )]
    BothNames {
        /// The old name.
        name: String,
        /// Its value.
        value: String,
        /// The new name.
        new: String,
        /// Its value.
        found: String,
        /// The version.
        target: Version,
    },
    /// A flag and a variable with two values.
    #[error(
        "`--{name}` is {flag} on the command line and {variable} is {value}, at which etcd ends from 3.4 on; say which holds"
    )]
    Twice {
        /// The option.
        name: String,
        /// The flag's value.
        flag: String,
        /// The variable.
        variable: String,
        /// Its value.
        value: String,
    },
    /// The variable is put into the command line besides.
    #[error("{variable} is gone in {target}, but the command line needs it for `--{name}`; write that one's value out")]
    Used {
        /// The variable.
        variable: String,
        /// The version.
        target: Version,
        /// The option whose words it is put into.
        name: String,
    },
}

impl RewriteFault {
    /// The option that it is about.
    #[must_use]
    pub fn subject(&self) -> &str {
        match self {
            Self::Decide { name, .. }
            | Self::Both { name, .. }
            | Self::BothNames { name, .. }
            | Self::Twice { name, .. }
            | Self::Used { name, .. } => name,
        }
    }
}
