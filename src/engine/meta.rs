//! `meta`: what a playbook asks of the engine itself.

use crate::modules::arguments::FREE_FORM;
use crate::modules::meta::ACTIONS;
use crate::playbook::{Directives, Expression, Task};

use super::batch::{Batch, Ends};
use super::run::Break;
use super::scope::HostScope;
use super::task::input;

/// The action that a `meta` task names.
pub(super) fn action(task: &Task) -> &str {
    let named = |key| task.args.get(key).and_then(crate::inventory::Node::as_str);
    named(FREE_FORM).or_else(|| named("action")).unwrap_or_default().trim()
}

impl<'b> Batch<'b> {
    /// Does what the task asks for. Its `when` is asked of the first host where the action is for all, and of each host
    /// where it is for one, as in Ansible.
    pub(super) async fn meta(
        &mut self,
        task: &'b Task,
        chain: &[&'b Directives],
        hosts: &[String],
        rescuable: bool,
    ) -> Result<Ends, Break> {
        let wanted = self.wanted(chain, hosts)?;
        let first = hosts.first().is_some_and(|host| wanted.contains(host));
        match action(task) {
            "flush_handlers" => return self.flush(hosts, rescuable).await,
            "end_host" => self.gone.extend(wanted),
            "reset_connection" => {
                for host in &wanted {
                    self.engine.connections.forget(host).await;
                }
            }
            "end_batch" if first => return Err(Break::Batch),
            "end_play" if first => return Err(Break::Play),
            "clear_host_errors" if first => {
                self.fell.clear();
                self.engine.progress(|progress| {
                    progress.failed.clear();
                    progress.unreachable.clear();
                });
            }
            known if ACTIONS.contains(&known) => {}
            other => return Err(input(format!("{}: meta has no action `{other}`", task.place)).into()),
        }
        Ok(Ends::default())
    }

    /// The hosts for which the task's conditions hold.
    fn wanted(&self, chain: &[&'b Directives], hosts: &[String]) -> Result<Vec<String>, Break> {
        let conditions: Vec<Expression> = chain.iter().flat_map(|d| d.when.iter().cloned()).collect();
        let lists = self.lists();
        let mut wanted = Vec::new();
        for host in hosts {
            let scope = HostScope {
                play: Some(self.play_scope(&lists)),
                chain: chain.get(1..).unwrap_or_default(),
                local: self.failure_vars(host),
                ..HostScope::new(self.engine.run, &self.engine.store, host)
            };
            let holds = self.engine.run.templates.holds(&conditions, &scope);
            if holds.map_err(|problem| input(problem.to_string()))? {
                wanted.push(host.clone());
            }
        }
        Ok(wanted)
    }
}
