//! Colours, where they are wanted.

/// Whether to colour, and how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Style {
    /// Whether to colour at all.
    pub colour: bool,
}

/// What a text stands for; the colours are Ansible's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tone {
    Ok,
    Changed,
    Failed,
    Skipped,
    Warning,
    Dim,
}

impl Style {
    /// Colour only on a terminal that can and whose user has not declined: `NO_COLOR` not empty (no-color.org), `TERM=dumb`.
    #[must_use]
    pub fn for_terminal(is_terminal: bool) -> Self {
        let declined = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|value| value == "dumb");
        Self { colour: is_terminal && !declined && !dumb }
    }

    /// The text in its colour. It must be escaped already.
    pub(super) fn paint(self, tone: Tone, text: &str) -> String {
        if !self.colour {
            return text.to_owned();
        }
        let code = match tone {
            Tone::Ok => "32",
            Tone::Changed => "33",
            Tone::Failed => "31",
            Tone::Skipped => "36",
            Tone::Warning => "35",
            Tone::Dim => "2",
        };
        // A colour that spans lines leaks into what a pager or a bar draws between them.
        let painted = text.split('\n').map(|line| match line {
            "" => String::new(),
            line => format!("\u{1b}[{code}m{line}\u{1b}[0m"),
        });
        painted.collect::<Vec<_>>().join("\n")
    }
}
