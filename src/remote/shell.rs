//! The one file where shell text is made out of parts: quoting, the command line of a host, become, and the frame
//! by which we know what of the output is the command's own.
//!
//! A command travels in two pieces. The command line for the login shell is always the same short loader (under sudo or
//! not) and holds nothing but a nonce; the real text comes on standard input, between two marked lines, and what follows
//! is the command's input. So neither `ps`, nor sudo's log, nor the login shell's history sees arguments or environment
//! before the program itself runs; a text that did not arrive whole is not run at all; and any login shell will do, since the
//! loader is one line in plain single quotes.
//!
//! Most of what is asked goes to one loader a host that stays: its text is a loop which reads one command after the other, each between two marked
//! lines of its own, runs it in a subshell with an empty input, and prints `NONCE-start` before and `NONCE-done` with the exit code after it, on both
//! outputs. A login shell, sudo and a channel for each command cost a busy host more than the commands do; so they are paid once.
//! What has an input, a stream for its output or a `PATH` of its own still goes alone, and so does what an operator wrote.
//!
//! The loader prints `NONCE-begin` on standard error when it runs, and `NONCE-start` on both when the text has arrived:
//! what comes before is noise of the login shell, of sudo or of the host.

use std::time::Duration;

use secrecy::SecretString;

use super::{Become, Fence};
use crate::transport::Prompt;

/// The search path of what we run unless the task's environment sets one; Debian's and Red Hat's for root.
const SEARCH_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The loader. One line without single quotes or backslash-quote pairs, so that sh, csh and fish read it alike.
/// `read` takes single bytes from a pipe, so the command's own input stays unread (POSIX, `read`: "shall not read ahead").
const LOADER: &str = concat!(
    r#"printf "%s\n" "$1-ready" "$1-begin" >&2; IFS= read -r l; [ "$l" = "$1-text" ] || exit 125; "#,
    r#"n=$(printf "\nx"); n=${n%x}; s=; while IFS= read -r l; do [ "$l" = "$1-end" ] && break; s="$s$l$n"; l=; done; "#,
    r#"[ "$l" = "$1-end" ] || exit 125; printf "%s\n" "$1-start" >&2; printf "%s\n" "$1-start"; unset l n; eval "$s"; exit"#
);

/// The loop of a loader that stays. What a shell says of a command that a signal ended ("Killed") is not the command's own, so the loop's
/// standard error is nowhere and the commands' is a copy made before.
const LOOP: &str = concat!(
    "exec 3>&2 2>/dev/null\n",
    r#"n=$(printf "\nx"); n=${n%x}; while IFS= read -r m; do s=; l=; while IFS= read -r l; do [ "$l" = "$m-end" ] && break; s="$s$l$n"; l=; done; "#,
    r#"[ "$l" = "$m-end" ] || exit 125; printf "%s\n" "$m-start" >&3; printf "%s\n" "$m-start"; "#,
    r#"(eval "unset l m n s$n$s") </dev/null 2>&3 3>&-; l=$?; printf "%s-done %s\n" "$m" "$l" >&3; printf "%s-done %s\n" "$m" "$l"; done"#,
    "\n"
);

/// Longer than the deadline on this side, so that ours is the one seen; then TERM, and KILL after this.
const HOST_MARGIN_S: u64 = 2;
const HOST_KILL_AFTER_S: u64 = 5;

/// A shell word that means exactly `text`.
pub(super) fn quote(text: &str) -> String {
    let mut word = String::with_capacity(text.len() + 2);
    word.push('\'');
    for c in text.chars() {
        match c {
            '\'' => word.push_str(r"'\''"),
            _ => word.push(c),
        }
    }
    word.push('\'');
    word
}

/// Lines of `name='value'` that sh reads back with `.`; the names are ours.
pub(super) fn assignments(pairs: &[(&str, &str)]) -> String {
    pairs.iter().map(|(name, value)| format!("{name}={}\n", quote(value))).collect()
}

/// 128 random bits in hex: no output of a host can hold it beforehand.
pub(super) fn nonce() -> Option<String> {
    let mut bits = [0_u8; 16];
    rustls::crypto::aws_lc_rs::default_provider().secure_random.fill(&mut bits).ok()?;
    Some(super::sink::hex(&bits))
}

/// What is to run, as whom and where.
pub(super) struct Program<'a> {
    /// Program and arguments.
    pub(super) argv: Vec<&'a str>,
    /// Set for it, and found by sudo.
    pub(super) environment: &'a [(String, String)],
    /// The folder it starts in.
    pub(super) chdir: Option<&'a str>,
    /// After which the host itself ends it, plus a margin.
    pub(super) deadline: Duration,
    /// A lock's file and the run whose it must be, or nothing is run.
    pub(super) fence: Option<(&'a str, &'a str)>,
}

/// The two pieces of a command.
pub(super) struct Framed {
    /// For the login shell.
    pub(super) command: String,
    /// Goes before the command's own input.
    pub(super) text: Vec<u8>,
    /// The question to answer.
    pub(super) prompt: Option<Prompt>,
}

impl Program<'_> {
    /// Why it can't be said to a shell at all, if it can't.
    pub(super) fn fault(&self, r#become: Option<&Become>) -> Option<String> {
        if let Some(b) = r#become.filter(|b| b.user.is_empty() || b.user.contains(['\0', '\n'])) {
            return Some(format!("{:?} is no user to become", b.user));
        }
        if self.argv.first().is_none_or(|program| program.is_empty()) {
            return Some("no program given".to_owned());
        }
        let values = self.environment.iter().map(|(_, value)| value.as_str());
        if self.argv.iter().copied().chain(values).chain(self.chdir).any(|text| text.contains('\0')) {
            return Some("an argument, variable or folder holds a NUL byte".to_owned());
        }
        let bad = self.environment.iter().find(|(name, _)| !is_variable(name));
        bad.map(|(name, _)| format!("{name:?} is no name of an environment variable"))
    }

    /// The command for the login shell and the text that follows on standard input.
    pub(super) fn framed(&self, r#become: Option<&Become>, nonce: &str) -> Framed {
        framed(r#become, self.search_path(), &self.text(nonce), nonce)
    }

    /// The text for a loader that stays.
    pub(super) fn told(&self, nonce: &str) -> Vec<u8> {
        format!("{nonce}\n{}{nonce}-end\n", self.text(nonce)).into_bytes()
    }

    fn search_path(&self) -> &str {
        self.environment.iter().rev().find(|(name, _)| name == "PATH").map_or(SEARCH_PATH, |(_, value)| value)
    }

    fn text(&self, nonce: &str) -> String {
        let mut text = format!("LC_ALL=C; export LC_ALL; PATH={}; export PATH\n", quote(SEARCH_PATH));
        for (name, value) in self.environment {
            text.push_str(&format!("{name}={}; export {name}\n", quote(value)));
        }
        if let Some((lock, run)) = self.fence {
            let test = Fence::test(&quote(lock), &quote(run));
            text.push_str(&format!("{test} || {{ echo {nonce}-fenced >&2; exit 125; }}\n"));
        }
        if let Some(folder) = self.chdir {
            text.push_str(&format!("cd -- {} || {{ echo {nonce}-chdir >&2; exit 125; }}\n", quote(folder)));
        }
        let argv = self.argv.iter().map(|word| quote(word)).collect::<Vec<_>>().join(" ");
        let seconds = self.deadline.as_secs().saturating_add(1 + HOST_MARGIN_S);
        // A command whose channel is lost goes on for ever otherwise: sshd does not end it.
        text.push_str(&format!("set -- {argv}\nif command -v timeout >/dev/null 2>&1; then\n"));
        text.push_str(&format!("exec timeout -k {HOST_KILL_AFTER_S} {seconds} \"$@\"\nelse\nexec \"$@\"\nfi\n"));
        text
    }
}

/// A loader that stays, for the login shell, with its loop.
pub(super) fn resident(r#become: Option<&Become>, nonce: &str) -> Framed {
    framed(r#become, SEARCH_PATH, LOOP, nonce)
}

fn framed(r#become: Option<&Become>, search_path: &str, text: &str, nonce: &str) -> Framed {
    let loader = format!("/bin/sh -c {} quorate {nonce}", quote(LOADER));
    let (command, prompt) = match r#become {
        None => (format!("exec {loader}"), None),
        Some(b) => sudo(b, search_path, &loader, nonce),
    };
    Framed { command, text: format!("{nonce}-text\n{text}{nonce}-end\n").into_bytes(), prompt }
}

/// `sudo -n` without a password; with one, `-k` so that it asks for sure, with a prompt nobody can foretell.
fn sudo(r#become: &Become, search_path: &str, loader: &str, nonce: &str) -> (String, Option<Prompt>) {
    let path = quote(search_path);
    let user = quote(&r#become.user);
    let head = format!("exec /usr/bin/env LC_ALL=C PATH={path} sudo");
    match &r#become.password {
        None => (format!("{head} -n -H -u {user} -- {loader}"), None),
        Some(password) => {
            let ask = format!("[quorate {nonce}] password: ");
            let command = format!("{head} -k -S -H -p {} -u {user} -- {loader}", quote(&ask));
            let reply: SecretString = password.clone();
            (command, Some(Prompt { ask, reply, ready: format!("{nonce}-ready\n") }))
        }
    }
}

/// POSIX: a name is letters, digits and underscores, and starts with no digit.
pub(super) fn is_variable(name: &str) -> bool {
    let mut chars = name.chars();
    chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_')
}
