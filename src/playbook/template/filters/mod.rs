//! The filters that Ansible adds to Jinja, and those of Jinja that the engine has otherwise than Python.

mod collections;
mod formats;
mod numbers;
mod paths;
pub(super) mod regexes;
mod text;

use minijinja::value::{Kwargs, Value};
use minijinja::{Environment, Error, ErrorKind};

pub(super) use numbers::word;

/// Adds them all.
pub(super) fn add(env: &mut Environment<'static>) {
    env.add_filter("_link", link);
    env.add_filter("default", default);
    env.add_filter("d", default);
    env.add_filter("mandatory", |value: &Value, _options: Kwargs| known(value).cloned());
    env.add_filter("ternary", ternary);
    numbers::add(env);
    text::add(env);
    paths::add(env);
    regexes::add(env);
    collections::add(env);
    formats::add(env);
}

/// A fault in what a filter was given.
fn wrong(what: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::InvalidOperation, what)
}

/// The value, unless it is undefined.
fn known(value: &Value) -> Result<&Value, Error> {
    if value.is_undefined() { Err(Error::from(ErrorKind::UndefinedError)) } else { Ok(value) }
}

/// One step of a chain before `default` or `is defined`: undefined where any part is.
fn link(value: &Value, key: &Value) -> Result<Value, Error> {
    if value.is_undefined() || key.is_undefined() {
        return Ok(Value::UNDEFINED);
    }
    value.get_item(key)
}

/// `default(value='', boolean=false)`: with `boolean`, also for what is empty, null or false.
fn default(value: &Value, other: Option<Value>, boolean: Option<Value>, options: Kwargs) -> Result<Value, Error> {
    let other = match other {
        Some(other) => other,
        None => options.get::<Option<Value>>("default_value")?.unwrap_or_else(|| Value::from("")),
    };
    let boolean = match boolean {
        Some(boolean) => boolean.is_true(),
        None => options.get::<Option<Value>>("boolean")?.is_some_and(|b| b.is_true()),
    };
    options.assert_all_used()?;
    let missing = value.is_undefined() || (boolean && !value.is_true());
    Ok(if missing { other } else { value.clone() })
}

/// `ternary(yes, no, null=no)`.
fn ternary(value: &Value, yes: Value, no: Value, null: Option<Value>, options: Kwargs) -> Result<Value, Error> {
    let null = match null {
        Some(null) => Some(null),
        None => options.get::<Option<Value>>("none_val")?,
    };
    options.assert_all_used()?;
    match null {
        Some(null) if known(value)?.is_none() => Ok(null),
        _ if known(value)?.is_true() => Ok(yes),
        _ => Ok(no),
    }
}
