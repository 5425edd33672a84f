//! A reader behind a queue, with a thread that writes to it: who tells what happens waits for no terminal, pager or collector of logs.

use std::collections::VecDeque;
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::{Event, Fault, Sink, SinkError};

/// How much may wait for a reader, and how long it is waited for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// Bytes of events, counted as JSON. So much and one event more is kept in memory for a reader that takes nothing.
    pub(super) room: usize,
    /// How long a reader may take to make room for half of that, once the queue is full. One that has taken nothing for as long is not waited
    /// for at all.
    pub(super) full: Duration,
    /// How long a reader may take nothing at the end of the run.
    pub(super) last: Duration,
}

impl Default for Patience {
    /// A roll of three members over one minor tells 57 KiB (seen in the lab 2026-11-27), so a pager that is left on its first page, or a
    /// terminal that is stopped, fills no 16 MiB: the run never waits for it. What does are answers of hosts by the megabyte, and there a
    /// reader that reads is waited for, so that nothing is lost to it. 10 s are enough for a collector that is started anew, and less than
    /// the 15 s between two signs of life of a lock. At the end somebody waits for the exit code.
    fn default() -> Self {
        Self { room: 16 << 20, full: Duration::from_secs(10), last: Duration::from_secs(5) }
    }
}

/// The bytes of an event as JSON.
pub(super) fn weight(event: &Event) -> usize {
    let mut counted = Counted(0);
    // One that cannot be encoded weighs what could be; its sink says what is wrong.
    let _ = serde_json::to_writer(&mut counted, event);
    counted.0
}

struct Counted(usize);

impl Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// A reader and its queue; when this is dropped, its thread ends with the queue.
pub(super) struct Queued {
    name: &'static str,
    patience: Patience,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    changed: Condvar,
}

#[derive(Default)]
struct Queue {
    /// What is not written yet, with its weight; the first is in the writer's hand.
    waiting: VecDeque<(Arc<Event>, usize)>,
    /// Of all that waits.
    weight: usize,
    /// How many events were written.
    taken: u64,
    /// Since when the first one is in hand.
    since: Option<Instant>,
    /// Why nothing more is written.
    failed: Option<SinkError>,
    /// Whether nothing more comes.
    closed: bool,
}

impl Queue {
    /// Nothing more is written, and nothing is kept for it.
    fn fail(&mut self, error: SinkError) {
        self.failed.get_or_insert(error);
        self.waiting.clear();
        self.weight = 0;
    }
}

impl Shared {
    /// A panic of a sink leaves every field sound.
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes what comes until nothing more does, or the sink fails.
    fn serve(&self, name: &'static str, mut sink: Box<dyn Sink>) {
        while let Some(event) = self.first() {
            let written = catch_unwind(AssertUnwindSafe(|| sink.write(&event)));
            let panicked = || SinkError { sink: name, detail: "it panicked, a bug".to_owned(), fault: Fault::Bug };
            self.took(written.unwrap_or_else(|_| Err(panicked())));
        }
    }

    /// The first event in the queue, once there is one; none if no more comes.
    fn first(&self) -> Option<Arc<Event>> {
        let mut queue = self.lock();
        loop {
            match queue.waiting.front() {
                Some((event, _)) => return Some(Arc::clone(event)),
                None if queue.closed || queue.failed.is_some() => return None,
                None => queue = self.changed.wait(queue).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }

    fn took(&self, written: Result<(), SinkError>) {
        let mut queue = self.lock();
        queue.taken += 1;
        queue.since = Some(Instant::now());
        if let Some((_, weight)) = queue.waiting.pop_front() {
            queue.weight -= weight;
        }
        if let Err(error) = written {
            queue.fail(error);
        }
        self.changed.notify_all();
    }
}

impl Queued {
    /// Starts its thread.
    ///
    /// # Errors
    /// When this machine has no room for one.
    pub(super) fn new(sink: Box<dyn Sink>, patience: Patience) -> Result<Self, SinkError> {
        let name = sink.name();
        let shared = Arc::new(Shared::default());
        let served = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(move || served.serve(name, sink));
        thread.map_err(|error| SinkError { sink: name, detail: format!("no thread: {error}"), fault: Fault::Disk })?;
        Ok(Self { name, patience, shared })
    }

    /// Puts an event into the queue; where that is full, the reader is waited for first.
    ///
    /// # Errors
    /// When the reader failed, or was given up because it does not keep up.
    pub(super) fn hand(&self, event: &Arc<Event>, weight: usize) -> Result<(), SinkError> {
        let mut queue = self.shared.lock();
        if queue.weight >= self.patience.room {
            queue = self.half_free(queue);
        }
        if let Some(error) = &queue.failed {
            return Err(error.clone());
        }
        if queue.waiting.is_empty() {
            queue.since = Some(Instant::now());
        }
        queue.waiting.push_back((Arc::clone(event), weight));
        queue.weight += weight;
        self.shared.changed.notify_all();
        Ok(())
    }

    /// Waits until half of the room is free, or gives the reader up.
    fn half_free<'q>(&self, mut queue: MutexGuard<'q, Queue>) -> MutexGuard<'q, Queue> {
        let begun = Instant::now();
        while queue.failed.is_none() && queue.weight > self.patience.room / 2 {
            let stalled = queue.since.map(|since| since.elapsed()).unwrap_or_default();
            queue = self.wait(queue, begun.elapsed().max(stalled), self.patience.full);
        }
        queue
    }

    /// Waits for something to change; gives the reader up if that was waited for long enough.
    fn wait<'q>(&self, mut queue: MutexGuard<'q, Queue>, waited: Duration, limit: Duration) -> MutexGuard<'q, Queue> {
        if waited >= limit {
            let (left, seconds) = (queue.waiting.len(), limit.as_secs_f64());
            let detail = format!("does not keep up: after {seconds} s {left} events are not taken");
            queue.fail(SinkError { sink: self.name, detail, fault: Fault::Disk });
            return queue;
        }
        let woken = self.shared.changed.wait_timeout(queue, limit - waited);
        woken.unwrap_or_else(PoisonError::into_inner).0
    }

    /// Waits until all is written; a reader that takes nothing for too long is given up.
    pub(super) fn drain(&self) {
        let mut queue = self.shared.lock();
        let (mut taken, mut since) = (queue.taken, Instant::now());
        while !queue.waiting.is_empty() {
            if queue.taken != taken {
                (taken, since) = (queue.taken, Instant::now());
            }
            queue = self.wait(queue, since.elapsed(), self.patience.last);
        }
    }

    /// Why nothing more is written to it, if so.
    pub(super) fn failed(&self) -> Option<SinkError> {
        self.shared.lock().failed.clone()
    }
}

impl Drop for Queued {
    fn drop(&mut self) {
        self.shared.lock().closed = true;
        self.shared.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;
    use crate::events::{Emitter, Kind};

    /// Keeps the numbers of what it got, each once it may: when something comes through the gate, or nobody holds it any more.
    struct Gated {
        gate: Receiver<()>,
        seen: Arc<Mutex<Vec<u64>>>,
    }

    impl Sink for Gated {
        fn write(&mut self, event: &Event) -> Result<(), SinkError> {
            let _ = self.gate.recv();
            self.seen.lock().unwrap().push(event.seq);
            Ok(())
        }

        fn name(&self) -> &'static str {
            "gated"
        }
    }

    type Seen = Arc<Mutex<Vec<u64>>>;

    fn gated() -> (Sender<()>, Gated, Seen) {
        let (open, gate) = channel();
        let seen = Seen::default();
        (open, Gated { gate, seen: Arc::clone(&seen) }, seen)
    }

    /// Takes everything.
    struct Open;

    impl Sink for Open {
        fn write(&mut self, _: &Event) -> Result<(), SinkError> {
            Ok(())
        }
    }

    /// Breaks.
    struct Panics;

    impl Sink for Panics {
        fn write(&mut self, _: &Event) -> Result<(), SinkError> {
            panic!("as it should")
        }
    }

    const QUICK: Patience = Patience { room: 4096, full: Duration::from_millis(200), last: Duration::from_millis(100) };

    fn tell(emitter: &Emitter, times: usize) {
        for _ in 0..times {
            emitter.emit(Kind::Warning { text: "x".repeat(100) }).unwrap();
        }
    }

    #[test]
    fn nobody_waits_for_a_reader_that_stalls_and_it_is_given_up_at_the_end() {
        let (open, sink, seen) = gated();
        let emitter =
            Emitter::with(Box::new(Open), vec![Box::new(sink)], Patience { last: QUICK.last, ..Patience::default() });
        let begun = Instant::now();
        tell(&emitter, 1000);
        assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
        assert_eq!((seen.lock().unwrap().len(), emitter.lost().len()), (0, 0), "it may still read on");
        emitter.drain();
        let lost = emitter.lost();
        assert_eq!(lost.len(), 1);
        assert_eq!(lost[0].to_string(), "gated: does not keep up: after 0.1 s 1000 events are not taken");
        drop(open);
    }

    #[test]
    fn no_more_is_kept_for_a_reader_that_stalls_than_there_is_room_for() {
        let (open, sink, _) = gated();
        let reader = Queued::new(Box::new(sink), QUICK).unwrap();
        let event = Event { seq: 0, at: jiff::Timestamp::UNIX_EPOCH, elapsed: Duration::ZERO, kind: Kind::Unknown };
        let event = Arc::new(event);
        let taken = (0..100).take_while(|_| reader.hand(&event, 1000).is_ok()).count();
        assert_eq!(taken, 5, "4096 bytes, and the event that goes beyond");
        assert!(reader.failed().is_some());
        assert_eq!(reader.shared.lock().waiting.len(), 0);
        drop(open);
    }

    #[test]
    fn a_reader_that_stalled_long_ago_is_not_waited_for_when_its_queue_is_full() {
        let (open, sink, _) = gated();
        let emitter = Emitter::with(Box::new(Open), vec![Box::new(sink)], QUICK);
        tell(&emitter, 1);
        std::thread::sleep(QUICK.full);
        let begun = Instant::now();
        tell(&emitter, 100);
        assert!(begun.elapsed() < QUICK.full, "{:?}", begun.elapsed());
        assert_eq!(emitter.lost().len(), 1);
        drop(open);
    }

    #[test]
    fn a_reader_that_is_slow_gets_everything_in_order() {
        let (open, sink, seen) = gated();
        let patience = Patience { full: Duration::from_secs(60), last: Duration::from_secs(60), ..QUICK };
        let emitter = Emitter::with(Box::new(Open), vec![Box::new(sink)], patience);
        let reads = std::thread::spawn(move || {
            while open.send(()).is_ok() {
                std::thread::sleep(Duration::from_millis(1));
            }
        });
        tell(&emitter, 300);
        emitter.drain();
        assert_eq!(*seen.lock().unwrap(), (0..300).collect::<Vec<u64>>());
        assert_eq!(emitter.lost(), []);
        drop(emitter);
        reads.join().unwrap();
    }

    #[test]
    fn a_reader_that_panics_is_lost_and_no_other() {
        let (open, sink, seen) = gated();
        drop(open);
        let emitter = Emitter::with(Box::new(Open), vec![Box::new(Panics), Box::new(sink)], QUICK);
        tell(&emitter, 3);
        emitter.drain();
        assert_eq!((emitter.lost().len(), seen.lock().unwrap().len()), (1, 3));
    }
}
