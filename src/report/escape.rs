//! Text from hosts and files made harmless for a terminal: every character that moves, hides or reorders is shown as an escape.

use unicode_width::UnicodeWidthChar;

/// Marks without a width of their own that may follow one character: enough for any written language's stacked
/// accents (Vietnamese has two), too few to paint over the lines above.
const MARKS: usize = 3;

/// Text of several lines: newlines stay, tabs become spaces up to the next eighth column.
#[must_use]
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let (mut column, mut marks) = (0, 0);
    // A line that ends in CR LF is an ordinary line; a lone CR would paint over it.
    let text = text.replace("\r\n", "\n");
    for c in text.chars() {
        match c {
            '\n' => {
                out.push('\n');
                column = 0;
            }
            '\t' => {
                let spaces = 8 - column % 8;
                out.extend(std::iter::repeat_n(' ', spaces));
                column += spaces;
            }
            c => column += push(&mut out, c, &mut marks),
        }
    }
    out
}

/// Text for one line: newlines and tabs are shown as `\n` and `\t`.
#[must_use]
pub fn escaped_line(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut marks = 0;
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            c => {
                push(&mut out, c, &mut marks);
            }
        }
    }
    out
}

/// Whether a terminal might do something else with it than show it.
pub(super) fn is_unsafe(c: char) -> bool {
    // Controls of C0, DEL and C1 (0x9b is an 8-bit CSI).
    c.is_control()
        || matches!(c,
            // Soft hyphen, Arabic letter mark, Mongolian vowel separator, Hangul fillers: invisible.
            '\u{ad}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{180b}'..='\u{180f}' | '\u{3164}' | '\u{ffa0}'
            // Zero width, direction marks, line and paragraph separators, embeddings and overrides, isolates.
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            // Byte order mark, variation selectors, interlinear annotation, specials.
            | '\u{feff}' | '\u{fe00}'..='\u{fe0f}' | '\u{fff0}'..='\u{fffb}'
            // Tags and further variation selectors: text that nobody sees.
            | '\u{e0000}'..='\u{e0fff}')
}

/// Appends the character or its escape; the columns it takes.
fn push(out: &mut String, c: char, marks: &mut usize) -> usize {
    let width = c.width().unwrap_or(0);
    *marks = if width == 0 { *marks + 1 } else { 0 };
    if !is_unsafe(c) && *marks <= MARKS {
        out.push(c);
        return width;
    }
    let escape = if c.is_ascii() { format!("\\x{:02x}", u32::from(c)) } else { format!("\\u{{{:x}}}", u32::from(c)) };
    out.push_str(&escape);
    escape.len()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn shows_a_cleared_screen_as_text() {
        assert_eq!(escaped("\u{1b}[2J"), "\\x1b[2J");
        assert_eq!(escaped("FAILED\rOK    "), "FAILED\\x0dOK    ");
        assert_eq!(escaped("\u{1b}]52;c;AAAA\u{7}"), "\\x1b]52;c;AAAA\\x07");
        assert_eq!(escaped("\u{9b}31m \u{85} \u{2028}"), "\\u{9b}31m \\u{85} \\u{2028}");
    }

    #[test]
    fn shows_what_reorders_or_hides() {
        assert_eq!(escaped("a\u{202e}b\u{200b}c\u{feff}"), "a\\u{202e}b\\u{200b}c\\u{feff}");
    }

    #[test]
    fn keeps_lines_accents_and_wide_characters() {
        assert_eq!(escaped("größe e\u{301} 漢字 🦀\r\n\tb\tc"), "größe e\u{301} 漢字 🦀\n        b       c");
        assert_eq!(escaped_line("a\nb\tc"), "a\\nb\\tc");
    }

    #[test]
    fn stops_a_flood_of_accents() {
        let flood = format!("a{}", "\u{301}".repeat(500));
        assert_eq!(escaped(&flood).chars().filter(|c| *c == '\u{301}').count(), MARKS);
    }

    proptest! {
        #[test]
        fn no_raw_control_gets_through(text in ".*|\\PC*|[\\x00-\\x20\\x7f-\\u{9f}\\u{2000}-\\u{2070}]*") {
            prop_assert!(!escaped(&text).chars().any(|c| c != '\n' && is_unsafe(c)));
            prop_assert!(!escaped_line(&text).chars().any(is_unsafe));
        }

        #[test]
        fn printable_ascii_is_unchanged(text in "[ -~\n]*") {
            prop_assert_eq!(escaped(&text), text);
        }
    }
}
