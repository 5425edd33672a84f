//! `quorate runs` and `quorate report`: what was shown of a run can be shown again.

use std::path::PathBuf;
use std::process::Child;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::*;

/// Everything that is hard to write down twice in the same way: numbers, bytes that act on terminals, items, secrets, failures.
const PLAY: &str = r#"
- hosts: all
  connection: local
  tasks:
    - name: Numbers
      debug: { msg: "{{ [0.1 + 0.2, 1.0, 1e23, 5e-324, 0.1, 123456789012345680000.0, 9007199254740993, -0.0] }}" }
    - name: Bytes
      command: printf 'a\033[2J \302\205 \342\200\256 gr\303\274n\n'
    - name: Items
      debug: { msg: "{{ item }}" }
      loop: [1, two, { three: 3.5 }]
    - name: Secret
      command: echo hunter2
      no_log: true
    - name: Fails
      command: sh -c 'echo out; echo err >&2; exit 3'
      ignore_errors: true
    - name: Warned
      debug: { msg: x }
      when: "'text' in inventory_hostname"
    - { name: Breaks, command: "false", when: inventory_hostname == 'h2' }
"#;

impl Quorate {
    fn listed(&self) -> Vec<Value> {
        let output = self.run(&["runs", "--json"]);
        assert_eq!(code(&output), 0, "{}", stderr(&output));
        stdout(&output).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The journal of the newest run.
    fn journal(&self) -> PathBuf {
        PathBuf::from(self.listed().first().and_then(|run| run.get("journal")?.as_str()).unwrap())
    }
}

#[test]
fn the_lines_of_json_are_made_again_byte_for_byte() {
    let quorate = Quorate::new();
    quorate.file("p.yml", PLAY);
    let ran = quorate.run(&["run", "p.yml", "-i", "h1,h2,", "--json"]);
    assert_eq!(code(&ran), 2, "{}", stdout(&ran));
    let again = quorate.run(&["report", "last", "--format", "json"]);
    assert_eq!((code(&again), stderr(&again).as_str()), (0, ""));
    assert_eq!(stdout(&again), stdout(&ran));
    let last: Value = serde_json::from_str(stdout(&ran).lines().last().unwrap()).unwrap();
    let sum = Command::new("sh").args(["-c", "tail -n 1 \"$0\" | sha256sum"]).arg(quorate.journal()).output().unwrap();
    assert_eq!(last["head"].as_str().unwrap(), stdout(&sum).split(' ').next().unwrap());
    assert_eq!(quorate.listed()[0]["head"], last["head"]);
}

#[test]
fn what_the_terminal_had_is_made_again_byte_for_byte() {
    let quorate = Quorate::new();
    quorate.file("p.yml", PLAY);
    for line in [
        &["run", "p.yml", "-i", "h1,h2,"][..],
        &["run", "p.yml", "-i", "h1,h2,", "-vv"],
        &["run", "p.yml", "-i", "h1,h2,", "--check", "--diff"],
        &["plan", "p.yml", "-i", "h1,h2,"],
        &[
            "exec",
            "all",
            "-i",
            "h1,h2,",
            "-e",
            "ansible_connection=local",
            "--shell",
            "--",
            "echo a; echo b >&2; exit 1",
        ],
    ] {
        let ran = quorate.run(line);
        let verbose = if line.contains(&"-vv") { &["report", "last", "-vv"][..] } else { &["report", "last"] };
        let again = quorate.run(verbose);
        assert_eq!((code(&again), stderr(&again).as_str()), (0, ""), "{line:?}");
        assert!(stdout(&ran).lines().count() > 3, "{line:?}: {}", stderr(&ran));
        assert_eq!(stdout(&again), stdout(&ran), "{line:?}");
    }
    let text = stdout(&quorate.run(&["run", "p.yml", "-i", "h1,h2,"]));
    let listed = &quorate.listed()[0];
    let (id, head) = (listed["run"].as_str().unwrap(), listed["head"].as_str().unwrap());
    assert!(text.contains(&format!("run: {id}, head of its journal {}\n", &head[..16])), "{text}");
}

#[test]
fn runs_are_listed_newest_first_with_how_they_ended() {
    let quorate = Quorate::new();
    assert_eq!(stdout(&quorate.run(&["runs"])), "");
    let well = "- hosts: all\n  connection: local\n  tasks: [command: 'true']\n";
    quorate.file("p.yml", well).file("q.yml", &well.replace("'true'", "'false'"));
    quorate.run(&["run", "p.yml", "-i", "h1,h2,"]);
    quorate.run(&["run", "q.yml", "-i", "h1,"]);
    quorate.run(&["run", "p.yml", "-i", "h1,", "--check"]);
    quorate.run(&["plan", "p.yml", "-i", "h1,"]);
    quorate.run(&["exec", "all", "-i", "h1,", "-e", "ansible_connection=local", "--", "true"]);
    let listed = quorate.listed();
    let of = |key: &str| listed.iter().map(|run| run[key].clone()).collect::<Vec<Value>>();
    assert_eq!(of("command"), ["exec", "plan", "run", "run", "run"]);
    assert_eq!(of("state"), ["done", "done", "done", "failed", "done"]);
    assert_eq!(of("check"), [false, true, true, false, false]);
    assert_eq!(listed[3]["exit_code"], 2);
    assert_eq!(
        listed[4]["hosts"],
        serde_json::json!({"done": 2, "in_doubt": 0, "failed": 0, "begun": 0, "untouched": 0})
    );
    assert_eq!(listed[2]["hosts"]["untouched"], 1, "a check run touches nothing");
    assert!(listed[0]["began"].as_str().unwrap().parse::<jiff::Timestamp>().is_ok());
    let table = quorate.command(&["runs", "-n", "4"]).env("TZ", "XST-3:30").output().unwrap();
    let table = stdout(&table);
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(lines.len(), 5, "{table}");
    assert!(lines[3].contains(" run --check p.yml ") && lines[3].ends_with("1 untouched"), "{table}");
    assert!(lines[4].contains(" run q.yml ") && lines[4].contains("exit 2: a host failed a task"), "{table}");
    assert!(lines[4].contains(" +03:30 ") && lines[4].ends_with("1 failed"), "{table}");
}

/// A run that is killed at the latest when the test ends.
struct Begun(Child);

impl Begun {
    fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        // Ended already, where the test came to its end.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A run that has begun its task; it goes on for some seconds.
fn begun(quorate: &Quorate) -> Begun {
    quorate.file("p.yml", "- hosts: all\n  connection: local\n  tasks: [{ name: Sleep, command: sleep 8 }]\n");
    let mut command = quorate.command(&["run", "p.yml", "-i", "h1,"]);
    let begun = Begun(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
    let since = Instant::now();
    loop {
        let output = quorate.run(&["report", "last"]);
        if stdout(&output).contains("TASK [Sleep]") {
            return begun;
        }
        assert!(since.elapsed() < Duration::from_secs(30), "{}{}", stdout(&output), stderr(&output));
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_run_is_running_until_it_is_killed_and_its_report_says_what_is_known() {
    let quorate = Quorate::new();
    let mut run = begun(&quorate);
    assert_eq!(quorate.listed()[0]["state"], "running");
    let report = stdout(&quorate.run(&["report", "last"]));
    assert!(report.contains("SO FAR ***") && report.contains("the run goes on"), "{report}");
    run.kill();
    // What it began on this machine still goes on, and does not hold the lock.
    let listed = &quorate.listed()[0];
    assert_eq!((&listed["state"], &listed["exit_code"]), (&Value::from("killed"), &Value::Null));
    assert_eq!(listed["hosts"]["in_doubt"], 1);
    let output = quorate.run(&["report", "last"]);
    let report = stdout(&output);
    assert_eq!(code(&output), 0);
    assert!(report.contains("  h1: in doubt: the task `Sleep` was begun; its end is not known\n"), "{report}");
    assert!(report.contains("BROKEN OFF ***") && !report.contains("goes on"), "{report}");
    let table = stdout(&quorate.run(&["runs"]));
    assert!(table.contains("killed: it ended without a word") && table.trim_end().ends_with("1 in doubt"), "{table}");
}

#[test]
fn a_damaged_journal_is_shown_as_damaged_and_hides_no_other_run() {
    let quorate = Quorate::new();
    quorate.file("p.yml", "- hosts: all\n  connection: local\n  tasks: [command: echo well]\n");
    quorate.run(&["run", "p.yml", "-i", "h1,"]);
    quorate.run(&["run", "p.yml", "-i", "h1,"]);
    let path = quorate.journal();
    let whole = std::fs::read_to_string(&path).unwrap();
    let mut lines: Vec<&str> = whole.lines().collect();
    lines.remove(2);
    std::fs::write(&path, lines.join("\n") + "\n").unwrap();
    let listed = quorate.listed();
    assert_eq!((listed.len(), &listed[1]["damage"]), (2, &serde_json::json!([])));
    assert_eq!(listed[0]["damage"], serde_json::json!(["line 3: event 3 where 2 was expected"]));
    let table = stdout(&quorate.run(&["runs"]));
    assert!(table.contains("done; DAMAGED: line 3: event 3 where 2 was expected"), "{table}");
    let report = quorate.run(&["report", "last"]);
    assert_eq!(code(&report), 7);
    assert!(stdout(&report).contains("PLAY RECAP"), "{}", stdout(&report));
    assert!(stderr(&report).contains("[WARNING]: journal: line 3: event 3"), "{}", stderr(&report));

    std::fs::write(&path, &whole[..whole.len() - 20]).unwrap();
    let report = quorate.run(&["report", "last"]);
    assert_eq!(code(&report), 0, "a torn last line is the mark of a crash, and no damage");
    assert!(stderr(&report).contains("the last line is torn and left out"), "{}", stderr(&report));
    std::fs::remove_file(&path).unwrap();
    assert_eq!(quorate.listed()[0]["state"], "unknown");
    assert_eq!(code(&quorate.run(&["report", "last"])), 7);
}

#[test]
fn a_run_that_is_not_there_is_wrong_input() {
    let quorate = Quorate::new();
    for (run, why) in [("last", "no run `last`"), ("01ARZ3NDEK", "no run `01ARZ3NDEK`"), ("x\u{1b}", "too short")] {
        let output = quorate.run(&["report", run]);
        assert_eq!(code(&output), 5, "{run}");
        assert!(stderr(&output).contains(why) && !stderr(&output).contains('\u{1b}'), "{}", stderr(&output));
    }
}
