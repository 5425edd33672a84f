use super::*;

/// Pairs of an expression and what ansible-core 2.19.14 makes of it over the variables of [`sample`] (its own `Templar`,
/// asked 2026-11-24).
const ANSIBLE: &str = include_str!("ansible.json");

#[test]
fn gives_what_ansible_gives() {
    let rows: Vec<(String, Value)> = serde_json::from_str(ANSIBLE).unwrap();
    let vars = sample();
    let mut wrong = Vec::new();
    for (expression, expected) in &rows {
        let got =
            value(&json!(format!("{{{{ {expression} }}}}")), &vars).map_err(|p| format!("{} {:?}", p.message, p.help));
        if got.as_ref() != Ok(expected) {
            wrong.push(format!("{expression}\n  ansible {expected}\n  quorate {got:?}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), rows.len(), wrong.join("\n"));
}

#[test]
fn a_backslash_stands_for_itself_in_a_value_and_escapes_in_a_condition() {
    let vars = Vars::default().data("v", json!("v2.1\n"));
    assert_eq!(value(&json!("{{ v | regex_replace('v(\\d)\\.(\\d)', '\\2-\\1') }}"), &vars).unwrap(), json!("1-2\n"));
    assert_eq!(value(&json!("{{ 'a\\nb' | length }}"), &vars).unwrap(), json!(4));
    assert_eq!(eval("v is match('v\\d\\.\\d\\n')", &vars).unwrap(), json!(true));
    assert_eq!(eval("'a\\nb' | length", &vars).unwrap(), json!(3));
    assert_eq!(eval("v is match('v\\\\d')", &vars).unwrap(), json!(true));
    assert_eq!(value(&json!("{{ 'it\\'s' }}{{ 'x\\\\' }}"), &vars).unwrap(), json!("it'sx\\\\"));
}

#[test]
fn chooses_by_chance_the_same_for_the_same_seed() {
    let vars = sample();
    let first = eval("range(1000) | list | random(seed='h1')", &vars).unwrap();
    assert_eq!(eval("range(1000) | list | random(seed='h1')", &vars).unwrap(), first);
    assert_eq!(eval("1 | random", &vars).unwrap(), json!(0));
    assert!(eval("[] | random", &vars).is_err());
}

#[test]
fn a_sum_over_a_missing_attribute_is_a_fault() {
    assert!(eval("[{'n': 1}, {}] | sum(attribute='n')", &sample()).is_err());
}

#[test]
fn refuses_what_it_cannot_do_and_says_so() {
    for (expression, part) in [
        ("'x' | hash", "SHA-1"),
        ("'x' | regex_replace('(?=x)', '')", "look-around"),
        ("'x' | regex_replace('x', '\\\\3')", "no group 3"),
        ("'1' is version('a')", "can't be compared"),
        ("5 is failed", "registered result"),
        ("'_w==' | b64decode", "not base64"),
        ("[1] | combine({})", "a mapping is needed"),
    ] {
        let problem = eval(expression, &sample()).unwrap_err();
        assert!(problem.message.contains(part), "{expression}: {problem}");
    }
}
