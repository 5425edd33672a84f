use std::time::{Duration, Instant};

use super::Bench;
use crate::remote::{RemoteError, RunOptions};

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[tokio::test]
async fn arguments_arrive_as_they_are() {
    let hostile =
        ["printf", "<%s>", "a b", "", "$(id)", "`id`", "it's", "-n", "new\nline", "{{ 7*7 }}", "\u{1b}[2J", "*"];
    let ran = Bench::new().probe().run(&hostile).await.unwrap();
    assert_eq!(text(&ran.stdout), "<a b><><$(id)><`id`><it's><-n><new\nline><{{ 7*7 }}><\u{1b}[2J><*>");
    assert_eq!((ran.rc, ran.stderr.as_slice(), ran.cut), (0, b"".as_slice(), false));
}

#[tokio::test]
async fn exit_code_and_both_outputs_stay_apart() {
    let change = Bench::new().change();
    let ran = change.shell("echo out; echo err >&2; exit 7", None, RunOptions::default()).await.unwrap();
    assert_eq!((ran.rc, text(&ran.stdout), text(&ran.stderr)), (7, "out\n", "err\n"));
}

#[tokio::test]
async fn a_signal_is_128_and_its_number() {
    let ran = Bench::new().change().shell("kill -9 $$", None, RunOptions::default()).await.unwrap();
    assert_eq!(ran.rc, 137);
}

#[tokio::test]
async fn a_missing_program_is_127_as_in_a_shell() {
    assert_eq!(Bench::new().probe().run(&["no-such-program-here"]).await.unwrap().rc, 127);
}

#[tokio::test]
async fn input_follows_the_text_to_the_last_byte() {
    let input: Vec<u8> = (0..200_000_u32).flat_map(u32::to_le_bytes).collect();
    let options = RunOptions { stdin: Some(input.clone()), ..RunOptions::default() };
    let ran = Bench::new().change().run(&["cat"], options).await.unwrap();
    assert_eq!(ran.stdout, input);
}

#[tokio::test]
async fn input_that_is_not_read_does_no_harm() {
    let options = RunOptions { stdin: Some(vec![b'x'; 1_000_000]), ..RunOptions::default() };
    assert_eq!(Bench::new().change().run(&["true"], options).await.unwrap().rc, 0);
}

#[tokio::test]
async fn a_command_starts_in_its_folder() {
    let bench = Bench::new();
    let options = RunOptions { chdir: Some(bench.at("")), ..RunOptions::default() };
    let ran = bench.change().run(&["pwd"], options).await.unwrap();
    assert_eq!(text(&ran.stdout).trim(), bench.folder.path().to_str().unwrap());
}

#[tokio::test]
async fn a_missing_folder_is_a_failure_and_nothing_runs() {
    let bench = Bench::new();
    let mark = bench.local("ran");
    let options = RunOptions { chdir: Some(bench.at("not there")), ..RunOptions::default() };
    let error = bench.change().run(&["touch", mark.to_str().unwrap()], options).await.unwrap_err();
    assert!(matches!(&error, RemoteError::Failed { .. }), "{error}");
    assert!(error.to_string().contains("change to its folder"), "{error}");
    assert!(!mark.exists());
}

#[tokio::test]
async fn environment_is_set_and_the_search_path_is_ours() {
    let bench = Bench::new();
    let host = bench.host().with_environment(vec![("GREETING".into(), "it's $HOME\nand more".into())]);
    let ran =
        crate::remote::Probe::new(host).run(&["sh", "-c", "printf %s \"$GREETING\"; echo; echo $PATH $LC_ALL"]).await;
    let out = ran.unwrap().stdout;
    let path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    assert_eq!(text(&out), format!("it's $HOME\nand more\n{path} C\n"));
}

#[tokio::test]
async fn what_a_shell_cannot_say_is_refused_before_anything_is_sent() {
    let bench = Bench::new();
    let bad: [&[&str]; 3] = [&["echo", "a\0b"], &[], &[""]];
    for argv in bad {
        assert!(matches!(bench.probe().run(argv).await, Err(RemoteError::Refused { .. })), "{argv:?}");
    }
    for name in ["", "1A", "A B", "A=B", "a;id"] {
        let host = bench.host().with_environment(vec![(name.to_owned(), String::new())]);
        let ran = crate::remote::Probe::new(host).run(&["true"]).await;
        assert!(matches!(ran, Err(RemoteError::Refused { .. })), "{name:?}");
    }
}

#[tokio::test]
async fn output_is_cut_at_the_cap_and_says_so() {
    let bench = Bench::new();
    let options = RunOptions { cap: Some(1000), ..RunOptions::default() };
    let ran = bench.change().run(&["head", "-c", "5000000", "/dev/zero"], options).await.unwrap();
    assert_eq!((ran.stdout.len(), ran.cut, ran.rc), (1000, true, 0));
    let options = RunOptions { cap: Some(1000), ..RunOptions::default() };
    let ran = bench.change().run(&["head", "-c", "1000", "/dev/zero"], options).await.unwrap();
    assert_eq!((ran.stdout.len(), ran.cut), (1000, false));
}

#[tokio::test]
async fn a_flood_on_standard_error_neither_blocks_nor_hides_the_exit_code() {
    let ran =
        Bench::new().change().shell("yes | head -c 9000000 >&2; exit 3", None, RunOptions::default()).await.unwrap();
    assert_eq!((ran.rc, ran.cut), (3, true));
    assert!(ran.stderr.len() <= 256 * 1024);
}

#[tokio::test]
async fn a_deadline_ends_the_wait_and_the_host_ends_the_command() {
    let bench = Bench::new();
    let pid = bench.local("pid");
    let options = RunOptions { deadline: Some(Duration::from_millis(300)), ..RunOptions::default() };
    let line = format!("echo $$ > {}; exec sleep 600", pid.display());
    let error = bench.change().shell(&line, None, options).await.unwrap_err();
    assert!(matches!(error, RemoteError::Late { .. }), "{error}");
    let pid = std::fs::read_to_string(pid).unwrap();
    let process = std::path::PathBuf::from(format!("/proc/{}", pid.trim()));
    let begun = Instant::now();
    while process.exists() {
        assert!(begun.elapsed() < Duration::from_secs(20), "the host did not end it");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_shell_line_goes_to_the_shell_that_is_named() {
    let ran =
        Bench::new().change().shell("set -o pipefail; false | true", Some("/bin/bash"), RunOptions::default()).await;
    assert_eq!(ran.unwrap().rc, 1);
}

#[tokio::test]
async fn arguments_and_environment_are_not_on_the_command_line_of_the_shell() {
    let bench = Bench::new();
    let host = bench.host().with_environment(vec![("TOKEN".into(), "canary-in-env".into())]);
    let look = r#"tr '\0' ' ' < /proc/$PPID/cmdline; tr '\0' ' ' < /proc/$(awk '/^PPid/{print $2}' /proc/$PPID/status)/cmdline"#;
    let ran = crate::remote::Probe::new(host).run(&["sh", "-c", look]).await.unwrap();
    assert!(!text(&ran.stdout).contains("canary"), "{}", text(&ran.stdout));
}

#[tokio::test]
async fn connect_tells_an_open_port_from_a_closed_one() {
    let bench = Bench::new();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let wait = Duration::from_secs(5);
    assert!(bench.probe().connect("127.0.0.1", port, wait).await.unwrap());
    drop(listener);
    assert!(!bench.probe().connect("127.0.0.1", port, wait).await.unwrap());
}

#[tokio::test]
async fn words_of_a_host_in_a_message_steer_no_terminal() {
    let line = r"printf '\033[2Jgone\r\nnext\233\n' >&2; exit 1";
    let ran = Bench::new().change().shell(line, None, RunOptions::default()).await.unwrap();
    assert_eq!(ran.words(), "\\u{1b}[2Jgone; next\u{fffd}");
}

#[tokio::test]
async fn a_host_without_timeout_runs_commands_all_the_same() {
    let host = Bench::new().host().with_environment(vec![("PATH".into(), "/nowhere".into())]);
    let ran = crate::remote::Probe::new(host).run(&["/bin/echo", "fine"]).await.unwrap();
    assert_eq!((ran.rc, text(&ran.stdout)), (0, "fine\n"));
}
