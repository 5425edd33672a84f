//! A made-up store with a made-up history that is right, and changes to either that are not.

use std::collections::BTreeMap;

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

use super::*;
use crate::load::driver::{Entry, Membership, No, Reading};
use crate::load::history::{Act, Operation, Start};
use crate::load::plan::{Api, Plan};
use crate::load::read_back::Copy;

const SEEDS: u64 = 12;
const CLIENTS: u32 = 6;

/// A linearizable store and what its clients were answered.
struct World {
    random: StdRng,
    api: Api,
    index: u64,
    store: BTreeMap<String, Entry>,
    operations: Vec<Operation>,
}

impl World {
    /// One attempt that takes its effect at `moment`, some time after its start and before its end.
    /// Some are never answered, of those some are never done.
    fn attempt(&mut self, client: u32, moment: u64, act: Act, key: &str, value: String, previous: Option<u64>) {
        let mute = self.random.random_bool(0.05);
        let done = !mute || self.random.random_bool(0.5);
        let right = match previous {
            Some(previous) => self.store.get(key).is_some_and(|entry| entry.index == previous),
            None => !self.store.contains_key(key),
        };
        if done && right {
            // v2 counts all that the cluster writes, its own publications too; v3 the writes to its keys.
            self.index += if self.api == Api::V2 { self.random.random_range(1..4) } else { 1 };
            self.store.insert(key.to_owned(), Entry { value: value.clone(), index: self.index });
        }
        let outcome = match (mute, right) {
            (true, _) => Outcome::Unknown("timeout".to_owned()),
            (false, true) => Outcome::Ok(self.index),
            (false, false) => Outcome::No(if act == Act::Swap { No::Differs } else { No::Exists }),
        };
        self.put(client, moment, act, key, Some(value), previous, outcome);
    }

    #[expect(clippy::too_many_arguments, reason = "one for each field")]
    fn put(
        &mut self,
        client: u32,
        moment: u64,
        act: Act,
        key: &str,
        value: Option<String>,
        previous: Option<u64>,
        outcome: Outcome,
    ) {
        let (before, after) = (self.random.random_range(1..3000), self.random.random_range(1..3000));
        let (start, end) = (moment - before, moment + after);
        let (endpoint, key) = (client as usize % 3, key.to_owned());
        self.operations.push(Operation {
            client,
            endpoint,
            act,
            key,
            attempt: 0,
            value,
            previous,
            start,
            end,
            outcome,
        });
    }
}

fn url(member: usize) -> String {
    format!("http://127.0.0.{member}:2379")
}

fn membership() -> Membership {
    let members = BTreeMap::from([("1".to_owned(), vec!["http://127.0.0.1:2380".to_owned()])]);
    Membership { cluster: Some("c".to_owned()), members }
}

/// A history of some hundred operations and the ending that belongs to it: of v2 for even seeds, of v3 for odd
/// ones, whose empty store has revision 1.
fn world(seed: u64) -> (History, Ending) {
    let (api, index) = if seed.is_multiple_of(2) { (Api::V2, 10) } else { (Api::V3, 1) };
    let plan = Plan { run: "run".to_owned(), api, ..Plan::new((1..=3).map(url).collect()) };
    let random = StdRng::seed_from_u64(seed);
    let mut world = World { random, api, index, store: BTreeMap::new(), operations: Vec::new() };
    for step in 0..400_u64 {
        let moment = 10_000 + step * 1000;
        let client = world.random.random_range(0..CLIENTS);
        if step % 4 == 0 {
            let key = plan.chain_key(u32::try_from(step / 4 % 2).unwrap(), 0);
            let found = world.store.get(&key).cloned();
            let index = found.as_ref().map_or(0, |entry| entry.index);
            let value = found.as_ref().map(|entry| entry.value.clone());
            world.put(client, moment - 500, Act::Read, &key, value, None, Outcome::Ok(index));
            match found {
                // Now and then somebody else was faster.
                Some(entry) => {
                    let late = world.random.random_range(0..10) == 0;
                    let previous = if late { entry.index - 1 } else { entry.index };
                    let value = format!("{}_{client}.{step}", entry.value);
                    world.attempt(client, moment, Act::Swap, &key, value, Some(previous));
                }
                None => world.attempt(client, moment, Act::Create, &key, format!("{client}.{step}"), None),
            }
        } else {
            let key = plan.unique_key(client, step);
            world.attempt(client, moment, Act::Create, &key, format!("value-{step}"), None);
            if matches!(world.operations.last().unwrap().outcome, Outcome::Unknown(_)) {
                world.attempt(client, moment + 500, Act::Create, &key, format!("again-{step}"), None);
            }
        }
    }
    let stop = world.operations.iter().map(|operation| operation.end).max().unwrap();
    let start = Start { plan, unix_ms: 0, membership: membership() };
    let history = History { start, operations: world.operations, stop };
    (history, ending(&world.store))
}

fn ending(store: &BTreeMap<String, Entry>) -> Ending {
    let part = |start: &str| {
        let entries = store.iter().filter(|(key, _)| key.starts_with(start));
        entries.map(|(key, entry)| (key.clone(), entry.clone())).collect()
    };
    let mut ending = Ending::default();
    for member in 1..=3 {
        ending.memberships.push((url(member), membership()));
        for reading in [Reading::Quorum, Reading::Local] {
            ending.copies.push(Copy { endpoint: url(member), reading, unique: part("/w/"), chains: part("/c/") });
        }
    }
    ending
}

/// An acknowledged write of the wanted kind, the same for the same seed.
fn pick(history: &History, seed: u64, wanted: impl Fn(&Operation) -> bool) -> usize {
    let places: Vec<usize> =
        (0..history.operations.len()).filter(|place| wanted(&history.operations[*place])).collect();
    places[StdRng::seed_from_u64(seed).random_range(0..places.len())]
}

fn acked_unique(operation: &Operation) -> bool {
    operation.index().is_some() && operation.key.starts_with("/w/")
}

fn acked_swap(operation: &Operation) -> bool {
    operation.index().is_some() && operation.act == Act::Swap
}

/// Changes each of the made-up worlds, and wants the kind of violation to be seen in every one.
fn caught(kind: &str, change: impl Fn(&mut History, &mut Ending, u64)) {
    for seed in 0..SEEDS {
        let (mut history, mut ending) = world(seed);
        change(&mut history, &mut ending, seed);
        let report = check(&history, &ending);
        let seen = report.violations.iter().any(|words| words.starts_with(&format!("{kind}: ")));
        assert!(seen && !report.ok, "seed {seed}: {report:?}");
    }
}

#[test]
fn a_right_history_passes() {
    for seed in 0..SEEDS {
        let (history, ending) = world(seed);
        let report = check(&history, &ending);
        assert!(report.ok, "seed {seed}: {report:?}");
        assert!(report.acked > 200 && report.no > 0 && report.unknown > 0, "{report:?}");
    }
}

#[test]
fn catches_an_acked_key_that_is_gone_everywhere() {
    caught("lost", |history, ending, seed| {
        let key = &history.operations[pick(history, seed, acked_unique)].key;
        ending.copies.iter_mut().for_each(|copy| drop(copy.unique.remove(key)));
    });
}

#[test]
fn catches_an_acked_key_that_one_member_lacks_in_its_own_copy() {
    caught("lost", |history, ending, seed| {
        let key = &history.operations[pick(history, seed, acked_unique)].key;
        ending.copies[5].unique.remove(key);
    });
}

#[test]
fn counts_lost_writes_exactly() {
    let (history, mut ending) = world(1);
    let unique = history.operations.iter().filter(|operation| acked_unique(operation)).count() as u64;
    let exists = |operation: &&Operation| operation.outcome == Outcome::No(No::Exists) && operation.act == Act::Create;
    let told = history.operations.iter().filter(exists).filter(|operation| operation.key.starts_with("/w/")).count();
    ending.copies.iter_mut().for_each(|copy| copy.unique.clear());
    assert_eq!(check(&history, &ending).lost, unique + told as u64);
}

#[test]
fn catches_a_key_that_was_said_to_exist_and_does_not() {
    caught("lost", |history, ending, seed| {
        let place = pick(history, seed, acked_unique);
        history.operations[place].outcome = Outcome::Unknown("timeout".to_owned());
        let mut again = history.operations[place].clone();
        (again.value, again.outcome) = (Some("again".to_owned()), Outcome::No(No::Exists));
        ending.copies.iter_mut().for_each(|copy| drop(copy.unique.remove(&again.key)));
        history.operations.push(again);
    });
}

#[test]
fn catches_two_swapped_indexes() {
    caught("order", |history, _, seed| {
        let one = pick(history, seed, acked_unique);
        let end = history.operations[one].end;
        let other = pick(history, seed, |other| acked_unique(other) && (other.start > end || other.end < end - 9000));
        let (a, b) = (history.operations[one].outcome.clone(), history.operations[other].outcome.clone());
        (history.operations[one].outcome, history.operations[other].outcome) = (b, a);
    });
}

#[test]
fn catches_an_order_that_real_time_contradicts_though_the_store_agrees() {
    caught("order", |history, ending, seed| {
        let one = pick(history, seed, acked_unique);
        let end = history.operations[one].end;
        let other = pick(history, seed, |other| acked_unique(other) && (other.start > end || other.end < end - 9000));
        for (place, from) in [(one, other), (other, one)] {
            let index = world(seed).0.operations[from].index().unwrap();
            history.operations[place].outcome = Outcome::Ok(index);
            let key = &history.operations[place].key;
            ending.copies.iter_mut().for_each(|copy| copy.unique.get_mut(key).unwrap().index = index);
        }
    });
}

#[test]
fn catches_an_index_that_is_there_twice() {
    caught("order", |history, _, seed| {
        let one = pick(history, seed, acked_unique);
        let other = pick(history, seed + 1000, |other| acked_unique(other) && other.key != history.operations[one].key);
        history.operations[one].outcome = history.operations[other].outcome.clone();
    });
}

#[test]
fn catches_a_key_that_moved() {
    caught("order", |history, ending, seed| {
        let key = &history.operations[pick(history, seed, acked_unique)].key;
        ending.copies.iter_mut().for_each(|copy| copy.unique.get_mut(key).unwrap().index += 100_000);
    });
}

#[test]
fn catches_a_chain_put_back_to_an_older_value() {
    caught("lost", |history, ending, seed| {
        let key = &history.operations[pick(history, seed, acked_swap)].key;
        let read = |operation: &&Operation| operation.act == Act::Read && &operation.key == key;
        let old = history.operations.iter().filter(read).nth(10).unwrap().value.clone().unwrap();
        ending.copies.iter_mut().for_each(|copy| copy.chains.get_mut(key).unwrap().value.clone_from(&old));
    });
}

#[test]
fn catches_a_stale_read() {
    caught("stale", |history, _, seed| {
        let write = history.operations[pick(history, seed, acked_swap)].clone();
        let mut read = write.clone();
        (read.act, read.previous, read.outcome) = (Act::Read, None, Outcome::Ok(write.previous.unwrap()));
        read.value = write.value.unwrap().rsplit_once('_').map(|(base, _)| base.to_owned());
        (read.start, read.end) = (write.end + 1, write.end + 2);
        history.operations.push(read);
    });
}

#[test]
fn catches_a_value_that_was_answered_no() {
    for no in [No::Refused, No::Incapable] {
        caught("ghost", |history, ending, seed| {
            let mut refused = history.operations[pick(history, seed, acked_unique)].clone();
            refused.key.push_str("00000");
            refused.value = Some("refused".to_owned());
            refused.outcome = Outcome::No(no);
            let entry = Entry { value: "refused".to_owned(), index: 100_000 };
            ending.copies.iter_mut().for_each(|copy| drop(copy.unique.insert(refused.key.clone(), entry.clone())));
            history.operations.push(refused);
        });
    }
}

#[test]
fn catches_values_and_tokens_that_nobody_wrote() {
    caught("ghost", |history, ending, seed| {
        let key = &history.operations[pick(history, seed, acked_unique)].key;
        ending.copies[2].unique.get_mut(key).unwrap().value = "nobody's".to_owned();
    });
    caught("ghost", |history, ending, seed| {
        let key = &history.operations[pick(history, seed, acked_swap)].key;
        ending.copies[3].chains.get_mut(key).unwrap().value.push_str("_9.9");
    });
    caught("ghost", |_, ending, _| {
        let entry = Entry { value: "v".to_owned(), index: 100_000 };
        ending.copies[0].chains.insert("/c/run/77/0".to_owned(), entry);
    });
}

#[test]
fn catches_a_refused_token_that_is_there() {
    caught("ghost", |history, ending, seed| {
        let place = pick(history, seed, |operation| operation.outcome == Outcome::No(No::Differs));
        let refused = &history.operations[place];
        let token = refused.value.as_deref().unwrap().rsplit('_').next().unwrap();
        for copy in &mut ending.copies {
            copy.chains.get_mut(&refused.key).unwrap().value.push_str(&format!("_{token}"));
        }
    });
}

#[test]
fn catches_a_swap_that_skipped_one_before_it() {
    // It presumed an older index than that of the write it is built on.
    caught("chain", |history, _, seed| {
        let place = pick(history, seed, acked_swap);
        *history.operations[place].previous.as_mut().unwrap() -= 1;
    });
    // It overwrote what another had added: the value lacks the token before.
    caught("chain", |history, _, seed| {
        let place = pick(history, seed, |write| acked_swap(write) && write.value.as_deref().unwrap().contains('_'));
        let value = history.operations[place].value.clone().unwrap();
        let (base, token) = value.rsplit_once('_').unwrap();
        let shorter = base.rsplit_once('_').map_or("0.0", |(start, _)| start);
        history.operations[place].value = Some(format!("{shorter}_{token}"));
    });
}

#[test]
fn catches_a_cluster_that_is_another_or_unwell() {
    caught("end", |_, ending, _| ending.faults.push("no last write".to_owned()));
    caught("end", |_, ending, _| ending.memberships[1].1.cluster = Some("other".to_owned()));
    caught("end", |_, ending, _| drop(ending.memberships[2].1.members.insert("2".to_owned(), Vec::new())));
    caught("end", |_, ending, _| ending.copies.clear());
    caught("end", |_, ending, _| drop(ending.copies[4].unique.pop_last()));
}

#[test]
fn an_outage_to_the_very_end_is_a_gap() {
    let (mut history, ending) = world(3);
    history.stop += 7_000_000_000;
    let report = check(&history, &ending);
    assert!(report.gap_ms >= 7000.0, "{report:?}");
}
