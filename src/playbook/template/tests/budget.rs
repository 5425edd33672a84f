use std::time::{Duration, Instant};

use super::*;

#[test]
fn stops_what_would_never_end() {
    let vars = sample();
    for template in [
        "{{ 'a' * 10**9 }}",
        "{% for a in range(10000) %}{% for b in range(10000) %}{% for c in range(10000) %}x{% endfor %}{% endfor %}{% endfor %}",
        "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
        "{{ range(10**9) | list }}",
        "{{ ('a' * 1000000) | regex_replace('', 'x' * 1000000) }}",
        "{{ range(1000) | product(range(1000), range(1000)) | list }}",
        "{{ ('a' * 100000).replace('a', 'b' * 100000) }}",
        "{{ '%1000000000d' | format(1) }}",
        "{{ ('a\n' * 1000000) | indent(1000) }}",
        "{{ 'x' | center(1000000000) }}",
        "{{ [0] * 10**9 }}",
        "{{ 10 ** 1000000 }}",
        "{% for x in range(100000) %}{{ 'a' * 10000 }}{% endfor %}",
        "{{ 'a' | indent(10000000) }}",
        "{% set ns = namespace(s='x') %}{% for i in range(64) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}{{ ns.s }}",
    ] {
        let begin = Instant::now();
        let outcome = text(template, &vars);
        let took = begin.elapsed();
        assert!(outcome.is_err(), "{template}");
        assert!(
            took < Duration::from_secs(5),
            "{template} took {took:?}: 0.2 s at most in a debug build on an idle machine"
        );
    }
}

#[test]
fn doubling_variables_end_at_the_cap() {
    let mut vars = Vars::default().data("v0", json!("0123456789"));
    for n in 1..35 {
        vars = vars.source(&format!("v{n}"), &json!(format!("{{{{ v{0} }}}}{{{{ v{0} }}}}", n - 1)));
    }
    let problem = text("{{ v34 }}", &vars).unwrap_err();
    assert!(problem.message.contains("more"), "{problem}");
}

#[test]
fn a_large_file_is_within_the_budget() {
    let rows: Vec<Value> = (0..10_000).map(|n| json!({"name": format!("host{n}"), "ip": "10.0.0.1"})).collect();
    let vars = Vars::default().data("rows", json!(rows));
    let made =
        text("{% for row in rows %}\nserver {{ row.name }} {{ row.ip | upper }};\n{% endfor %}\n", &vars).unwrap();
    assert_eq!(made.lines().count(), 10_000);
    let long: String = (0..10_000).map(|n| format!("key{n} = {{{{ rows[{n}].name }}}}\n")).collect();
    assert_eq!(text(&long, &vars).unwrap().lines().count(), 10_000);
}

#[test]
fn a_pattern_that_is_a_trap_elsewhere_ends_at_once() {
    let vars = Vars::default().data("a", json!("a".repeat(50_000) + "!"));
    assert_eq!(eval("a is match('(a+)+$')", &vars).unwrap(), json!(false));
    assert!(eval("a | regex_search('(?=a)')", &vars).unwrap_err().message.contains("look-around"));
    assert!(eval("a | regex_search('(((a{100}){100}){100}){100}')", &vars).is_err());
}

#[test]
fn nothing_can_be_run_or_read() {
    let vars = sample();
    for expression in
        ["lookup('pipe', 'id')", "query('file', '/etc/passwd')", "lookup('ansible.builtin.url', 'http://x')"]
    {
        let problem = eval(expression, &vars).unwrap_err();
        assert!(problem.message.contains("no such lookup"), "{problem}");
    }
    for template in [
        "{% include '/etc/passwd' %}",
        "{% import 'x' as y %}",
        "{% extends 'x' %}",
        "{{ ''.__class__ }}",
        "{{ debug() }}",
    ] {
        assert!(text(template, &vars).is_err(), "{template}");
    }
    assert!(eval("'/etc/passwd' is file", &vars).unwrap_err().message.contains("look at no files"));
}

#[test]
fn reads_the_environment_of_the_control_machine() {
    let path = std::env::var("PATH").unwrap();
    assert_eq!(eval("lookup('env', 'PATH')", &Vars::default()).unwrap(), json!(path));
    assert_eq!(eval("lookup('env', 'QUORATE_NO_SUCH')", &Vars::default()).unwrap(), json!(""));
    assert_eq!(eval("lookup('env', 'QUORATE_NO_SUCH') | default('x', true)", &Vars::default()).unwrap(), json!("x"));
}
