use serde_json::json;

use super::*;

fn read(text: &str) -> Node {
    from_yaml(&Source::new("t.yml", text)).unwrap()
}

fn refusal(text: &str) -> String {
    let problem = from_yaml(&Source::new("t.yml", text)).unwrap_err();
    match &problem.related {
        Some((place, label)) => format!("{problem} [{place}: {label}]"),
        None => problem.to_string(),
    }
}

#[test]
fn reads_a_playbook_like_file_with_places() {
    let node = read("- hosts: etcd\n  tasks:\n    - name: ö\n      mode: 0644\n");
    assert_eq!(node.to_json(), json!([{"hosts": "etcd", "tasks": [{"name": "ö", "mode": 420}]}]));
    let play = &node.as_sequence().unwrap()[0];
    assert_eq!(play.place.to_string(), "t.yml:1:3");
    let task = &play.get("tasks").unwrap().as_sequence().unwrap()[0];
    assert_eq!(task.place.to_string(), "t.yml:3:7");
    let mode = &task.as_mapping().unwrap()[1];
    assert_eq!((mode.key_place.to_string(), mode.value.place.to_string()), ("t.yml:4:7".into(), "t.yml:4:13".into()));
    assert_eq!(&node.place.source.text[mode.value.place.start..mode.value.place.end], "0644");
}

#[test]
fn reads_nothing_as_null() {
    for text in ["", "\n", "# a comment\n", "---\n", "\u{feff}", "---\n...\n"] {
        assert_eq!(read(text).to_json(), json!(null), "{text:?}");
    }
}

#[test]
fn quoted_words_stay_text() {
    let node = read("a: 'no'\nb: \"0644\"\nc: |\n  yes\nd: >-\n  1\n  2\ne: !!str 12\nf: ! 3\n");
    assert_eq!(node.to_json(), json!({"a": "no", "b": "0644", "c": "yes\n", "d": "1 2", "e": "12", "f": "3"}));
}

#[test]
fn takes_a_byte_order_mark_and_crlf() {
    let node = read("\u{feff}a: 1\r\nb: x\r\n");
    assert_eq!(node.to_json(), json!({"a": 1, "b": "x"}));
    assert_eq!(node.as_mapping().unwrap()[1].key_place.to_string(), "t.yml:2:1");
}

#[test]
fn refuses_utf16_read_as_text() {
    assert_eq!(refusal("a\0:\0 \0"), "t.yml:1:2: a NUL character: this is not UTF-8 text");
}

#[test]
fn names_both_places_of_a_key_given_twice() {
    assert_eq!(refusal("a: 1\nb: 2\na: 3\n"), "t.yml:3:1: the key `a` is given twice [t.yml:1:1: first given here]");
    assert_eq!(refusal("{a: 1, 'a': 3}"), "t.yml:1:8: the key `a` is given twice [t.yml:1:2: first given here]");
}

#[test]
fn applies_merge_keys_as_pyyaml_does() {
    let node = read("x: &x {a: 1, b: 2}\ny: &y {b: 3, c: 4}\nz:\n  b: 9\n  <<: [*x, *y]\nw:\n  <<: *x\n  d: 5\n");
    assert_eq!(node.get("z").unwrap().to_json(), json!({"b": 9, "c": 4, "a": 1}));
    assert_eq!(node.get("w").unwrap().to_json(), json!({"a": 1, "b": 2, "d": 5}));
    assert_eq!(read("a: {'<<': 1}").to_json(), json!({"a": {"<<": 1}}));
    assert_eq!(refusal("a:\n  <<: 1\n"), "t.yml:2:7: `<<` needs a mapping or a list of mappings, such as `*name`");
}

#[test]
fn follows_aliases() {
    assert_eq!(read("a: &a [1, {b: 2}]\nc: *a\n").to_json(), json!({"a": [1, {"b": 2}], "c": [1, {"b": 2}]}));
    assert!(refusal("a: &a [1, *a]\n").starts_with("t.yml:1:11: an alias inside"));
    assert!(refusal("a: *nobody\n").starts_with("t.yml:1:4: not YAML: "));
}

#[test]
fn keeps_the_tags_it_knows_and_refuses_others() {
    let node = read("a: !unsafe '{{ x }}'\nb: !vault |\n  $ANSIBLE_VAULT;1.1;AES256\n  61\n");
    assert_eq!(node.get("a").unwrap().tag.as_deref(), Some("!unsafe"));
    assert_eq!(node.get("b").unwrap().tag.as_deref(), Some("!vault"));
    assert_eq!(node.get("b").unwrap().as_str(), Some("$ANSIBLE_VAULT;1.1;AES256\n61\n"));
    assert_eq!(refusal("a: !valut x\n"), "t.yml:1:4: unknown tag `!valut`");
    assert!(refusal("a: !!python/object:os.system x\n").contains("unknown tag"));
    assert!(refusal("a: !!int x\n").contains("is not what its tag"));
}

#[test]
fn takes_keys_that_are_not_text_as_they_are_written() {
    assert_eq!(read("8080: a\nyes: b\n2.0: c\n").to_json(), json!({"8080": "a", "yes": "b", "2.0": "c"}));
    assert!(refusal("{{ x }}: 1\n").contains("a key must be"));
    assert!(refusal("? [a]\n: 1\n").contains("a key must be"));
}

#[test]
fn refuses_a_second_document() {
    assert!(refusal("a: 1\n---\nb: 2\n").starts_with("t.yml:2:1: a second document"));
}

#[test]
fn refuses_an_alias_bomb_within_bounds() {
    let mut text = String::from("a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n");
    for level in 1..=10 {
        let alias = format!("*a{}", level - 1);
        text.push_str(&format!("a{level}: &a{level} [{}]\n", vec![alias; 10].join(",")));
    }
    assert!(refusal(&text).contains("aliases multiply this file past 100000 values"));
    let long = format!("a: &a {}\nb: [{}]\n", "x".repeat(1 << 20), vec!["*a"; 20].join(","));
    assert!(refusal(&long).contains("aliases multiply"));
}

#[test]
fn refuses_nesting_beyond_its_limit_without_using_the_stack() {
    assert!(refusal(&"[".repeat(100_000)).contains("more than 64 levels"));
    assert!(refusal(&"{a: ".repeat(100_000)).contains("more than 64 levels"));
    assert!(refusal(&"- ".repeat(100_000)).contains("more than 64 levels"));
    assert!(from_yaml(&Source::new("t", "[".repeat(60) + &"]".repeat(60))).is_ok());
    let mut deep = String::from("a0: &a0 [[[[[[[[x]]]]]]]]\n");
    for level in 1..=8 {
        deep.push_str(&format!("a{level}: &a{level} [[[[[[[[*a{}]]]]]]]]\n", level - 1));
    }
    assert!(refusal(&deep).contains("more than 64 levels"));
}

#[test]
fn points_at_the_fault_and_says_what_to_do() {
    let tab = from_yaml(&Source::new("t.yml", "a:\n\tb: 1\n")).unwrap_err();
    assert_eq!(tab.place.line_col().0, 2);
    assert!(tab.help.unwrap().contains("tabs"), "{}", tab.message);
    let colon = from_yaml(&Source::new("t.yml", "a: b: c\n")).unwrap_err();
    assert_eq!(colon.place.line_col().0, 1);
    let open = from_yaml(&Source::new("t.yml", "a: [1, 2\n")).unwrap_err();
    assert!(open.message.starts_with("not YAML: "));
}

proptest::proptest! {
    #[test]
    fn never_panics_on_any_text(text in "[\\[\\]{}:,&*!|> \\-\"'#\ta-c0\n]{0,60}") {
        let _answer = from_yaml(&Source::new("t.yml", text));
    }
}
