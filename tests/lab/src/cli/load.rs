//! `lab load`: the cluster's own clients.

use std::env;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use quorate_lab::load::{Api, LoadOptions, Report};
use quorate_lab::{ActError, Lab, LabError};

use super::{Which, show};

/// Clients that write all the time, and the check that nothing they were promised is lost.
#[derive(Debug, Subcommand)]
pub(super) enum Load {
    /// Start clients on the members' network; returns when the first write is acknowledged
    Start(Start),
    /// End them, and wait until their record is complete
    Stop {
        #[command(flatten)]
        which: Which,
    },
    /// Compare the record with what the members have; exit code 1 if anything is wrong
    Check {
        #[command(flatten)]
        which: Which,
        /// As one JSON document
        #[arg(long)]
        json: bool,
    },
    /// The clients' own process
    #[command(hide = true)]
    Run {
        /// The load's folder
        folder: PathBuf,
    },
}

#[derive(Debug, Args)]
pub(super) struct Start {
    #[command(flatten)]
    which: Which,
    /// Clients, one write in flight each; half of them stay with one member
    #[arg(long)]
    clients: Option<u32>,
    /// Writes a second over all clients
    #[arg(long)]
    rate: Option<f64>,
    /// Bytes of a value
    #[arg(long)]
    value_bytes: Option<usize>,
    /// v2 or v3; v2 while the cluster version is below 3.0, else v3, if not given
    #[arg(long)]
    api: Option<Api>,
}

pub(super) fn act(command: Load) -> Result<ExitCode, LabError> {
    match command {
        Load::Start(start) => {
            let lab = Lab::open(&start.which.name)?;
            let program = env::current_exe().map_err(|source| ActError::Start { argv: "lab".to_owned(), source })?;
            let Start { clients, rate, value_bytes, api, .. } = start;
            lab.start_load(&program, LoadOptions { clients, rate, value_bytes, api })?;
            Ok(ExitCode::SUCCESS)
        }
        Load::Stop { which } => {
            Lab::open(&which.name)?.stop_load()?;
            Ok(ExitCode::SUCCESS)
        }
        Load::Check { which, json } => {
            let report = Lab::open(&which.name)?.check_load()?;
            if json {
                show::line(&serde_json::json!(report))?
            } else {
                tell(&report)?
            };
            Ok(if report.ok { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
        Load::Run { folder } => {
            Lab::run_load(&folder)?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn tell(report: &Report) -> Result<ExitCode, LabError> {
    let Report { acked, no, unknown, lost, ghost, order, stale, chain, end, .. } = report;
    let Report { seconds, rate, gap_ms, gap_at_ms, slowest_write_ms, .. } = report;
    show::line(&format!("acknowledged {acked} writes in {seconds} s ({rate}/s); {no} no, {unknown} unknown"))?;
    show::line(&format!("lost {lost}, ghost {ghost}, order {order}, stale {stale}, chain {chain}, end {end}"))?;
    show::line(&format!("longest gap between two writes {gap_ms} ms, at {:.1} s", gap_at_ms / 1000.0))?;
    show::line(&format!("slowest write with fail-over {slowest_write_ms} ms"))?;
    for (endpoint, gap) in &report.endpoint_gap_ms {
        show::line(&format!("longest gap of {endpoint} {gap} ms"))?;
    }
    for violation in &report.violations {
        show::line(violation)?;
    }
    show::line(&if report.ok { "no write lost" } else { "WRONG: see above" })
}
