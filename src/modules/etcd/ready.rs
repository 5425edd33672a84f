//! `etcd_ready`: does what must be done once all members run a version, before the next hop: a write, a snapshot on every member, an
//! empty v2 store. What is done already is not done again.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::{Map, Value, json};

use crate::etcd::{self, Api, First, MemberView};
use crate::events::{Fault, Kind};
use crate::modules::table::{Argument, CheckMode, NeedsTurn, Row, Shape};
use crate::modules::{Call, Failure, Module, Outcome};
use crate::transport::BoxFuture;

use super::UNIT;
use super::client::Client;
use super::facts::{Facts, refused};
use super::migrate::Migration;
use super::often::EVERY;
use super::survey::{Survey, survey};

/// The argument of what a hop must be followed by.
pub(super) const THEN: Argument = Argument::new(
    "then",
    Shape::List,
    "what follows once all members run it: `v3-write`, `snapshot`, `v2-delete`, `v2-migrate`; as `etcd_path` has it",
);

/// Our own key, in base64: `quorate/next-hop`. It is gone when the module has ended.
const KEY: &str = "cXVvcmF0ZS9uZXh0LWhvcA==";
/// How many writes are under way at a time: they share the log's fsyncs.
const AT_ONCE: u64 = 20;
/// For the snapshots to be on the disks. 100 writes and a snapshot take 0.3 s in the lab; a slow disk a hundred times that.
const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(200);

/// Its row.
pub(crate) const ROW: Row = Row {
    arguments: &[UNIT, THEN],
    returns: &[("done", "what had to be done, by its words")],
    check: CheckMode::Runs,
    needs_turn: NeedsTurn::Always,
    module: Some(&EtcdReady),
    ..Row::new("etcd_ready", "does what must be done on one version before the next hop")
};

struct EtcdReady;

/// What the argument `then` says.
pub(super) fn then_argument(call: &Call<'_>) -> Result<Vec<First>, Failure> {
    let items = call.args.get("then").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let one = |item: &Value| {
        let word = item.as_str().unwrap_or_default();
        First::ALL.into_iter().find(|first| first.word() == word).ok_or_else(|| {
            let words = First::ALL.map(First::word).join(", ");
            Failure::new(Fault::Input, format!("then: there is no `{word}`; there is {words}"))
        })
    };
    items.iter().map(one).collect()
}

impl Module for EtcdReady {
    fn run<'a>(&'a self, call: Call<'a>) -> BoxFuture<'a, Result<Outcome, Failure>> {
        Box::pin(async move {
            let then = then_argument(&call)?;
            let mut done: Vec<&str> = Vec::new();
            if call.change.is_none() {
                // A check run stays on the first version, on which none of it can be asked.
                for first in &then {
                    let (host, act) = (call.host.to_owned(), first.in_words().to_owned());
                    (call.say)(Kind::ActPlanned { host, act })?;
                    done.push(first.word());
                }
            } else if !then.is_empty() {
                let survey = survey(call.fleet, call.text("unit").unwrap_or("etcd"), None).await;
                // Each of them must be seen to have done its part.
                if let Some(failure) = survey.facts.values().find_map(|facts| facts.as_ref().err()) {
                    return Err(failure.clone());
                }
                for first in then {
                    if Work::new(&call, &survey).await?.one(first).await? {
                        done.push(first.word());
                    }
                }
            }
            let mut result = Map::new();
            result.insert("done".into(), json!(done));
            Ok(Outcome { changed: !done.is_empty(), result, ..Outcome::default() })
        })
    }
}

/// One thing to be done.
struct Work<'c> {
    call: &'c Call<'c>,
    survey: &'c Survey,
    facts: &'c Facts,
    view: MemberView,
}

impl<'c> Work<'c> {
    async fn new(call: &'c Call<'c>, survey: &'c Survey) -> Result<Self, Failure> {
        let facts = match survey.facts.get(call.host) {
            Some(Ok(facts)) => facts,
            Some(Err(failure)) => return Err(failure.clone()),
            None => return Err(refused(call.host, "it is no host of the play")),
        };
        let view = facts.view().await?;
        Ok(Self { call, survey, facts, view })
    }

    fn host(&self) -> &str {
        self.call.host
    }

    fn failed(&self, what: impl std::fmt::Display) -> Failure {
        let text = format!("{}: {what}\nno member was stopped for this; run the playbook again", self.host());
        Failure::new(Fault::Failed, text)
    }

    /// Does it if it is not done yet; whether something was to be done.
    async fn one(&self, first: First) -> Result<bool, Failure> {
        match first {
            First::V3Write => self.v3_write().await,
            First::Snapshot => self.snapshot().await,
            First::V2Delete => self.v2_delete().await,
            First::V2Migrate => self.v2_migrate().await,
        }
    }

    fn begins(&self, act: String) -> Result<(), Failure> {
        (self.call.say)(Kind::ActBegins { host: self.host().to_owned(), act })
    }

    fn prefix(&self) -> Result<&'static str, Failure> {
        match etcd::api(&self.view.version) {
            Api::V3 { prefix } => Ok(prefix),
            Api::V2 => Err(self.failed("the v3 API does not serve yet: the cluster version is below 3.0")),
        }
    }

    async fn v3_write(&self) -> Result<bool, Failure> {
        let prefix = self.prefix()?;
        // The store's revision is 1 before the first write (etcd mvcc/kvstore.go).
        if self.view.store.as_ref().is_some_and(|store| store.revision > 1) {
            return Ok(false);
        }
        self.begins("write to the v3 store, in which there was no write yet".to_owned())?;
        put(&self.facts.client, prefix).await.map_err(|what| self.failed(what))?;
        self.delete(prefix).await?;
        Ok(true)
    }

    async fn delete(&self, prefix: &str) -> Result<(), Failure> {
        let answer = self.facts.client.call(prefix, "kv/deleterange", &json!({ "key": KEY })).await;
        match answer {
            Ok(answer) if answer.status == 200 => Ok(()),
            Ok(answer) => Err(self.failed(format!("the key quorate/next-hop is left: {}", status(&answer)))),
            Err(error) => Err(self.failed(format!("the key quorate/next-hop is left: {error}"))),
        }
    }

    /// Writes until every member has a snapshot behind which lies all that was in the log when this began.
    async fn snapshot(&self) -> Result<bool, Failure> {
        let prefix = self.prefix()?;
        let view = self.survey.look().await;
        let goal = view.hosts.values().flatten().map(|member| member.index).max().unwrap_or_default();
        self.begins(format!("write to quorate's own key until every member has a snapshot of index {goal} or later"))?;
        let (begun, mut written) = (Instant::now(), 0);
        let outcome = loop {
            let puts = join_all((0..AT_ONCE).map(|_| put(&self.facts.client, prefix))).await;
            let failure = puts.into_iter().find_map(Result::err);
            if failure.is_none() {
                written += AT_ONCE;
            }
            let lacks = if written < EVERY { None } else { self.lacks(goal).await? };
            if written >= EVERY && lacks.is_none() {
                break Ok(());
            }
            if begun.elapsed() >= PATIENCE {
                // A write may fail for a moment, at an election; not for so long.
                let why = match (failure, lacks) {
                    (Some(failure), _) => failure,
                    (None, Some((host, index))) => format!("the youngest snapshot on {host} is of index {index}"),
                    (None, None) => "the writes take too long".to_owned(),
                };
                let waited = PATIENCE.as_secs();
                break Err(format!(
                    "after {waited} s and {written} writes not every member has a snapshot of {goal} or later: {why}"
                ));
            }
            tokio::time::sleep(PAUSE).await;
        };
        self.delete(prefix).await?;
        outcome.map(|()| true).map_err(|what| self.failed(what))
    }

    /// A host whose youngest snapshot is older than the goal, with that snapshot's index.
    async fn lacks(&self, goal: u64) -> Result<Option<(String, u64)>, Failure> {
        for (host, facts) in &self.survey.facts {
            let facts = facts.as_ref().map_err(Clone::clone)?;
            let folder = facts.data.dir.join("member/snap");
            let files = self.call.fleet.probe(host).await?.list(&folder).await?;
            let youngest = files.iter().filter_map(|file| etcd::snapshot_index(&file.name)).max().unwrap_or_default();
            if youngest < goal {
                return Ok(Some((host.clone(), youngest)));
            }
        }
        Ok(None)
    }

    /// Moves every key of the v2 store that can be listed into the v3 store.
    async fn v2_migrate(&self) -> Result<bool, Failure> {
        let prefix = self.prefix()?;
        let top = self.facts.client.v2_top().await.map_err(|error| self.failed(error))?;
        if top.is_empty() {
            return Ok(false);
        }
        self.begins(format!("move {} of the v2 store into the v3 store, as `v2_data: migrate` says", top.join(", ")))?;
        let moved = Migration::new(&self.facts.client, prefix).run().await.map_err(|why| self.failed(why))?;
        let text = format!("{moved} keys were moved into the v3 store, each read back there");
        let (host, act) = (self.host().to_owned(), "v2 store".to_owned());
        (self.call.say)(Kind::Progress { host, act, text, done: None, total: None })?;
        Ok(true)
    }

    /// Removes every key of the v2 store that can be listed.
    async fn v2_delete(&self) -> Result<bool, Failure> {
        let top = self.facts.client.v2_top().await.map_err(|error| self.failed(error))?;
        if top.is_empty() {
            return Ok(false);
        }
        self.begins(format!("delete {} of the v2 store, as `v2_data: delete` says", top.join(", ")))?;
        for key in &top {
            self.facts.client.v2_delete(key).await.map_err(|error| self.failed(error))?;
        }
        let left = self.facts.client.v2_top().await.map_err(|error| self.failed(error))?;
        if left.is_empty() {
            return Ok(true);
        }
        Err(self.failed(format!("the v2 store has keys again: {}; somebody still writes to it", left.join(", "))))
    }
}

async fn put(client: &Client, prefix: &str) -> Result<(), String> {
    let answer = client.call(prefix, "kv/put", &json!({ "key": KEY, "value": "" })).await;
    let answer = answer.map_err(|error| error.to_string())?;
    if answer.status == 200 { Ok(()) } else { Err(status(&answer)) }
}

fn status(answer: &crate::remote::HttpResponse) -> String {
    let body: String = String::from_utf8_lossy(&answer.body).trim().chars().take(200).collect();
    format!("status {}, `{body}`", answer.status)
}
