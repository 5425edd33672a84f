use super::*;

#[test]
fn an_undefined_name_is_a_fault_wherever_it_is_used() {
    let vars = sample();
    for expression in [
        "nope",
        "nope.a",
        "nope == 1",
        "not nope",
        "nope | lower",
        "nope ~ 'x'",
        "nope in l",
        "1 in nope",
        "nope | bool",
        "nope | length",
        "foo.b",
        "foo.b == 1",
        "foo.b | bool",
        "nope | int",
        "nope | join",
        "nope or true",
        "l[9]",
        "nope | to_json",
        "nope is match('x')",
        "nope is failed",
        "[nope]",
        "{'a': nope}",
        "nope | ternary(1, 2)",
        "nope is version('1', '>')",
        "nope | map('upper') | list",
        "foo.x.y",
        "nope | string",
        "nope | combine({})",
        "true if nope else false",
        "cycler.__init__.__globals__",
        "nope | regex_replace('a')",
        "nope | first",
    ] {
        let outcome = eval(expression, &vars);
        assert!(outcome.is_err(), "{expression} gave {outcome:?}");
    }
    for template in
        ["{{ nope }}", "x{{ nope }}", "x{{ foo.nope }}", "{% if nope %}{% endif %}", "{% for i in nope %}{% endfor %}"]
    {
        assert!(text(template, &vars).is_err(), "{template}");
    }
}

#[test]
fn default_and_defined_forgive_any_part_of_a_chain() {
    let vars = sample();
    for (expression, expected) in [
        ("nope.a.b is defined", json!(false)),
        ("nope.a.b is not defined", json!(true)),
        ("nope.a.b is undefined", json!(true)),
        ("foo.q.z | default('x')", json!("x")),
        ("foo['q'].z['k'][0] | default('x')", json!("x")),
        ("foo.d.x | default('x')", json!("y")),
        ("foo[nope] | default('x')", json!("x")),
        ("foo[nope.k | default('a')] | default('x')", json!(1)),
        ("not foo.q.z is defined", json!(true)),
        ("l[7].x | default(0) + 1", json!(1)),
        ("people[0].s.e is defined and people[1].s.e is not defined", json!(true)),
        ("nope is defined and nope.rc == 0", json!(false)),
        ("foo.a is defined and foo.a == 1", json!(true)),
        ("[foo.a] | default([2])", json!([1])),
        ("l[0:2] | default([])", json!([3, 1])),
        ("people | selectattr('s.e', 'defined') | list | length", json!(2)),
        ("r.rc | default(omit)", json!(0)),
    ] {
        assert_eq!(eval(expression, &vars).map_err(|p| p.to_string()), Ok(expected), "{expression}");
    }
}

#[test]
fn a_list_of_conditions_stops_at_the_first_that_fails() {
    let vars = sample();
    let conditions = [when("nope is defined"), when("nope.x == 1")];
    let verdict = Templates::new().judge(&conditions, &vars).unwrap();
    assert_eq!(verdict.unmet, Some(0));
    let problem = Templates::new().holds(&[when("true"), when("nope")], &vars).unwrap_err();
    assert_eq!(problem.message, "`nope` is not defined");
}

#[test]
fn says_which_name_was_meant() {
    let vars = sample().data("etcd_version", json!("2.1.1"));
    let problem = eval("'v' ~ ectd_version", &vars).unwrap_err();
    assert_eq!(problem.message, "`ectd_version` is not defined");
    assert_eq!(problem.help.as_deref(), Some("did you mean `etcd_version`?"));
    let problem = eval("r.stdot == 'x'", &vars).unwrap_err();
    assert_eq!(problem.message, "`r.stdot` is not defined");
    assert_eq!(problem.help.as_deref(), Some("did you mean `stdout`?"));
    let problem = eval("foo.zzz", &vars).unwrap_err();
    assert_eq!(problem.message, "`foo.zzz` is not defined");
    assert_eq!(problem.help.as_deref(), Some("it has: a, d"));
}

#[test]
fn tells_no_value() {
    let secret = "hunter2-hunter2";
    let vars = Vars::default().data("password", json!(secret)).data("m", json!({"k": secret}));
    for expression in [
        "password.x",
        "password + 1",
        "password | from_json",
        "m.z",
        "m + 1",
        "password | regex_search('(')",
        "password | foo",
        "password | flatten",
        "m | version",
        "m.k | dict2items",
        "password is version(password, 'x')",
        "password()",
        "m.k.y()",
        "password | b64decode",
        "password | human_readable",
        "lookup('file', password)",
        "-password",
        "[1][password]",
        "password is version('1.0', '<')",
        "range(password)",
        "password | round",
        "'%d' | format(password)",
        "password % 1",
    ] {
        let told = match eval(expression, &vars) {
            Err(problem) => format!("{problem} {:?} {:?}", problem.help, problem.related),
            Ok(value) => panic!("{expression} gave {value}"),
        };
        assert!(!told.contains(secret), "{expression}: {told}");
    }
}
