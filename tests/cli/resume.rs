//! `quorate resume`: a run that did not come to its end is asked for again as it was.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::*;

const PLAY: &str = "
- hosts: all
  connection: local
  tasks:
    - {name: Told, command: 'echo {{ word }}', tags: telling}
    - {name: Waits, command: 'test -e {{ flag }}'}
";

#[test]
fn goes_on_until_all_is_done_and_then_does_nothing() {
    let quorate = Quorate::new();
    let flag = quorate.folder.path().join("flag");
    quorate.file("p.yml", PLAY).file("vars.yml", &format!("flag: {}\n", flag.display())).file("q.yml", PLAY);
    let nothing = quorate.run(&["resume"]);
    assert_eq!(code(&nothing), 0);
    assert!(stderr(&nothing).contains("no run to go on with"), "{}", stderr(&nothing));

    // The second of three playbooks has not begun when the first stops.
    let line = ["run", "p.yml", "q.yml", "-i", "h1,", "-e", "word=hello", "-e", "@vars.yml"];
    assert_eq!(code(&quorate.run(&line)), 2);
    let first = quorate.newest();

    // From elsewhere; relative paths begin where the run was begun.
    let again = quorate.command(&["resume", "--json"]).current_dir("/").output().unwrap();
    assert_eq!(code(&again), 2, "{}", stderr(&again));
    let told = stderr(&again);
    assert!(told.contains(&format!("going on with run {first} of p.yml, which ended with exit code 2")), "{told}");
    assert!(told.contains("failed: h1"), "{told}");
    let events: Vec<Value> = stdout(&again).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let invoked = events.iter().find(|event| event["event"] == "invoked").unwrap();
    assert_eq!(
        (invoked["resumes"].as_str(), &invoked["arguments"]),
        (Some(first.as_str()), &Value::from(line.to_vec()))
    );
    assert!(stdout(&again).contains(r#""stdout":"hello""#), "{}", stdout(&again));
    let second = quorate.newest();

    std::fs::write(&flag, "").unwrap();
    // The first stands for what went on with it.
    let done = quorate.run(&["resume", &first]);
    assert_eq!(code(&done), 0, "{}{}", stdout(&done), stderr(&done));
    assert!(stderr(&done).contains(&format!("going on with run {second}")), "{}", stderr(&done));
    // Both playbooks came to their end.
    assert_eq!(stdout(&done).matches("PLAY RECAP").count(), 2, "{}", stdout(&done));

    let runs = quorate.runs();
    for line in [&["resume"][..], &["resume", &first], &["resume", &second]] {
        let once_more = quorate.run(line);
        assert_eq!((code(&once_more), stdout(&once_more).as_str()), (0, ""), "{line:?}");
        assert!(stderr(&once_more).contains("is done; nothing is left to do"), "{}", stderr(&once_more));
    }
    assert_eq!(quorate.runs(), runs);
}

#[test]
fn what_cannot_be_gone_on_with_is_refused() {
    let quorate = Quorate::new();
    quorate.file("p.yml", PLAY).file("slow.yml", "- hosts: all\n  connection: local\n  tasks: [command: sleep 60]\n");
    quorate.run(&["run", "p.yml", "-i", "h1,", "-e", "word=a", "-e", "flag=/", "--check"]);
    let check = quorate.newest();
    let refused = quorate.run(&["resume", &check]);
    assert_eq!(code(&refused), 5);
    assert!(stderr(&refused).contains("a check run"), "{}", stderr(&refused));
    // A check run is none that `resume` alone could mean.
    assert_eq!(code(&quorate.run(&["resume"])), 0);

    let mut slow = quorate.command(&["run", "slow.yml", "-i", "h1,"]).stdout(Stdio::null()).spawn().unwrap();
    let begun = Instant::now();
    while quorate.newest() == check && begun.elapsed() < Duration::from_secs(30) {
        std::thread::sleep(Duration::from_millis(50));
    }
    let at_work = quorate.run(&["resume"]);
    slow.kill().unwrap();
    slow.wait().unwrap();
    assert_eq!(code(&at_work), 8, "{}", stderr(&at_work));
    assert!(stderr(&at_work).contains("is at work"), "{}", stderr(&at_work));

    std::fs::remove_file(quorate.folder.path().join("slow.yml")).unwrap();
    let gone = quorate.run(&["resume"]);
    assert_eq!(code(&gone), 5, "{}", stderr(&gone));
    assert!(stderr(&gone).contains("slow.yml") && stderr(&gone).contains("in doubt: h1"), "{}", stderr(&gone));
}

#[test]
fn a_window_is_given_anew_or_not_at_all() {
    let quorate = Quorate::new();
    let flag = quorate.folder.path().join("flag");
    quorate.file("p.yml", PLAY).file("vars.yml", &format!("word: a\nflag: {}\n", flag.display()));
    let line = ["run", "p.yml", "-i", "h1,", "-e", "@vars.yml", "--until", "2020-01-01 04:00"];
    assert_eq!(code(&quorate.run(&line)), 20, "behind its window nothing is begun");
    let first = quorate.newest();
    let report = stdout(&quorate.run(&["report", "last"]));
    assert!(report.contains("`quorate resume --until TIME` goes on in the next window"), "{report}");

    for (window, runs) in [("+1h", 2), ("04:00", 3)] {
        let runs_before = quorate.runs();
        let refused = quorate.run(&["resume"]);
        let text = stderr(&refused);
        assert_eq!((code(&refused), stdout(&refused).as_str()), (5, ""), "{text}");
        assert!(text.contains("quorate resume --until TIME") && text.contains("--no-until"), "{text}");
        assert_eq!(quorate.runs(), runs_before, "nothing was begun");

        // What is given to one resume is what the next one asks for again.
        let again = quorate.run(&["resume", "--until", window]);
        assert_eq!(code(&again), 2, "{}{}", stdout(&again), stderr(&again));
        assert_eq!(quorate.runs().len(), runs);
        assert!(stderr(&quorate.run(&["resume", &first])).contains(&format!("`--until {window}`")), "{window}");
    }
    let over = quorate.run(&["resume", "--until", "2020-01-01 04:00"]);
    assert_eq!(code(&over), 20, "{}", stderr(&over));
    assert_eq!(code(&quorate.run(&["resume", "--until", "25:00"])), 5);

    let without = quorate.run(&["resume", "--no-until"]);
    assert_eq!(code(&without), 2, "{}", stderr(&without));
    // That one had none, so nothing need be said of it.
    std::fs::write(&flag, "").unwrap();
    assert_eq!(code(&quorate.run(&["resume"])), 0);
}

/// Ends well on any host.
const WELL: &str = "- hosts: all\n  connection: local\n  tasks: [{name: Told, command: 'true'}]\n";

#[test]
fn without_a_name_the_newest_run_of_which_something_is_left_is_meant() {
    let quorate = Quorate::new();
    let flag = quorate.folder.path().join("flag");
    quorate.file("p.yml", PLAY).file("health.yml", WELL).file("hosts", "h1\nh2\n");
    quorate.file("vars.yml", &format!("word: a\nflag: {}\n", flag.display()));
    let roll = |limit: &'static str| ["run", "p.yml", "-i", "hosts", "-e", "@vars.yml", "--limit", limit];
    let health = ["run", "health.yml", "-i", "hosts"];
    assert_eq!(code(&quorate.run(&roll("all"))), 2);
    let broken = quorate.newest();
    assert_eq!(code(&quorate.run(&health)), 0);
    let sound = quorate.newest();

    let again = quorate.run(&["resume"]);
    let text = stderr(&again);
    assert_eq!(code(&again), 2, "{text}");
    assert!(text.contains(&format!("run {broken} of p.yml is meant")), "{text}");
    assert!(text.contains(&format!("nothing is left to do: run {sound} of health.yml")), "{text}");
    assert!(text.contains(&format!("going on with run {broken} of p.yml")), "{text}");
    let gone_on = quorate.newest();

    // What ran well on some of the hosts only did not do it, and neither did what was told to keep to some of the tasks.
    std::fs::write(&flag, "").unwrap();
    assert_eq!(code(&quorate.run(&roll("h1"))), 0);
    for part in [["--tags", "telling"], ["--skip-tags", "telling"], ["--start-at-task", "Waits"]] {
        assert_eq!(code(&quorate.run(&[&roll("all")[..], &part].concat())), 0);
    }
    std::fs::remove_file(&flag).unwrap();
    let again = quorate.run(&["resume"]);
    assert!(stderr(&again).contains(&format!("going on with run {gone_on} of p.yml")), "{}", stderr(&again));

    std::fs::write(&flag, "").unwrap();
    assert_eq!(code(&quorate.run(&roll("all"))), 0);
    assert_eq!(code(&quorate.run(&health)), 0);
    let done = quorate.run(&["resume"]);
    assert_eq!((code(&done), stdout(&done).as_str()), (0, ""));
    let newest = quorate.newest();
    assert!(stderr(&done).contains(&format!("run {newest} is done; nothing is left to do")), "{}", stderr(&done));
}

#[test]
fn playbooks_that_the_command_had_not_begun_are_gone_on_with() {
    let quorate = Quorate::new();
    let flag = quorate.folder.path().join("flag");
    quorate.file("a.yml", WELL).file("b.yml", WELL).file("c.yml", PLAY);
    quorate.file("vars.yml", &format!("word: a\nflag: {}\n", flag.display()));
    let line = ["run", "a.yml", "b.yml", "c.yml", "-i", "h1,", "-e", "@vars.yml"];
    assert_eq!(code(&quorate.run(&line)), 2);
    let runs = quorate.runs();
    let [_, b, a] = runs.as_slice() else { panic!("{runs:?}") };
    // Killed between two playbooks: there is nothing of the second.
    for later in runs.iter().filter(|id| *id != a) {
        std::fs::remove_dir_all(quorate.folder.path().join("state/runs").join(later)).unwrap();
    }
    let again = quorate.run(&["resume"]);
    let text = stderr(&again);
    assert_eq!(code(&again), 2, "{text}");
    assert!(
        text.contains(&format!("run {a} of a.yml is done; going on with what its command left: b.yml, c.yml")),
        "{text}"
    );
    assert_eq!(stdout(&again).matches("PLAY RECAP").count(), 2, "b.yml and c.yml: {}", stdout(&again));
    assert!(!quorate.runs().contains(b));

    // c.yml is what is left, whichever run of the command is named.
    std::fs::write(&flag, "").unwrap();
    let done = quorate.run(&["resume", a]);
    assert_eq!(code(&done), 0, "{}{}", stdout(&done), stderr(&done));
    assert!(stderr(&done).contains("of c.yml, which ended with exit code 2"), "{}", stderr(&done));
    assert_eq!(stdout(&done).matches("PLAY RECAP").count(), 1, "{}", stdout(&done));

    // A command that came to its end has as many journals as playbooks, and nothing is left of it.
    assert_eq!(code(&quorate.run(&line)), 0);
    let runs = quorate.runs();
    let named = runs.iter().map(|id| vec!["resume", id.as_str()]);
    for line in named.chain([vec!["resume"]]) {
        let nothing = quorate.run(&line);
        assert_eq!((code(&nothing), stdout(&nothing).as_str()), (0, ""), "{line:?}");
        assert!(stderr(&nothing).contains("is done; nothing is left to do"), "{line:?}: {}", stderr(&nothing));
    }
    assert_eq!(quorate.runs(), runs);
}

/// Killed in its first thousandths of a second, between its first line and the one that says how it was asked for.
#[test]
fn a_run_that_had_only_begun_is_passed_over() {
    let quorate = Quorate::new();
    quorate.file("p.yml", PLAY).file("q.yml", PLAY);
    let line = |playbook: &'static str| ["run", playbook, "-i", "h1,", "-e", "word=a", "-e", "flag=/gone"];
    let cut_after_its_first_line = |id: &str| {
        let journal = quorate.folder.path().join("state/runs").join(id).join("journal.jsonl");
        let text = std::fs::read_to_string(&journal).unwrap();
        std::fs::write(&journal, text.split_inclusive('\n').next().unwrap()).unwrap();
    };
    assert_eq!(code(&quorate.run(&line("p.yml"))), 2);
    let only = quorate.newest();
    cut_after_its_first_line(&only);
    let refused = quorate.run(&["resume"]);
    assert_eq!(code(&refused), 5, "{}", stderr(&refused));
    assert!(stderr(&refused).contains("does not say how it was asked for; run its playbook"), "{}", stderr(&refused));

    assert_eq!(code(&quorate.run(&line("q.yml"))), 2);
    let whole = quorate.newest();
    assert_eq!(code(&quorate.run(&["resume"])), 2);
    cut_after_its_first_line(&quorate.newest());
    let again = quorate.run(&["resume"]);
    assert_eq!(code(&again), 2, "{}", stderr(&again));
    assert!(stderr(&again).contains(&format!("going on with run {whole} of q.yml")), "{}", stderr(&again));
}

impl Quorate {
    fn runs(&self) -> Vec<String> {
        let listed = stdout(&self.run(&["runs", "--json"]));
        let run = |line: &str| {
            let listed: Value = serde_json::from_str(line).unwrap();
            listed.get("run").and_then(Value::as_str).unwrap().to_owned()
        };
        listed.lines().map(run).collect()
    }

    fn newest(&self) -> String {
        self.runs().first().unwrap().clone()
    }
}
