//! `bool`, `int`, `float`, sizes for people, and chance.

use std::hash::{BuildHasher, RandomState};

use minijinja::value::{Kwargs, Value, ValueKind};
use minijinja::{Environment, Error};
use sha2::{Digest, Sha256};

use super::{known, wrong};

pub(super) fn add(env: &mut Environment<'static>) {
    env.add_filter("bool", boolean);
    env.add_filter("int", int);
    env.add_filter("float", float);
    env.add_filter("human_readable", human_readable);
    env.add_filter("human_to_bytes", human_to_bytes);
    env.add_filter("random", random);
}

/// The truth of one of Ansible's words (`parsing/convert_bool.py`); `None` for any other.
pub(in crate::playbook::template) fn word(text: &str) -> Option<bool> {
    match text.trim().to_ascii_lowercase().as_str() {
        "yes" | "on" | "true" | "y" | "t" | "1" => Some(true),
        "no" | "off" | "false" | "n" | "f" | "0" => Some(false),
        _ => None,
    }
}

/// Null stays false and what is no word is false too, as in ansible-core 2.19, which warns of it.
fn boolean(value: &Value) -> Result<bool, Error> {
    Ok(match known(value)?.kind() {
        ValueKind::Bool => value.is_true(),
        ValueKind::String => value.as_str().and_then(word).unwrap_or(false),
        ValueKind::Number => *value == Value::from(1),
        _ => false,
    })
}

/// `int(default=0, base=10)`: never a fault, as in Jinja; `'3.7'` is 3, text that is no number is the default.
fn int(value: &Value, default: Option<Value>, base: Option<u32>, options: Kwargs) -> Result<Value, Error> {
    let default = match default {
        Some(default) => default,
        None => options.get::<Option<Value>>("default")?.unwrap_or_else(|| Value::from(0)),
    };
    let base = base.map_or_else(|| options.get::<Option<u32>>("base"), |b| Ok(Some(b)))?.unwrap_or(10);
    options.assert_all_used()?;
    if !(2..=36).contains(&base) {
        return Err(wrong("int: the base is 2 to 36"));
    }
    let whole = match known(value)?.kind() {
        ValueKind::Bool => Some(i128::from(value.is_true())),
        ValueKind::Number if value.is_integer() => i128::try_from(value.clone()).ok(),
        ValueKind::Number => f64::try_from(value.clone()).ok().and_then(truncated),
        ValueKind::String => {
            let text = value.as_str().unwrap_or_default().trim();
            from_digits(text, base).or_else(|| text.parse().ok().and_then(truncated))
        }
        _ => None,
    };
    Ok(whole.map_or(default, Value::from))
}

fn from_digits(text: &str, base: u32) -> Option<i128> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let lower = digits.to_ascii_lowercase();
    let prefix = match base {
        16 => "0x",
        8 => "0o",
        2 => "0b",
        _ => "",
    };
    let bare = lower.strip_prefix(prefix).unwrap_or(&lower);
    if bare.starts_with(['+', '-']) {
        return None;
    }
    let number = i128::from_str_radix(bare, base).ok()?;
    Some(if negative { -number } else { number })
}

#[expect(clippy::cast_possible_truncation, reason = "the range is checked just before")]
fn truncated(float: f64) -> Option<i128> {
    // 2^63: beyond it a JSON reader would not get the same number back.
    (float.is_finite() && float.abs() < 9.3e18).then_some(float as i128)
}

/// `float(default=0.0)`: never a fault.
fn float(value: &Value, default: Option<Value>, options: Kwargs) -> Result<Value, Error> {
    let default = match default {
        Some(default) => default,
        None => options.get::<Option<Value>>("default")?.unwrap_or_else(|| Value::from(0.0)),
    };
    options.assert_all_used()?;
    let number = match known(value)?.kind() {
        ValueKind::Bool => Some(if value.is_true() { 1.0 } else { 0.0 }),
        ValueKind::Number => f64::try_from(value.clone()).ok(),
        ValueKind::String => value.as_str().unwrap_or_default().trim().parse().ok(),
        _ => None,
    };
    Ok(number.map_or(default, Value::from))
}

const UNITS: [(&str, u32); 8] =
    [("Y", 80), ("Z", 70), ("E", 60), ("P", 50), ("T", 40), ("G", 30), ("M", 20), ("K", 10)];

/// `human_readable(isbits=false, unit=none)`: `1.46 MB`, of 1024.
fn human_readable(value: &Value, options: Kwargs) -> Result<String, Error> {
    let bits = options.get::<Option<bool>>("isbits")?.unwrap_or(false);
    let unit = options.get::<Option<&str>>("unit")?.map(str::to_ascii_uppercase);
    options.assert_all_used()?;
    let size = f64::try_from(known(value)?.clone()).map_err(|_| wrong("human_readable takes a number"))?;
    let letter = if bits { "b" } else { "B" };
    for (name, power) in UNITS {
        let factor = 2_f64.powi(i32::try_from(power).unwrap_or_default());
        let fits = unit.as_ref().map_or(size >= factor, |unit| unit == name);
        if fits {
            return Ok(format!("{:.2} {name}{letter}", size / factor));
        }
    }
    Ok(format!("{size:.2} {}", if bits { "bits" } else { "Bytes" }))
}

/// `10M` to 10485760.
fn human_to_bytes(value: &Value, default_unit: Option<&str>) -> Result<i64, Error> {
    let text = known(value)?.to_string();
    let text = text.trim();
    let at = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (digits, unit) = text.split_at(at);
    let number: f64 = digits.parse().map_err(|_| wrong("human_to_bytes takes a size such as 10M"))?;
    let unit = Some(unit.trim()).filter(|unit| !unit.is_empty()).or(default_unit).unwrap_or("B").to_ascii_uppercase();
    let name = unit.strip_suffix('B').unwrap_or(&unit);
    let power = match UNITS.iter().find(|(known, _)| *known == name) {
        Some((_, power)) => *power,
        None if name.is_empty() => 0,
        None => return Err(wrong("human_to_bytes knows K, M, G, T, P, E, Z and Y")),
    };
    let bytes = (number * 2_f64.powi(i32::try_from(power).unwrap_or_default())).round();
    truncated(bytes).and_then(|b| i64::try_from(b).ok()).ok_or_else(|| wrong("human_to_bytes: too many bytes"))
}

/// `random(seed=…)` of a list: one of its items; of a number, below it. The same seed gives the same choice, though not
/// the one that Python would make.
fn random(value: &Value, options: Kwargs) -> Result<Value, Error> {
    let seed = options.get::<Option<Value>>("seed")?;
    let start = options.get::<Option<u64>>("start")?.unwrap_or(0);
    let step = options.get::<Option<u64>>("step")?.unwrap_or(1).max(1);
    options.assert_all_used()?;
    let chance = match seed {
        Some(seed) => Sha256::digest(seed.to_string()).iter().take(8).fold(0, |n, byte| (n << 8) | u64::from(*byte)),
        None => RandomState::new().hash_one(0_u8),
    };
    if let Ok(end) = u64::try_from(known(value)?.clone()) {
        let choices = end.saturating_sub(start).div_ceil(step);
        return chance
            .checked_rem(choices)
            .map(|n| Value::from(start + n * step))
            .ok_or_else(|| wrong("random: no number to choose"));
    }
    let mut items: Vec<Value> = value.try_iter()?.collect();
    let at = usize::try_from(chance % (items.len().max(1) as u64)).unwrap_or_default();
    if items.is_empty() { Err(wrong("random: nothing to choose from")) } else { Ok(items.swap_remove(at)) }
}
