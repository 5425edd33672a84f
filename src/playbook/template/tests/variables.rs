use super::*;

#[test]
fn renders_a_variable_when_it_is_used() {
    let vars = Vars::default()
        .source("version", &json!("2.1.1"))
        .source("name", &json!("etcd-{{ version }}"))
        .source("url", &json!("https://x/{{ name }}.tar.gz"));
    assert_eq!(value(&json!("{{ url }}"), &vars).unwrap(), json!("https://x/etcd-2.1.1.tar.gz"));
}

#[test]
fn renders_inside_mappings_and_lists_of_a_variable() {
    let vars =
        Vars::default().source("port", &json!(2379)).source("cfg", &json!({"a": ["{{ port + 1 }}"], "{{ port }}": 1}));
    assert_eq!(value(&json!("{{ cfg }}"), &vars).unwrap(), json!({"a": [2380], "2379": 1}));
    assert_eq!(value(&json!("{{ cfg.a[0] }}"), &vars).unwrap(), json!(2380));
}

#[test]
fn never_renders_what_a_host_said() {
    let evil = "{{ 7*7 }}";
    let vars = Vars::default()
        .data("out", json!({"stdout": evil, "{{ 1 }}": [evil]}))
        .source("copy", &json!("{{ out.stdout }}"))
        .source("mixed", &json!("a {{ copy }} b"))
        .source("again", &json!(["{{ mixed }}"]));
    assert_eq!(value(&json!("{{ out.stdout }}"), &vars).unwrap(), json!(evil));
    assert_eq!(value(&json!("x{{ out.stdout }}"), &vars).unwrap(), json!("x{{ 7*7 }}"));
    assert_eq!(value(&json!("{{ out }}"), &vars).unwrap(), json!({"stdout": evil, "{{ 1 }}": [evil]}));
    assert_eq!(value(&json!("{{ copy }}"), &vars).unwrap(), json!(evil));
    assert_eq!(value(&json!("{{ again }}"), &vars).unwrap(), json!(["a {{ 7*7 }} b"]));
    assert_eq!(value(&json!({"{{ copy }}": 1}), &vars).unwrap(), json!({"{{ 7*7 }}": 1}));
    assert_eq!(eval("copy == '49'", &vars).unwrap(), json!(false));
    assert_eq!(text("{{ copy ~ mixed }}", &vars).unwrap(), "{{ 7*7 }}a {{ 7*7 }} b");
}

#[test]
fn a_condition_on_what_a_host_said_does_not_run_it() {
    let vars = Vars::default().data("r", json!({"stdout": "{{ 1/0 }}", "expression": "1 == 1 and undefined_name"}));
    assert!(!Templates::new().holds(&[when("r.stdout == 'x'")], &vars).unwrap());
    assert!(Templates::new().holds(&[when("r.stdout")], &vars).unwrap());
    assert!(Templates::new().holds(&[when("r.expression")], &vars).unwrap());
}

#[test]
fn names_the_cycle() {
    let vars =
        Vars::default().source("a", &json!("{{ b }}")).source("b", &json!("x{{ a }}")).source("me", &json!("{{ me }}"));
    let problem = value(&json!("{{ a }}"), &vars).unwrap_err();
    assert_eq!(problem.message, "variables that need each other: a → b → a");
    assert_eq!(problem.place.source.name.to_str(), Some("vars.yml"));
    let problem = value(&json!("{{ me | default(1) }}"), &vars).unwrap_err();
    assert_eq!(problem.message, "variables that need each other: me → me");
}

#[test]
fn a_branch_not_taken_is_no_cycle() {
    let vars = Vars::default()
        .source("a", &json!("{{ 1 if true else b }}"))
        .source("b", &json!("{{ a }}"))
        .source("both", &json!("{{ a }}{{ b }}"));
    assert_eq!(value(&json!("{{ b }}"), &vars).unwrap(), json!(1));
    assert_eq!(value(&json!("{{ both }}"), &vars).unwrap(), json!("11"));
}

#[test]
fn an_undefined_name_in_a_variable_is_told_where_it_is_written() {
    let vars = Vars::default().source("dir", &json!("/srv/{{ clutser }}")).data("cluster", json!("x"));
    let problem = value(&json!("{{ dir }}/data"), &vars).unwrap_err();
    assert_eq!(problem.message, "`clutser` is not defined");
    assert_eq!(problem.help.as_deref(), Some("did you mean `cluster`?"));
    assert_eq!(problem.place.to_string(), "vars.yml:1:15");
    assert_eq!(problem.related.unwrap().1, "used here");
    assert_eq!(value(&json!("{{ dir | default('none') }}"), &vars).unwrap(), json!("none"));
    assert_eq!(value(&json!("{{ dir is defined }}"), &vars).unwrap(), json!(false));
}

#[test]
fn a_fault_in_a_variable_is_not_forgiven_by_default() {
    let vars = Vars::default().source("bad", &json!("{{ 'x' | from_json }}"));
    let problem = value(&json!("{{ bad | default('y') }}"), &vars).unwrap_err();
    assert!(problem.message.starts_with("not JSON"), "{problem}");
    assert_eq!(problem.place.source.name.to_str(), Some("vars.yml"));
    assert_eq!(value(&json!("{{ 'unused' if true else bad }}"), &vars).unwrap(), json!("unused"));
}

#[test]
fn stops_at_variables_nested_without_end() {
    let mut vars = Vars::default().source("v0", &json!("x"));
    for n in 1..200 {
        vars = vars.source(&format!("v{n}"), &json!(format!("{{{{ v{} }}}}", n - 1)));
    }
    assert_eq!(value(&json!("{{ v39 }}"), &vars).unwrap(), json!("x"));
    assert!(value(&json!("{{ v199 }}"), &vars).unwrap_err().message.contains("too deep"));
}

#[test]
fn a_local_name_shadows_the_scope() {
    let vars = Vars::default().data("x", json!(1));
    assert_eq!(text("{% for x in [7] %}{{ x }}{% endfor %}{{ x }}", &vars).unwrap(), "71");
    assert_eq!(text("{% set x = x + 1 %}{{ x }}", &vars).unwrap(), "2");
    assert_eq!(text("{% if false %}{% set x = 5 %}{% endif %}{{ x }}", &vars).unwrap(), "1");
}
