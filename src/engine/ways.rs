//! The ways to a run's hosts, as far as they are known on paper.

use crate::transport::Target;

use super::connections::{target, variables};
use super::run::Run;
use super::scope::{HostScope, before_play};
use super::store::Store;

impl Run {
    /// Where the run will connect to, by play and host. What only a fact or a task will say is not known yet, and left out.
    #[must_use]
    pub fn ways(&self) -> Vec<Target> {
        let store = Store::default();
        let mut ways = Vec::new();
        for (play, planned) in self.playbook().plays.iter().zip(self.plays()) {
            before_play(play, planned, |shared| {
                for host in &planned.hosts {
                    let scope = HostScope { play: Some(shared), ..HostScope::new(self, &store, host) };
                    let way = variables(&scope).and_then(|vars| target(&scope, &vars, &[&play.directives]));
                    ways.extend(way.ok());
                }
            });
        }
        ways
    }
}
