//! `loop:` and `with_items:`: a task once for each item, one after the other.

use serde_json::{Map, Value, json};

use crate::events::{Fault, Kind, Status};
use crate::inventory::Node;

use super::outcome::{TaskResult, halts};
use super::ready::Ready;
use super::run::Halt;
use super::scope::HostScope;

impl Ready<'_> {
    /// The task for each item.
    pub(super) async fn each(&self, scope: &HostScope<'_>, items: &Node, secret: bool) -> Result<TaskResult, Halt> {
        let items = match self.items(scope, items) {
            Ok(items) => items,
            Err(end) => return Ok(*end),
        };
        if items.is_empty() {
            return Ok(TaskResult::no_items());
        }
        let control = &self.task.loop_control;
        let name = control.loop_var.as_deref().unwrap_or("item");
        let mut ends = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                self.pause(scope).await;
                if let Err(halt) = self.engine.stop_if_asked() {
                    return Ok(TaskResult::of_items(ends).cut_short(halt.fault, &halt.reason, index, items.len()));
                }
            }
            let mut scope = scope.clone();
            scope.local.insert(name.to_owned(), item.clone());
            if let Some(index_var) = &control.index_var {
                scope.local.insert(index_var.clone(), Value::from(index));
            }
            if control.extended {
                scope.local.insert("ansible_loop".to_owned(), extended(&items, index));
            }
            let mut end = self.one(&scope).await;
            end.result.insert("ansible_loop_var".to_owned(), Value::from(name));
            end.result.insert(name.to_owned(), item.clone());
            let (last, label) = (self.tell_item(&scope, &end, item, secret)?, end.status);
            ends.push(end);
            if last || label == Status::Unreachable {
                break;
            }
        }
        Ok(TaskResult::of_items(ends))
    }

    /// The items; or how the task ends if there are none to be had.
    fn items(&self, scope: &HostScope<'_>, node: &Node) -> Result<Vec<Value>, Box<TaskResult>> {
        let failed = |msg: String| {
            // `when` may say that the loop is not wanted at all.
            Box::new(match self.skipped(scope) {
                Ok(Some(skipped)) => skipped,
                _ => TaskResult::failure(Fault::Failed, msg),
            })
        };
        let value = self.rendered(scope, node).map_err(|failure| failed(failure.msg))?;
        match value {
            Value::Array(items) if self.task.with_items => Ok(items.into_iter().flat_map(flat).collect()),
            Value::Array(items) => Ok(items),
            other if self.task.with_items => Ok(flat(other)),
            other => Err(failed(format!("`loop` must be a list, not {other}"))),
        }
    }

    async fn pause(&self, scope: &HostScope<'_>) {
        let Some(node) = &self.task.loop_control.pause else { return };
        let pause = self.rendered(scope, node).ok().and_then(|value| Self::seconds(&value));
        if let Some(pause) = pause {
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.engine.interrupt.stopping() => {}
            }
        }
    }

    /// Says how an item ended; whether the loop must end with it.
    fn tell_item(&self, scope: &HostScope<'_>, end: &TaskResult, item: &Value, secret: bool) -> Result<bool, Halt> {
        let label = match &self.task.loop_control.label {
            Some(node) => self.rendered(scope, node).unwrap_or_else(|_| item.clone()),
            None => item.clone(),
        };
        let told = self.engine.emit(Kind::ItemEnded {
            host: scope.host.to_owned(),
            item: if secret { Value::from("(censored)") } else { label },
            status: if self.ignores(scope, end) { Status::Ignored } else { end.status },
            changed: end.changed(),
            result: if secret { end.censored() } else { end.result.clone() },
        });
        told.map_err(|halt| end.unwritten(scope.host, secret, halt))?;
        Ok(end.fault.is_some_and(halts))
    }
}

fn flat(value: Value) -> Vec<Value> {
    match value {
        Value::Array(items) => items,
        other => vec![other],
    }
}

/// `ansible_loop`, for `loop_control: {extended: true}`.
fn extended(items: &[Value], index: usize) -> Value {
    let length = items.len();
    let mut map: Map<String, Value> = Map::new();
    map.insert("allitems".to_owned(), Value::Array(items.to_vec()));
    map.insert("index".to_owned(), json!(index + 1));
    map.insert("index0".to_owned(), json!(index));
    map.insert("first".to_owned(), json!(index == 0));
    map.insert("last".to_owned(), json!(index + 1 == length));
    map.insert("length".to_owned(), json!(length));
    map.insert("revindex".to_owned(), json!(length - index));
    map.insert("revindex0".to_owned(), json!(length - index - 1));
    if let Some(item) = index.checked_sub(1).and_then(|before| items.get(before)) {
        map.insert("previtem".to_owned(), item.clone());
    }
    if let Some(item) = items.get(index + 1) {
        map.insert("nextitem".to_owned(), item.clone());
    }
    Value::Object(map)
}
