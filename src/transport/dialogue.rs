//! The question on standard error that is answered on standard input: sudo's, behind a prompt nobody can guess.

use memchr::memmem;
use secrecy::SecretString;

use super::session::Prompt;

/// What the reader of standard error tells the writer of standard input.
#[derive(Debug)]
pub(crate) enum Cue {
    /// The question came: send this and a line feed.
    Reply(SecretString),
    /// The command runs: begin with its own input.
    Ready,
}

/// The question came a second time: the reply was wrong.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct AskedAgain;

/// Looks for the two marks in standard error, across the borders of chunks, and cuts them out.
#[derive(Debug)]
pub(crate) struct Dialogue {
    /// Absent once the command runs, and for a command without a prompt: everything passes through.
    marks: Option<Marks>,
    /// The end of what was read, as long as it could be the beginning of a mark.
    held: Vec<u8>,
}

#[derive(Debug)]
struct Marks {
    ask: Vec<u8>,
    ready: Vec<u8>,
    reply: Option<SecretString>,
}

impl Dialogue {
    /// For one command; without a prompt nothing is looked for.
    pub(crate) fn new(prompt: Option<Prompt>) -> Self {
        let marks =
            prompt.map(|p| Marks { ask: p.ask.into_bytes(), ready: p.ready.into_bytes(), reply: Some(p.reply) });
        Self { marks, held: Vec::new() }
    }

    /// Whether input may be fed only after [`Cue::Ready`].
    pub(crate) const fn waits(&self) -> bool {
        self.marks.is_some()
    }

    /// Takes the next bytes of standard error; gives what belongs to the command itself into `out`, and the cues in their order.
    ///
    /// # Errors
    /// [`AskedAgain`] at the second question.
    pub(crate) fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<Vec<Cue>, AskedAgain> {
        let mut cues = Vec::new();
        self.held.extend_from_slice(bytes);
        while let Some(marks) = &mut self.marks {
            let ask = find(&self.held, &marks.ask);
            let ready = find(&self.held, &marks.ready);
            let (at, length, is_ready) = match (ask, ready) {
                (Some(a), Some(r)) if r < a => (r, marks.ready.len(), true),
                (Some(a), _) => (a, marks.ask.len(), false),
                (None, Some(r)) => (r, marks.ready.len(), true),
                (None, None) => break,
            };
            out.extend(self.held.drain(..at));
            self.held.drain(..length);
            if is_ready {
                self.marks = None;
                cues.push(Cue::Ready);
            } else {
                cues.push(Cue::Reply(marks.reply.take().ok_or(AskedAgain)?));
            }
        }
        let keep = self.marks.as_ref().map_or(0, |m| tail(&self.held, &m.ask).max(tail(&self.held, &m.ready)));
        out.extend(self.held.drain(..self.held.len().saturating_sub(keep)));
        Ok(cues)
    }

    /// What was still held back at the end of the stream.
    pub(crate) fn finish(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.held)
    }
}

/// Where `mark` begins in `bytes`; an empty mark is nowhere.
fn find(bytes: &[u8], mark: &[u8]) -> Option<usize> {
    if mark.is_empty() { None } else { memmem::find(bytes, mark) }
}

/// The longest end of `bytes` that is a beginning of `mark`.
fn tail(bytes: &[u8], mark: &[u8]) -> usize {
    let longest = mark.len().saturating_sub(1).min(bytes.len());
    (1..=longest).rev().find(|&n| mark.get(..n).is_some_and(|m| bytes.ends_with(m))).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dialogue() -> Dialogue {
        Dialogue::new(Some(Prompt {
            ask: "ASK-1f".into(),
            reply: SecretString::from("pw"),
            ready: "READY-2e\n".into(),
        }))
    }

    #[test]
    fn finds_both_marks_across_every_chunk_border_and_cuts_them_out() {
        let text = b"lecture ASK-1fASREADY-2e\nASK-1f own text";
        for size in 1..text.len() {
            let (mut d, mut out, mut cues) = (dialogue(), Vec::new(), Vec::new());
            for chunk in text.chunks(size) {
                cues.extend(d.push(chunk, &mut out).expect("asked once"));
            }
            out.extend(d.finish());
            assert_eq!(String::from_utf8_lossy(&out), "lecture ASASK-1f own text", "chunks of {size}");
            assert!(matches!(cues.as_slice(), [Cue::Reply(_), Cue::Ready]), "chunks of {size}");
        }
    }

    #[test]
    fn a_second_question_is_a_refusal() {
        let (mut d, mut out) = (dialogue(), Vec::new());
        assert_eq!(d.push(b"ASK-1f", &mut out).map(|c| c.len()), Ok(1));
        assert_eq!(d.push(b"Sorry, try again.\nASK-1f", &mut out).map(|c| c.len()), Err(AskedAgain));
    }

    #[test]
    fn a_prompt_that_is_not_ours_gets_nothing() {
        let (mut d, mut out) = (dialogue(), Vec::new());
        let cues = d.push(b"[sudo] password for root: ", &mut out).expect("no question");
        assert!(cues.is_empty());
        assert_eq!(out, b"[sudo] password for root: ");
    }

    #[test]
    fn without_a_prompt_everything_passes() {
        let (mut d, mut out) = (Dialogue::new(None), Vec::new());
        assert!(!d.waits());
        assert!(d.push(b"READY", &mut out).expect("nothing looked for").is_empty());
        assert_eq!(out, b"READY");
    }
}
