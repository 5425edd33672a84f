//! What a bare word of YAML means: YAML 1.1 as PyYAML 6.0.3 resolves it, since that is what Ansible reads with.

use super::{NodeValue, ScalarStyle};

/// The value of a plain scalar.
///
/// A date stays text. A whole number beyond 64 bits stays text too, which keeps every digit of it.
pub(crate) fn resolve(text: &str) -> NodeValue {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return NodeValue::Null,
        _ => {}
    }
    if let Some(value) = from_bool(text) {
        return NodeValue::Bool(value);
    }
    // Neither form can begin otherwise; most words of a file end here.
    if text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.')) {
        if let Some(value) = from_int(text) {
            return NodeValue::Int(value, text.to_owned());
        }
        if let Some(value) = from_float(text) {
            return NodeValue::Float(value, text.to_owned());
        }
    }
    NodeValue::String(text.to_owned(), ScalarStyle::Plain)
}

/// The bool, if the word is one; `y` and `n` are not.
pub(crate) fn from_bool(text: &str) -> Option<bool> {
    match text {
        "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => Some(true),
        "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => Some(false),
        _ => None,
    }
}

/// The whole number: decimal, `0b1`, `0644`, `0x1f`, `12:30:45` (base 60), `_` between digits.
pub(crate) fn from_int(text: &str) -> Option<i64> {
    let (sign, digits) = signed(text);
    let value = if let Some(binary) = digits.strip_prefix("0b") {
        i128::from_str_radix(&cleaned(binary, |c| matches!(c, '0' | '1'))?, 2).ok()?
    } else if let Some(hex) = digits.strip_prefix("0x") {
        i128::from_str_radix(&cleaned(hex, |c| c.is_ascii_hexdigit())?, 16).ok()?
    } else if digits == "0" {
        0
    } else if let Some(octal) = digits.strip_prefix('0') {
        let octal = cleaned(octal, |c| matches!(c, '0'..='7'))?;
        if octal.is_empty() { 0 } else { i128::from_str_radix(&octal, 8).ok()? }
    } else {
        sexagesimal_int(digits)?
    };
    i64::try_from(value * sign).ok()
}

/// The number with a fraction: it needs a point, and a sign in its exponent (`1e3` is text, `1.0e+3` is not).
pub(crate) fn from_float(text: &str) -> Option<f64> {
    let (sign, digits) = signed(text);
    let sign = if sign < 0 { -1.0 } else { 1.0 };
    match digits {
        ".inf" | ".Inf" | ".INF" => return Some(sign * f64::INFINITY),
        ".nan" | ".NaN" | ".NAN" if digits == text => return Some(f64::NAN),
        _ => {}
    }
    if digits.contains(':') {
        return sexagesimal_float(digits).map(|value| sign * value);
    }
    let (number, exponent) = match digits.split_once(['e', 'E']) {
        Some((number, exponent)) => (number, Some(exponent)),
        None => (digits, None),
    };
    if let Some(exponent) = exponent {
        let power = exponent.strip_prefix(['+', '-'])?;
        if power.is_empty() || !power.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
    }
    let (whole, fraction) = number.split_once('.')?;
    if whole.is_empty() {
        // PyYAML's second form has no sign and needs a digit after the point.
        if digits != text || !fraction.starts_with(|c: char| c.is_ascii_digit()) {
            return None;
        }
    } else if !whole.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let whole = cleaned(whole, |c| c.is_ascii_digit())?;
    let fraction = cleaned(fraction, |c| c.is_ascii_digit())?;
    let value: f64 = format!("{whole}.{fraction}e{}", exponent.unwrap_or("0")).parse().ok()?;
    Some(sign * value)
}

/// 1 or -1, and the text behind the sign.
fn signed(text: &str) -> (i128, &str) {
    if let Some(rest) = text.strip_prefix('-') { (-1, rest) } else { (1, text.strip_prefix('+').unwrap_or(text)) }
}

/// The digits without `_`, if there is nothing but digits of that kind and `_`.
fn cleaned(text: &str, digit: impl Fn(char) -> bool) -> Option<String> {
    text.chars().all(|c| c == '_' || digit(c)).then(|| text.chars().filter(|c| *c != '_').collect())
}

/// A decimal number from `1` on, or parts in base 60.
fn sexagesimal_int(digits: &str) -> Option<i128> {
    let mut parts = digits.split(':');
    let first = parts.next()?;
    if !first.starts_with(|c: char| c.is_ascii_digit() && c != '0') {
        return None;
    }
    let mut value: i128 = cleaned(first, |c| c.is_ascii_digit())?.parse().ok()?;
    for part in parts {
        value = value.checked_mul(60)?.checked_add(i128::from(base60_digit(part)?))?;
    }
    Some(value)
}

/// `1:30.5`: parts in base 60, the last with a fraction.
fn sexagesimal_float(digits: &str) -> Option<f64> {
    let (whole, fraction) = digits.split_once('.')?;
    let mut parts = whole.split(':');
    let first = parts.next()?;
    if !first.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let mut value: f64 = cleaned(first, |c| c.is_ascii_digit())?.parse().ok()?;
    for part in parts {
        value = value * 60.0 + f64::from(base60_digit(part)?);
    }
    let fraction: f64 = format!("0.{}", cleaned(fraction, |c| c.is_ascii_digit())?).parse().ok()?;
    Some(value + fraction)
}

/// A part after a colon: one or two digits up to 59.
fn base60_digit(part: &str) -> Option<u8> {
    let plain = (1..=2).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
    part.parse().ok().filter(|value| plain && *value < 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        match resolve(text) {
            NodeValue::Null => "null".to_owned(),
            NodeValue::Bool(b) => format!("bool {b}"),
            NodeValue::Int(i, _) => format!("int {i}"),
            NodeValue::Float(f, _) => format!("float {f}"),
            NodeValue::String(s, _) => format!("str {s}"),
            NodeValue::Sequence(_) | NodeValue::Mapping(_) => unreachable!("a scalar"),
        }
    }

    /// Each right side is what PyYAML 6.0.3's `safe_load` gives.
    #[test]
    fn reads_bare_words_as_pyyaml_does() {
        let table = [
            ("", "null"),
            ("~", "null"),
            ("Null", "null"),
            ("nULL", "str nULL"),
            ("yes", "bool true"),
            ("No", "bool false"),
            ("ON", "bool true"),
            ("off", "bool false"),
            ("y", "str y"),
            ("n", "str n"),
            ("tRue", "str tRue"),
            ("0644", "int 420"),
            ("0o644", "str 0o644"),
            ("0o14", "str 0o14"),
            ("08", "str 08"),
            ("0", "int 0"),
            ("-0", "int 0"),
            ("00", "int 0"),
            ("12:30:45", "int 45045"),
            ("1:60", "str 1:60"),
            ("0:30", "str 0:30"),
            ("22:22", "int 1342"),
            ("-1:30", "int -90"),
            ("1_000", "int 1000"),
            ("_1", "str _1"),
            ("+12", "int 12"),
            ("-12", "int -12"),
            ("--1", "str --1"),
            ("0x1F", "int 31"),
            ("0xg", "str 0xg"),
            ("0b101", "int 5"),
            ("-0x10", "int -16"),
            ("1e3", "str 1e3"),
            ("1.0e3", "str 1.0e3"),
            ("1.0e+3", "float 1000"),
            ("1.5", "float 1.5"),
            ("3.10", "float 3.1"),
            (".5", "float 0.5"),
            ("-.5", "str -.5"),
            ("1.", "float 1"),
            (".", "str ."),
            ("._5", "str ._5"),
            ("6_8.1_5", "float 68.15"),
            ("1:30.5", "float 90.5"),
            (".inf", "float inf"),
            ("-.INF", "float -inf"),
            (".NaN", "float NaN"),
            ("-.nan", "str -.nan"),
            ("2026-11-23", "str 2026-11-23"),
            ("2.1.1", "str 2.1.1"),
            ("10.0.0.1", "str 10.0.0.1"),
            ("1.2.3.4:80", "str 1.2.3.4:80"),
            ("18446744073709551616", "str 18446744073709551616"),
            ("9223372036854775807", "int 9223372036854775807"),
            ("=", "str ="),
            ("-", "str -"),
            ("+", "str +"),
            ("0x", "str 0x"),
            ("infinity", "str infinity"),
            ("nan", "str nan"),
        ];
        for (text, want) in table {
            assert_eq!(shown(text), want, "of {text:?}");
        }
    }

    #[test]
    fn keeps_the_text_of_a_number_as_written() {
        assert!(matches!(resolve("0644"), NodeValue::Int(420, text) if text == "0644"));
        assert!(matches!(resolve("3.10"), NodeValue::Float(_, text) if text == "3.10"));
    }
}
