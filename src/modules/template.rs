//! `template`: a template of the control machine, filled in with the host's variables, onto a host.
//!
//! Undefined names are faults; the last newline is kept; white space round blocks is treated as Ansible does
//! (`trim_blocks` on, `lstrip_blocks` off). Beside the host's variables a template sees `ansible_managed`, `template_path`,
//! `template_fullpath`, `template_destpath`, `template_host` and `template_run_date`.
//!
//! Differs from Ansible: no other delimiters (`variable_start_string` and its like) and no other encoding than UTF-8;
//! `ansible_managed` is always the plain text `Ansible managed`; `template_uid` and `template_mtime` are not set, since
//! a file with them would change from one control machine to the next; a `dest` that is a folder takes the template's
//! name as it is. Else as `copy`.

use std::path::Path;

use serde_json::Value;

use crate::events::Fault;
use crate::inventory::{Node, Place, Problem, Source};
use crate::playbook::{Scope, Templates, Variable};
use crate::transport::BoxFuture;

use super::attributes::{Wanted, check_written};
use super::copy::{DEST, RETURNS, SHARED, destination};
use super::deliver::{Content, Delivery, deliver};
use super::local;
use super::table::{Argument, Row, Shape, joined};
use super::{Call, Failure, Module, Outcome};

/// Its row.
pub const ROW: Row = Row {
    arguments: &joined::<12>(
        &[
            Argument::new("src", Shape::Path, "the local template").required(),
            DEST,
            Argument::new("newline_sequence", Shape::Text, "how lines end")
                .choices(&["\\n", "\\r", "\\r\\n", "\n", "\r", "\r\n"])
                .default("\n"),
            Argument::new("trim_blocks", Shape::Bool, "drop the newline behind a block").default("yes"),
            Argument::new("lstrip_blocks", Shape::Bool, "drop white space before a block").default("no"),
        ],
        &SHARED,
    ),
    returns: RETURNS,
    preflight_local: Some(preflight),
    module: Some(&Template),
    ..Row::new("template", "fills in a template and copies it to the host")
};

/// The variables that a template sees beside the host's.
pub const OWN: [&str; 6] = [
    "ansible_managed",
    "template_path",
    "template_fullpath",
    "template_destpath",
    "template_host",
    "template_run_date",
];

struct Template;

impl Module for Template {
    fn run<'a>(&'a self, call: Call<'a>) -> BoxFuture<'a, Result<Outcome, Failure>> {
        Box::pin(async move {
            let wanted = Wanted::of(&call)?;
            let path = local::find(call.playbook_dir, "templates", call.text("src").unwrap_or_default())?;
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let text = read(&path).map_err(|why| Failure::new(Fault::Failed, why))?;
            let dest = destination(&call, name).await?;
            let filled = fill(&call, &path, &text, dest.as_str())?;
            let shown_source = Some(path.display().to_string());
            let content = Content::Bytes(filled.into_bytes());
            let mut diff = Vec::new();
            let done = deliver(&call, Delivery { dest, content, wanted: &wanted, shown_source }, &mut diff).await?;
            Ok(Outcome { changed: done.changed, result: done.result, diff, ..Outcome::default() })
        })
    }
}

fn preflight(args: &Node, dir: &Path) -> Vec<Problem> {
    let mut problems = check_written(args, &["dest"]);
    match source(args, dir) {
        Some(Err(problem)) => problems.push(problem),
        Some(Ok(place)) => problems.extend(Templates::new().check_file(&place.source.text, &place).err()),
        None => {}
    }
    problems
}

/// The template file that the arguments name, if that can be known on paper, or what is wrong with it.
#[must_use]
pub fn source(args: &Node, dir: &Path) -> Option<Result<Place, Problem>> {
    let path = match local::written(args, "src", "templates", dir, false)? {
        Ok(path) => path,
        Err(problem) => return Some(Err(problem)),
    };
    let named = args.get("src")?;
    Some(read(&path).map(|text| whole(&path, &text)).map_err(|why| Problem::new(&named.place, why)))
}

fn read(path: &Path) -> Result<String, String> {
    let bytes = std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    String::from_utf8(bytes).map_err(|_| format!("{} is not UTF-8 text", path.display()))
}

/// The place that is the whole file.
fn whole(path: &Path, text: &str) -> Place {
    Place::new(&Source::new(path, text), 0, text.len())
}

fn fill(call: &Call<'_>, path: &Path, text: &str, dest: &str) -> Result<String, Failure> {
    let place = whole(path, text);
    let scope = WithTemplate { scope: call.scope, own: own_variables(path, dest) };
    let header = header(call);
    // The file's own first line wins over the task's arguments.
    let filled = if header.is_empty() || text.starts_with("#jinja2:") {
        call.templates.file(text, &place, &scope)
    } else {
        call.templates.file(&format!("{header}{text}"), &place, &scope)
    };
    let filled = filled.map_err(|problem| {
        let help = problem.help.as_ref().map(|help| format!("\n{help}")).unwrap_or_default();
        Failure::new(Fault::Failed, format!("{problem}{help}"))
    })?;
    let newline = call.text("newline_sequence").unwrap_or("\n").replace("\\r", "\r").replace("\\n", "\n");
    Ok(if newline == "\n" { filled } else { filled.replace("\r\n", "\n").replace('\n', &newline) })
}

/// The layout that the task asks for, if it is not the usual one, as a template file itself would say it.
fn header(call: &Call<'_>) -> String {
    let (trim, strip) = (call.flag("trim_blocks"), call.flag("lstrip_blocks"));
    if trim && !strip {
        return String::new();
    }
    let word = |flag| if flag { "True" } else { "False" };
    format!("#jinja2: trim_blocks: {}, lstrip_blocks: {}\n", word(trim), word(strip))
}

fn own_variables(path: &Path, dest: &str) -> Vec<(&'static str, Value)> {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let path = Value::from(path.display().to_string());
    let now = jiff::Zoned::now().strftime("%Y-%m-%d %H:%M:%S").to_string();
    let values = [
        Value::from("Ansible managed"),
        path.clone(),
        path,
        Value::from(dest),
        Value::from(host.trim()),
        Value::from(now),
    ];
    OWN.into_iter().zip(values).collect()
}

/// The host's variables and those about the template itself; `ansible_managed` may be set by the operator.
struct WithTemplate<'a> {
    scope: &'a dyn Scope,
    own: Vec<(&'static str, Value)>,
}

impl Scope for WithTemplate<'_> {
    fn get(&self, name: &str) -> Option<Variable> {
        let own = || self.own.iter().find(|(known, _)| *known == name).map(|(_, value)| Variable::Data(value.clone()));
        if name == "ansible_managed" {
            self.scope.get(name).or_else(own)
        } else {
            own().or_else(|| self.scope.get(name))
        }
    }

    fn names(&self) -> Vec<String> {
        let own = self.own.iter().map(|(name, _)| (*name).to_owned());
        self.scope.names().into_iter().chain(own).collect()
    }
}

#[cfg(test)]
mod tests;
