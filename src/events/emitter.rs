//! The one place where events get their numbers and go out to all sinks.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use serde_json::{Map, Value};

use super::queued::{Patience, Queued, weight};
use super::{Event, Kind, Sink, SinkError};

/// Numbers events and hands them to the sinks: first to the one that the run stands on (the journal), then to the others.
///
/// The first sink's failure is an error, and stays one: a run whose journal cannot be written must change nothing more.
/// Any other sink has a thread of its own, so that the run waits for no reader. One that fails (a closed pipe, a full `/dev/full`), or that
/// does not keep up (a stopped terminal, a pager left on its first page) once 16 MiB wait for it, is dropped, and the run goes on without it.
pub struct Emitter {
    began: Instant,
    inner: Mutex<Inner>,
}

struct Inner {
    next: u64,
    vital: Box<dyn Sink>,
    broken: Option<SinkError>,
    readers: Vec<Queued>,
    lost: Vec<SinkError>,
}

impl Inner {
    /// Keeps the readers of which that is well.
    fn keep(&mut self, mut well: impl FnMut(&Queued) -> Result<(), SinkError>) {
        let Self { readers, lost, .. } = self;
        readers.retain(|reader| match well(reader) {
            Ok(()) => true,
            Err(error) => {
                lost.push(error);
                false
            }
        });
    }

    /// Lets go of those that failed meanwhile.
    fn keep_the_sound(&mut self) {
        self.keep(|reader| reader.failed().map_or(Ok(()), Err));
    }
}

impl Emitter {
    /// An emitter whose clock starts now. Without `vital` nothing can be done; `readers` may fail.
    #[must_use]
    pub fn new(vital: Box<dyn Sink>, readers: Vec<Box<dyn Sink>>) -> Self {
        Self::with(vital, readers, Patience::default())
    }

    /// The same with so much patience for the readers.
    pub(super) fn with(vital: Box<dyn Sink>, sinks: Vec<Box<dyn Sink>>, patience: Patience) -> Self {
        let (mut readers, mut lost) = (Vec::new(), Vec::new());
        for sink in sinks {
            match Queued::new(sink, patience) {
                Ok(reader) => readers.push(reader),
                Err(error) => lost.push(error),
            }
        }
        let inner = Inner { next: 0, vital, broken: None, readers, lost };
        Self { began: Instant::now(), inner: Mutex::new(inner) }
    }

    /// Tells all sinks that this happened (or, for [`Kind::ActBegins`], is about to).
    ///
    /// Returns when the vital sink has it; the others have it soon. After the vital sink has failed once, the other sinks still hear what
    /// ended, so that the operator sees why; they never hear of an act that must not begin.
    ///
    /// # Errors
    /// When the vital sink cannot take it, now or since an earlier event.
    pub fn emit(&self, kind: Kind) -> Result<(), SinkError> {
        let mut inner = self.lock();
        let (seq, at, elapsed) = (inner.next, jiff::Timestamp::now(), self.began.elapsed());
        let event = Arc::new(Event { seq, at, elapsed, kind: without_secrets(kind) });
        inner.next += 1;
        if inner.broken.is_none() {
            inner.broken = inner.vital.write(&event).err();
        }
        let must_not_begin = inner.broken.is_some() && matches!(event.kind, Kind::ActBegins { .. });
        if !must_not_begin && !inner.readers.is_empty() {
            let weight = weight(&event);
            inner.keep(|reader| reader.hand(&event, weight));
        }
        inner.broken.clone().map_or(Ok(()), Err)
    }

    /// Whether the vital sink has taken all events so far: what begins without an event of its own asks this before.
    ///
    /// # Errors
    /// What the vital sink failed with.
    pub fn stands(&self) -> Result<(), SinkError> {
        self.lock().broken.clone().map_or(Ok(()), Err)
    }

    /// Waits until the readers have all that they were told, at the end of a run; 5 s at most for one that takes nothing.
    pub fn drain(&self) {
        let mut inner = self.lock();
        inner.readers.iter().for_each(Queued::drain);
        inner.keep_the_sound();
    }

    /// The sinks that were dropped because they failed or did not keep up, and why.
    #[must_use]
    pub fn lost(&self) -> Vec<SinkError> {
        let mut inner = self.lock();
        inner.keep_the_sound();
        inner.lost.clone()
    }

    /// A panic in one sink must not silence the others: the lock's poison is ignored, every field stays sound.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Emitter {
    /// What was told is still shown, however the run ended.
    fn drop(&mut self) {
        self.drain();
    }
}

/// A result that says of itself that it must not be logged is emptied here, whoever forgot to do it.
fn without_secrets(mut kind: Kind) -> Kind {
    match &mut kind {
        Kind::ItemEnded { result, item, .. } if is_secret(result) => {
            censor(result);
            *item = Value::String("(censored)".to_owned());
        }
        Kind::TaskEnded { result, diff, .. } if is_secret(result) => {
            censor(result);
            diff.clear();
        }
        _ => {}
    }
    kind
}

/// Ansible's own mark in a result whose task says `no_log: true`.
fn is_secret(result: &Map<String, Value>) -> bool {
    result.get("_ansible_no_log").and_then(Value::as_bool).unwrap_or(false)
}

fn censor(result: &mut Map<String, Value>) {
    result.retain(|key, value| {
        value.is_boolean()
            && matches!(key.as_str(), "changed" | "failed" | "unreachable" | "skipped" | "_ansible_no_log")
    });
    result.insert("censored".to_owned(), Value::String("hidden because of no_log".to_owned()));
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::events::{Fault, Status};

    /// Keeps what it got; fails from the event numbered `fails_from` on.
    struct Scripted {
        seen: Arc<Mutex<Vec<Event>>>,
        fails_from: u64,
    }

    impl Sink for Scripted {
        fn write(&mut self, event: &Event) -> Result<(), SinkError> {
            if event.seq >= self.fails_from {
                return Err(SinkError { sink: "scripted", detail: "full".to_owned(), fault: Fault::Disk });
            }
            self.seen.lock().unwrap().push(event.clone());
            Ok(())
        }
    }

    type Seen = Arc<Mutex<Vec<Event>>>;

    fn emitter(vital_fails: u64, reader_fails: u64) -> (Emitter, Seen, Seen) {
        let (vital, reader) = (Seen::default(), Seen::default());
        let first = Scripted { seen: Arc::clone(&vital), fails_from: vital_fails };
        let second = Scripted { seen: Arc::clone(&reader), fails_from: reader_fails };
        (Emitter::new(Box::new(first), vec![Box::new(second)]), vital, reader)
    }

    fn warning(text: &str) -> Kind {
        Kind::Warning { text: text.to_owned() }
    }

    fn act() -> Kind {
        Kind::ActBegins { host: "n1".to_owned(), act: "stop".to_owned() }
    }

    #[test]
    fn numbers_events_without_gaps() {
        let (emitter, vital, reader) = emitter(u64::MAX, u64::MAX);
        for _ in 0..3 {
            emitter.emit(warning("x")).unwrap();
        }
        emitter.drain();
        let numbers = |seen: &Seen| seen.lock().unwrap().iter().map(|e| e.seq).collect::<Vec<_>>();
        assert_eq!(numbers(&vital), [0, 1, 2]);
        assert_eq!(numbers(&reader), [0, 1, 2]);
    }

    #[test]
    fn goes_on_without_a_terminal() {
        let (emitter, vital, reader) = emitter(u64::MAX, 1);
        for _ in 0..3 {
            emitter.emit(warning("x")).unwrap();
        }
        emitter.drain();
        assert_eq!(vital.lock().unwrap().len(), 3);
        assert_eq!(reader.lock().unwrap().len(), 1);
        assert_eq!(emitter.lost().len(), 1, "said once, not at every event");
    }

    #[test]
    fn begins_no_act_without_a_journal_and_still_says_why() {
        let (emitter, _, reader) = emitter(1, u64::MAX);
        emitter.emit(warning("before")).unwrap();
        assert_eq!(emitter.emit(act()).unwrap_err().fault, Fault::Disk);
        let halted = Kind::Halted { fault: Fault::Disk, reason: "full".to_owned(), next: "free space".to_owned() };
        assert!(emitter.emit(halted).is_err(), "a journal that failed once stays failed");
        emitter.drain();
        let seen = reader.lock().unwrap();
        assert!(!seen.iter().any(|e| matches!(e.kind, Kind::ActBegins { .. })));
        assert!(seen.iter().any(|e| matches!(e.kind, Kind::Halted { .. })));
    }

    #[test]
    fn no_sink_sees_a_result_marked_no_log() {
        let (emitter, vital, reader) = emitter(u64::MAX, u64::MAX);
        let result = serde_json::json!({"_ansible_no_log": true, "changed": true, "stdout": "hunter2"});
        emitter
            .emit(Kind::TaskEnded {
                host: "n1".to_owned(),
                task: "t".to_owned(),
                status: Status::Ok,
                changed: true,
                fault: None,
                result: result.as_object().unwrap().clone(),
                diff: vec![crate::events::Diff {
                    path: "/x".to_owned(),
                    before: String::new(),
                    after: "hunter2".to_owned(),
                }],
                delegated_to: None,
            })
            .unwrap();
        emitter.drain();
        for seen in [vital, reader] {
            let text = serde_json::to_string(&*seen.lock().unwrap()).unwrap();
            assert!(!text.contains("hunter2"), "{text}");
            assert!(text.contains("censored"), "{text}");
        }
    }
}
