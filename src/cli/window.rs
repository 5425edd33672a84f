//! `--until`: the end of a run's window as the operator said it, and what becomes of it where a run is gone on with.

use std::str::FromStr;

/// When a window is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Window {
    /// As it was said.
    pub(super) said: String,
    /// What that means, as seen from when it was said.
    pub(super) ends: jiff::Timestamp,
}

impl FromStr for Window {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let ends = crate::engine::window_end(text, &jiff::Zoned::now())?;
        Ok(Self { said: text.to_owned(), ends })
    }
}

/// The arguments of `quorate run` with this window in place of theirs; without one, with none.
pub(super) fn given_anew(arguments: &[String], window: Option<&Window>) -> Vec<String> {
    let mut words = Vec::with_capacity(arguments.len() + 2);
    let mut rest = arguments.iter();
    while let Some(word) = rest.next() {
        match word.as_str() {
            // No option comes behind it.
            "--" => {
                words.push(word.clone());
                words.extend(rest.by_ref().cloned());
            }
            "--until" => {
                rest.next();
            }
            word if word.starts_with("--until=") => {}
            _ => words.push(word.clone()),
        }
    }
    if let Some(Window { said, .. }) = window {
        // Behind the command's own name.
        let at = words.len().min(1);
        words.splice(at..at, ["--until".to_owned(), said.clone()]);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_takes_the_place_of_another_wherever_that_stands() {
        let words = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let window: Window = "+2h".parse().unwrap();
        for line in ["run a.yml --until 04:00 -i h,", "run --until=04:00 a.yml -i h,", "run a.yml -i h,"] {
            assert_eq!(given_anew(&words(line), None), words("run a.yml -i h,"), "{line}");
            assert_eq!(given_anew(&words(line), Some(&window)), words("run --until +2h a.yml -i h,"), "{line}");
        }
        let named_so = words("run -i h, -- --until a.yml");
        assert_eq!(given_anew(&named_so, None), named_so);
        assert!("25:00".parse::<Window>().is_err());
    }
}
