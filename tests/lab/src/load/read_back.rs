//! What is in the cluster when the load has ended, read through each member in both ways.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::driver::{Driver, Entry, Membership, Outcome, Reading, connect};
use super::plan::Plan;
use super::run::LoadError;
use crate::act::wait_until;

/// What one listing may take. 20 000 keys take a second or two on a busy machine.
const LISTING: Duration = Duration::from_secs(60);

/// All that a load wrote, as one member gave it.
#[derive(Clone, Debug)]
pub struct Copy {
    /// The member's client URL.
    pub endpoint: String,
    /// Agreed by the quorum, or the member's own.
    pub reading: Reading,
    /// The unique keys.
    pub unique: BTreeMap<String, Entry>,
    /// The chains.
    pub chains: BTreeMap<String, Entry>,
}

/// What is in the cluster at the end.
#[derive(Clone, Debug, Default)]
pub struct Ending {
    /// One or two of each member.
    pub copies: Vec<Copy>,
    /// Who belongs to the cluster, as each member says.
    pub memberships: Vec<(String, Membership)>,
    /// What did not go as it does in a cluster that is well.
    pub faults: Vec<String>,
}

/// Makes a last write through each of the endpoints, waits until each has come as far as those
/// writes, and reads what the load wrote: agreed by the quorum, and each member's own.
///
/// # Errors
/// The certificates cannot be read. What the cluster does not do is in [`Ending::faults`].
pub fn read_back(plan: &Plan, endpoints: &[String], limit: Duration) -> Result<Ending, LoadError> {
    let deadline = Instant::now() + limit;
    let mut ending = Ending::default();
    let mut drivers = Vec::new();
    for endpoint in endpoints {
        drivers.push((endpoint, connect(plan, endpoint, LISTING)?));
    }
    let mut reached = 0;
    for (endpoint, driver) in &drivers {
        match last_write(plan, driver.as_ref(), deadline) {
            Ok(index) => reached = reached.max(index),
            Err(why) => ending.faults.push(format!("no last write through {endpoint}: {why}")),
        }
    }
    for (endpoint, driver) in &drivers {
        let outcome = read_member(plan, endpoint, driver.as_ref(), reached, deadline, &mut ending);
        if let Err(why) = outcome {
            ending.faults.push(format!("{endpoint} could not be read: {why}"));
        }
    }
    Ok(ending)
}

fn left(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now())
}

fn last_write(plan: &Plan, driver: &dyn Driver, deadline: Instant) -> Result<u64, String> {
    let outcome = wait_until("a write that succeeds", left(deadline), || {
        let unique = rand::random::<u64>();
        match driver.create(&format!("/e/{}/{unique:016x}", plan.run), "the last write") {
            Outcome::Ok(index) => Ok(index),
            other => Err(format!("{other:?}")),
        }
    });
    outcome.map_err(|error| error.to_string())
}

fn read_member(
    plan: &Plan,
    endpoint: &str,
    driver: &dyn Driver,
    reached: u64,
    deadline: Instant,
    ending: &mut Ending,
) -> Result<(), String> {
    let caught_up = wait_until("a member that has caught up", left(deadline), || match driver.applied() {
        Ok(applied) if applied >= reached => Ok(()),
        Ok(applied) => Err(format!("it is at {applied}, the last write at {reached}")),
        Err(error) => Err(error),
    });
    caught_up.map_err(|error| error.to_string())?;
    ending.memberships.push((endpoint.to_owned(), driver.membership()?));
    for reading in [Reading::Quorum, Reading::Local] {
        ending.copies.push(Copy {
            endpoint: endpoint.to_owned(),
            reading,
            unique: driver.list(&plan.unique_folder(), reading)?,
            chains: driver.list(&plan.chain_folder(), reading)?,
        });
    }
    Ok(())
}
