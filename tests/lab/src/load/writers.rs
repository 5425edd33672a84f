//! The clients: each a thread with one operation in flight, paced, and with no retry that is not on
//! record.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::driver::{Driver, No, Outcome, connect};
use super::history::{Act, Operation, Recorder};
use super::plan::Plan;
use super::run::LoadError;

/// What one attempt may take. etcd 2.x elects a leader within 1 to 2 s, so a write that meets an
/// election fails over once or twice instead of waiting it out.
const ATTEMPT: Duration = Duration::from_secs(1);

/// After every member that a client knows has failed it: long enough not to spin on a refused port,
/// short beside an election.
const BREATHER: Duration = Duration::from_millis(25);

/// Tokens a chain may have: its value stays under 4 KiB, and its history small enough for a search.
pub(super) const FULL: usize = 200;

/// Between two tokens.
pub(super) const LINK: char = '_';

/// Each client's fourth write is on a chain.
const CHAIN_EVERY: u64 = 4;

/// What all clients of a load share.
#[derive(Debug)]
pub(super) struct Shared<'a> {
    plan: &'a Plan,
    recorder: &'a Recorder,
    begun: AtomicU64,
    end: AtomicBool,
}

impl<'a> Shared<'a> {
    pub(super) fn new(plan: &'a Plan, recorder: &'a Recorder) -> Self {
        Self { plan, recorder, begun: AtomicU64::new(0), end: AtomicBool::new(false) }
    }

    /// Asks all clients to end.
    pub(super) fn end(&self) {
        self.end.store(true, Ordering::Relaxed);
    }

    /// They have been asked to, or one of them cannot go on.
    pub(super) fn ends(&self) -> bool {
        self.end.load(Ordering::Relaxed)
    }

    /// Whether one more logical write may begin.
    fn may_begin(&self) -> bool {
        let number = self.begun.fetch_add(1, Ordering::Relaxed);
        self.plan.most.is_none_or(|most| number < most)
    }
}

/// One client.
pub(super) struct Client<'a> {
    number: u32,
    shared: &'a Shared<'a>,
    /// The members it may turn to, with their places in the plan.
    drivers: Vec<(usize, Box<dyn Driver>)>,
    /// The one it turns to next.
    turn: usize,
    /// Each chain's generation as far as this client has seen.
    generations: Vec<u32>,
    tokens: u64,
}

impl<'a> Client<'a> {
    /// Even numbers stay with one member, odd ones go round all.
    pub(super) fn new(number: u32, shared: &'a Shared<'a>) -> Result<Self, LoadError> {
        let plan = shared.plan;
        let home = number as usize / 2 % plan.endpoints.len();
        let pinned = number.is_multiple_of(2);
        let mut drivers = Vec::new();
        for (place, endpoint) in plan.endpoints.iter().enumerate() {
            if !pinned || place == home {
                drivers.push((place, connect(plan, endpoint, ATTEMPT)?));
            }
        }
        let generations = vec![0; plan.chains as usize];
        Ok(Self { number, shared, drivers, turn: home, generations, tokens: 0 })
    }

    /// Writes until it is asked to end. If it cannot go on it asks the others to end too.
    pub(super) fn work(mut self) -> Result<(), LoadError> {
        let outcome = self.write_on();
        if outcome.is_err() {
            self.shared.end();
        }
        outcome
    }

    fn write_on(&mut self) -> Result<(), LoadError> {
        let plan = self.shared.plan;
        let pause = Duration::from_secs_f64(f64::from(plan.clients) / plan.rate);
        // Spread over the first pause, so that the clients do not move in step.
        let mut due = Instant::now() + pause.mul_f64(f64::from(self.number) / f64::from(plan.clients));
        let mut sequence = 0;
        loop {
            self.sleep_until(due);
            if self.shared.ends() || !self.shared.may_begin() {
                return Ok(());
            }
            let chained = plan.chains > 0 && sequence % CHAIN_EVERY == CHAIN_EVERY - 1;
            if chained {
                self.lengthen_a_chain(sequence)?
            } else {
                self.write_a_key(sequence)?
            }
            sequence += 1;
            // What an outage swallowed is not made up for: a burst would measure something else.
            due = (due + pause).max(Instant::now());
        }
    }

    fn sleep_until(&self, due: Instant) {
        while !self.shared.ends() {
            let left = due.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            thread::sleep(left.min(Duration::from_millis(100)));
        }
    }

    /// One logical write: attempt after attempt, each with a value of its own, until the key is there.
    fn write_a_key(&mut self, sequence: u64) -> Result<(), LoadError> {
        let plan = self.shared.plan;
        let key = plan.unique_key(self.number, sequence);
        let mut attempt = 0;
        loop {
            let random = rand::random::<u64>();
            let mut value = format!("{}-{}-{sequence}-{attempt}-{random:016x}", plan.run, self.number);
            value.extend(std::iter::repeat_n('.', plan.value_bytes.saturating_sub(value.len())));
            let outcome = self.write(Act::Create, &key, &value, None, attempt)?;
            if matches!(outcome, Outcome::Ok(_) | Outcome::No(No::Exists)) {
                self.turn += 1;
                return Ok(());
            }
            attempt += 1;
            self.fail_over(attempt);
            if self.shared.ends() {
                return Ok(());
            }
        }
    }

    /// The next member at once; a pause only after all have failed.
    fn fail_over(&mut self, failures: u32) {
        self.turn += 1;
        if (failures as usize).is_multiple_of(self.drivers.len()) {
            thread::sleep(BREATHER);
        }
    }

    /// Reads a chain and appends a token. If somebody else was faster, that is an answer.
    fn lengthen_a_chain(&mut self, sequence: u64) -> Result<(), LoadError> {
        let plan = self.shared.plan;
        let turn = sequence / CHAIN_EVERY + u64::from(self.number);
        let chain = u32::try_from(turn % u64::from(plan.chains)).unwrap_or_default();
        self.turn += 1;
        while !self.shared.ends() {
            let generation = self.generations.get(chain as usize).copied().unwrap_or_default();
            let key = plan.chain_key(chain, generation);
            let (Outcome::Ok(index), found) = self.read(&key)? else {
                return Ok(());
            };
            self.tokens += 1;
            let token = format!("{}.{}", self.number, self.tokens);
            let Some(found) = found else {
                return self.write(Act::Create, &key, &token, None, 0).map(drop);
            };
            if found.split(LINK).count() < FULL {
                let value = format!("{found}{LINK}{token}");
                return self.write(Act::Swap, &key, &value, Some(index), 0).map(drop);
            }
            if let Some(generation) = self.generations.get_mut(chain as usize) {
                *generation += 1;
            }
        }
        Ok(())
    }

    fn write(
        &self,
        act: Act,
        key: &str,
        value: &str,
        previous: Option<u64>,
        attempt: u32,
    ) -> Result<Outcome, LoadError> {
        let plain = Plain { act, key, previous, attempt };
        let (outcome, _) = self.record(plain, |driver| {
            let outcome = match previous {
                Some(index) => driver.swap(key, value, index),
                None => driver.create(key, value),
            };
            (outcome, Some(value.to_owned()))
        })?;
        Ok(outcome)
    }

    fn read(&self, key: &str) -> Result<(Outcome, Option<String>), LoadError> {
        let plain = Plain { act: Act::Read, key, previous: None, attempt: 0 };
        self.record(plain, |driver| driver.read(key))
    }

    /// Does one attempt and puts it on record, with the value that it sent or read.
    fn record(
        &self,
        plain: Plain<'_>,
        operation: impl FnOnce(&dyn Driver) -> (Outcome, Option<String>),
    ) -> Result<(Outcome, Option<String>), LoadError> {
        let Some((endpoint, driver)) = self.drivers.get(self.turn % self.drivers.len().max(1)) else {
            return Err(LoadError::Plan("a client has no endpoint"));
        };
        let recorder = self.shared.recorder;
        let start = recorder.now();
        let (outcome, value) = operation(driver.as_ref());
        recorder.operation(Operation {
            client: self.number,
            endpoint: *endpoint,
            act: plain.act,
            key: plain.key.to_owned(),
            attempt: plain.attempt,
            value: value.clone(),
            previous: plain.previous,
            start,
            end: recorder.now(),
            outcome: outcome.clone(),
        })?;
        Ok((outcome, value))
    }
}

/// What an attempt is, whatever it carries.
struct Plain<'a> {
    act: Act,
    key: &'a str,
    previous: Option<u64>,
    attempt: u32,
}
