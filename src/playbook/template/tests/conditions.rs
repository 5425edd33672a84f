use super::*;

#[test]
fn takes_a_bool_as_it_is_and_others_by_their_truth() {
    let vars = sample().data("no", json!("no")).data("word", json!("false")).data("any", json!("whatever"));
    for (condition, holds, loose) in [
        ("true", true, None),
        ("False", false, None),
        ("foo.a == 1", true, None),
        ("l", true, Some("a list")),
        ("[]", false, Some("a list")),
        ("foo", true, Some("a mapping")),
        ("n", false, Some("null")),
        ("zero", false, Some("a number")),
        ("1", true, Some("a number")),
        ("empty", false, Some("text")),
        ("no", false, Some("text")),
        ("word", false, Some("text")),
        ("any", true, Some("text")),
        ("{{ foo.a == 1 }}", true, None),
        ("not word | bool", true, None),
    ] {
        let verdict = Templates::new().judge(&[when(condition)], &vars).unwrap();
        assert_eq!(verdict.holds(), holds, "{condition}");
        assert_eq!(verdict.loose.first().map(|(_, kind)| *kind), loose, "{condition}");
    }
}

#[test]
fn no_condition_at_all_holds() {
    assert!(Templates::new().holds(&[], &Vars::default()).unwrap());
}

#[test]
fn refuses_an_empty_condition_and_bad_syntax() {
    for condition in ["", "  ", "foo ==", "a b", "{% if x %}", "(1"] {
        assert!(Templates::new().holds(&[when(condition)], &sample()).is_err(), "{condition:?}");
    }
}

#[test]
fn does_not_evaluate_a_text_again() {
    let vars = Vars::default().source("cond", &json!("1 == 2")).data("braces", json!("{{ false }}"));
    assert!(Templates::new().holds(&[when("cond")], &vars).unwrap());
    assert!(Templates::new().holds(&[when("{{ braces }}")], &vars).unwrap());
}
