//! JSON values, as everyone else has them, and the engine's own.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use minijinja::value::{Object, ObjectRepr, Value, ValueKind};
use minijinja::{Error, ErrorKind};
use serde_json::{Map, Number, Value as Json};

/// `omit`: an argument with this value is left out.
#[derive(Debug)]
pub(super) struct Omit;

impl Object for Omit {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("omit")
    }
}

/// Whether the value is `omit`.
pub(super) fn is_omit(value: &Value) -> bool {
    value.downcast_object_ref::<Omit>().is_some()
}

/// The engine's form of a JSON value; text in it stays text.
pub(super) fn from_json(json: &Json) -> Value {
    match json {
        Json::Null => Value::from(()),
        Json::Bool(b) => Value::from(*b),
        Json::Number(n) => from_number(n),
        Json::String(s) => Value::from(s.as_str()),
        Json::Array(items) => items.iter().map(from_json).collect(),
        Json::Object(entries) => map(entries.iter().map(|(k, v)| (Value::from(k.as_str()), from_json(v)))),
    }
}

fn from_number(n: &Number) -> Value {
    match (n.as_i64(), n.as_u64()) {
        (Some(i), _) => Value::from(i),
        (None, Some(u)) => Value::from(u),
        (None, None) => n.as_f64().map_or_else(|| Value::from(n.to_string()), Value::from),
    }
}

/// A mapping in the order of its entries.
pub(super) fn map(entries: impl IntoIterator<Item = (Value, Value)>) -> Value {
    Value::from_pairs(entries)
}

/// The JSON form of what a template gave; `omit` in a mapping or a list is left out.
///
/// # Errors
/// An undefined value anywhere in it, or something that is no data, such as a macro.
pub(super) fn to_json(value: &Value) -> Result<Json, Error> {
    match value.kind() {
        ValueKind::Undefined => Err(Error::from(ErrorKind::UndefinedError)),
        ValueKind::None => Ok(Json::Null),
        ValueKind::Bool => Ok(Json::Bool(value.is_true())),
        ValueKind::Number => number(value),
        ValueKind::String => Ok(Json::String(value.as_str().unwrap_or_default().to_owned())),
        ValueKind::Bytes => {
            Ok(Json::String(String::from_utf8_lossy(value.as_bytes().unwrap_or_default()).into_owned()))
        }
        ValueKind::Seq | ValueKind::Iterable => {
            let items = value.try_iter()?.filter(|item| !is_omit(item));
            Ok(Json::Array(items.map(|item| to_json(&item)).collect::<Result<_, _>>()?))
        }
        ValueKind::Map => {
            let mut entries = Map::new();
            for key in value.try_iter()? {
                let item = value.get_item(&key)?;
                if !is_omit(&item) {
                    entries.insert(key_text(&key), to_json(&item)?);
                }
            }
            Ok(Json::Object(entries))
        }
        ValueKind::Invalid => Err(Error::new(ErrorKind::InvalidOperation, "a value could not be computed")),
        _ if is_omit(value) => Ok(Json::Null),
        _ => Err(Error::new(ErrorKind::InvalidOperation, "a function or a macro is not a value")),
    }
}

fn number(value: &Value) -> Result<Json, Error> {
    if value.is_integer() {
        if let Some(i) = value.as_i64() {
            return Ok(Json::from(i));
        }
        return u64::try_from(value.clone())
            .map(Json::from)
            .map_err(|_| Error::new(ErrorKind::InvalidOperation, "a whole number of more than 64 bits"));
    }
    let float = f64::try_from(value.clone())?;
    // JSON has no infinity; its text is what Python prints.
    Ok(Number::from_f64(float).map_or_else(|| Json::String(value.to_string()), Json::Number))
}

/// A key as `json.dumps` writes it.
fn key_text(key: &Value) -> String {
    match key.kind() {
        ValueKind::Bool => if key.is_true() { "true" } else { "false" }.to_owned(),
        ValueKind::None => "null".to_owned(),
        _ => key.as_str().map_or_else(|| key.to_string(), str::to_owned),
    }
}

/// The same value with the keys of all mappings sorted, as `sort_keys` of Python does.
pub(super) fn sorted(json: Json) -> Json {
    match json {
        Json::Array(items) => Json::Array(items.into_iter().map(sorted).collect()),
        Json::Object(entries) => {
            let ordered: BTreeMap<String, Json> = entries.into_iter().map(|(k, v)| (k, sorted(v))).collect();
            Json::Object(ordered.into_iter().collect())
        }
        other => other,
    }
}

/// A variable in the engine's own form, made once and handed out as often as it is asked for.
#[derive(Clone, Debug)]
pub struct Ready(pub(super) Value);

impl Ready {
    /// Of data.
    #[must_use]
    pub fn of(json: &Json) -> Self {
        Self(from_json(json))
    }

    /// A mapping of ready values, which are not copied.
    #[must_use]
    pub fn of_entries(entries: impl IntoIterator<Item = (String, Self)>) -> Self {
        Self(map(entries.into_iter().map(|(name, ready)| (Value::from(name), ready.0))))
    }

    /// The data again.
    #[must_use]
    pub fn to_data(&self) -> Json {
        to_json(&self.0).unwrap_or_default()
    }
}
