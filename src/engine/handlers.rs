//! Handlers: what runs at the end of a section because something changed.

use super::batch::{Batch, Chain, Ends};
use super::run::Break;
use super::task::input;

use crate::inventory::nearest;
use crate::transport::BoxFuture;

impl<'b> Batch<'b> {
    /// The handlers' names, rendered with the play's variables; as written where that fails.
    pub(super) fn render_handler_names(&self) -> Vec<String> {
        let lists = self.lists();
        let scope = self.keyword_scope(&lists);
        self.play.handlers.iter().map(|handler| self.task_name(&handler.task, &scope)).collect()
    }

    /// Notes that a host notified these handlers.
    pub(super) fn notify(&mut self, host: &str, names: &[String]) -> Result<(), Break> {
        for name in names {
            let found = self.handlers_called(name);
            if found.is_empty() {
                let near = nearest(name, self.handler_names.iter().map(String::as_str));
                let near = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
                return Err(input(format!("{host}: there is no handler `{name}`{near}")).into());
            }
            self.notified.entry(host.to_owned()).or_default().extend(found);
        }
        Ok(())
    }

    /// The first handler of that name, and all that listen to it.
    fn handlers_called(&self, name: &str) -> Vec<usize> {
        let named = self.handler_names.iter().position(|known| known == name);
        let listening = self.play.handlers.iter().enumerate();
        let listening = listening.filter(|(_, handler)| handler.listen.iter().any(|topic| topic == name));
        named.into_iter().chain(listening.map(|(index, _)| index)).collect()
    }

    /// The handlers at the end of a section. Hosts that failed keep theirs only under `force_handlers`.
    pub(super) async fn flush_section(&mut self) -> Result<(), Break> {
        let forced = self.forces_handlers();
        let hosts: Vec<String> = self
            .slots
            .iter()
            .filter(|host| !self.gone.contains(*host) && (forced || !self.doomed.contains(*host)))
            .cloned()
            .collect();
        let ends = self.flush(&hosts, false).await?;
        debug_assert!(ends.failed.iter().all(|host| self.doomed.contains(host)), "a failed handler dooms its host");
        Ok(())
    }

    fn forces_handlers(&self) -> bool {
        let lists = self.lists();
        let said = self.play.force_handlers.as_ref().and_then(|node| {
            let value = self.engine.run.templates.value(node, &self.keyword_scope(&lists)).ok()?;
            crate::modules::arguments::boolean(&value)
        });
        said.unwrap_or(false) || self.engine.run.options.force_handlers
    }

    /// Runs what these hosts notified, in the order of the play's handlers; one may notify a later one.
    pub(super) fn flush<'s>(&'s mut self, hosts: &'s [String], rescuable: bool) -> BoxFuture<'s, Result<Ends, Break>> {
        Box::pin(self.flush_each(hosts, rescuable))
    }

    async fn flush_each(&mut self, hosts: &[String], rescuable: bool) -> Result<Ends, Break> {
        let mut all = Ends::default();
        let play = self.play;
        for (index, handler) in play.handlers.iter().enumerate() {
            let due: Vec<String> = hosts
                .iter()
                .filter(|host| !self.gone.contains(*host) && !all.failed.contains(*host))
                .filter(|host| self.notified.get(*host).is_some_and(|wanted| wanted.contains(&index)))
                .cloned()
                .collect();
            for host in &due {
                if let Some(wanted) = self.notified.get_mut(host) {
                    wanted.remove(&index);
                }
            }
            if due.is_empty() {
                continue;
            }
            let chain: Chain<'b> = vec![&play.directives, &handler.task.directives];
            let ends = self.task(&handler.task, &chain, &due, true, rescuable).await?;
            all.add(ends);
            if all.fatal {
                break;
            }
        }
        Ok(all)
    }
}
