//! `command`: runs a program, with no shell between.

use serde_json::{Map, Value};

use crate::events::Fault;
use crate::remote::{Ran, RemotePath, RunOptions};
use crate::transport::BoxFuture;

use super::arguments::FREE_FORM;
use super::table::{Argument, Row, Shape, joined};
use super::{Call, Failure, Module, Outcome};

/// What `key=value` words of the free form text are arguments.
pub(super) const WORDS: &[&str] = &["chdir", "creates", "removes", "stdin", "stdin_add_newline", "strip_empty_ends"];

const CREATES: Argument = Argument::new("creates", Shape::Path, "a path: if it is there, nothing is run");
const REMOVES: Argument = Argument::new("removes", Shape::Path, "a path: if it is not there, nothing is run");
const CHDIR: Argument = Argument::new("chdir", Shape::Path, "the folder to run in");
const STDIN: Argument = Argument::new("stdin", Shape::Text, "what the command reads");
const NEWLINE: Argument = Argument::new("stdin_add_newline", Shape::Bool, "end `stdin` with a newline").default("yes");
const STRIP: Argument =
    Argument::new("strip_empty_ends", Shape::Bool, "drop newlines at the end of the output").default("yes");

/// What `shell` takes too.
pub(super) const SHARED: [Argument; 6] = [CHDIR, CREATES, REMOVES, STDIN, NEWLINE, STRIP];

pub(super) const RETURNS: &[(&str, &str)] = &[
    ("cmd", "what was run"),
    ("rc", "its exit code"),
    ("stdout", "what it printed"),
    ("stderr", "what it printed as errors"),
    ("start", "when it began, by the control machine's clock"),
    ("end", "when it ended"),
    ("delta", "how long it took, in seconds"),
];

/// After this a command of the operator counts as hung: longer than a restore or a package upgrade that we know of.
/// A task's `timeout:` is shorter.
const LONGEST: std::time::Duration = std::time::Duration::from_secs(3600);

/// Its row.
pub const ROW: Row = Row {
    arguments: &joined::<8>(
        &[
            Argument::new("cmd", Shape::Text, "the command line; cut into words as a shell does, and nothing more"),
            Argument::new("argv", Shape::List, "the program and its arguments, word by word"),
        ],
        &SHARED,
    ),
    one_of: &[(&[FREE_FORM, "cmd", "argv"], true)],
    free_form: Some(WORDS),
    returns: RETURNS,
    module: Some(&Command),
    ..Row::new("command", "runs a program on the host, without a shell")
};

struct Command;

impl Module for Command {
    fn run<'a>(&'a self, call: Call<'a>) -> BoxFuture<'a, Result<Outcome, Failure>> {
        Box::pin(async move {
            let argv = argv(&call)?;
            if argv.first().is_none_or(String::is_empty) {
                return Err(Failure::new(Fault::Failed, "command: there is no program to run"));
            }
            let shown = argv.iter().map(|word| Value::from(word.as_str())).collect();
            perform(call, shown, What::Program(argv)).await
        })
    }
}

fn argv(call: &Call<'_>) -> Result<Vec<String>, Failure> {
    if let Some(Value::Array(words)) = call.args.get("argv") {
        let word = |value: &Value| value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
        return Ok(words.iter().map(word).collect());
    }
    let line = line(call)?;
    shlex::split(&line)
        .ok_or_else(|| Failure::new(Fault::Failed, format!("command: a quote is not closed in `{line}`")))
}

/// The command line, from the free form text or `cmd`.
pub(super) fn line(call: &Call<'_>) -> Result<String, Failure> {
    match call.args.get(FREE_FORM).or_else(|| call.args.get("cmd")) {
        Some(Value::String(text)) => Ok(text.trim().to_owned()),
        Some(Value::Number(number)) => Ok(number.to_string()),
        Some(Value::Bool(b)) => Ok(b.to_string()),
        _ => Err(Failure::new(Fault::Failed, "there is no command to run")),
    }
}

/// What is run.
pub(super) enum What {
    /// A program and its arguments.
    Program(Vec<String>),
    /// A command line, and the shell for it.
    Shell(String, Option<String>),
}

/// Runs it unless `creates` or `removes` or a check run says no; `shown` is `cmd` of the result.
pub(super) async fn perform(call: Call<'_>, shown: Value, what: What) -> Result<Outcome, Failure> {
    if let Some(reason) = needless(&call).await? {
        let mut result = result(shown, 0, &format!("skipped, since {reason}"), "");
        result.insert("msg".to_owned(), Value::from(format!("Did not run command since {reason}")));
        return Ok(Outcome { result, ..Outcome::default() });
    }
    let Some(change) = call.change.as_ref() else {
        let reason = "Command would have run if not in check mode";
        let mut result = result(shown, 0, "", "");
        result.insert("msg".to_owned(), Value::from(reason));
        return Ok(Outcome { skipped: Some(reason.to_owned()), result, ..Outcome::default() });
    };
    let (stdin, chdir) = (stdin(&call), path(&call, "chdir")?);
    let options = RunOptions { stdin, chdir, deadline: Some(LONGEST), alone: true, ..RunOptions::default() };
    let (began, clock) = (jiff::Timestamp::now(), std::time::Instant::now());
    let ran = match &what {
        What::Program(argv) => change.run(argv, options).await?,
        What::Shell(line, executable) => change.shell(line, executable.as_deref(), options).await?,
    };
    let mut result = output(&call, shown, &ran);
    result.insert("start".to_owned(), Value::from(began.to_string()));
    result.insert("end".to_owned(), Value::from(jiff::Timestamp::now().to_string()));
    result.insert("delta".to_owned(), Value::from(clock.elapsed().as_secs_f64()));
    result.insert("changed".to_owned(), Value::from(true));
    if ran.success() {
        return Ok(Outcome { changed: true, result, ..Outcome::default() });
    }
    Err(Failure::new(Fault::Failed, "The command exited with a non-zero return code.").with(result))
}

/// Why nothing need be run, if so.
async fn needless(call: &Call<'_>) -> Result<Option<String>, Failure> {
    if let Some(path) = path(call, "creates")?
        && call.probe.stat(&path, true).await?.is_some()
    {
        return Ok(Some(format!("{path} exists")));
    }
    if let Some(path) = path(call, "removes")?
        && call.probe.stat(&path, true).await?.is_none()
    {
        return Ok(Some(format!("{path} does not exist")));
    }
    Ok(None)
}

fn path(call: &Call<'_>, name: &str) -> Result<Option<RemotePath>, Failure> {
    let Some(text) = call.text(name) else { return Ok(None) };
    match RemotePath::from_absolute(text) {
        Some(path) => Ok(Some(path)),
        None => {
            Err(Failure::new(Fault::Failed, format!("`{name}` must be an absolute path without `..`, not `{text}`")))
        }
    }
}

fn stdin(call: &Call<'_>) -> Option<Vec<u8>> {
    let mut text = call.text("stdin")?.to_owned();
    if call.flag("stdin_add_newline") {
        text.push('\n');
    }
    Some(text.into_bytes())
}

fn output(call: &Call<'_>, shown: Value, ran: &Ran) -> Map<String, Value> {
    let text = |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes);
        let text = if call.flag("strip_empty_ends") { text.trim_end_matches(['\r', '\n']) } else { &text };
        text.to_owned()
    };
    let mut result = result(shown, ran.rc, &text(&ran.stdout), &text(&ran.stderr));
    if ran.cut {
        result.insert("truncated".to_owned(), Value::from(true));
    }
    result
}

fn result(shown: Value, rc: i32, stdout: &str, stderr: &str) -> Map<String, Value> {
    let mut result = Map::new();
    result.insert("cmd".to_owned(), shown);
    result.insert("rc".to_owned(), Value::from(rc));
    result.insert("stdout".to_owned(), Value::from(stdout));
    result.insert("stderr".to_owned(), Value::from(stderr));
    result.insert("msg".to_owned(), Value::from(""));
    result
}
