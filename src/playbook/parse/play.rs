//! Plays.

use crate::inventory::{Entry, Node, NodeValue, Place, Problem, nearest};

use super::keywords::Home;
use super::shapes::{is_template, kind};
use super::{Reader, imports, keyword_name, listed, without_collection};
use crate::playbook::{Directives, HostOrder, Play, Rolling, TaskOrder};

const ORDERS: [(&str, HostOrder); 5] = [
    ("inventory", HostOrder::Inventory),
    ("reverse_inventory", HostOrder::ReverseInventory),
    ("sorted", HostOrder::Sorted),
    ("reverse_sorted", HostOrder::ReverseSorted),
    ("shuffle", HostOrder::Shuffle),
];

const TASK_ORDERS: [(&str, TaskOrder); 2] = [("play", TaskOrder::Play), ("leader_last", TaskOrder::LeaderLast)];

/// Quorum systems that can be asked.
const GUARDS: [&str; 1] = ["etcd"];

impl Reader<'_> {
    /// The plays of a file.
    pub(super) fn plays(&mut self, root: &Node) -> Vec<Play> {
        let items = match &root.value {
            NodeValue::Sequence(items) if !items.is_empty() => items,
            NodeValue::Sequence(_) | NodeValue::Null => {
                self.problem_with(&root.place, "the playbook has no plays", "a play begins with `- hosts: …`");
                return Vec::new();
            }
            _ => {
                let message = format!("a playbook must be a list of plays, found {}", kind(root));
                self.problem_with(&root.place, message, "each play begins with `- hosts: …`");
                return Vec::new();
            }
        };
        let mut plays = Vec::with_capacity(items.len());
        for item in items {
            let NodeValue::Mapping(entries) = &item.value else {
                self.problem(&item.place, format!("a play must be a mapping, found {}", kind(item)));
                continue;
            };
            match entries.iter().find(|entry| keyword_name(&entry.key) == imports::PLAYBOOK) {
                Some(import) => plays.extend(self.import_playbook(entries, import)),
                None => plays.extend(self.play(item, entries)),
            }
        }
        plays
    }

    fn play(&mut self, node: &Node, entries: &[Entry]) -> Option<Play> {
        let mut play = empty_play(&node.place);
        let mut hosts = false;
        let mut task_like = false;
        for entry in entries {
            match self.keyword(entry, Home::Play) {
                Some(true) => {}
                Some(false) => continue,
                None if self.module(&entry.key).is_some() => {
                    task_like = true;
                    let message = format!("`{}` is a module, and a play calls none itself", entry.key);
                    self.problem_with(&entry.key_place, message, "put it under the play's `tasks:`");
                    continue;
                }
                None => {
                    self.unknown_keyword(entry, Home::Play);
                    // A misspelt `hosts` is one fault, not two.
                    hosts |= nearest(&entry.key, ["hosts"]).is_some();
                    continue;
                }
            }
            hosts |= entry.key == "hosts";
            self.play_keyword(entry, &mut play);
        }
        if !hosts && !task_like {
            self.problem_with(&node.place, "the play has no `hosts`", "say which hosts it is for: `hosts: etcd`");
        }
        hosts.then_some(play)
    }

    fn play_keyword(&mut self, entry: &Entry, play: &mut Play) {
        match entry.key.as_str() {
            "name" => play.name = self.text(entry),
            "hosts" => self.check_hosts(entry, play),
            "serial" => play.serial = self.serial(entry),
            "order" => play.order = self.named(entry, &ORDERS).unwrap_or_default(),
            "rolling" => play.rolling = self.rolling(entry),
            "strategy" => {
                let mut bare = entry.clone();
                if let NodeValue::String(name, _) = &mut bare.value.value {
                    *name = without_collection(name).to_owned();
                }
                self.one_of(&bare, &["linear"]);
            }
            "gather_facts" => play.gather_facts = self.boolean(entry),
            "any_errors_fatal" => play.any_errors_fatal = self.boolean(entry),
            "max_fail_percentage" => play.max_fail_percentage = self.percentage(entry),
            "force_handlers" => play.force_handlers = self.boolean(entry),
            "vars_files" => play.vars_files = self.vars_files(entry),
            "pre_tasks" => play.pre_tasks = self.items(entry),
            "tasks" => play.tasks = self.items(entry),
            "post_tasks" => play.post_tasks = self.items(entry),
            "handlers" => play.handlers = self.handlers(entry),
            _ => {
                self.directive(entry, &mut play.directives);
            }
        }
    }

    fn check_hosts(&mut self, entry: &Entry, play: &mut Play) {
        let before = self.problems.len();
        let patterns = self.texts(entry);
        if patterns.is_empty() && self.problems.len() == before {
            self.problem(&entry.value.place, "`hosts` is empty");
        }
        play.hosts = match (&entry.value.value, patterns) {
            (NodeValue::Sequence(_), patterns) => Node { value: NodeValue::Sequence(patterns), ..entry.value.clone() },
            (_, patterns) => patterns.into_iter().next().unwrap_or_else(|| entry.value.clone()),
        };
    }

    /// A number of hosts, a percentage, or a list of these; a fraction is cut off (`2.5` is 2), as Ansible does it.
    fn serial(&mut self, entry: &Entry) -> Option<Node> {
        match &entry.value.value {
            NodeValue::Null => None,
            NodeValue::Sequence(sizes) if !sizes.is_empty() => {
                let sizes: Vec<Option<Node>> = sizes.iter().map(|size| self.batch_size(size)).collect();
                let sizes = sizes.into_iter().collect::<Option<Vec<Node>>>()?;
                Some(Node { value: NodeValue::Sequence(sizes), ..entry.value.clone() })
            }
            _ => self.batch_size(&entry.value),
        }
    }

    fn batch_size(&mut self, size: &Node) -> Option<Node> {
        match &size.value {
            NodeValue::Int(..) => return Some(size.clone()),
            #[expect(clippy::cast_possible_truncation, reason = "cut off on purpose; saturates")]
            NodeValue::Float(number, text) if number.is_finite() => {
                return Some(Node { value: NodeValue::Int(number.trunc() as i64, text.clone()), ..size.clone() });
            }
            NodeValue::String(text, _) => {
                let number = text.trim().strip_suffix('%').unwrap_or(text.trim());
                if number.parse::<i64>().is_ok() || is_template(text) {
                    return Some(size.clone());
                }
            }
            _ => {}
        }
        self.problem(&size.place, "`serial` must be a number, a percentage such as \"30%\", or a list of these");
        None
    }

    /// One of a few names that mean something to us.
    fn named<T: Copy>(&mut self, entry: &Entry, known: &[(&str, T)]) -> Option<T> {
        let text = self.plain_text(entry)?;
        if let Some((_, value)) = known.iter().find(|(name, _)| *name == text) {
            return Some(*value);
        }
        let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
        let problem = Problem::new(&entry.value.place, format!("unknown `{}`: `{text}`", entry.key));
        self.problems.push(match nearest(&text, names.iter().copied()) {
            Some(name) => problem.help(format!("did you mean `{name}`?")),
            None => problem.help(format!("known are {}", listed(&names))),
        });
        None
    }

    fn rolling(&mut self, entry: &Entry) -> Option<Rolling> {
        let NodeValue::Mapping(entries) = &entry.value.value else {
            let message = format!("`rolling` must be a mapping, found {}", kind(&entry.value));
            self.problem_with(&entry.value.place, message, "such as `rolling: {guard: etcd, order: leader_last}`");
            return None;
        };
        self.check_keys(entries, &["guard", "order", "rounds", "until"], "`rolling`");
        let (place, order) = (entry.key_place.clone(), TaskOrder::default());
        let mut rolling = Rolling { place, guard: String::new(), order, rounds: None, until: None };
        for entry in entries {
            match entry.key.as_str() {
                "guard" => {
                    let guards = GUARDS.map(|name| (name, name));
                    rolling.guard = self.named(entry, &guards).unwrap_or("etcd").to_owned();
                }
                "order" => rolling.order = self.named(entry, &TASK_ORDERS).unwrap_or_default(),
                "rounds" => rolling.rounds = self.rounds(entry),
                "until" => rolling.until = self.until(entry),
                _ => {}
            }
        }
        if rolling.guard.is_empty() {
            let message = "`rolling` without a `guard` asks nobody";
            self.problem_with(&entry.key_place, message, "name the quorum system that is asked: `guard: etcd`");
        }
        Some(rolling)
    }

    /// A list, or a template that will give one.
    fn rounds(&mut self, entry: &Entry) -> Option<Node> {
        let fits = match &entry.value.value {
            NodeValue::Sequence(_) => true,
            NodeValue::String(text, _) => is_template(text),
            _ => false,
        };
        if !fits {
            self.wrong_shape("rounds", &entry.value, "a list, or a template that gives one");
        }
        fits.then(|| entry.value.clone())
    }

    /// A time, which only text can be.
    fn until(&mut self, entry: &Entry) -> Option<Node> {
        let fits = matches!(entry.value.value, NodeValue::String(..));
        if !fits {
            self.wrong_shape("until", &entry.value, "a time in quotes, such as \"04:00\"");
        }
        fits.then(|| entry.value.clone())
    }

    /// A share of the hosts from 0 to 100; `30%` is 30.
    fn percentage(&mut self, entry: &Entry) -> Option<Node> {
        let mut bare = entry.clone();
        if let Some(number) = entry.value.as_str().and_then(|text| text.trim().strip_suffix('%')) {
            bare.value.value = NodeValue::String(number.to_owned(), crate::inventory::ScalarStyle::Quoted);
        }
        let node = self.number(&bare, 0, false)?;
        let over = match node.value {
            NodeValue::Int(number, _) => number > 100,
            NodeValue::Float(number, _) => number > 100.0,
            _ => false,
        };
        if over {
            self.problem(&node.place, format!("`{}` must be 100 or less", entry.key));
            return None;
        }
        Some(node)
    }

    /// Paths, or lists of paths of which the first that exists is taken.
    fn vars_files(&mut self, entry: &Entry) -> Vec<Node> {
        let items = match &entry.value.value {
            NodeValue::Sequence(items) => items.as_slice(),
            NodeValue::Null => &[],
            _ => std::slice::from_ref(&entry.value),
        };
        for item in items {
            self.texts(&Entry { value: item.clone(), ..entry.clone() });
        }
        items.to_vec()
    }
}

fn empty_play(place: &Place) -> Play {
    Play {
        place: place.clone(),
        name: None,
        hosts: Node::new(place, NodeValue::Null),
        serial: None,
        order: HostOrder::default(),
        rolling: None,
        gather_facts: None,
        any_errors_fatal: None,
        max_fail_percentage: None,
        force_handlers: None,
        vars_files: Vec::new(),
        directives: Directives::default(),
        pre_tasks: Vec::new(),
        tasks: Vec::new(),
        post_tasks: Vec::new(),
        handlers: Vec::new(),
    }
}
