//! The built command as a user calls it.
#![expect(clippy::unwrap_used, reason = "a test that cannot run the command should fail loudly")]

#[path = "cli/on_paper.rs"]
mod on_paper;
#[path = "cli/past_runs.rs"]
mod past_runs;
#[path = "cli/readers.rs"]
mod readers;
#[path = "cli/resume.rs"]
mod resume;
#[path = "cli/signals.rs"]
mod signals;

use std::fs::{File, OpenOptions};
use std::process::{Command, Output, Stdio};

/// The command in an empty folder of its own, with nothing of this machine's settings.
struct Quorate {
    folder: tempfile::TempDir,
}

impl Quorate {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn file(&self, name: &str, text: &str) -> &Self {
        std::fs::write(self.folder.path().join(name), text).unwrap();
        self
    }

    fn command(&self, line: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_quorate"));
        command.args(line).current_dir(self.folder.path()).stdin(Stdio::null());
        command.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", self.folder.path());
        command.env("QUORATE_STATE_DIR", self.folder.path().join("state"));
        command
    }

    fn run(&self, line: &[&str]) -> Output {
        self.command(line).output().unwrap()
    }
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn help_shows_the_exit_codes_and_each_commands_help_an_example() {
    let quorate = Quorate::new();
    let help = quorate.run(&["--help"]);
    assert_eq!(code(&help), 0);
    assert!(stdout(&help).contains("Example"));
    assert!(stdout(&help).contains("12  quorum lost or not known to hold"));
    for command in [
        &["run"][..],
        &["exec"],
        &["runs"],
        &["resume"],
        &["lock", "show"],
        &["lock", "break"],
        &["report"],
        &["inventory"],
        &["etcd"],
        &["etcd", "status"],
        &["doc"],
        &["completions"],
    ] {
        let help = quorate.run(&[command, &["--help"]].concat());
        assert_eq!(code(&help), 0);
        assert!(stdout(&help).contains("Example"), "{command:?}");
    }
}

#[test]
fn wrong_usage_is_wrong_input_and_its_bytes_are_escaped() {
    let quorate = Quorate::new();
    let wrong = quorate.run(&["runn"]);
    assert_eq!(code(&wrong), 5);
    assert!(stderr(&wrong).contains("'run'"), "{}", stderr(&wrong));
    let hostile = quorate.run(&["run", "--\u{1b}[2Jx"]);
    assert_eq!(code(&hostile), 5);
    assert!(!stderr(&hostile).contains('\u{1b}'), "{}", stderr(&hostile));
    assert!(!stderr(&hostile).contains("Passwords"), "{}", stderr(&hostile));
    let module = quorate.run(&["doc", "\u{1b}[2Jx"]);
    assert!(stderr(&module).contains("\\x1b[2Jx"), "{}", stderr(&module));
}

#[test]
fn an_argument_that_is_no_utf_8_is_refused() {
    use std::os::unix::ffi::OsStrExt;
    let quorate = Quorate::new();
    let bytes = std::ffi::OsStr::from_bytes(b"\xff\xfe\x1b[2J");
    let output = quorate.command(&["doc"]).arg(bytes).output().unwrap();
    assert_eq!(code(&output), 5);
    assert!(!stderr(&output).contains('\u{1b}'));
}

#[test]
fn a_password_as_an_argument_is_refused_and_the_way_is_said() {
    let quorate = Quorate::new();
    quorate.file("p.yml", "- hosts: all\n");
    for line in [
        &["run", "p.yml", "-i", "h,", "--become-pass", "hunter2"][..],
        &["run", "p.yml", "-i", "h,", "-e", "ansible_become_password=hunter2"],
    ] {
        let output = quorate.run(line);
        assert_eq!(code(&output), 5, "{line:?}");
        assert!(!stderr(&output).contains("hunter2"), "{}", stderr(&output));
        assert!(stderr(&output).contains("-e @FILE"), "{}", stderr(&output));
    }
}

#[test]
fn a_password_file_that_others_can_read_is_refused_before_any_host_is_contacted() {
    let quorate = Quorate::new();
    quorate.file("p.yml", "- hosts: all\n  tasks: [ping: ]\n").file("pass", "hunter2\n");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    std::fs::set_permissions(quorate.folder.path().join("pass"), mode).unwrap();
    let output = quorate.run(&["run", "p.yml", "-i", "h,", "--become-password-file", "pass"]);
    assert_eq!(code(&output), 5);
    assert!(stderr(&output).contains("0644"), "{}", stderr(&output));
    assert!(!quorate.folder.path().join("state").exists(), "no run began");
}

#[test]
fn a_fault_in_a_playbook_is_shown_with_its_line_and_a_caret() {
    let quorate = Quorate::new();
    quorate.file("site.yml", "- name: x\n  hots: all\n  tasks: []\n");
    let output = quorate.run(&["run", "site.yml", "-i", "h,"]);
    assert_eq!(code(&output), 5);
    let text = stderr(&output);
    assert!(text.contains("--> site.yml:2:3"), "{text}");
    assert!(text.contains("2 |   hots: all\n  |   ^^^^"), "{text}");
    assert!(text.contains("did you mean `hosts`?"), "{text}");
}

#[test]
fn a_playbook_that_is_not_there_or_not_text_is_wrong_input() {
    let quorate = Quorate::new();
    let missing = quorate.run(&["run", "nope.yml", "-i", "h,"]);
    assert_eq!(code(&missing), 5);
    assert!(stderr(&missing).contains("nope.yml: No such file"), "{}", stderr(&missing));
    std::fs::write(quorate.folder.path().join("bin.yml"), b"- hosts: \xff\n").unwrap();
    let binary = quorate.run(&["run", "bin.yml", "-i", "h,"]);
    assert_eq!(code(&binary), 5);
    assert!(stderr(&binary).contains("not UTF-8: first at byte 9"), "{}", stderr(&binary));
}

#[test]
fn a_local_run_is_shown_and_its_journal_reads_back() {
    let quorate = Quorate::new();
    quorate
        .file("p.yml", "- hosts: all\n  connection: local\n  tasks:\n    - name: Say\n      debug: { msg: hello }\n");
    let output = quorate.run(&["run", "p.yml", "-i", "h1,h2,"]);
    assert_eq!(code(&output), 0, "{}{}", stdout(&output), stderr(&output));
    let text = stdout(&output);
    assert!(text.contains("TASK [Say] ***"), "{text}");
    assert!(text.contains("ok: [h1] =>\n    msg: hello\n"), "{text}");
    assert!(text.contains("h2                         : ok=1    changed=0 "), "{text}");

    let state = quorate::journal::StateDir::from_environment(Some(&quorate.folder.path().join("state"))).unwrap();
    let runs: Vec<_> = std::fs::read_dir(state.path().join("runs")).unwrap().collect();
    assert_eq!(runs.len(), 1);
    let id = runs[0].as_ref().unwrap().file_name().into_string().unwrap();
    let reading = quorate::journal::Journal::read(&state, &id).unwrap();
    assert_eq!(reading.problems, []);
    assert!(quorate::events::State::of(&reading.events).is_over());
}

#[test]
fn json_is_one_event_a_line_and_nothing_else() {
    let quorate = Quorate::new();
    quorate.file("p.yml", "- hosts: all\n  connection: local\n  tasks: [debug: { msg: hello }]\n");
    let output = quorate.run(&["run", "p.yml", "-i", "h1,", "--json"]);
    let events: Vec<quorate::events::Event> =
        stdout(&output).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(events.iter().zip(0..).all(|(event, number)| event.seq == number));
    assert_eq!(quorate::events::State::of(&events).exit_code(), 0);
}

#[test]
fn a_full_or_closed_standard_output_does_not_end_a_run() {
    let quorate = Quorate::new();
    quorate.file("p.yml", "- hosts: all\n  connection: local\n  tasks: [shell: echo done > mark]\n");
    let full = || OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = quorate.command(&["run", "p.yml", "-i", "h1,"]).stdout(full()).stderr(full()).status().unwrap();
    assert_eq!(output.code(), Some(0));
    assert!(quorate.folder.path().join("mark").exists());
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let broken = quorate.command(&["run", "p.yml", "-i", "h1,"]).stdout(writer).output().unwrap();
    assert_eq!(code(&broken), 0);
    assert!(stderr(&broken).contains("the run went on without it"), "{}", stderr(&broken));
}

#[test]
fn without_a_journal_nothing_is_run() {
    let quorate = Quorate::new();
    quorate.file("p.yml", "- hosts: all\n  connection: local\n  tasks: [shell: echo done > mark]\n");
    let output = quorate.run(&["run", "p.yml", "-i", "h1,", "--state-dir", "/proc/nowhere"]);
    assert_eq!(code(&output), 7, "{}", stderr(&output));
    assert!(!quorate.folder.path().join("mark").exists());
}

#[test]
fn exec_folds_the_same_outputs_and_fails_as_the_command_does() {
    let quorate = Quorate::new();
    quorate.file("inv.ini", "[all:vars]\nansible_connection=local\n[g]\nh1\nh2\n");
    let well = quorate.run(&["exec", "g", "-i", "inv.ini", "--", "echo", "{{ braces }}"]);
    assert_eq!(code(&well), 0, "{}", stderr(&well));
    assert_eq!(stdout(&well), "h1,h2 (2 hosts) | rc=0\n    {{ braces }}\n");
    let ill = quorate.run(&["exec", "h1", "-i", "inv.ini", "--shell", "--", "echo $((1+1)); exit 3"]);
    assert_eq!(code(&ill), 2);
    assert_eq!(stdout(&ill), "h1 | rc=3\n    2\n");
}

#[test]
fn listings_contact_nobody_and_leave_no_run() {
    let quorate = Quorate::new();
    quorate
        .file("p.yml", "- name: P\n  hosts: all\n  tags: [t]\n  tasks:\n    - name: A\n      ping:\n      tags: [u]\n");
    let line = ["run", "p.yml", "-i", "h1,h2,", "--list-hosts", "--list-tasks", "--list-tags"];
    let output = quorate.run(&line);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let expected = "\nplaybook: p.yml\n\n  play #1 (all): P\tTAGS: [t]\n    pattern: ['all']\n    hosts (2):\n      h1\n      h2\n    tasks:\n      A\tTAGS: [t, u]\n      TASK TAGS: [t, u]\n";
    assert_eq!(stdout(&output), expected);
    assert!(!quorate.folder.path().join("state").exists());
}

#[test]
fn rounds_are_listed_once_and_checked_with_the_rest_of_the_playbook() {
    let quorate = Quorate::new();
    let play = "- hosts: all\n  rolling: {guard: etcd, rounds: ROUNDS}\n  tasks:\n  - {name: 'Go to {{ rolling_round }}', ping: }\n";
    quorate.file("p.yml", &play.replace("ROUNDS", "[a, b]")).file("bad.yml", &play.replace("ROUNDS", "'{{ path }}'"));
    let listed = quorate.run(&["run", "p.yml", "-i", "h1,h2,", "--list-hosts", "--list-tasks"]);
    let text = stdout(&listed);
    assert_eq!((code(&listed), text.matches("Go to {{ rolling_round }}").count()), (0, 1), "{text}");
    assert!(text.contains("hosts (2):\n      h1\n      h2\n"), "{text}");
    assert_eq!(code(&quorate.run(&["run", "p.yml", "-i", "h1,h2,", "--syntax-check"])), 0);
    let bad = quorate.run(&["run", "bad.yml", "-i", "h1,h2,", "--syntax-check", "-e", "path=2.1.1"]);
    let text = stderr(&bad);
    assert!(code(&bad) == 5 && text.contains("--> bad.yml:2:34"), "{text}");
    assert!(text.contains("`rounds` must be a list, not \"2.1.1\""), "{text}");
    assert!(!quorate.folder.path().join("state").exists(), "no run began");
}

#[test]
fn doc_and_completions_answer_and_survive_a_reader_that_goes_away() {
    let quorate = Quorate::new();
    assert!(stdout(&quorate.run(&["doc", "ansible.builtin.command"])).contains("argv"));
    let unknown = quorate.run(&["doc", "comand"]);
    assert_eq!(code(&unknown), 5);
    assert!(stderr(&unknown).contains("did you mean `command`?"));
    assert!(stdout(&quorate.run(&["completions", "bash"])).contains("complete -F"));
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    assert_eq!(quorate.command(&["doc"]).stdout(writer).status().unwrap().code(), Some(0));
    let full: File = OpenOptions::new().write(true).open("/dev/full").unwrap();
    assert_eq!(quorate.command(&["doc"]).stdout(full).status().unwrap().code(), Some(7));
}

#[test]
fn a_wrong_ssh_config_is_said_before_anything_is_begun() {
    let quorate = Quorate::new();
    quorate.file("hosts", "[all]\nn1\nn2\n").file("play.yml", "- hosts: all\n  tasks:\n    - ping:\n");
    quorate.file("config", "Host *\n  Frobnicate yes\n");
    let wrong = quorate.run(&["run", "play.yml", "-i", "hosts", "-F", "config"]);
    assert_eq!(code(&wrong), 5);
    assert!(stderr(&wrong).contains("config:2: unknown directive frobnicate"), "{}", stderr(&wrong));
    assert!(stderr(&wrong).contains("on the way to n1, n2"), "{}", stderr(&wrong));
    assert!(!quorate.folder.path().join("state").exists(), "a run was begun");
}

#[test]
fn a_wrong_other_way_is_said_with_its_place_before_anything_is_begun() {
    let quorate = Quorate::new();
    quorate.file("play.yml", "- hosts: all\n  tasks:\n    - ping:\n");
    let refused = |inventory: &str, vars: &[&str]| {
        let line = [&["run", "play.yml", "-i", "hosts.yml", "-F", "none"], vars].concat();
        let wrong = quorate.file("hosts.yml", inventory).run(&line);
        assert_eq!(code(&wrong), 5, "{}", stdout(&wrong));
        assert!(!quorate.folder.path().join("state").exists(), "a run was begun");
        stderr(&wrong)
    };
    let with = |vars: &str| {
        format!("all:\n  vars:\n    ansible_ssh_common_args: -J b1\n    {vars}\n  hosts:\n    n1:\n    n2:\n")
    };
    let text = refused(&with("quorate_fallback_jumps: [b2, \"ops@b3:0\"]"), &[]);
    assert!(
        text.contains("--> hosts.yml:4:34") && text.contains("|                                  ^^^^^^^^^^"),
        "{text}"
    );
    assert!(text.contains("`0` in `ops@b3:0` is not a port"), "{text}");
    let text = refused(&with("quorate_fallback_jumps: b2"), &[]);
    assert!(text.contains("--> hosts.yml:4:29") && text.contains("must be a list"), "{text}");
    let text = refused(&with("quorate_fallback_jump: [b2]"), &[]);
    assert!(text.contains("hosts.yml:4:") && text.contains("did you mean `quorate_fallback_jumps`?"), "{text}");
    // What only the files of SSH know is said with the hosts that it is about.
    let text = refused(&with("quorate_fallback_jumps: [b1]"), &[]);
    assert!(text.contains("leads through b1, which is a way before it\n  on the way to n1, n2"), "{text}");
    let text = refused(&with("x: 1"), &["-e", "quorate_fallback_jumps=['a;b']"]);
    assert!(text.contains("quorate_fallback_jumps"), "{text}");
}

#[test]
fn a_fault_in_a_template_file_is_shown_with_its_line_before_any_host_is_contacted() {
    let quorate = Quorate::new();
    quorate.file("p.yml", "- hosts: all\n  vars: { port: 1 }\n  tasks: [template: { src: t.j2, dest: /x }]\n");
    let refused = |text: &str| {
        let output = quorate.file("t.j2", text).run(&["run", "p.yml", "-i", "h,"]);
        assert_eq!(code(&output), 5, "{}", stdout(&output));
        stderr(&output)
    };
    let text = refused("prot: {{ ansible_managed }}\nport: {{ prot }}\n");
    assert!(text.contains("t.j2:2:10") && text.contains("did you mean `port`?"), "{text}");
    let text = refused("{% for h in groups.all %}{{ h | uper }}{% endfor %}");
    assert!(text.contains("t.j2:1:33") && text.contains("did you mean `upper`?"), "{text}");
    let text = refused("{% if port %}");
    assert!(text.contains("t.j2:1:") && text.contains("template:"), "{text}");
    assert!(!quorate.folder.path().join("state").exists(), "no run began");
}

#[test]
fn less_than_a_runs_whole_id_is_refused_before_its_hosts_are_asked() {
    let quorate = Quorate::new();
    for part in ["01M8E8S1Z", "01M8EP2W82YNG9AMXTXKCEBKN", "01M8EP2W82YNG9AMXTXKCEBKNU"] {
        for line in [&["receipts", "--run", part][..], &["lock", "break", "--reason", "gone", "--run", part]] {
            let output = quorate.run(&[line, &["-i", "h1,", "--group", "all"]].concat());
            assert_eq!((code(&output), stdout(&output).as_str()), (5, ""), "{line:?}");
            assert!(stderr(&output).contains("is not a run's ID"), "{line:?}: {}", stderr(&output));
        }
    }
}

#[test]
fn a_run_that_no_host_takes_part_in_is_wrong_input() {
    let quorate = Quorate::new();
    let play = "- hosts: one\n  connection: local\n  tasks: [ping: ]\n";
    quorate.file("inv.ini", "[one]\nh1\n[other]\nh2\n").file("p.yml", play).file("q.yml", &play.replace("one", "gg"));
    for line in [
        &["run", "p.yml", "-i", "inv.ini", "--limit", "h2"][..],
        &["run", "q.yml", "-i", "inv.ini"],
        &["exec", "gg", "-i", "inv.ini", "--", "true"],
        &["etcd", "status", "-i", "inv.ini", "--group", "gg"],
    ] {
        let output = quorate.run(line);
        assert_eq!(code(&output), 5, "{line:?}: {}", stdout(&output));
        assert!(stderr(&output).contains("no host to work on"), "{line:?}: {}", stderr(&output));
    }
    // A play without hosts is passed over where another has some.
    quorate.file("both.yml", &format!("{}{play}", play.replace("one", "gg")));
    assert_eq!(code(&quorate.run(&["run", "both.yml", "-i", "inv.ini"])), 0);
}

#[test]
fn list_tags_names_what_never_runs_unasked() {
    let quorate = Quorate::new();
    quorate.file("p.yml", "- hosts: all\n  tasks:\n    - { ping: , tags: [never, d] }\n    - { ping: , tags: a }\n");
    let listed = |more: &[&str]| stdout(&quorate.run(&[&["run", "p.yml", "-i", "h,", "--list-tags"], more].concat()));
    assert!(listed(&[]).contains("TASK TAGS: [a, d, never]"), "{}", listed(&[]));
    assert!(listed(&["--tags", "a"]).contains("TASK TAGS: [a]"), "{}", listed(&["--tags", "a"]));
    assert!(listed(&["--skip-tags", "a"]).contains("TASK TAGS: [d, never]"), "{}", listed(&["--skip-tags", "a"]));
}
