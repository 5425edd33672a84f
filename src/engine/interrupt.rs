//! Ctrl-C and SIGTERM: once to stop at the next safe point, twice to let go.

use std::sync::Arc;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

/// How far somebody asked the run to stop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wish {
    /// Go on.
    #[default]
    None,
    /// Finish the act in hand, then stop.
    Stop,
    /// Let go at once; the exit code is 128 plus the signal's number.
    Detach(u8),
}

/// Carries the wish to stop from whoever has it to the run.
#[derive(Clone, Debug)]
pub struct Interrupt {
    wish: Arc<watch::Sender<Wish>>,
}

impl Default for Interrupt {
    fn default() -> Self {
        Self::new()
    }
}

impl Interrupt {
    /// One that nobody has pulled yet, and no signal reaches.
    #[must_use]
    pub fn new() -> Self {
        Self { wish: Arc::new(watch::Sender::new(Wish::None)) }
    }

    /// One that SIGINT and SIGTERM of this process pull, from now until it ends; SIGHUP pulls nothing and ends nothing.
    ///
    /// A thread of its own waits for them: they count also between two runs, and while a run has no moment for them.
    ///
    /// # Errors
    /// When the signals can't be caught.
    pub fn of_signals() -> std::io::Result<Self> {
        let interrupt = Self::new();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
        let (mut closed, interrupted, terminated) = {
            let _inside = runtime.enter();
            (signal(SignalKind::hangup())?, signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?)
        };
        let pulled = interrupt.clone();
        let wait = async move {
            // A terminal that is closed takes what reads the run away, and not the run.
            let closed = async { while closed.recv().await.is_some() {} };
            tokio::join!(closed, pulled.follow(interrupted, 2), pulled.follow(terminated, 15));
        };
        std::thread::Builder::new().name("signals".to_owned()).spawn(move || runtime.block_on(wait))?;
        Ok(interrupt)
    }

    async fn follow(&self, mut caught: Signal, number: u8) {
        while caught.recv().await.is_some() {
            self.pull(number);
        }
    }

    /// Asks once more: first to stop, then to detach. `signal` is the number that asked.
    pub fn pull(&self, signal: u8) {
        self.wish.send_modify(|wish| {
            *wish = match *wish {
                Wish::None => Wish::Stop,
                Wish::Stop | Wish::Detach(_) => Wish::Detach(128 + signal),
            };
        });
    }

    /// What is wished now.
    #[must_use]
    pub fn wish(&self) -> Wish {
        *self.wish.borrow()
    }

    /// Waits until somebody wishes to stop.
    pub async fn stopping(&self) {
        let mut seen = self.wish.subscribe();
        // The sender lives as long as `self`, so waiting can't fail.
        let _ = seen.wait_for(|wish| *wish >= Wish::Stop).await;
    }

    /// Waits until somebody wishes to let go; the exit code.
    pub async fn detached(&self) -> u8 {
        let mut seen = self.wish.subscribe();
        loop {
            if let Wish::Detach(code) = *seen.borrow_and_update() {
                return code;
            }
            if seen.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_first_signal_stops_and_the_second_detaches() {
        let interrupt = Interrupt::new();
        assert_eq!(interrupt.wish(), Wish::None);
        interrupt.pull(2);
        assert_eq!(interrupt.wish(), Wish::Stop);
        interrupt.stopping().await;
        interrupt.pull(15);
        assert_eq!(interrupt.detached().await, 143);
    }
}
