//! The table of cells, read from `cells/`: what is done to a roll of three members behind a bastion, when, and what must come of it.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::control::{NEW, OLD};
use super::program::Behaviour;

/// The table itself, as a person reads and edits it: by who fails.
const TABLES: [(&str, &str); 3] = [
    ("control", include_str!("cells/control.toml")),
    ("hosts", include_str!("cells/hosts.toml")),
    ("cluster", include_str!("cells/cluster.toml")),
];

/// One row: one fault at some steps, of which the same must come. Each step, with each pair, is a cell.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Row {
    /// The fault's number in the matrix, `F01`.
    id: String,
    /// For a further circumstance, which `extra` names.
    letter: Option<String>,
    /// The fault in words.
    fault: String,
    /// A further circumstance, in words.
    extra: Option<String>,
    /// When it comes; stop, swap, start and gate are of the first member.
    steps: Vec<Step>,
    /// From which version to which, `3.5.35-3.6.16`: from 2.0.5 to 2.1.1, if a row does not say.
    #[serde(default)]
    pairs: Vec<String>,
    /// How it is made.
    inject: Inject,
    /// For how many seconds, if not until the run has ended.
    lasts: Option<u64>,
    /// How the run ends: a code of `quorate --help`, or "killed".
    exit: Exit,
    /// How many members may be on the new version when the run, and what it began on a host, have ended.
    new: Vec<usize>,
    /// How many members do not serve then.
    #[serde(default)]
    down: usize,
    /// Words that the run must say.
    #[serde(default)]
    says: Vec<String>,
    /// How the first `quorate resume` ends, once the fault is gone; a second one then does nothing and ends with the same.
    resume: i32,
    /// The steps that are of the short selection, with the first pair.
    #[serde(default)]
    short: Vec<Step>,
    /// Why this is not as in the matrix, where it is not.
    why: Option<String>,
}

/// One cell: one fault at one step of a roll between one pair of versions.
#[derive(Clone, Debug)]
pub(crate) struct Cell {
    /// As in the matrix of faults and steps, `F01.S08`; a letter behind it for a further circumstance, and `@3.6` for a pair that is
    /// not the first.
    pub(crate) id: String,
    /// From which version to which.
    pub(crate) pair: Pair,
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
    pub(crate) down: usize,
    /// What the run must say, in its events or on standard error.
    pub(crate) says: Vec<String>,
    /// How the first `quorate resume` ends, once the fault is gone; a second one does nothing.
    pub(crate) resume: i32,
    /// It is of the short selection.
    pub(crate) short: bool,
    /// Why it is not as in the matrix, where it is not.
    pub(crate) why: Option<String>,
}

/// Two versions: a lab is made with the one, and rolled to the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pair {
    pub(crate) old: String,
    pub(crate) new: String,
}

impl Pair {
    /// The one that a row has that names none.
    pub(crate) fn first() -> Self {
        Self { old: OLD.to_owned(), new: NEW.to_owned() }
    }

    /// As a row has it: `3.5.35-3.6.16`.
    fn of(text: &str) -> Self {
        let (old, new) = text.split_once('-').unwrap_or_else(|| panic!("{text} is no pair of versions"));
        Self { old: old.to_owned(), new: new.to_owned() }
    }

    /// The newer one's minor.
    pub(crate) fn minor(&self) -> &str {
        self.new.rsplit_once('.').map_or(&self.new, |(minor, _)| minor)
    }

    /// Its members speak v3 only.
    pub(crate) fn is_v3(&self) -> bool {
        !self.old.starts_with("2.")
    }
}

impl Row {
    fn cells(self) -> Vec<Cell> {
        let mut pairs: Vec<Pair> = self.pairs.iter().map(|pair| Pair::of(pair)).collect();
        if pairs.is_empty() {
            pairs.push(Pair::first());
        }
        let all = pairs.iter().flat_map(|pair| self.steps.iter().map(move |step| (pair, *step)));
        all.map(|(pair, step)| self.cell(pair, step)).collect()
    }

    fn cell(&self, pair: &Pair, step: Step) -> Cell {
        let row = self.clone();
        let is_first = *pair == Pair::first();
        let pair_of = if is_first { String::new() } else { format!("@{}", pair.minor()) };
        Cell {
            id: format!("{}.S{:02}{}{pair_of}", row.id, step.number(), row.letter.as_deref().unwrap_or_default()),
            pair: pair.clone(),
            fault: row.fault,
            step,
            inject: row.inject,
            extra: row.extra,
            lasts: row.lasts,
            exit: row.exit,
            new: row.new,
            down: row.down,
            says: row.says,
            resume: row.resume,
            short: is_first && row.short.contains(&step),
            why: row.why,
        }
    }
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
    /// SIGINT to the run, and a second one when it has said that it stops.
    InterruptTwice,
    /// SIGHUP to the run.
    HangUp,
    /// The disk on which runs are kept has no block left.
    ControlDiskFull,
    /// SIGKILL to the run, and then a run from another machine.
    LockLeft,
    /// The power of the first member's host goes and comes back.
    PowerCut,
    /// The first member's host boots anew, as one that was told to.
    Reboot,
    /// TCP between the first member's host and the bastion is answered with resets.
    Reset,
    /// Nothing gets through between them.
    Blackhole,
    /// Between them one packet of ten is lost, and what is more than 1 Mbit/s.
    Slow,
    /// What the host sends is lost.
    HalfOpen,
    /// The bastion's power goes and comes back when the fault ends.
    BastionDies,
    /// sshd of the first member's host is stopped, and its sessions end.
    SshdRefuses,
    /// sudo lets the user do nothing any more on the first member's host.
    SudoRefuses,
    /// The disk of the first member's data has no free block.
    DataDiskFull,
    /// The other disk of its host has none.
    SystemDiskFull,
    /// The other disk of its host has no inode left.
    NoInodes,
    /// The disk of the first member's data has 40 MiB left.
    DataDiskLow,
    /// The first member's host says that it has hardly any memory left.
    LittleMemory,
    /// Nothing can be run out of the folder of the programs on the first member's host.
    NoExec,
    /// The other disk of its host takes no more writes.
    SystemReadOnly,
    /// The disk of the first member's data meets an error of the drive, and takes no more writes.
    DataReadOnly,
    /// A byte of the new program that was staged is another one.
    StagedSpoiled,
    /// The first member's host has other host keys, and open connections to it break.
    HostKey,
    /// A new program that ends at once.
    Exits,
    /// A new program that ends again and again.
    CrashLoops,
    /// A new program that serves clients and never joins.
    NeverJoins,
    /// A new program that serves clients with what another member says.
    AnswersForAnother,
    /// A new program for another kind of machine.
    OtherMachine,
    /// A new program that says another version than is wanted.
    Mislabelled,
    /// systemd starts the unit but once in an hour.
    StartLimit,
    /// `df` on the first member's host does not end.
    AskedHangs,
    /// `df` on the first member's host says more than anybody can keep.
    EndlessOutput,
    /// `sha256sum` on the first member's host says what acts on terminals, and asks for a password, beside what it says.
    HostileWords,
    /// The unit does not end when it is told to, until systemd kills it.
    StopIgnored,
    /// The unit is masked.
    Masked,
    /// Somebody has the unit start etcd on another data directory.
    OtherData,
    /// Somebody adds a drop-in that has the unit start etcd on another data directory, and has systemd read it.
    OtherDropIn,
    /// Somebody tells systemd a variable with which the unit starts etcd on another log.
    OtherVariable,
    /// Somebody puts another program in the place of etcd, which runs as well.
    OtherProgram,
    /// Somebody has systemd restart the unit.
    Restarted,
    /// The first member stands still.
    StandsStill,
    /// The first member is killed, once.
    MemberKilled,
    /// A fourth member is added to the cluster, which is not there.
    MemberAdded,
    /// A member that is not in hand is stopped.
    OtherDown,
    /// The leader stands still, so that another one is elected.
    LeaderStands,
    /// An alarm is raised: there is no space.
    NoSpaceAlarm,
    /// An alarm is raised: data are damaged.
    CorruptAlarm,
    /// All members that are not in hand are stopped.
    QuorumGone,
    /// Somebody has another member's host reboot in an hour.
    RebootScheduled,
    /// The clock of the first member's host is an hour ahead.
    ClockAhead,
    /// The first member's data directory becomes an empty one.
    EmptyData,
    /// A second run begins, from another machine.
    SecondRun,
}

impl Inject {
    /// The program that is rolled out in the place of the new one.
    pub(crate) fn program(self) -> Option<Behaviour> {
        match self {
            Self::Exits => Some(Behaviour::Exits),
            Self::CrashLoops => Some(Behaviour::CrashLoops),
            Self::NeverJoins => Some(Behaviour::NeverJoins),
            Self::AnswersForAnother => Some(Behaviour::AnswersForAnother),
            Self::OtherMachine => Some(Behaviour::OtherMachine),
            Self::Mislabelled => Some(Behaviour::Mislabelled),
            _ => None,
        }
    }
}

/// Faults of the matrix that no cell makes: the fault, and the file with the tests that show it.
pub(crate) const ELSEWHERE: [(&str, &str, &str); 6] = [
    ("F12", "names fail or change; hosts of a lab have none", "src/transport/ssh/addresses.rs"),
    ("F24", "a host key that is not known", "tests/fault/host_keys.rs"),
    ("F27", "a backup with a byte that is another one", "src/modules/etcd/restore/archive.rs"),
    ("F43", "a certificate that is over or ends soon", "tests/roll/secured.rs"),
    ("F52", "a way that leaves out a minor, leads down or is known to be bad", "src/etcd/hop.rs"),
    ("F55", "the end of a maintenance window", "tests/engine/until.rs"),
];

#[derive(Deserialize)]
struct Table {
    row: Vec<Row>,
}

fn rows() -> Vec<Row> {
    let read = |(name, text): (&str, &str)| {
        toml::from_str::<Table>(text).unwrap_or_else(|error| panic!("tests/faults/cells/{name}.toml: {error}")).row
    };
    TABLES.into_iter().flat_map(read).collect()
}

/// All cells, in the order of the table, those of one pair together: a lab is made for each pair.
pub(crate) fn cells() -> Vec<Cell> {
    let mut cells: Vec<Cell> = rows().into_iter().flat_map(Row::cells).collect();
    cells.sort_by_key(|cell| cell.pair != Pair::first());
    cells
}

#[test]
fn the_table_is_in_itself_as_it_should_be() {
    for row in rows() {
        let number = row.id.strip_prefix('F').is_some_and(|number| number.len() == 2 && number.parse::<u8>().is_ok());
        assert!(number, "{} is no fault of the matrix", row.id);
        assert_eq!(row.letter.is_some(), row.extra.is_some(), "{}: a further circumstance has a letter", row.id);
        assert!(row.short.iter().all(|step| row.steps.contains(step)), "{}: short, and no step of it", row.id);
    }
    let cells = cells();
    let ids: BTreeSet<&str> = cells.iter().map(|cell| cell.id.as_str()).collect();
    assert_eq!(ids.len(), cells.len(), "an id is there twice");
    for cell in &cells {
        assert!(!cell.new.is_empty() && cell.new.iter().all(|new| *new <= 3), "{}", cell.id);
        // The way to 3.6 has a round of restarts before the hop, so the first guard is not what it is elsewhere; what comes before both is as elsewhere.
        let before = matches!(cell.step, Step::Preflight | Step::Upload | Step::Backup);
        let of_the_hop = before || cell.step.in_window() || cell.step == Step::Record;
        assert!(cell.pair == Pair::first() || of_the_hop, "{}", cell.id);
        // The programs that are none say that they are of the first pair.
        let program = cell.inject.program().is_some();
        assert!(!program || cell.pair == Pair::first(), "{}", cell.id);
    }
    assert!(cells.iter().filter(|cell| cell.short).count() >= 4, "the short selection is too short to say anything");
    // Each of the 55 faults of the matrix has a cell, or a test of another kind.
    for number in 1..=55 {
        let id = format!("F{number:02}");
        let cell = cells.iter().any(|cell| cell.id.starts_with(&id));
        let elsewhere = ELSEWHERE.iter().find(|(fault, _, _)| *fault == id);
        assert!(cell != elsewhere.is_some(), "{id}: a cell, or a test elsewhere");
    }
    for (id, _, file) in ELSEWHERE {
        assert!(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(file).is_file(), "{id}: {file} is gone");
    }
    // The promise: whatever kills the control machine or the host, at each step of the window.
    for fault in ["F01", "F04", "F05", "F15"] {
        for step in ["S08", "S09", "S10", "S11"] {
            assert!(ids.contains(format!("{fault}.{step}").as_str()), "{fault}.{step} is missing");
        }
    }
}
