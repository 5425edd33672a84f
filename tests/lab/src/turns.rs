//! How many labs of one file of tests are at work at once. One that rolls, with all that its hosts start, keeps one core of two busy (20 s of
//! the kernel's time and as much of programs' in 40 s; measured 2026-11-27), and waits between; so there are more than cores, and not all at
//! once, or etcd's own time-outs would be what is tested.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// What the tests of one file take turns by.
#[derive(Debug)]
pub struct Turns {
    labs: usize,
    state: Mutex<State>,
    ended: Condvar,
}

#[derive(Debug)]
struct State {
    at_work: usize,
    long_waiting: usize,
}

/// Leave to have a lab at work, until it is let go.
#[derive(Debug)]
pub struct Turn {
    of: &'static Turns,
    _shared: Option<MutexGuard<'static, ()>>,
}

impl Turns {
    /// Turns of so many labs.
    #[must_use]
    pub const fn new(labs: usize) -> Self {
        Self { labs, state: Mutex::new(State { at_work: 0, long_waiting: 0 }), ended: Condvar::new() }
    }

    /// For a test that brings up a lab of its own.
    #[must_use]
    pub fn own(&'static self) -> Turn {
        self.take(None, false)
    }

    /// The same before all others that wait: for the longest, so that a file of tests does not end with one alone at work.
    #[must_use]
    pub fn long(&'static self) -> Turn {
        self.take(None, true)
    }

    /// For a test on a lab that others use too: one of those at a time.
    #[must_use]
    pub fn shared(&'static self, lab: &'static Mutex<()>) -> Turn {
        self.take(Some(lab.lock().unwrap_or_else(PoisonError::into_inner)), false)
    }

    fn take(&'static self, shared: Option<MutexGuard<'static, ()>>, long: bool) -> Turn {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.long_waiting += usize::from(long);
        while state.at_work >= self.labs || (!long && state.long_waiting > 0) {
            state = self.ended.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.long_waiting -= usize::from(long);
        state.at_work += 1;
        // Others may have waited for this one to begin.
        self.ended.notify_all();
        Turn { of: self, _shared: shared }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.of.state.lock().unwrap_or_else(PoisonError::into_inner).at_work -= 1;
        self.of.ended.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;
    use std::time::Duration;

    use super::*;

    #[test]
    fn no_more_are_at_work_than_may_be_and_long_ones_begin_first() {
        static TURNS: Turns = Turns::new(2);
        static SHARED: Mutex<()> = Mutex::new(());
        static AT_WORK: AtomicUsize = AtomicUsize::new(0);
        let order = Mutex::new(Vec::new());
        let both = (TURNS.own(), TURNS.own());
        thread::scope(|scope| {
            for number in 0..6 {
                let order = &order;
                scope.spawn(move || {
                    let _turn = match number {
                        0 | 1 => TURNS.long(),
                        2 | 3 => TURNS.shared(&SHARED),
                        _ => TURNS.own(),
                    };
                    order.lock().unwrap().push(number);
                    assert!(AT_WORK.fetch_add(1, Ordering::SeqCst) < 2);
                    thread::sleep(Duration::from_millis(1));
                    AT_WORK.fetch_sub(1, Ordering::SeqCst);
                });
            }
            // All wait once the two long ones do: whoever came before them found no turn either.
            while TURNS.state.lock().unwrap().long_waiting < 2 {
                thread::yield_now();
            }
            drop(both);
        });
        let mut first = order.into_inner().unwrap();
        first.truncate(2);
        first.sort_unstable();
        assert_eq!(first, [0, 1]);
        assert_eq!(TURNS.state.lock().unwrap().at_work, 0);
    }
}
