use super::*;
use crate::inventory::{Source, python};

fn read(text: &str) -> Node {
    let source = Source::new("hosts", text);
    from_literal(text, &Place::new(&source, 0, text.len()))
}

/// Each text with what Python's `repr(literal_eval(text))` says, or `text` where it is none.
#[test]
fn reads_what_python_reads() {
    for (text, python) in [
        ("1", "1"),
        ("-1", "-1"),
        ("+ 1", "1"),
        ("0", "0"),
        ("000", "0"),
        ("0x1F", "31"),
        ("0X_1f", "31"),
        ("-0b11", "-3"),
        ("0o17", "15"),
        ("1_000", "1000"),
        ("1.5", "1.5"),
        (".5", "0.5"),
        ("1.", "1.0"),
        ("1e3", "1000.0"),
        ("-1e-7", "-1e-07"),
        ("1e400", "inf"),
        ("01.5", "1.5"),
        ("1_0.5_0", "10.5"),
        ("True", "True"),
        ("None", "None"),
        ("'a'", "'a'"),
        ("\"a\" 'b'", "'ab'"),
        ("r'\\n'", "'\\\\n'"),
        ("b'a\\x41'", "'aA'"),
        ("'''a'b'''", "\"a'b\""),
        ("'\\x41\\102\\u0043\\t'", "'ABC\\t'"),
        ("'\\q'", "'\\\\q'"),
        ("[]", "[]"),
        ("[1, 'a', [True]]", "[1, 'a', [True]]"),
        ("[1,]", "[1]"),
        ("1,2", "[1, 2]"),
        ("1,", "[1]"),
        ("(1)", "1"),
        ("(1,)", "[1]"),
        ("()", "[]"),
        ("{1, 1, 2}", "[1, 2]"),
        ("set()", "[]"),
        ("{}", "{}"),
        ("{'a': 1, 2: None, 'a': 3}", "{'a': 3, '2': None}"),
        ("...", "'...'"),
        ("7 # seven", "7"),
        (" \t7 ", "7"),
    ] {
        assert_eq!(python::repr(&read(text)), python, "{text}");
    }
}

#[test]
fn leaves_everything_else_as_text() {
    for text in [
        "",
        "true",
        "none",
        "yes",
        "~",
        "007",
        "0_7x",
        "1__0",
        "1_",
        "_1",
        "0x",
        "--1",
        "-True",
        "1+2",
        "1 2",
        "a",
        "a b",
        "[a]",
        "{k:1}",
        "{\"a\": true}",
        "[1",
        "[,]",
        "{1: }",
        "{[1]: 2}",
        "'a",
        "f'a'",
        "'a' b'c'",
        "u'\\ud800'",
        "1 if",
        "[*a]",
        "x # c",
        "9223372036854775808",
        "1j",
        "10.0.0.1",
        "1.2.3",
        "1e",
        "0b2",
        "022",
        "é",
        "'\\N{DASH}'",
        "# a",
    ] {
        assert_eq!(read(text).as_str(), Some(text), "{text}");
    }
}

#[test]
fn keeps_a_numbers_text() {
    assert!(matches!(read("0x16").value, NodeValue::Int(22, text) if text == "0x16"));
    assert!(matches!(read("3.10").value, NodeValue::Float(_, text) if text == "3.10"));
}

#[test]
fn takes_a_hundred_thousand_brackets_for_text() {
    for bomb in ["[".repeat(100_000), "(".repeat(100_000), "{".repeat(100_000), "-".repeat(100_000)] {
        assert_eq!(read(&bomb).as_str(), Some(bomb.as_str()));
    }
}

proptest::proptest! {
    #[test]
    fn never_panics(text in "[-0-9a-fxobeEjJ_.+'\"\\\\(){}\\[\\],: #é]{0,40}") {
        let _value = read(&text);
    }
}
