//! Playbooks as text in, faults or an outline out: `tests/cases/playbook_syntax/{bad,good}/*.yml` beside their `.txt`.
//!
//! `BLESS=1 cargo test --test playbook_syntax` writes the answers anew; read the difference before you keep it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use quorate::inventory::{Node, Problem, Source};
use quorate::playbook::{Directives, Expression, Item, Play, Playbook, Task, Vocabulary, from_source};

const CASES: &str = "tests/cases/playbook_syntax";

fn vocabulary() -> Vocabulary {
    let modules = [
        "assert",
        "command",
        "copy",
        "debug",
        "etcd_backup",
        "etcd_defrag",
        "etcd_downgrade",
        "etcd_facts",
        "etcd_health",
        "etcd_member",
        "etcd_preflight",
        "etcd_ready",
        "etcd_restart",
        "etcd_restore",
        "etcd_stage",
        "fail",
        "fetch",
        "file",
        "meta",
        "pause",
        "ping",
        "service",
        "set_fact",
        "shell",
        "slurp",
        "stat",
        "systemd",
        "template",
        "uri",
        "wait_for",
    ];
    Vocabulary { modules: modules.to_vec(), free_form: vec!["command", "meta", "shell"] }
}

fn cases(kind: &str) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(Path::new(CASES).join(kind))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ext| ext == "yml"))
        .collect();
    files.sort();
    files
}

fn read(path: &Path) -> Result<Playbook, Vec<Problem>> {
    from_source(&Source::new(path, fs::read_to_string(path).unwrap()), &vocabulary())
}

/// Compares with the answer beside the case; all differences are shown before the test fails.
fn compare(kind: &str, answer: impl Fn(&Path) -> String) {
    let mut wrong = String::new();
    for path in cases(kind) {
        let golden = path.with_extension("txt");
        let found = answer(&path).replace(&format!("{CASES}/{kind}/"), "");
        if std::env::var_os("BLESS").is_some() {
            fs::write(&golden, &found).unwrap();
        }
        let wanted = fs::read_to_string(&golden).unwrap_or_default();
        if found != wanted {
            writeln!(wrong, "{}:\nwanted\n{wanted}found\n{found}", path.display()).unwrap();
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

fn shown(problems: &[Problem]) -> String {
    let mut text = String::new();
    for problem in problems {
        write!(text, "{problem}").unwrap();
        if let Some(help) = &problem.help {
            write!(text, " ({help})").unwrap();
        }
        if let Some((place, label)) = &problem.related {
            write!(text, " [{place}: {label}]").unwrap();
        }
        text.push('\n');
    }
    text
}

#[test]
fn says_all_that_is_wrong_with_each_bad_playbook() {
    compare("bad", |path| match read(path) {
        Err(problems) => shown(&problems),
        Ok(_) => panic!("{} was taken", path.display()),
    });
    assert!(cases("bad").len() >= 30);
}

#[test]
fn reads_each_good_playbook() {
    compare("good", |path| match read(path) {
        Ok(playbook) => outline(&playbook),
        Err(problems) => panic!("{}", shown(&problems)),
    });
    assert!(cases("good").len() >= 10);
}

#[test]
fn places_lie_inside_their_text() {
    for path in cases("bad") {
        for problem in read(&path).unwrap_err() {
            let place = &problem.place;
            assert!(place.start <= place.end && place.end <= place.source.text.len(), "{problem}");
            assert!(place.source.text.get(place.start..place.end).is_some(), "{problem}");
        }
    }
}

fn outline(playbook: &Playbook) -> String {
    let mut text = String::new();
    for play in &playbook.plays {
        outline_play(play, &mut text);
    }
    if !playbook.warnings.is_empty() {
        write!(text, "warnings\n{}", shown(&playbook.warnings)).unwrap();
    }
    text
}

fn outline_play(play: &Play, text: &mut String) {
    write!(text, "play {} order={:?}", play.hosts.to_json(), play.order).unwrap();
    option(text, "name", play.name.as_ref());
    option(text, "serial", play.serial.as_ref());
    option(text, "gather_facts", play.gather_facts.as_ref());
    option(text, "any_errors_fatal", play.any_errors_fatal.as_ref());
    option(text, "max_fail_percentage", play.max_fail_percentage.as_ref());
    option(text, "force_handlers", play.force_handlers.as_ref());
    if let Some(rolling) = &play.rolling {
        write!(text, " rolling={}/{:?}", rolling.guard, rolling.order).unwrap();
        option(text, "rounds", rolling.rounds.as_ref());
    }
    for file in &play.vars_files {
        option(text, "vars_file", Some(file));
    }
    directives(text, &play.directives);
    text.push('\n');
    for (what, items) in [("pre_tasks", &play.pre_tasks), ("tasks", &play.tasks), ("post_tasks", &play.post_tasks)] {
        if !items.is_empty() {
            writeln!(text, " {what}").unwrap();
            outline_items(items, 2, text);
        }
    }
    if !play.handlers.is_empty() {
        text.push_str(" handlers\n");
    }
    for handler in &play.handlers {
        outline_task(&handler.task, 2, text);
        if !handler.listen.is_empty() {
            writeln!(text, "   listen={}", handler.listen.join(",")).unwrap();
        }
    }
}

fn outline_items(items: &[Item], depth: usize, text: &mut String) {
    for item in items {
        match item {
            Item::Task(task) => outline_task(task, depth, text),
            Item::Block(block) => {
                write!(text, "{:depth$}block", "").unwrap();
                option(text, "name", block.name.as_ref());
                directives(text, &block.directives);
                text.push('\n');
                outline_items(&block.block, depth + 1, text);
                for (what, items) in [("rescue", &block.rescue), ("always", &block.always)] {
                    if !items.is_empty() {
                        writeln!(text, "{:depth$}{what}", "").unwrap();
                        outline_items(items, depth + 1, text);
                    }
                }
            }
        }
    }
}

fn outline_task(task: &Task, depth: usize, text: &mut String) {
    write!(text, "{:depth$}{} {}", "", task.module, task.args.to_json()).unwrap();
    option(text, "name", task.name.as_ref());
    if let Some(name) = &task.register {
        write!(text, " register={name}").unwrap();
    }
    option(text, if task.with_items { "with_items" } else { "loop" }, task.r#loop.as_ref());
    if let Some(name) = &task.loop_control.loop_var {
        write!(text, " loop_var={name}").unwrap();
    }
    option(text, "label", task.loop_control.label.as_ref());
    expressions(text, "until", &task.until);
    option(text, "retries", task.retries.as_ref());
    option(text, "delay", task.delay.as_ref());
    expressions(text, "changed_when", task.changed_when.as_deref().unwrap_or_default());
    expressions(text, "failed_when", task.failed_when.as_deref().unwrap_or_default());
    directives(text, &task.directives);
    text.push('\n');
}

fn directives(text: &mut String, own: &Directives) {
    expressions(text, "when", &own.when);
    if !own.tags.is_empty() {
        write!(text, " tags={}", own.tags.join(",")).unwrap();
    }
    for entry in &own.vars {
        write!(text, " var:{}={}", entry.key, entry.value.to_json()).unwrap();
    }
    for (name, list) in [("environment", &own.environment), ("notify", &own.notify)] {
        list.iter().for_each(|node| option(text, name, Some(node)));
    }
    let single = [
        ("become", &own.r#become),
        ("become_user", &own.become_user),
        ("become_method", &own.become_method),
        ("connection", &own.connection),
        ("remote_user", &own.remote_user),
        ("port", &own.port),
        ("ignore_errors", &own.ignore_errors),
        ("ignore_unreachable", &own.ignore_unreachable),
        ("no_log", &own.no_log),
        ("check_mode", &own.check_mode),
        ("diff", &own.diff),
        ("run_once", &own.run_once),
        ("delegate_to", &own.delegate_to),
        ("throttle", &own.throttle),
        ("timeout", &own.timeout),
        ("any_errors_fatal", &own.any_errors_fatal),
    ];
    single.iter().for_each(|(name, node)| option(text, name, node.as_ref()));
}

fn expressions(text: &mut String, name: &str, list: &[Expression]) {
    for expression in list {
        write!(text, " {name}=[{}]", expression.text).unwrap();
    }
}

fn option(text: &mut String, name: &str, node: Option<&Node>) {
    if let Some(node) = node {
        write!(text, " {name}={}", node.to_json()).unwrap();
    }
}
