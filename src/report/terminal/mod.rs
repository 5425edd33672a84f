//! The terminal: Ansible's layout, which its readers know, and what the roll did.

mod lines;
mod progress;
mod summary;

use std::io::{IsTerminal, Stdout, Write, stderr, stdout};

use self::lines::Lines;
use self::progress::Progress;
use super::{Head, Style, lost};
use crate::events::{Event, Sink, SinkError};
pub use summary::duration;

/// How the terminal report looks.
#[derive(Clone, Debug)]
pub struct Look {
    /// Colours.
    pub style: Style,
    /// `-v` given how many times: from 1 on results of tasks that went well are shown.
    pub verbosity: u8,
    /// Columns.
    pub width: usize,
    /// Where the run's journal lies, to be named at the end.
    pub journal: Option<String>,
    /// The head of its chain, likewise.
    pub head: Head,
}

impl Look {
    /// The look for this process's standard output.
    #[must_use]
    pub fn of_stdout(verbosity: u8, journal: Option<String>, head: Head) -> Self {
        let style = Style::for_terminal(stdout().is_terminal());
        // Ansible draws its banners to the terminal's width less one, and to 79 columns where there is none.
        let columns = terminal_size::terminal_size_of(stdout()).map_or(0, |(columns, _)| usize::from(columns.0));
        Self { style, verbosity, width: columns.saturating_sub(1).max(79), journal, head }
    }
}

/// Writes events as people read them.
pub struct Terminal<W> {
    out: W,
    lines: Lines,
    progress: Progress,
}

impl Terminal<Stdout> {
    /// On standard output; bars on standard error if both are terminals, else plain lines.
    #[must_use]
    pub fn on_stdout(look: Look) -> Self {
        let bars = stdout().is_terminal() && stderr().is_terminal();
        Self {
            out: stdout(),
            lines: Lines::new(look),
            progress: if bars { Progress::bars() } else { Progress::lines() },
        }
    }
}

impl<W: Write + Send> Terminal<W> {
    /// Plain lines into `out`.
    #[must_use]
    pub fn plain(out: W, look: Look) -> Self {
        Self { out, lines: Lines::new(look), progress: Progress::lines() }
    }

    /// What is known of a run that has not said how it ended: whom it finished, what is in doubt, whom it did not touch.
    ///
    /// # Errors
    /// When it could not be written.
    pub fn leave_open(&mut self, goes_on: bool) -> Result<(), SinkError> {
        let text = self.lines.left_open(goes_on);
        self.out.write_all(text.as_bytes()).and_then(|()| self.out.flush()).map_err(|error| lost("terminal", &error))
    }
}

impl<W: Write + Send> Sink for Terminal<W> {
    fn name(&self) -> &'static str {
        "terminal"
    }

    fn write(&mut self, event: &Event) -> Result<(), SinkError> {
        let mut text = self.progress.follow(event);
        text.push_str(&self.lines.of_event(event));
        if text.is_empty() {
            return Ok(());
        }
        let Self { out, progress, .. } = self;
        progress
            .around(|| out.write_all(text.as_bytes()).and_then(|()| out.flush()))
            .map_err(|error| lost("terminal", &error))
    }
}

#[cfg(test)]
mod tests;
