//! The arguments of each command. No option takes a password: arguments can be read by every user of this machine.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;

use super::exit;
use super::window::Window;

/// Rolling maintenance over SSH that never leaves a cluster without its quorum.
#[derive(Debug, Parser)]
#[command(name = "quorate", version, max_term_width = 100, subcommand_required = true, arg_required_else_help = true)]
#[command(after_help = exit::table())]
pub(super) struct Cli {
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Run playbooks.
    #[command(after_help = "Example:\n  quorate run playbooks/etcd-upgrade.yml -i inventory/prod.yml \\\n      \
        -e etcd_version=2.1.1 -e etcd_releases=./releases --check --diff")]
    Run(Box<Run>),
    /// Say what a run would do, round by round and host by host, with the rule behind each step; changes nothing.
    #[command(after_help = "Example:\n  quorate plan playbooks/etcd-upgrade.yml -i inventory/prod.yml \\\n      \
        -e etcd_version=3.7.3 -e etcd_releases=./releases\n\n\
        Exit codes: 0 it can be done, 3 it is refused, 4 a host unreachable, 5 wrong input")]
    Plan(Box<Plan>),
    /// Run one command on many hosts; hosts with the same output are shown together.
    #[command(after_help = "Examples:\n  quorate exec etcd -i inventory/prod.yml -- systemctl is-active etcd\n  \
        quorate exec 'etcd:!n3' -i inventory/prod.yml --shell -- 'df -h /var/lib | tail -1'\n\n\
        Exit codes: 0 all well, 2 a command failed, 4 a host unreachable, 6 a host key unknown or changed")]
    Exec(Box<Exec>),
    /// List past runs, newest first: when, how long, what, how it ended, and how far it came with its hosts.
    #[command(
        after_help = "Examples:\n  quorate runs\n  quorate runs --json -n 1000 | jq -r 'select(.state == \"killed\").run'\n\n\
        A run without its last line is `running` while somebody holds its journal's lock, and `killed` where nobody does.\n\
        Hosts: done; in doubt, where an act was begun and its end is not known; failed; begun, where something is left to do; untouched.\n\
        Exit codes: 0 listed, damaged journals among them; 7 the folder cannot be read"
    )]
    Runs(Runs),
    /// Go on with a run that did not come to its end, from what the hosts say now.
    #[command(after_help = "Examples:\n  quorate resume\n  quorate resume 01M8E8S1Z --until 04:00\n\n\
        The run is asked for again as it was then: its playbook, inventory and variables, as the files are now, and the playbooks of its \
        command that were not begun. Only `--until` is not taken from it.\n\
        Without a name: the newest run that did not end well, unless it was gone on with, or its playbook ran well on all its hosts later.\n\
        Exit codes: 0 done, or nothing to do; 5 no such run; 8 it is at work still; else those of `run`")]
    Resume(Resume),
    /// Show a past run again, out of its journal: what the terminal had, or the lines of --json.
    #[command(after_help = "Examples:\n  quorate report last\n  quorate report 01M8E8S1Z --format json\n  \
        quorate report DZHRPW -v\n\n\
        It is what the run's standard output was, given the same -v; only bars are drawn for a run that goes on alone.\n\
        Exit codes: 0 shown, however the run ended; 5 no such run; 7 the journal is damaged, and what could be read was shown")]
    Report(Report),
    /// Show hosts, groups and variables as `ansible-inventory` does.
    #[command(after_help = "Examples:\n  quorate inventory -i inventory/prod.yml --list\n  \
        quorate inventory -i inventory/prod.yml --graph etcd --vars\n  quorate inventory -i inventory/prod.yml --host n1")]
    Inventory(Box<Inventory>),
    /// Ask an etcd cluster how it is.
    #[command(after_help = "Example:\n  quorate etcd status -i inventory/prod.yml")]
    Etcd {
        #[command(subcommand)]
        command: Etcd,
    },
    /// See whose a cluster's hosts are, or take a lock away that nobody will give back.
    Lock {
        #[command(subcommand)]
        command: Lock,
    },
    /// See what a run did by what the hosts keep of it: for when the machine that ran it is gone with its journal.
    #[command(after_help = "Example:\n  quorate receipts -i inventory/prod.yml\n\n\
        Exit codes: 0 all hosts said, 4 one did not, 5 no run's ID, 6 a host key unknown or changed, 20 stopped before all were asked")]
    Receipts(Box<Receipts>),
    /// Describe a module, or list all of them.
    #[command(after_help = "Examples:\n  quorate doc\n  quorate doc copy")]
    Doc {
        /// The module's name.
        module: Option<String>,
    },
    /// Print a shell's completion script.
    #[command(after_help = "Example:\n  quorate completions bash > ~/.local/share/bash-completion/completions/quorate")]
    Completions {
        /// The shell.
        shell: Shell,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum Etcd {
    /// Members, versions, leader, indices and health in one table.
    #[command(after_help = "Example:\n  quorate etcd status -i inventory/prod.yml --group etcd\n\n\
        Exit codes: 0 all healthy, 11 one is not or does not say, 12 no quorum is known to hold; before these 6 a host key unknown or \
        changed, 20 stopped before all were asked")]
    Status(Box<Status>),
}

#[derive(Debug, Subcommand)]
pub(super) enum Lock {
    /// The locks of all hosts in one table.
    #[command(after_help = "Example:\n  quorate lock show -i inventory/prod.yml\n\n\
        Exit codes: 0 all hosts said, 4 one did not, 6 a host key unknown or changed, 20 stopped before all were asked")]
    Show(Box<Cluster>),
    /// Take the lock of a run away whose machine is gone for good; a run that is at work changes nothing more after that.
    #[command(
        after_help = "Example:\n  quorate lock break -i inventory/prod.yml --run 01ARZ3NDEKTSV4RRFFQ69G5FAV \\\n      \
        --reason 'bastion7 burnt down'"
    )]
    Break(Box<LockBreak>),
}

/// Which hosts, and how to reach them.
#[derive(Clone, Debug, Args)]
pub(super) struct Connection {
    /// An inventory: a YAML or INI file, a folder of them, or a list of hosts ending in a comma; may be given several times.
    #[arg(short, long, value_name = "INVENTORY", required = true)]
    pub(super) inventory: Vec<String>,
    /// Variables: key=value, a JSON or YAML mapping, or @FILE; later ones win. No passwords here: they go into a FILE.
    #[arg(short, long = "extra-vars", value_name = "VARS")]
    pub(super) extra_vars: Vec<String>,
    /// On how many hosts at a time.
    #[arg(short, long, value_name = "N", default_value = "5", value_parser = forks)]
    pub(super) forks: usize,
    /// Log in as this user, where the inventory names none.
    #[arg(short, long)]
    pub(super) user: Option<String>,
    /// Become another user on the hosts, by sudo.
    #[arg(short, long)]
    pub(super) r#become: bool,
    /// The user to become, root unless said otherwise; does not switch --become on.
    #[arg(long, value_name = "USER")]
    pub(super) become_user: Option<String>,
    /// Ask for sudo's password on the terminal.
    #[arg(short = 'K', long, conflicts_with = "become_password_file")]
    pub(super) ask_become_pass: bool,
    /// Read sudo's password from this file: mode 0600, ours.
    #[arg(long, value_name = "FILE", visible_alias = "become-pass-file")]
    pub(super) become_password_file: Option<PathBuf>,
    /// Ask for the login password on the terminal.
    #[arg(short = 'k', long)]
    pub(super) ask_pass: bool,
    /// An SSH key to log in with.
    #[arg(long, value_name = "FILE", visible_alias = "key-file")]
    pub(super) private_key: Option<PathBuf>,
    /// Jump hosts, nearest first, separated by commas; in place of ssh_config's ProxyJump. Other ways, for when these cannot be reached, are
    /// a list in the variable `quorate_fallback_jumps`.
    #[arg(short = 'J', long, value_name = "LIST", value_delimiter = ',')]
    pub(super) jump: Vec<String>,
    /// Read this file in place of ~/.ssh/config and /etc/ssh/ssh_config.
    #[arg(short = 'F', long, value_name = "FILE")]
    pub(super) ssh_config: Option<PathBuf>,
    /// Look host keys up in this file too, beside those that ssh_config names.
    #[arg(long, value_name = "FILE")]
    pub(super) known_hosts: Option<PathBuf>,
    /// How many seconds one hop may take to be reached and to let us in.
    #[arg(short = 'T', long, value_name = "SECONDS", visible_alias = "timeout", value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub(super) ssh_timeout: Option<u64>,
}

/// Who we are to a cluster with authentication.
#[derive(Clone, Debug, Args)]
pub(super) struct EtcdLogin {
    /// Read etcd's password, where the variable `etcd_password` gives none, from this file: mode 0600, ours. The user is the variable
    /// `etcd_user`, root unless said otherwise.
    #[arg(long, value_name = "FILE")]
    pub(super) etcd_password_file: Option<PathBuf>,
}

/// What is shown, and where the run is recorded.
#[derive(Clone, Debug, Args)]
pub(super) struct Output {
    /// Print one line of JSON for every event, and nothing else, on standard output.
    #[arg(long)]
    pub(super) json: bool,
    /// Show results; -vv also where tasks stand.
    #[arg(short, long, action = clap::ArgAction::Count)]
    pub(super) verbose: u8,
    /// Keep runs' journals under this folder; else $QUORATE_STATE_DIR, /var/lib/quorate for root, ~/.local/state/quorate.
    #[arg(long, value_name = "FOLDER")]
    pub(super) state_dir: Option<PathBuf>,
}

/// Which part of the playbooks, and what holds for all of it.
#[derive(Clone, Debug, Default, Args)]
pub(super) struct Part {
    /// Only these of the plays' hosts: a host pattern.
    #[arg(short, long, value_name = "PATTERN")]
    pub(super) limit: Option<String>,
    /// Only tasks with one of these tags.
    #[arg(short, long, value_name = "TAGS", value_delimiter = ',')]
    pub(super) tags: Vec<String>,
    /// Not the tasks with one of these tags.
    #[arg(long, value_name = "TAGS", value_delimiter = ',')]
    pub(super) skip_tags: Vec<String>,
    /// Let a cluster of one or two members, which no roll can keep available, be down for a while.
    #[arg(long)]
    pub(super) accept_downtime: bool,
    /// Begin with no host whose turn would not end before this time, by what the slowest so far took and half as long again; the run ends
    /// with exit 20 then. 04:00 (the next), "2026-11-28 04:00", or +90m; in place of the playbook's `until`.
    #[arg(long, value_name = "TIME")]
    pub(super) until: Option<Window>,
    /// Rules about etcd's releases, laid over quorate's own by their dates: the variable `etcd_rules` of the shipped playbooks.
    #[arg(long, value_name = "FILE")]
    pub(super) etcd_rules: Option<PathBuf>,
}

/// `quorate plan`.
#[derive(Debug, Args)]
pub(super) struct Plan {
    /// The playbook.
    #[arg(required = true, value_name = "PLAYBOOK")]
    pub(super) playbook: PathBuf,
    #[command(flatten)]
    pub(super) connection: Connection,
    #[command(flatten)]
    pub(super) output: Output,
    #[command(flatten)]
    pub(super) part: Part,
    #[command(flatten)]
    pub(super) login: EtcdLogin,
}

/// `quorate run`.
#[derive(Debug, Args)]
pub(super) struct Run {
    /// The playbooks, run one after the other until one does not end well or somebody asks to stop.
    #[arg(required = true, value_name = "PLAYBOOK")]
    pub(super) playbooks: Vec<PathBuf>,
    #[command(flatten)]
    pub(super) connection: Connection,
    #[command(flatten)]
    pub(super) output: Output,
    #[command(flatten)]
    pub(super) login: EtcdLogin,
    /// Change nothing; say what would be changed.
    #[arg(short = 'C', long)]
    pub(super) check: bool,
    /// Show what changes in files, line by line.
    #[arg(short = 'D', long)]
    pub(super) diff: bool,
    #[command(flatten)]
    pub(super) part: Part,
    /// Begin at the task of this name.
    #[arg(long, value_name = "NAME")]
    pub(super) start_at_task: Option<String>,
    /// Run notified handlers also on hosts that failed.
    #[arg(long)]
    pub(super) force_handlers: bool,
    /// Only list the hosts of each play.
    #[arg(long)]
    pub(super) list_hosts: bool,
    /// Only list the tasks of each play.
    #[arg(long)]
    pub(super) list_tasks: bool,
    /// Only list the tags of each play.
    #[arg(long)]
    pub(super) list_tags: bool,
    /// Only check the playbooks.
    #[arg(long)]
    pub(super) syntax_check: bool,
}

/// `quorate runs`.
#[derive(Debug, Args)]
pub(super) struct Runs {
    /// One JSON object a line.
    #[arg(long)]
    pub(super) json: bool,
    /// How many at most.
    #[arg(short, long = "number", value_name = "N", default_value = "20")]
    pub(super) number: usize,
    /// Where runs' journals are kept; else $QUORATE_STATE_DIR, /var/lib/quorate for root, ~/.local/state/quorate.
    #[arg(long, value_name = "FOLDER")]
    pub(super) state_dir: Option<PathBuf>,
}

/// `quorate report`.
#[derive(Debug, Args)]
pub(super) struct Report {
    /// The run: its ID, six characters or more of its beginning or end, or `last`.
    #[arg(value_name = "RUN")]
    pub(super) run: String,
    /// As what to show it.
    #[arg(long, value_name = "FORMAT", default_value = "terminal")]
    pub(super) format: Format,
    /// Show results; -vv also where tasks stand.
    #[arg(short, long, action = clap::ArgAction::Count)]
    pub(super) verbose: u8,
    /// Where runs' journals are kept; else $QUORATE_STATE_DIR, /var/lib/quorate for root, ~/.local/state/quorate.
    #[arg(long, value_name = "FOLDER")]
    pub(super) state_dir: Option<PathBuf>,
}

/// As what a run is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Format {
    /// As the terminal had it.
    Terminal,
    /// As `--json` had it.
    Json,
}

/// `quorate exec`.
#[derive(Debug, Args)]
pub(super) struct Exec {
    /// The hosts: a pattern.
    pub(super) pattern: String,
    #[command(flatten)]
    pub(super) connection: Connection,
    #[command(flatten)]
    pub(super) output: Output,
    /// Hand the command to the host's shell, so that pipes, variables and globs work.
    #[arg(long)]
    pub(super) shell: bool,
    /// The command and its arguments, after `--`; each argument reaches the command as it is.
    #[arg(last = true, required = true, value_name = "CMD")]
    pub(super) command: Vec<String>,
}

/// `quorate inventory`.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("what").required(true).args(["list", "graph", "host"]))]
pub(super) struct Inventory {
    /// An inventory: a YAML or INI file, a folder of them, or a list of hosts ending in a comma; may be given several times.
    #[arg(short, long, value_name = "INVENTORY", required = true)]
    pub(super) inventory: Vec<PathBuf>,
    /// Everything as JSON.
    #[arg(long)]
    pub(super) list: bool,
    /// A tree of groups and hosts.
    #[arg(long)]
    pub(super) graph: bool,
    /// One host's variables as JSON.
    #[arg(long, value_name = "HOST")]
    pub(super) host: Option<String>,
    /// The group at the top of the tree.
    #[arg(requires = "graph", value_name = "GROUP")]
    pub(super) group: Option<String>,
    /// Variables in the tree.
    #[arg(long, requires = "graph")]
    pub(super) vars: bool,
    /// Variables where they are set, not merged into each host.
    #[arg(long)]
    pub(super) export: bool,
    /// Only these hosts: a host pattern.
    #[arg(short, long, value_name = "PATTERN")]
    pub(super) limit: Option<String>,
    /// Where a playbook's group_vars and host_vars are looked for, in place of the current folder.
    #[arg(long, value_name = "FOLDER")]
    pub(super) playbook_dir: Option<PathBuf>,
}

/// A cluster by its hosts.
#[derive(Clone, Debug, Args)]
pub(super) struct Cluster {
    /// The cluster's hosts: a pattern.
    #[arg(long, value_name = "PATTERN", default_value = "etcd")]
    pub(super) group: String,
    #[command(flatten)]
    pub(super) connection: Connection,
    #[command(flatten)]
    pub(super) output: Output,
}

/// `quorate etcd status`.
#[derive(Debug, Args)]
pub(super) struct Status {
    #[command(flatten)]
    pub(super) cluster: Cluster,
    #[command(flatten)]
    pub(super) login: EtcdLogin,
}

/// `quorate lock break`.
#[derive(Debug, Args)]
pub(super) struct LockBreak {
    /// The run that holds it: locks of any other stay.
    #[arg(long, value_name = "RUN")]
    pub(super) run: String,
    /// Why, for whoever reads it later, in the journal and beside the lock on each host.
    #[arg(long, value_name = "TEXT")]
    pub(super) reason: String,
    #[command(flatten)]
    pub(super) cluster: Cluster,
}

/// `quorate receipts`.
#[derive(Debug, Args)]
pub(super) struct Receipts {
    /// The run, by its whole ID; else the newest of which any host knows. With --json all are told.
    #[arg(long, value_name = "RUN", conflicts_with = "json")]
    pub(super) run: Option<String>,
    #[command(flatten)]
    pub(super) cluster: Cluster,
}

/// `quorate resume`.
#[derive(Debug, Args)]
pub(super) struct Resume {
    /// The run: its ID, or at least six characters of its beginning or end; else the newest of which something is left to do.
    #[arg(value_name = "RUN")]
    pub(super) run: Option<String>,
    /// Begin with no host whose turn would not end before this time: as `run --until`. The window that the run was given then does not hold
    /// any more, so this, or --no-until, must be given where it had one.
    #[arg(long, value_name = "TIME")]
    pub(super) until: Option<Window>,
    /// Go on without a window, where the run was given one.
    #[arg(long, conflicts_with = "until")]
    pub(super) no_until: bool,
    /// Print one line of JSON for every event, and nothing else, on standard output.
    #[arg(long)]
    pub(super) json: bool,
    /// Show results; -vv also where tasks stand.
    #[arg(short, long, action = clap::ArgAction::Count)]
    pub(super) verbose: u8,
    /// Where runs' journals are; else $QUORATE_STATE_DIR, /var/lib/quorate for root, ~/.local/state/quorate.
    #[arg(long, value_name = "FOLDER")]
    pub(super) state_dir: Option<PathBuf>,
}

/// At least one host at a time; 1000 keeps a slip of the finger from opening more connections than a machine has files.
fn forks(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(forks @ 1..=1000) => Ok(forks),
        _ => Err("expected a number from 1 to 1000".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_arguments_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn no_option_takes_a_password() {
        fn visit(command: &clap::Command) {
            for arg in command.get_arguments() {
                let name = arg.get_long().unwrap_or_default();
                let takes_value = arg.get_action().takes_values();
                let may = !name.contains("pass") || name.ends_with("-file") || !takes_value;
                assert!(may, "{} --{name}", command.get_name());
            }
            command.get_subcommands().for_each(visit);
        }
        visit(&Cli::command());
    }

    #[test]
    fn everything_after_the_dashes_is_the_command() {
        let line = ["quorate", "exec", "all", "-i", "h,", "--", "ls", "-i", "--json"];
        let Command::Exec(exec) = Cli::try_parse_from(line).unwrap().command else { panic!("not exec") };
        assert_eq!(exec.command, ["ls", "-i", "--json"]);
        assert!(!exec.output.json);
    }

    #[test]
    fn takes_ansibles_short_options() {
        let line =
            "quorate run a.yml -i x -i y -e a=1 -f 9 -u ops -b -K -k -J b1,b2 -F cfg -T 5 -C -D -l n1 -t a,b -vv";
        let Command::Run(run) = Cli::try_parse_from(line.split(' ')).unwrap().command else { panic!("not run") };
        assert_eq!((run.connection.forks, run.output.verbose), (9, 2));
        assert_eq!(run.connection.jump, ["b1", "b2"]);
        assert_eq!(run.part.tags, ["a", "b"]);
        assert!(run.check && run.diff && run.connection.r#become);
    }
}
