//! One line of ssh_config: the keyword and its words.

use std::time::Duration;

/// The keyword in lower case and its arguments; nothing for an empty line or a comment.
///
/// `Keyword value`, `Keyword=value` and `Keyword = value` are the same (ssh_config(5)); quotes and backslashes as `argv_split` of OpenSSH reads them.
///
/// # Errors
/// What is wrong, in words.
pub(super) fn split(line: &str) -> Result<Option<(String, Vec<String>)>, String> {
    let line = line.trim_matches([' ', '\t', '\r', '\u{c}']);
    if line.is_empty() || line.starts_with('#') {
        return Ok(None);
    }
    if let Some(c) = line.chars().find(|c| c.is_control() && *c != '\t') {
        return Err(format!("a control character ({c:?})"));
    }
    let end = line.find([' ', '\t', '=']).unwrap_or(line.len());
    let (keyword, rest) = line.split_at(end);
    let rest = rest.trim_start();
    let rest = rest.strip_prefix('=').unwrap_or(rest);
    Ok(Some((keyword.to_ascii_lowercase(), arguments(rest)?)))
}

fn arguments(rest: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut chars = rest.chars().peekable();
    loop {
        while chars.next_if(|c| c.is_whitespace()).is_some() {}
        match chars.peek() {
            None | Some('#') => return Ok(words),
            Some(_) => words.push(word(&mut chars)?),
        }
    }
}

fn word(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Result<String, String> {
    let mut word = String::new();
    let mut quote = None;
    while let Some(&c) = chars.peek() {
        if quote.is_none() && c.is_whitespace() {
            break;
        }
        chars.next();
        let escaped = |next: &char| matches!(next, '"' | '\'' | '\\') || (*next == ' ' && quote.is_none());
        match c {
            '\\' => word.push(chars.next_if(escaped).unwrap_or('\\')),
            '"' | '\'' if quote.is_none() => quote = Some(c),
            _ if quote == Some(c) => quote = None,
            _ => word.push(c),
        }
    }
    if quote.is_some() {
        return Err("a quote that is not closed".to_owned());
    }
    Ok(word)
}

/// A time as sshd_config(5), TIME FORMATS, writes it: `90`, `1m30s`, `2h`.
pub(super) fn time(word: &str) -> Option<Duration> {
    let mut total = 0_u64;
    let mut digits = String::new();
    for c in word.chars() {
        if c.is_ascii_digit() {
            digits.push(c);
            continue;
        }
        let unit = match c.to_ascii_lowercase() {
            's' => 1,
            'm' => 60,
            'h' => 3600,
            'd' => 86_400,
            'w' => 604_800,
            _ => return None,
        };
        total = total.checked_add(digits.parse::<u64>().ok()?.checked_mul(unit)?)?;
        digits.clear();
    }
    if word.is_empty() {
        return None;
    }
    if !digits.is_empty() {
        total = total.checked_add(digits.parse().ok()?)?;
    }
    Some(Duration::from_secs(total))
}

/// `yes` and `no`, as OpenSSH spells them.
pub(super) fn yes(word: &str) -> Option<bool> {
    match word.to_ascii_lowercase().as_str() {
        "yes" | "true" => Some(true),
        "no" | "false" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        split(line).expect("well formed").map(|(_, words)| words).unwrap_or_default()
    }

    #[test]
    fn an_equals_sign_and_blanks_separate_alike() {
        for line in ["Port 22", "Port=22", "port = 22", "\tPORT\t22 # why", "Port =22"] {
            assert_eq!(split(line), Ok(Some(("port".into(), vec!["22".into()]))), "{line}");
        }
    }

    #[test]
    fn quotes_and_backslashes_make_one_word() {
        assert_eq!(words(r#"X "a b" c\ d 'e "f"' g"h"i \#j"#), ["a b", "c d", "e \"f\"", "ghi", "\\#j"]);
        assert!(split("X \"open").is_err());
        assert!(split("X a\0b").is_err());
    }

    #[test]
    fn times_have_units() {
        assert_eq!(time("90"), Some(Duration::from_secs(90)));
        assert_eq!(time("1m30s"), Some(Duration::from_secs(90)));
        assert_eq!(time("1h30"), Some(Duration::from_secs(3630)));
        for bad in ["", "m", "1x", "-1", "99999999999999999999"] {
            assert_eq!(time(bad), None, "{bad}");
        }
    }
}
