//! A host as it is written in an inventory, `db[01:03].example.com:2222`: where its port begins, and whether it is an address.

use std::sync::LazyLock;

use regex::Regex;

/// `[begin:end]` or `[begin:end:step]`, in the three alphabets that the three kinds of address use.
const NUMBERS: &str = r"\[[0-9]+:[0-9]+(?::[0-9]+)?\]";
const HEX: &str = r"\[[0-9a-f]+:[0-9a-f]+(?::[0-9]+)?\]";
const LETTERS: &str = r"\[(?:[a-z]:[a-z]|[0-9]+:[0-9]+)(?::[0-9]+)?\]";

/// The shape of a host name, an IPv4 or an IPv6 address, ranges allowed (ansible-core 2.21 `parsing/utils/addresses.py`).
///
/// All three are built from constants; a test compiles them.
static SHAPES: LazyLock<Vec<Regex>> = LazyLock::new(|| {
    [ipv4_shape(), ipv6_shape(), name_shape()].iter().filter_map(|shape| Regex::new(shape).ok()).collect()
});

fn ipv4_shape() -> String {
    let part = format!("(?:[01]?[0-9]{{1,2}}|2[0-4][0-9]|25[0-5]|{NUMBERS})");
    format!(r"(?i)\A(?:{part}\.){{3}}{part}\z")
}

fn ipv6_shape() -> String {
    let group = format!("(?:[0-9a-f]{{1,4}}|{HEX})");
    let mut forms = vec![
        format!("(?:{group}:){{7}}{group}"),
        format!("(?:{group}:){{1,6}}:"),
        format!(":(?::{group}){{1,6}}"),
        format!("{group}?::"),
        format!(r"(?:0:){{6}}(?:{group}\.){{3}}{group}"),
        format!(r"::(?:ffff:)?(?:{group}\.){{3}}{group}"),
        format!(r"(?:0:){{5}}ffff:(?:{group}\.){{3}}{group}"),
    ];
    forms.extend((1..=6).map(|before| format!("(?:{group}:){{{before}}}(?::{group}){{1,{}}}", 7 - before)));
    format!(r"(?i)\A(?:{})\z", forms.join("|"))
}

fn name_shape() -> String {
    // A label begins with a letter, digit or `_`, and does not end with `_` or `-`.
    let label = format!(r"(?:(?:\w|{LETTERS})(?:[\w-]|{LETTERS})*(?:[^\W_]|{LETTERS})|[^\W_]|{LETTERS})");
    format!(r"(?i)\A{label}(?:\.{label})*\z")
}

/// Splits an address from its port; `None` when it is not an address in any of the known shapes.
///
/// The port's digits come as written, so that the caller can say what is wrong with them.
pub(crate) fn split_port(written: &str) -> Option<(&str, Option<&str>)> {
    let (mut address, mut port) = (written, None);
    if let Some((inside, digits)) = bracketed(written) {
        (address, port) = (inside, Some(digits));
    }
    if let Some((host, digits)) = after_last_colon(address) {
        (address, port) = (host, Some(digits));
    }
    SHAPES.iter().any(|shape| shape.is_match(address)).then_some((address, port))
}

/// `[anything]:22`
fn bracketed(written: &str) -> Option<(&str, &str)> {
    let (inside, digits) = written.strip_prefix('[')?.rsplit_once("]:")?;
    (!inside.is_empty() && digits_only(digits)).then_some((inside, digits))
}

/// `host:22`, where colons within ranges do not count and there is no other.
fn after_last_colon(written: &str) -> Option<(&str, &str)> {
    let (host, digits) = written.rsplit_once(':')?;
    let mut inside = false;
    for c in host.chars() {
        match c {
            '[' if !inside => inside = true,
            ']' if inside => inside = false,
            ']' => return None,
            ':' if !inside => return None,
            _ => {}
        }
    }
    (!inside && digits_only(digits)).then_some((host, digits))
}

fn digits_only(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

/// A TCP port: 1 to 65535, decimal, no sign and no leading zero.
#[must_use]
pub(crate) fn port_from(text: &str) -> Option<u16> {
    if !digits_only(text) || text.starts_with('0') {
        return None;
    }
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_shapes_compile() {
        assert_eq!(SHAPES.len(), 3);
    }

    #[test]
    fn splits_ports_as_ansible_does() {
        for (written, expected) in [
            ("h1", Some(("h1", None))),
            ("h1:22", Some(("h1", Some("22")))),
            ("10.0.0.1:22", Some(("10.0.0.1", Some("22")))),
            ("10.0.0.[1:3]", Some(("10.0.0.[1:3]", None))),
            ("h[1:3]:2222", Some(("h[1:3]", Some("2222")))),
            ("db[a:c]-x.example.com", Some(("db[a:c]-x.example.com", None))),
            ("2001:db8::1", Some(("2001:db8::1", None))),
            ("[2001:db8::1]:22", Some(("2001:db8::1", Some("22")))),
            ("::1", Some(("::1", None))),
            ("::ffff:10.0.0.1", Some(("::ffff:10.0.0.1", None))),
            ("2001:db8:0:0:0:0:0:[1:3]", Some(("2001:db8:0:0:0:0:0:[1:3]", None))),
            ("[::1]", None),
            ("host:22x", None),
            ("host:", None),
            ("fe80::1%eth0", None),
            ("a,b", None),
            ("h-", None),
            ("-h", None),
            ("a:b", None),
            ("web[0]", None),
            ("fóö", Some(("fóö", None))),
        ] {
            assert_eq!(split_port(written), expected, "{written}");
        }
    }

    #[test]
    fn takes_only_decimal_ports_from_1_to_65535() {
        for port in ["22", "1", "65535"] {
            assert!(port_from(port).is_some(), "{port}");
        }
        for port in ["22abc", "0", "65536", "-1", "1e9", "0x16", "022", "", "+22", " 22", "99999999999999999999"] {
            assert_eq!(port_from(port), None, "{port}");
        }
    }
}
