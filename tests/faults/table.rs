//! The table of cells, read from `cells.toml`: what is done to a roll, when, and what must come of it.

use std::collections::BTreeSet;

use serde::Deserialize;

/// The table itself, as a person reads and edits it.
const TABLE: &str = include_str!("cells.toml");

/// One cell: one fault at one step.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Cell {
    /// As in the matrix of faults and steps, `F01.S08`; a letter behind it for a further circumstance.
    pub(crate) id: String,
    /// The fault in words.
    pub(crate) fault: String,
    /// When it comes.
    pub(crate) step: Step,
    /// How it is made.
    pub(crate) inject: Inject,
    /// A further circumstance, in words.
    pub(crate) extra: Option<String>,
    /// How many seconds it lasts; else until the run has ended.
    pub(crate) lasts: Option<u64>,
    /// How the run ends.
    pub(crate) exit: Exit,
    /// How many members may be on the new version when the run, and what it began, have ended.
    pub(crate) new: Vec<usize>,
    /// How many members do not serve then.
    #[serde(default)]
    pub(crate) down: usize,
    /// What the run must say, in its events or on standard error.
    #[serde(default)]
    pub(crate) says: Vec<String>,
    /// How the first `quorate resume` ends, once the fault is gone; a second one does nothing.
    pub(crate) resume: i32,
    /// It is of the short selection.
    #[serde(default)]
    pub(crate) short: bool,
    /// Why it is not as in the matrix, where it is not.
    pub(crate) why: Option<String>,
}

/// How a run ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub(crate) enum Exit {
    /// With this code.
    Code(i32),
    /// By SIGKILL, without a word: `"killed"`.
    Killed(Killed),
}

/// The word for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(crate) enum Killed {
    /// By SIGKILL.
    #[serde(rename = "killed")]
    Killed,
}

impl Exit {
    /// As the process's status has it: no code after a signal.
    pub(crate) fn code(self) -> Option<i32> {
        match self {
            Self::Code(code) => Some(code),
            Self::Killed(_) => None,
        }
    }
}

/// Where a roll is; the names are the matrix's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Step {
    /// It has begun and said its first word.
    Connect,
    /// All locks are taken.
    Lock,
    /// The preflight's task has begun.
    Preflight,
    /// The first binary is being sent.
    Upload,
    /// The first host has its binary, hashed there; on others it goes on.
    Checksum,
    /// The first backup has begun.
    Backup,
    /// The guard has chosen the first member by who leads.
    Leader,
    /// The first member is being stopped.
    Stop,
    /// It is stopped, and its files are being swapped.
    Swap,
    /// The new program is being started.
    Start,
    /// It answers on its own host and is waited for.
    Gate,
    /// The first member is done.
    Record,
    /// The last member is done, the cluster is waited for.
    Finalise,
}

impl Step {
    /// Its number in the matrix.
    fn number(self) -> usize {
        self as usize + 1
    }

    /// It lies in the transaction on the host.
    pub(crate) fn in_window(self) -> bool {
        (Self::Stop..=Self::Gate).contains(&self)
    }
}

/// How a fault is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Inject {
    /// SIGKILL to the run.
    Kill,
    /// The kernel kills the run, because its control group has no memory left.
    OutOfMemory,
    /// SIGKILL to the run, and the last record of its journal is on the disk by half.
    TornJournal,
    /// SIGTERM to the run.
    Terminate,
    /// SIGHUP to the run.
    HangUp,
    /// The power of the first member's host goes and comes back.
    PowerCut,
    /// The first member's host boots anew, as one that was told to.
    Reboot,
    /// TCP between the first member's host and the bastion is answered with resets.
    Reset,
    /// Nothing gets through between them.
    Blackhole,
    /// What the host sends is lost.
    HalfOpen,
    /// The bastion's power goes and comes back when the fault ends.
    BastionDies,
    /// The first member's host has other host keys, and open connections to it break.
    HostKey,
    /// A new program that ends at once.
    Exits,
    /// A new program that ends again and again.
    CrashLoops,
    /// A new program that serves clients and never joins.
    NeverJoins,
    /// A member that is not in hand is stopped.
    OtherDown,
    /// All members that are not in hand are stopped.
    QuorumGone,
    /// The first member's data directory becomes an empty one.
    EmptyData,
    /// A second run begins, from another machine.
    SecondRun,
}

#[derive(Deserialize)]
struct Table {
    cell: Vec<Cell>,
}

/// All cells, in the order of the table.
pub(crate) fn cells() -> Vec<Cell> {
    toml::from_str::<Table>(TABLE).unwrap_or_else(|error| panic!("tests/faults/cells.toml: {error}")).cell
}

#[test]
fn the_table_is_in_itself_as_it_should_be() {
    let cells = cells();
    let ids: BTreeSet<&str> = cells.iter().map(|cell| cell.id.as_str()).collect();
    assert_eq!(ids.len(), cells.len(), "an id is there twice");
    for cell in &cells {
        let number = format!(".S{:02}", cell.step.number());
        let own = cell.id.get(3..7);
        assert!(
            cell.id.starts_with('F') && own == Some(number.as_str()),
            "{}: {:?} is not its step",
            cell.id,
            cell.step
        );
        assert!(!cell.new.is_empty() && cell.new.iter().all(|new| *new <= 3), "{}", cell.id);
        assert_eq!(cell.id.len() > 7, cell.extra.is_some(), "{}: a further circumstance has a letter", cell.id);
    }
    assert!(cells.iter().filter(|cell| cell.short).count() >= 4, "the short selection is too short to say anything");
    // The promise: whatever kills the control machine or the host, at each step of the window.
    for fault in ["F01", "F04", "F05", "F15"] {
        for step in ["S08", "S09", "S10", "S11"] {
            assert!(ids.contains(format!("{fault}.{step}").as_str()), "{fault}.{step} is missing");
        }
    }
}
