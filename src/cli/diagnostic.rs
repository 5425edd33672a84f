//! How a fault in an input text is shown: where, the line, a caret, what to do; as compilers show it.

use std::ops::Range;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use super::console;
use super::exit::Exit;
use crate::inventory::{Place, Problem};
use crate::report::{Style, escaped_line};

/// Characters of the faulty line that are shown on either side: more does not fit a terminal, and a file may be one line.
const AROUND: usize = 200;

/// Problems shown; somebody who gave the wrong file does not need hundreds.
const MOST: usize = 20;

/// Shows them on standard error and answers "wrong input".
pub(super) fn refuse(problems: &[Problem]) -> Exit {
    console::say(&shown(problems, Style::for_terminal(console::error_is_terminal())));
    Exit::INPUT
}

/// The problems as text.
pub(super) fn shown(problems: &[Problem], style: Style) -> String {
    let renderer = if style.colour { Renderer::styled() } else { Renderer::plain() }.decor_style(DecorStyle::Ascii);
    let mut text: Vec<String> = problems.iter().take(MOST).map(|problem| one(problem, &renderer)).collect();
    if problems.len() > MOST {
        text.push(format!("error: {} more problems", problems.len() - MOST));
    }
    text.join("\n\n") + "\n"
}

fn one(problem: &Problem, renderer: &Renderer) -> String {
    let excerpt = Excerpt::of(&problem.place);
    let mut group = Level::ERROR
        .primary_title(escaped_line(&problem.message))
        .element(excerpt.snippet(AnnotationKind::Primary, String::new()));
    if let Some((place, label)) = &problem.related {
        group = group.element(Excerpt::of(place).snippet(AnnotationKind::Context, escaped_line(label)));
    }
    let group: Group<'_> = match &problem.help {
        Some(help) => group.element(Level::HELP.message(escaped_line(help))),
        None => group,
    };
    renderer.render(&[group])
}

/// The line that a place is in, made harmless, and the place in it.
struct Excerpt {
    path: String,
    line: usize,
    text: String,
    span: Range<usize>,
}

impl Excerpt {
    fn of(place: &Place) -> Self {
        let source = place.source.text.as_str();
        let (before, rest) = source.split_at_checked(place.start).unwrap_or((source, ""));
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let before = before.get(line_start..).unwrap_or_default();
        let line = rest.split('\n').next().unwrap_or_default().trim_end_matches('\r');
        let length = (place.end - place.start).min(line.len());
        let (marked, after) = line.split_at_checked(length).unwrap_or((line, ""));
        let mut text = last(before, AROUND);
        let start = text.len();
        text.push_str(&harmless(marked.chars().take(AROUND)));
        let span = start..text.len();
        text.push_str(&harmless(after.chars().take(AROUND)));
        Self { path: escaped_line(&place.source.name.to_string_lossy()), line: place.line_col().0, text, span }
    }

    fn snippet(&self, kind: AnnotationKind, label: String) -> Snippet<'static, annotate_snippets::Annotation<'static>> {
        let annotation = kind.span(self.span.clone());
        let annotation = if label.is_empty() { annotation } else { annotation.label(label) };
        Snippet::source(self.text.clone()).line_start(self.line).path(self.path.clone()).annotation(annotation)
    }
}

/// The last characters of a text.
fn last(text: &str, count: usize) -> String {
    let skipped = text.chars().count().saturating_sub(count);
    harmless(text.chars().skip(skipped))
}

/// One column a character, so that the caret stands where it should: what acts on a terminal becomes `?`-like U+FFFD.
fn harmless(text: impl Iterator<Item = char>) -> String {
    text.map(|c| match c {
        '\t' => ' ',
        c if escaped_line(c.encode_utf8(&mut [0; 4])).chars().eq([c]) => c,
        _ => char::REPLACEMENT_CHARACTER,
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::inventory::Source;

    fn plain(problem: Problem) -> String {
        shown(&[problem], Style { colour: false })
    }

    #[test]
    fn shows_the_line_a_caret_and_what_to_do() {
        let source = Source::new("site.yml", "- name: x\n  hots: all\n  tasks: []\n");
        let place = Place::new(&source, 12, 16);
        let text = plain(Problem::new(&place, "unknown keyword `hots`").help("did you mean `hosts`?"));
        let expected = "error: unknown keyword `hots`
 --> site.yml:2:3
  |
2 |   hots: all
  |   ^^^^
  |
  = help: did you mean `hosts`?
";
        assert_eq!(text, expected);
    }

    #[test]
    fn shows_the_related_place_of_another_file() {
        let here = Source::new("b.yml", "x: 1\n");
        let there = Source::new("a.yml", "y: 1\nx: 2\n");
        let problem = Problem::new(&Place::new(&here, 0, 1), "given twice")
            .related(&Place::new(&there, 5, 6), "first defined here");
        let text = plain(problem);
        assert!(text.contains(" --> b.yml:1:1"), "{text}");
        assert!(text.contains("a.yml:2:1"), "{text}");
        assert!(text.contains("- first defined here"), "{text}");
    }

    #[test]
    fn shows_several_at_once_and_not_hundreds() {
        let source = Source::new("p", "abc");
        let problem = Problem::new(&Place::new(&source, 0, 1), "bad");
        let text = shown(&vec![problem; 50], Style { colour: false });
        assert_eq!(text.matches("error: bad").count(), MOST);
        assert!(text.ends_with("error: 30 more problems\n"));
    }

    #[test]
    fn a_place_at_the_end_of_an_empty_text_is_shown() {
        let source = Source::new("empty.yml", "");
        let text = plain(Problem::new(&Place::new(&source, 0, 0), "no plays"));
        assert!(text.starts_with("error: no plays\n --> empty.yml:1:1"), "{text}");
    }

    #[test]
    fn an_input_of_one_endless_line_is_shown_in_part() {
        let source = Source::new("p", "x".repeat(1 << 20));
        let text = plain(Problem::new(&Place::new(&source, 500_000, 900_000), "bad"));
        assert!(text.len() < 3000, "{}", text.len());
    }

    proptest! {
        #[test]
        fn no_input_acts_on_the_terminal(text in "[\\x00-\\x20\\x7f-\\u{9f}\\u{2000}-\\u{2070}\\u{feff}aü漢]{0,40}", start in 0usize..80, size in 0usize..20) {
            let source = Source::new(&text, text.clone());
            let place = Place::new(&source, start, start + size);
            let problem = Problem::new(&place, text.clone()).help(text.clone()).related(&place, text);
            let out = plain(problem);
            let raw: Vec<char> = out.chars().filter(|c| *c != '\n' && (c.is_control() || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{feff}'))).collect();
            prop_assert!(raw.is_empty(), "{:?} in {:?}", raw, out);
        }
    }
}
