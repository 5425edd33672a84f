//! `quorate inventory`: from its arguments to what is shown.

use super::arguments::Inventory as Arguments;
use super::console;
use super::exit::Exit;
use super::inventory::{InventoryCommandError, InventoryOptions, Show, inventory};
use super::running;
use crate::events::Fault;
use crate::report::escaped_line;

/// Shows it.
pub(super) fn run(arguments: &Arguments) -> Exit {
    let show = match (&arguments.host, arguments.graph) {
        (Some(host), _) => Show::Host(host.clone()),
        (None, true) => Show::Graph(arguments.group.clone()),
        (None, false) => Show::List,
    };
    let options = InventoryOptions {
        sources: arguments.inventory.clone(),
        playbook_dir: arguments.playbook_dir.clone(),
        limit: arguments.limit.clone(),
        show,
        vars: arguments.vars,
        export: arguments.export,
    };
    let mut text = Vec::new();
    match inventory(&options, &mut text) {
        Ok(warnings) => {
            for warning in warnings {
                let place = warning.place.map(|place| format!("{place}: ")).unwrap_or_default();
                console::say(&format!("[WARNING]: {}", escaped_line(&format!("{place}{}", warning.message))));
            }
            console::answer(&String::from_utf8_lossy(&text))
        }
        Err(InventoryCommandError::Inventory(error)) => running::inventory_fault(&error),
        Err(error) => running::refuse(Fault::Input, &error.to_string()),
    }
}
