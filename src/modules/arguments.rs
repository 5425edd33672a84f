//! A module's arguments against its row: on paper before the run, and in full once they are rendered.

use serde_json::{Map, Value};

use crate::events::Fault;
use crate::inventory::{Entry, Node, NodeValue, Problem, ScalarStyle, nearest};
use crate::playbook::Task;

use super::Failure;
use super::table::{Argument, Row, Shape};

/// The name under which free form text is kept.
pub const FREE_FORM: &str = "_raw_params";

/// The arguments as written, with the `key=value` words of free form text (`creates=/x`) taken out of it.
///
/// Done before anything is rendered, so a variable's text can't add arguments.
#[must_use]
pub fn written(task: &Task, row: &Row) -> Node {
    let (Some(keys), NodeValue::Mapping(entries)) = (row.free_form, &task.args.value) else {
        return task.args.clone();
    };
    let mut found = Vec::new();
    let mut kept: Vec<Entry> = Vec::new();
    for entry in entries {
        let Some(text) = entry.value.as_str().filter(|_| entry.key == FREE_FORM) else {
            kept.push(entry.clone());
            continue;
        };
        let mut words = Vec::new();
        for word in words_with_templates_whole(text) {
            match word.split_once('=').filter(|(key, _)| keys.contains(key)) {
                Some((key, value)) => found.push(Entry {
                    key: key.to_owned(),
                    key_place: entry.key_place.clone(),
                    value: Node::new(&entry.value.place, text_value(unquoted(value))),
                }),
                None => words.push(word),
            }
        }
        let mut entry = entry.clone();
        if !found.is_empty() {
            entry.value.value = text_value(&words.join(" "));
        }
        if !words.is_empty() {
            kept.push(entry);
        }
    }
    kept.extend(found);
    Node { value: NodeValue::Mapping(kept), ..task.args.clone() }
}

fn text_value(text: &str) -> NodeValue {
    NodeValue::String(text.to_owned(), ScalarStyle::Quoted)
}

fn unquoted(value: &str) -> &str {
    ['"', '\'']
        .iter()
        .find_map(|quote| value.strip_prefix(*quote).and_then(|rest| rest.strip_suffix(*quote)))
        .unwrap_or(value)
}

/// Cuts at spaces outside quotes and outside `{{ }}`; quotes are kept as written.
fn words_with_templates_whole(text: &str) -> Vec<&str> {
    let (mut words, mut start, mut quote, mut depth, mut last) = (Vec::new(), 0, None, 0_usize, '\0');
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (Some(open), _) if open == c && last != '\\' => quote = None,
            (None, '"' | '\'') if last != '\\' => quote = Some(c),
            (_, '{') if last == '{' => depth += 1,
            (_, '}') if last == '}' => depth = depth.saturating_sub(1),
            (None, ' ') if depth == 0 => {
                words.push(text.get(start..at).unwrap_or_default());
                start = at + 1;
            }
            _ => {}
        }
        last = c;
    }
    words.push(text.get(start..).unwrap_or_default());
    words.retain(|word| !word.is_empty());
    words
}

/// Whether a text holds a template, so that nothing can be said of it before the run.
#[must_use]
pub fn is_template(text: &str) -> bool {
    text.contains("{{") || text.contains("{%")
}

/// What is wrong with a task's arguments on paper.
#[must_use]
pub fn check_args(task: &Task, row: &Row) -> Vec<Problem> {
    let args = written(task, row);
    let entries = args.as_mapping().unwrap_or_default();
    let mut problems = Vec::new();
    let mut seen: Vec<(&str, &Entry)> = Vec::new();
    for entry in entries {
        if entry.key == FREE_FORM && row.free_form.is_some() {
            continue;
        }
        let Some(argument) = row.argument(&entry.key) else {
            if !row.open {
                problems.push(unknown(row, entry));
            }
            continue;
        };
        if let Some((_, first)) = seen.iter().find(|(name, _)| *name == argument.name) {
            let twice = format!("`{}` and `{}` are the same argument", first.key, entry.key);
            problems.push(Problem::new(&entry.key_place, twice).related(&first.key_place, "first given here"));
        }
        seen.push((argument.name, entry));
        problems.extend(wrong_shape(row, argument, &entry.value));
    }
    let given =
        |name: &str| seen.iter().any(|(known, _)| *known == name) || entries.iter().any(|entry| entry.key == name);
    for argument in row.arguments.iter().filter(|argument| argument.required && !given(argument.name)) {
        let missing = format!("{} needs `{}`", row.name, argument.name);
        problems.push(Problem::new(&task.module_place, missing).help(argument.doc));
    }
    for (names, needed) in row.one_of {
        let count = names.iter().filter(|name| given(name)).count();
        // `x: "{{ v | default(omit) }}"` may be no argument at all: how many remain is known only once it is rendered.
        let may_go = |name: &&&str| entries.iter().any(|entry| entry.key == **name && may_be_omitted(&entry.value));
        let sure = count - names.iter().filter(may_go).count().min(count);
        let list = names.join("`, `").replace(FREE_FORM, "free form text");
        if sure > 1 {
            problems.push(Problem::new(&task.module_place, format!("{} takes only one of `{list}`", row.name)));
        } else if count == 0 && *needed {
            problems.push(Problem::new(&task.module_place, format!("{} needs one of `{list}`", row.name)));
        }
    }
    problems
}

/// Whether a template in it may leave the argument out.
fn may_be_omitted(value: &Node) -> bool {
    value.as_str().is_some_and(|text| text.contains("{{") && text.contains("omit"))
}

fn unknown(row: &Row, entry: &Entry) -> Problem {
    let problem = Problem::new(&entry.key_place, format!("{} has no argument `{}`", row.name, entry.key));
    let known = || row.arguments.iter().flat_map(|a| std::iter::once(a.name).chain(a.aliases.iter().copied()));
    match nearest(&entry.key, known()) {
        Some(name) => problem.help(format!("did you mean `{name}`?")),
        None => {
            problem.help(format!("it has: {}", row.arguments.iter().map(|a| a.name).collect::<Vec<_>>().join(", ")))
        }
    }
}

fn wrong_shape(row: &Row, argument: &Argument, node: &Node) -> Option<Problem> {
    if node.tag.is_some() || matches!(node.value, NodeValue::Null) || holds_template(node) {
        return None;
    }
    let why = coerce(argument, node.to_json()).err()?;
    Some(Problem::new(&node.place, format!("{}: `{}` {why}", row.name, argument.name)).help(argument.doc))
}

fn holds_template(node: &Node) -> bool {
    match &node.value {
        NodeValue::String(text, _) => is_template(text),
        NodeValue::Sequence(items) => items.iter().any(holds_template),
        NodeValue::Mapping(entries) => entries.iter().any(|entry| holds_template(&entry.value)),
        _ => false,
    }
}

/// The rendered arguments under their own names, in their shapes, with defaults filled in.
///
/// # Errors
/// When one does not fit, is missing, or is not known.
pub fn complete(row: &Row, rendered: Map<String, Value>) -> Result<Map<String, Value>, Failure> {
    let wrong = |why: String| Failure::new(Fault::Failed, format!("{}: {why}", row.name));
    let mut args = Map::new();
    for (key, value) in rendered {
        match row.argument(&key) {
            Some(_) if value.is_null() => {}
            Some(argument) => {
                let value = coerce(argument, value).map_err(|why| wrong(format!("`{key}` {why}")))?;
                args.insert(argument.name.to_owned(), value);
            }
            None if row.open || (key == FREE_FORM && row.free_form.is_some()) => {
                args.insert(key, value);
            }
            None => return Err(wrong(format!("no argument `{key}`"))),
        }
    }
    for argument in row.arguments {
        if args.contains_key(argument.name) {
            continue;
        }
        if let Some(default) = argument.default {
            let value = coerce(argument, Value::from(default)).map_err(wrong)?;
            args.insert(argument.name.to_owned(), value);
        } else if argument.required {
            return Err(wrong(format!("`{}` is missing", argument.name)));
        }
    }
    Ok(args)
}

/// The value in the argument's shape, or what is wrong with it.
fn coerce(argument: &Argument, value: Value) -> Result<Value, String> {
    let value = match argument.shape {
        Shape::Any => value,
        Shape::Text | Shape::Path => Value::from(text(&value)?),
        Shape::Bool => Value::from(boolean(&value).ok_or_else(|| format!("must be yes or no, not {value}"))?),
        Shape::Int => Value::from(int(&value).ok_or_else(|| format!("must be a whole number, not {value}"))?),
        Shape::List => match value {
            Value::Array(_) => value,
            Value::String(text) => text.split(',').map(|part| Value::from(part.trim())).collect(),
            Value::Object(_) => return Err("must be a list, not a mapping".to_owned()),
            other => Value::Array(vec![other]),
        },
        Shape::Mapping => match value {
            Value::Object(_) => value,
            Value::String(text) => match serde_json::from_str(&text) {
                Ok(Value::Object(map)) => Value::Object(map),
                _ => return Err("must be a mapping, not text".to_owned()),
            },
            other => return Err(format!("must be a mapping, not {other}")),
        },
    };
    if argument.choices.is_empty() {
        return Ok(value);
    }
    let chosen = value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
    if argument.choices.contains(&chosen.as_str()) {
        return Ok(value);
    }
    let near = nearest(&chosen, argument.choices.iter().copied());
    let near = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
    Err(format!("must be one of {}, not `{chosen}`{near}", argument.choices.join(", ")))
}

fn text(value: &Value) -> Result<String, String> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Bool(true) => Ok("True".to_owned()),
        Value::Bool(false) => Ok("False".to_owned()),
        Value::Number(number) => Ok(number.to_string()),
        Value::Null => Ok(String::new()),
        Value::Array(_) => Err("must be text, not a list".to_owned()),
        Value::Object(_) => Err("must be text, not a mapping".to_owned()),
    }
}

/// The bool that Ansible reads a value as, if it is one of its words
/// (`ansible.module_utils.parsing.convert_bool`, read 2026-11-24).
#[must_use]
pub fn boolean(value: &Value) -> Option<bool> {
    let word = match value {
        Value::Bool(b) => return Some(*b),
        Value::String(text) => text.to_ascii_lowercase(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    match word.trim() {
        "y" | "yes" | "on" | "1" | "true" | "t" | "1.0" => Some(true),
        "n" | "no" | "off" | "0" | "false" | "f" | "0.0" => Some(false),
        _ => None,
    }
}

/// The whole number that a value is, or that its text says.
#[must_use]
pub fn int(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64().or_else(|| whole(number.as_f64()?)),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// The float as a whole number, if it is one that an `i64` holds.
fn whole(float: f64) -> Option<i64> {
    (float.fract() == 0.0).then(|| format!("{float:.0}").parse().ok()).flatten()
}

#[cfg(test)]
mod tests;
