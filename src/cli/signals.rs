//! Ctrl-C and SIGTERM for a whole command, however many runs it makes.

use std::cell::OnceCell;
use std::path::PathBuf;

use super::exit::Exit;
use super::{console, running};
use crate::engine::{Interrupt, Wish};
use crate::events::Fault;
use crate::report::escaped_line;

/// What a command's signals wish. They are caught from its first run on: until then nothing is begun, and a signal ends the process as it
/// ends any other, also where it asks for a password.
#[derive(Default)]
pub(super) struct Signals(OnceCell<Interrupt>);

impl Signals {
    /// Catches them, if they are not caught yet.
    pub(super) fn caught(&self) -> Result<Interrupt, Exit> {
        if let Some(interrupt) = self.0.get() {
            return Ok(interrupt.clone());
        }
        let interrupt = Interrupt::of_signals();
        let interrupt =
            interrupt.map_err(|error| running::refuse(Fault::Bug, &format!("signals cannot be caught: {error}")))?;
        Ok(self.0.get_or_init(|| interrupt).clone())
    }

    /// How the command ends if somebody asked it to stop and these playbooks are left; says which they are.
    pub(super) fn stop(&self, left: &[PathBuf]) -> Option<Exit> {
        if left.is_empty() {
            return None;
        }
        let exit = match self.0.get().map(Interrupt::wish)? {
            Wish::None => return None,
            Wish::Stop => Fault::Stopped.into(),
            Wish::Detach(code) => Exit(code),
        };
        let names: Vec<String> = left.iter().map(|path| path.display().to_string()).collect();
        console::say(&escaped_line(&format!(
            "asked to stop: not begun: {}; `quorate resume` goes on with them",
            names.join(", ")
        )));
        Some(exit)
    }
}
