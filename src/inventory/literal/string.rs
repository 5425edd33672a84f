//! Python's string literals.

/// What stands before a quote: `r`, `b`, `u`, or nothing.
#[derive(Clone, Copy)]
pub(super) struct Prefix {
    /// Letters before the quote.
    length: usize,
    /// Backslashes are themselves.
    raw: bool,
    /// A bytes literal; Ansible makes text of it.
    pub(super) bytes: bool,
}

impl Prefix {
    /// The prefix at the start of `text`, if a string literal begins there; `f''` is no literal.
    pub(super) fn at(text: &str) -> Option<Self> {
        let length = text.find(['\'', '"'])?;
        let letters = text.get(..length)?.to_ascii_lowercase();
        let (raw, bytes) = match letters.as_str() {
            "" | "u" => (false, false),
            "r" => (true, false),
            "b" => (false, true),
            "rb" | "br" => (true, true),
            _ => return None,
        };
        Some(Self { length, raw, bytes })
    }
}

/// The text of the literal at the start of `text`, and what comes after it.
///
/// `None` for one that does not end, or holds an escape that Rust's text can't (half a surrogate pair) or that needs a table
/// of names (`\N{…}`).
pub(super) fn read(text: &str, prefix: Prefix) -> Option<(String, &str)> {
    let body = text.get(prefix.length..)?;
    let quote = body.chars().next()?;
    let triple: String = std::iter::repeat_n(quote, 3).collect();
    let close = if body.starts_with(&triple) { triple.as_str() } else { body.get(..1)? };
    let mut rest = body.get(close.len()..)?;
    let mut bytes: Vec<u8> = Vec::new();
    loop {
        if let Some(after) = rest.strip_prefix(close) {
            return Some((String::from_utf8(bytes).ok()?, after));
        }
        let c = rest.chars().next()?;
        if prefix.bytes && !c.is_ascii() {
            return None;
        }
        rest = rest.get(c.len_utf8()..)?;
        if c != '\\' {
            push(&mut bytes, c);
        } else if prefix.raw {
            bytes.push(b'\\');
            let next = rest.chars().next()?;
            push(&mut bytes, next);
            rest = rest.get(next.len_utf8()..)?;
        } else {
            rest = escape(rest, prefix.bytes, &mut bytes)?;
        }
    }
}

fn push(bytes: &mut Vec<u8>, c: char) {
    let mut room = [0; 4];
    bytes.extend_from_slice(c.encode_utf8(&mut room).as_bytes());
}

/// What a backslash and `rest` stand for; answers what comes after.
fn escape<'t>(rest: &'t str, in_bytes: bool, out: &mut Vec<u8>) -> Option<&'t str> {
    let c = rest.chars().next()?;
    let after = rest.get(c.len_utf8()..)?;
    let plain = match c {
        '\\' | '\'' | '"' => c,
        'a' => '\u{7}',
        'b' => '\u{8}',
        'f' => '\u{c}',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'v' => '\u{b}',
        '0'..='7' => {
            let digits = rest.bytes().take(3).take_while(|b| matches!(b, b'0'..=b'7')).count();
            return code(rest, digits, 8, in_bytes, out);
        }
        'x' => return code(after, 2, 16, in_bytes, out),
        'u' if !in_bytes => return code(after, 4, 16, in_bytes, out),
        'U' if !in_bytes => return code(after, 8, 16, in_bytes, out),
        'N' if !in_bytes => return None,
        other => {
            out.push(b'\\');
            other
        }
    };
    push(out, plain);
    Some(after)
}

/// A character by its number of exactly `digits` digits.
fn code<'t>(text: &'t str, digits: usize, radix: u32, in_bytes: bool, out: &mut Vec<u8>) -> Option<&'t str> {
    let number = text.get(..digits)?;
    if !number.chars().all(|c| c.is_digit(radix)) {
        return None;
    }
    let value = u32::from_str_radix(number, radix).ok()?;
    if in_bytes {
        out.push(u8::try_from(value & 0xff).ok()?);
    } else {
        push(out, char::from_u32(value)?);
    }
    text.get(digits..)
}
