//! How far long acts are: bars on a terminal, a sign of life now and then elsewhere.

use std::collections::HashMap;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::events::{Event, Kind};
use crate::report::escape::escaped_line;

/// In a log, an act that goes on says so at most this often: a night's log stays readable, and silence of more than a
/// minute means trouble.
const HEARTBEAT: Duration = Duration::from_secs(30);

/// More bars than this do not fit a screen of 24 lines beside the text they belong to.
const MOST_BARS: usize = 12;

/// Follows `Progress` events.
pub(super) enum Progress {
    Bars { all: MultiProgress, of_host: HashMap<String, ProgressBar> },
    Lines { last: HashMap<String, (String, Duration)> },
}

impl Progress {
    /// For a terminal.
    pub(super) fn bars() -> Self {
        Self::Bars { all: MultiProgress::new(), of_host: HashMap::new() }
    }

    /// For a file, a pipe, a mail from cron.
    pub(super) fn lines() -> Self {
        Self::Lines { last: HashMap::new() }
    }

    /// Takes an event in; the line to print for it, if any.
    pub(super) fn follow(&mut self, event: &Event) -> String {
        match (&mut *self, &event.kind) {
            (Self::Bars { all, of_host }, Kind::Progress { host, act, text, done, total }) => {
                if let Some(bar) = bar_of(all, of_host, host) {
                    draw(bar, host, &format!("{act}: {text}"), done.zip(*total));
                }
                String::new()
            }
            (Self::Lines { last }, Kind::Progress { host, act, text, .. }) => {
                let due = last.get(host).is_none_or(|(known, at)| known != act || event.elapsed >= *at + HEARTBEAT);
                if !due {
                    return String::new();
                }
                last.insert(host.clone(), (act.clone(), event.elapsed));
                let seconds = event.elapsed.as_secs();
                let (host, act, text) = (escaped_line(host), escaped_line(act), escaped_line(text));
                format!("  .. {:02}:{:02} [{host}] {act}: {text}\n", seconds / 60, seconds % 60)
            }
            (_, Kind::TaskEnded { host, .. }) => {
                self.forget(|name| name == host);
                String::new()
            }
            (_, Kind::Halted { .. } | Kind::RunEnded { .. }) => {
                self.forget(|_| true);
                String::new()
            }
            _ => String::new(),
        }
    }

    /// Does `write` while no bar is drawn.
    pub(super) fn around<T>(&self, write: impl FnOnce() -> T) -> T {
        match self {
            Self::Bars { all, .. } => all.suspend(write),
            Self::Lines { .. } => write(),
        }
    }

    fn forget(&mut self, is_done: impl Fn(&str) -> bool) {
        match self {
            Self::Bars { all, of_host } => of_host.retain(|host, bar| {
                if is_done(host) {
                    bar.finish_and_clear();
                    all.remove(bar);
                }
                !is_done(host)
            }),
            Self::Lines { last } => last.retain(|host, _| !is_done(host)),
        }
    }
}

/// The host's bar, made if there is room for one more.
fn bar_of<'b>(
    all: &MultiProgress,
    of_host: &'b mut HashMap<String, ProgressBar>,
    host: &str,
) -> Option<&'b ProgressBar> {
    if !of_host.contains_key(host) {
        if of_host.len() >= MOST_BARS {
            return None;
        }
        // Complete before it is first drawn: a bar without its style leaves a line behind.
        let bar = ProgressBar::hidden();
        draw(&bar, host, "", None);
        let bar = all.add(bar);
        // The spinner turns by itself, so that a long wait is seen not to be a hung terminal.
        bar.enable_steady_tick(Duration::from_millis(200));
        of_host.insert(host.to_owned(), bar);
    }
    of_host.get(host)
}

fn draw(bar: &ProgressBar, host: &str, text: &str, counted: Option<(u64, u64)>) {
    let template = match counted {
        Some((done, total)) => {
            bar.set_length(total);
            bar.set_position(done.min(total));
            "{prefix} [{bar:24}] {percent:>3}% {wide_msg} {elapsed}"
        }
        None => "{prefix} {spinner} {wide_msg} {elapsed}",
    };
    // The templates are constants; if one were wrong, the bar would keep its default look.
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style.progress_chars("=> "));
    }
    bar.set_prefix(escaped_line(host));
    bar.set_message(escaped_line(text));
}
