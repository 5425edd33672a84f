use super::*;
use crate::playbook::template::paper::{FILTERS, TESTS};

fn faults(text: &str, bare: bool) -> Vec<String> {
    let told = |p: &Problem| format!("{p} ({})", p.help.as_deref().unwrap_or_default());
    Templates::new().faults(text, &place(text), bare, false).iter().map(told).collect()
}

#[test]
fn says_what_is_not_well_formed_and_where() {
    assert!(faults("a ==", true)[0].starts_with("site.yml:1:"), "{:?}", faults("a ==", true));
    assert!(faults("x {{ a ", false)[0].contains("template: unexpected end"), "{:?}", faults("x {{ a ", false));
    assert!(faults("{% if a %}x", false)[0].contains("template:"), "{:?}", faults("{% if a %}x", false));
}

#[test]
fn names_filters_tests_and_lookups_that_there_are_not() {
    for (text, bare, expected) in [
        (
            "{{ a | b | uper }}",
            false,
            vec![
                "site.yml:1:8: there is no filter `b` (templates have the everyday filters of Jinja and Ansible, none of collections)",
                "site.yml:1:12: there is no filter `uper` (did you mean `upper`?)",
            ],
        ),
        (
            "x {{ '\\1' }} {{ a.b is defined | defualt }}",
            false,
            vec!["site.yml:1:34: there is no filter `defualt` (did you mean `default`?)"],
        ),
        (
            "a is not defned and b is string",
            true,
            vec!["site.yml:1:10: there is no test `defned` (did you mean `defined`?)"],
        ),
        (
            "a is ansible.builtin.mtch('x')",
            true,
            vec!["site.yml:1:22: there is no test `mtch` (did you mean `match`?)"],
        ),
        ("a | map('uper') | list", true, vec!["site.yml:1:10: there is no filter `uper` (did you mean `upper`?)"]),
        (
            "a | selectattr('b', 'macth', c) | rejectattr('d')",
            true,
            vec!["site.yml:1:22: there is no test `macth` (did you mean `match`?)"],
        ),
        ("a | select('od')", true, vec!["site.yml:1:13: there is no test `od` (did you mean `odd`?)"]),
        (
            "a | community.general.dict",
            true,
            vec![
                "site.yml:1:5: there is no filter `community.general.dict` (templates have the everyday filters of Jinja and Ansible, none of collections)",
            ],
        ),
        (
            "'/x' is directory",
            true,
            vec!["site.yml:1:9: there is no test `directory` (templates look at no files; ask the host with `stat`)"],
        ),
        (
            "lookup('pipe', 'id')",
            true,
            vec![
                "site.yml:1:9: there is no lookup `pipe` (templates cannot run anything or read files; only `env` is there)",
            ],
        ),
    ] {
        assert_eq!(faults(text, bare), expected, "{text}");
    }
}

#[test]
fn renders_what_needs_no_variables() {
    for (text, bare, part) in [
        ("{{ 'a' * 10 ** 9 }}", false, "more work"),
        ("{% for i in range(100000) %}{% for j in range(100000) %}x{% endfor %}{% endfor %}", false, "more work"),
        ("{% macro a() %}{{ a() }}{% endmacro %}{{ a() }}", false, "recursion"),
        ("''.__class__", true, "undefined"),
        ("'x' | from_json", true, "not JSON"),
    ] {
        assert!(faults(text, bare).join("\n").contains(part), "{text}: {:?}", faults(text, bare));
    }
}

#[test]
fn finds_nothing_where_there_is_nothing() {
    let rows: Vec<(String, Value)> = serde_json::from_str(include_str!("ansible.json")).unwrap();
    for (expression, _) in &rows {
        let none: [String; 0] = [];
        assert_eq!(faults(&format!("{{{{ {expression} }}}}"), false), none, "{expression}");
    }
    for text in [
        "a is not none and b is in c and d is true",
        "a | map(attribute='x') | map(f) | select(t) | selectattr('x')",
        "a | select('>', 1) | selectattr('n', '==', 2)",
        "'x' | ansible.builtin.b64encode is ansible.builtin.match('e')",
        "lookup('env', 'HOME') ~ query('ansible.builtin.env', x)",
        "{'is': 1, 'map': 2}.is",
    ] {
        assert_eq!(faults(text, true), [""; 0], "{text}");
    }
}

#[test]
fn proposes_only_what_is_there() {
    for name in FILTERS {
        assert_eq!(faults(&format!("a | {name}"), true), [""; 0], "{name}");
    }
    for name in TESTS {
        assert_eq!(faults(&format!("a is {name}"), true), [""; 0], "{name}");
    }
}

#[test]
fn knows_where_a_name_is_used_first() {
    let text = "data: {{ 'data' }} {{ x.data }} {{ data }}";
    assert_eq!(Templates::new().place_of("data", text, &place(text), false).to_string(), "site.yml:1:36");
}
