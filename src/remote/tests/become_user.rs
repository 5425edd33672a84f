//! become, against a `sudo` of the test's own that behaves as the real one does in each case.

use secrecy::SecretString;

use super::Bench;
use crate::remote::{Become, Probe, Ran, RemoteError, RemoteHost};

/// Drops sudo's options and runs the rest; with -S asks as told and compares.
const SUDO: &str = r#"#!/bin/sh
n= s= p=
while [ $# -gt 0 ]; do
    case $1 in
        -n) n=1 ;; -S) s=1 ;; -k | -H) ;; -p) p=$2; shift ;; -u) u=$2; shift ;; --) shift; break ;;
        *) echo "sudo: unknown option $1" >&2; exit 1 ;;
    esac
    shift
done
[ -z "$n" ] || [ "$u" != locked ] || { echo "sudo: a password is required" >&2; exit 1; }
[ "$u" != stranger ] || { echo "ops is not in the sudoers file." >&2; exit 1; }
if [ -n "$s" ] && [ "$u" != free ]; then
    echo "We trust you have received the usual lecture." >&2
    tries=0
    while [ $tries -lt 3 ]; do
        printf %s "$p" >&2
        IFS= read -r word || exit 1
        [ "$word" != "open sesame" ] || break
        echo "Sorry, try again." >&2
        tries=$((tries + 1))
    done
    [ $tries -lt 3 ] || { echo "sudo: 3 incorrect password attempts" >&2; exit 1; }
fi
BECAME=$u; export BECAME
exec "$@"
"#;

fn as_user(host: RemoteHost, user: &str, password: Option<&str>) -> RemoteHost {
    let password = password.map(|text| SecretString::from(text.to_owned()));
    host.acting_as(Some(Become { user: user.to_owned(), password }))
}

async fn who(bench: &Bench, user: &str, password: Option<&str>) -> Result<Ran, RemoteError> {
    let probe = Probe::new(as_user(bench.with_programs(), user, password));
    probe
        .run_with(
            &["sh", "-c", "echo $BECAME; echo mine >&2; cat"],
            crate::remote::RunOptions { stdin: Some(b"input".to_vec()), ..Default::default() },
        )
        .await
}

fn bench() -> Bench {
    let bench = Bench::new();
    bench.program("sudo", SUDO);
    bench
}

#[tokio::test]
async fn acts_as_the_user_without_a_password() {
    let ran = who(&bench(), "etcd", None).await.unwrap();
    assert_eq!((ran.stdout.as_slice(), ran.stderr.as_slice()), (b"etcd\ninput".as_slice(), b"mine\n".as_slice()));
}

#[tokio::test]
async fn acts_as_the_user_with_the_password_and_cuts_lecture_and_prompt() {
    let ran = who(&bench(), "root", Some("open sesame")).await.unwrap();
    assert_eq!((ran.stdout.as_slice(), ran.stderr.as_slice()), (b"root\ninput".as_slice(), b"mine\n".as_slice()));
}

#[tokio::test]
async fn a_wrong_password_is_a_refusal_and_is_sent_once() {
    let error = who(&bench(), "root", Some("wrong")).await.unwrap_err();
    assert!(matches!(&error, RemoteError::Become { .. }), "{error}");
    assert!(!format!("{error} {error:?}").contains("wrong"), "{error}");
}

#[tokio::test]
async fn a_missing_password_is_a_refusal_in_the_words_of_sudo() {
    let error = who(&bench(), "locked", None).await.unwrap_err();
    assert_eq!(error.to_string(), "h1: become locked refused: sudo: a password is required");
}

#[tokio::test]
async fn a_user_who_is_not_in_the_sudoers_file_is_refused_with_and_without_password() {
    for password in [None, Some("open sesame")] {
        let error = who(&bench(), "stranger", password).await.unwrap_err();
        assert_eq!(error.to_string(), "h1: become stranger refused: ops is not in the sudoers file.");
    }
}

#[tokio::test]
async fn a_host_without_sudo_is_a_refusal() {
    let bench = Bench::new();
    let path = vec![("PATH".to_owned(), bench.local("bin").display().to_string())];
    let probe = Probe::new(as_user(bench.host().with_environment(path), "root", None));
    let error = probe.run(&["true"]).await.unwrap_err();
    assert!(matches!(&error, RemoteError::Become { .. }), "{error}");
}

#[tokio::test]
async fn a_fake_prompt_gets_nothing() {
    let bench = Bench::new();
    let fake =
        "#!/bin/sh\nprintf '[sudo] password for root: ' >&2\nIFS= read -r word && echo \"got $word\" >&2\nexit 1\n";
    bench.program("sudo", fake);
    let probe = Probe::new(
        as_user(bench.with_programs(), "root", Some("open sesame"))
            .with_deadline(std::time::Duration::from_millis(500)),
    );
    let error = probe.run(&["true"]).await.unwrap_err();
    assert!(!format!("{error} {error:?}").contains("sesame"), "{error}");
}

#[tokio::test]
async fn a_password_that_a_host_prints_back_is_not_shown() {
    let bench = Bench::new();
    let loud = "#!/bin/sh\nwhile [ \"$1\" != -p ]; do shift; done\nprintf %s \"$2\" >&2\nread -r w\necho \"bad: $w\" >&2\nexit 1\n";
    bench.program("sudo", loud);
    let error = who(&bench, "root", Some("open sesame")).await.unwrap_err();
    assert_eq!(error.to_string(), "h1: become root refused: bad: ***");
}

#[tokio::test]
async fn sudo_sees_neither_password_nor_arguments() {
    let bench = Bench::new();
    let log = bench.local("seen");
    let text = SUDO.replacen("#!/bin/sh\n", &format!("#!/bin/sh\n{{ echo \"$*\"; env; }} > '{}'\n", log.display()), 1);
    bench.program("sudo", &text);
    let host = as_user(bench.with_programs(), "root", Some("open sesame"));
    let ran = Probe::new(host).run(&["echo", "argument-canary"]).await.unwrap();
    assert_eq!(ran.stdout, b"argument-canary\n");
    let seen = std::fs::read_to_string(log).unwrap();
    assert!(!seen.contains("sesame") && !seen.contains("canary"), "{seen}");
}

#[tokio::test]
async fn a_command_that_fails_as_sudo_does_is_no_refusal() {
    let bench = bench();
    let probe = Probe::new(as_user(bench.with_programs(), "root", None));
    let ran = probe.run(&["sh", "-c", "echo 'sudo: a password is required' >&2; exit 1"]).await.unwrap();
    assert_eq!(ran.rc, 1);
}

#[tokio::test]
async fn a_password_that_nobody_asks_for_is_not_sent() {
    let ran = who(&bench(), "free", Some("open sesame")).await.unwrap();
    assert_eq!((ran.stdout.as_slice(), ran.stderr.as_slice()), (b"free\ninput".as_slice(), b"mine\n".as_slice()));
}

#[tokio::test]
async fn no_user_to_become_is_refused_before_anything_is_sent() {
    for user in ["", "a\0b", "a\nb"] {
        assert!(matches!(who(&bench(), user, None).await, Err(RemoteError::Refused { .. })), "{user:?}");
    }
    let error = who(&bench(), "-u root; id #", None).await;
    assert_eq!(error.unwrap().stdout, b"-u root; id #\ninput");
}
