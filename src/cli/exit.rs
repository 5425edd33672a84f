//! The exit codes: one meaning each, the same for every command.

use std::process::ExitCode;

use crate::events::Fault;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Exit(pub(super) u8);

/// Detached by a second SIGINT or SIGTERM.
pub(super) const DETACHED: [u8; 2] = [130, 143];

/// Every fault, in the order of its exit code.
const FAULTS: [Fault; 14] = [
    Fault::Bug,
    Fault::Failed,
    Fault::Refused,
    Fault::Unreachable,
    Fault::Input,
    Fault::HostKey,
    Fault::Disk,
    Fault::Locked,
    Fault::RolledBack,
    Fault::MemberDown,
    Fault::QuorumLost,
    Fault::OutcomeUnknown,
    Fault::ForwardOnly,
    Fault::Stopped,
];

impl Exit {
    /// Done, or nothing to do.
    pub(super) const DONE: Self = Self(0);

    /// Wrong input.
    pub(super) const INPUT: Self = Self(5);
}

impl From<Fault> for Exit {
    fn from(fault: Fault) -> Self {
        Self(fault.exit_code())
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.0)
    }
}

/// What an exit code means, in a line.
pub(super) fn meaning(code: u8) -> &'static str {
    match code {
        0 => "done, or nothing to do",
        130 | 143 => "detached by a second signal; hosts end by themselves what was begun",
        _ => FAULTS.iter().find(|fault| fault.exit_code() == code).map_or("no code of this quorate", |f| f.meaning()),
    }
}

/// What stands under `quorate --help`: an example, and the table of exit codes.
pub(super) fn table() -> String {
    let mut text = "Example:\n  quorate run playbooks/ping.yml -i inventory/prod.yml\n\n".to_owned();
    text.push_str("Exit codes:\n    0  done, or nothing to do\n");
    for fault in FAULTS {
        text.push_str(&format!("  {:>3}  {}\n", fault.exit_code(), fault.meaning()));
    }
    text + "  130, 143  detached by a second Ctrl-C or SIGTERM"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_has_its_own_code_and_the_table_is_in_order() {
        let codes: Vec<u8> = FAULTS.iter().map(|fault| fault.exit_code()).collect();
        assert_eq!(codes, [1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13, 14, 20]);
        assert!(table().contains("  12  quorum lost or not known to hold\n"));
        assert_eq!(Exit::INPUT, Exit::from(Fault::Input));
    }
}
