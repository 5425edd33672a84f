//! `--diff`: what changed, as lines of a unified diff.

use std::time::Duration;

use similar::TextDiff;

use crate::events::Diff;
use crate::report::escape::{escaped, escaped_line};
use crate::report::style::{Style, Tone};

/// The longest text that is compared line by line: 1 MiB. Ansible stops at 104,448 bytes; here the limit is for the time it
/// takes, a second at most.
const LARGEST: usize = 1 << 20;

/// When the comparison takes longer, it settles for a longer diff.
const DEADLINE: Duration = Duration::from_secs(1);

/// The diff as text, ending in a newline.
pub(super) fn shown(diff: &Diff, style: Style) -> String {
    let path = escaped_line(&diff.path);
    if diff.before.len() + diff.after.len() > LARGEST {
        let (before, after) = (diff.before.len(), diff.after.len());
        return format!(
            "--- before: {path}\n+++ after: {path}\n({before} bytes before, {after} after: too long to show)\n"
        );
    }
    let (before, after) = (escaped(&diff.before), escaped(&diff.after));
    let lines = TextDiff::configure().timeout(DEADLINE).diff_lines(&before, &after);
    let unified = lines
        .unified_diff()
        .context_radius(3)
        .header(&format!("before: {path}"), &format!("after: {path}"))
        .to_string();
    if unified.is_empty() {
        return format!("{path}: same content\n");
    }
    let painted = unified.lines().map(|line| match line.chars().next() {
        Some('+') => style.paint(Tone::Ok, line),
        Some('-') => style.paint(Tone::Failed, line),
        Some('@') => style.paint(Tone::Skipped, line),
        _ => line.to_owned(),
    });
    painted.map(|line| line + "\n").collect()
}
