//! JSON, YAML, base64 and checksums.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use minijinja::value::{Kwargs, Value};
use minijinja::{Environment, Error};
use serde::Serialize;
use serde_json::Value as Json;
use serde_json::ser::{Formatter, PrettyFormatter, Serializer};
use sha2::{Digest, Sha224, Sha256, Sha384, Sha512};

use crate::inventory::{Node, Problem, Source};

use super::super::data::{from_json, sorted, to_json};
use super::super::yaml;
use super::text::text;
use super::{known, wrong};

pub(super) fn add(env: &mut Environment<'static>) {
    env.add_filter("from_json", |value: &Value| {
        let fault = |error: serde_json::Error| wrong(format!("not JSON: {error}"));
        serde_json::from_str::<Json>(&text(value)?).map(|json| from_json(&json)).map_err(fault)
    });
    env.add_filter("from_yaml", |value: &Value| from_yaml(value, false));
    env.add_filter("from_yaml_all", |value: &Value| from_yaml(value, true));
    env.add_filter("to_json", to_json_text);
    env.add_filter("tojson", to_json_text);
    env.add_filter("to_nice_json", to_nice_json);
    env.add_filter("to_yaml", |value: &Value, options: Kwargs| yaml_text(value, &options, 2, true));
    env.add_filter("to_nice_yaml", |value: &Value, options: Kwargs| yaml_text(value, &options, 4, false));
    env.add_filter("b64encode", |value: &Value| Ok::<_, Error>(STANDARD.encode(text(value)?)));
    env.add_filter("b64decode", b64decode);
    env.add_filter("hash", hash);
    env.add_filter("checksum", |value: &Value| hash(value, None));
}

/// The one document of a YAML text, or with `all` a list of all of them; nothing else than text is taken as it is.
fn from_yaml(value: &Value, all: bool) -> Result<Value, Error> {
    let Some(text) = known(value)?.as_str() else { return Ok(value.clone()) };
    let source = Source::new("<text>", text);
    let fault = |problem: Problem| {
        let (line, col) = problem.place.line_col();
        wrong(format!("not YAML: {} (line {line}, column {col} of the text)", problem.message))
    };
    let data = |node: &Node| from_json(&node.to_json());
    if all {
        return Ok(crate::inventory::from_yaml_all(&source).map_err(fault)?.iter().map(data).collect());
    }
    crate::inventory::from_yaml(&source).map(|node| data(&node)).map_err(fault)
}

fn b64decode(value: &Value, options: Kwargs) -> Result<String, Error> {
    let url_safe = options.get::<Option<bool>>("urlsafe")?.unwrap_or(false);
    options.assert_all_used()?;
    let text: String = text(value)?.split_whitespace().collect();
    let bytes = if url_safe { URL_SAFE.decode(text) } else { STANDARD.decode(text) };
    let bytes = bytes.map_err(|_| wrong("not base64"))?;
    String::from_utf8(bytes).map_err(|_| wrong("the base64 is of bytes that are no UTF-8 text"))
}

/// `hash('sha256')`: sha224, sha256, sha384 or sha512.
fn hash(value: &Value, kind: Option<&str>) -> Result<String, Error> {
    let text = text(value)?;
    let bytes = match kind {
        Some("sha224") => Sha224::digest(text).to_vec(),
        Some("sha256") => Sha256::digest(text).to_vec(),
        Some("sha384") => Sha384::digest(text).to_vec(),
        Some("sha512") => Sha512::digest(text).to_vec(),
        _ => {
            return Err(wrong(
                "hash: sha224, sha256, sha384 or sha512; SHA-1 (the default of Ansible) and MD5 are broken",
            ));
        }
    };
    let mut hex = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing to a String can't fail.
        let _ = write!(hex, "{byte:02x}");
    }
    Ok(hex)
}

/// `to_json(indent=, sort_keys=false)`, with Python's space behind each comma and colon.
fn to_json_text(value: &Value, options: Kwargs) -> Result<String, Error> {
    let indent = options.get::<Option<usize>>("indent")?;
    let sort = options.get::<Option<bool>>("sort_keys")?.unwrap_or(false);
    let ascii = options.get::<Option<bool>>("ensure_ascii")?.unwrap_or(true);
    options.assert_all_used()?;
    let json = to_json(known(value)?)?;
    let json = if sort { sorted(json) } else { json };
    written(&json, indent, ascii)
}

/// `to_nice_json(indent=4, sort_keys=true)`.
fn to_nice_json(value: &Value, options: Kwargs) -> Result<String, Error> {
    let indent = options.get::<Option<usize>>("indent")?.unwrap_or(4);
    let sort = options.get::<Option<bool>>("sort_keys")?.unwrap_or(true);
    let ascii = options.get::<Option<bool>>("ensure_ascii")?.unwrap_or(true);
    options.assert_all_used()?;
    let json = to_json(known(value)?)?;
    let json = if sort { sorted(json) } else { json };
    written(&json, Some(indent), ascii)
}

fn written(json: &Json, indent: Option<usize>, ascii: bool) -> Result<String, Error> {
    let mut bytes = Vec::new();
    let spaces = " ".repeat(indent.unwrap_or_default().min(32));
    let done = match indent {
        Some(_) => {
            json.serialize(&mut Serializer::with_formatter(&mut bytes, PrettyFormatter::with_indent(spaces.as_bytes())))
        }
        None => json.serialize(&mut Serializer::with_formatter(&mut bytes, Spaced)),
    };
    let text =
        done.ok().and_then(|()| String::from_utf8(bytes).ok()).ok_or_else(|| wrong("not to be written as JSON"))?;
    if !ascii || text.is_ascii() {
        return Ok(text);
    }
    // Only within texts can there be other characters, so each may be replaced where it stands.
    let mut made = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_ascii() {
            made.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(made, "\\u{unit:04x}");
            }
        }
    }
    Ok(made)
}

/// `{"a": 1, "b": [2, 3]}`.
struct Spaced;

impl Formatter for Spaced {
    fn begin_array_value<W: ?Sized + std::io::Write>(&mut self, writer: &mut W, first: bool) -> std::io::Result<()> {
        if first { Ok(()) } else { writer.write_all(b", ") }
    }

    fn begin_object_key<W: ?Sized + std::io::Write>(&mut self, writer: &mut W, first: bool) -> std::io::Result<()> {
        if first { Ok(()) } else { writer.write_all(b", ") }
    }

    fn begin_object_value<W: ?Sized + std::io::Write>(&mut self, writer: &mut W) -> std::io::Result<()> {
        writer.write_all(b": ")
    }
}

fn yaml_text(value: &Value, options: &Kwargs, indent: usize, flow_leaves: bool) -> Result<String, Error> {
    let indent = options.get::<Option<usize>>("indent")?.unwrap_or(indent).clamp(2, 9);
    let sort = options.get::<Option<bool>>("sort_keys")?.unwrap_or(true);
    // The width of a line: nothing is folded here, so any width is met or passed as it comes.
    let _ = options.get::<Option<Value>>("width")?;
    options.assert_all_used()?;
    let json = to_json(known(value)?)?;
    Ok(yaml::written(&if sort { sorted(json) } else { json }, indent, flow_leaves))
}
