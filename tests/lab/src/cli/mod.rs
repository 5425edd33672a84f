//! Arguments, and one function a command.

mod load;
mod show;

use std::io::{self, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitCode};

use clap::{Args, Parser, Subcommand, ValueEnum};
use quorate_lab::{Fault, Lab, LabError, Sudo, User, binaries};

/// Real hosts on one machine: a bastion, etcd members behind it, faults.
#[derive(Debug, Parser)]
#[command(
    name = "lab",
    version,
    after_help = "Example: lab up && lab status && lab control -- ssh -F \"$(lab env SSH_CONFIG)\" etcd1 hostname"
)]
struct Cli {
    #[command(subcommand)]
    command: Commands,
}

/// Which lab a command is about.
#[derive(Debug, Args)]
struct Which {
    /// The lab's name
    #[arg(long, global = true, default_value = "default", env = "QUORATE_LAB_NAME")]
    name: String,
}

#[derive(Debug, Subcommand)]
enum Commands {
    /// Make a lab and wait until its cluster is healthy
    Up(Up),
    /// Print NAME=value lines, or one value
    Env {
        #[command(flatten)]
        which: Which,
        /// Print this one's value only
        key: Option<String>,
    },
    /// Say how each member is
    Status {
        #[command(flatten)]
        which: Which,
        /// As one JSON document
        #[arg(long)]
        json: bool,
    },
    /// Run a command as root inside a host; its exit code is kept
    Exec {
        #[command(flatten)]
        which: Which,
        /// etcd1 … or bastion, bastion2 …
        host: String,
        /// The command
        #[arg(last = true, required = true)]
        argv: Vec<String>,
    },
    /// Log in to a host as quorate does: by ssh, from the control machine
    Ssh {
        #[command(flatten)]
        which: Which,
        /// etcd1 … or bastion, bastion2 …
        host: String,
        /// A command instead of a shell
        #[arg(last = true)]
        argv: Vec<String>,
    },
    /// Run a command where the control machine is; its exit code is kept
    Control {
        #[command(flatten)]
        which: Which,
        /// The command
        #[arg(last = true, required = true)]
        argv: Vec<String>,
    },
    /// Print the folder with a version's etcd, etcdctl, archive and SHA256SUMS, making it if need be
    Binary {
        /// Such as 2.1.1
        version: String,
    },
    /// Break something, or mend it
    #[command(after_help = show::faults())]
    Fault {
        #[command(flatten)]
        which: Which,
        /// What, from the list below
        fault: String,
        /// Where: etcd1 … or bastion, bastion2 …
        host: String,
        /// Put it on or take it away
        #[arg(default_value = "on")]
        state: State,
    },
    /// Let clients write all the time, and check that nothing they wrote is lost
    #[command(subcommand)]
    Load(load::Load),
    /// Take a lab down; nothing of it is left
    Down {
        #[command(flatten)]
        which: Which,
    },
    /// List the labs that are up
    List,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum State {
    On,
    Off,
}

/// What a lab is made of.
#[derive(Debug, Args)]
struct Up {
    #[command(flatten)]
    which: Which,
    /// How many members
    #[arg(long, default_value_t = 3)]
    members: u8,
    /// Their version of etcd
    #[arg(long, default_value = "2.0.5")]
    etcd: String,
    /// Switch the v2 interface on, where it is off unless asked for (3.4 and 3.5)
    #[arg(long)]
    enable_v2: bool,
    /// Further versions whose archives are to lie in the releases folder, with commas, or `all`
    #[arg(long, alias = "release", value_delimiter = ',')]
    releases: Vec<String>,
    /// How many bastions; those after the first are other ways in
    #[arg(long, default_value_t = 1)]
    bastions: u8,
    /// Let the control machine reach the members itself
    #[arg(long, conflicts_with = "bastions")]
    no_bastion: bool,
    /// TLS for etcd's clients and peers
    #[arg(long)]
    tls: bool,
    /// Passwords for etcd's clients, from 2.1 on
    #[arg(long)]
    auth: bool,
    /// Who logs in: root or ops
    #[arg(long, default_value = "root")]
    user: User,
    /// Whether sudo asks ops: password or nopasswd
    #[arg(long, default_value = "nopasswd")]
    sudo: Sudo,
}

/// Runs the command that was asked for. Failures are 1, as distinct from clap's 2 for usage.
pub(crate) fn run() -> ExitCode {
    let cli = Cli::parse();
    match act(cli.command) {
        Ok(code) => code,
        Err(error) => {
            // Nobody is left to tell if standard error is closed.
            let _ = writeln!(io::stderr(), "lab: {error}");
            ExitCode::FAILURE
        }
    }
}

fn act(command: Commands) -> Result<ExitCode, LabError> {
    match command {
        Commands::Up(options) => up(options),
        Commands::Env { which, key } => show::env(&Lab::open(&which.name)?, key.as_deref()),
        Commands::Status { which, json } => show::status(&Lab::open(&which.name)?, json),
        Commands::Exec { which, host, argv } => {
            let lab = Lab::open(&which.name)?;
            let (program, rest) = split(&argv)?;
            Ok(pass(lab.host_command(&host, program)?.args(rest)))
        }
        Commands::Ssh { which, host, argv } => {
            let lab = Lab::open(&which.name)?;
            lab.host(&host)?;
            let mut ssh = lab.control_command("ssh");
            Ok(pass(ssh.arg("-F").arg(lab.ssh_config()).arg(host).args(argv)))
        }
        Commands::Control { which, argv } => {
            let lab = Lab::open(&which.name)?;
            let (program, rest) = split(&argv)?;
            Ok(pass(lab.control_command(program).args(rest)))
        }
        Commands::Binary { version } => show::line(&binaries::folder(&version)?.display()),
        Commands::Fault { which, fault, host, state } => {
            let lab = Lab::open(&which.name)?;
            let fault: Fault = fault.parse()?;
            match state {
                State::On => lab.fault(&fault, &host)?,
                State::Off => lab.mend(&fault, &host)?,
            }
            Ok(ExitCode::SUCCESS)
        }
        Commands::Load(command) => load::act(command),
        Commands::Down { which } => {
            Lab::open(&which.name)?.down()?;
            Ok(ExitCode::SUCCESS)
        }
        Commands::List => {
            for name in quorate_lab::names()? {
                show::line(&name)?;
            }
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn up(options: Up) -> Result<ExitCode, LabError> {
    let mut builder = Lab::builder()
        .name(&options.which.name)
        .members(options.members)
        .etcd(&options.etcd)
        .enable_v2(options.enable_v2)
        .bastions(if options.no_bastion { 0 } else { options.bastions })
        .tls(options.tls)
        .auth(options.auth)
        .user(options.user)
        .sudo(options.sudo);
    for version in &options.releases {
        builder = if version == "all" { builder.all_releases() } else { builder.release(version) };
    }
    let lab = builder.start()?;
    show::status(&lab, false)?;
    lab.keep();
    Ok(ExitCode::SUCCESS)
}

fn split(argv: &[String]) -> Result<(&str, &[String]), LabError> {
    let (program, rest) =
        argv.split_first().ok_or_else(|| LabError::Spec("a command needs at least one word".to_owned()))?;
    Ok((program, rest))
}

/// Becomes the command, so that its exit code, its signals and its process number are its own.
fn pass(command: &mut Command) -> ExitCode {
    let error = command.exec();
    let _ = writeln!(io::stderr(), "lab: cannot run the command: {error}");
    ExitCode::FAILURE
}
