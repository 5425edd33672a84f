use super::*;

fn undeclared(text: &str, bare: bool) -> Vec<String> {
    Templates::new().undeclared(text, bare).into_iter().collect()
}

#[test]
fn lists_names_that_nobody_sets_or_guards() {
    for (expression, expected) in [
        ("a.b == c['d']", vec!["a", "c"]),
        ("a is defined and a.b == 1", vec![]),
        ("a.b.c is not defined or d", vec!["d"]),
        ("a | default(b)", vec!["b"]),
        ("a | lower | default('x')", vec![]),
        ("(a or b) | default('x')", vec![]),
        ("a.split(',')[0] | default('x')", vec![]),
        ("range(a)", vec!["a"]),
        ("lookup('env', 'X') ~ omit", vec![]),
        ("x | map(attribute=y) | select('match', z)", vec!["x", "y", "z"]),
        ("r is failed", vec!["r"]),
        ("'in text: q' ~ w", vec!["w"]),
        ("a[1:] ~ b.c[:2] ~ (d ~ 'x')[0:e] ~ f.g(h)[::2] ~ [i, j][1:]", vec!["a", "b", "d", "e", "f", "h", "i", "j"]),
        ("'text'[1:] ~ a[0][1:] ~ {'k': b}.k", vec!["a", "b"]),
        ("a ==", vec![]),
    ] {
        assert_eq!(undeclared(expression, true), expected, "{expression}");
    }
    for (template, expected) in [
        ("{% for i in hosts %}{{ i }}{{ loop.index }}{{ port }}{% endfor %}", vec!["hosts", "port"]),
        ("{% set a = 1 %}{{ a + b }}", vec!["b"]),
        ("{% for i in hosts %}{{ i[1:] }}{{ x[1:] }}{% endfor %}", vec!["hosts", "x"]),
        ("{% raw %}{{ nope }}{% endraw %}{# {{ no }} #}{{ yes_ }}", vec!["yes_"]),
        ("{% macro m(x) %}{{ x }}{{ y }}{% endmacro %}{{ m(1) }}", vec!["y"]),
        ("plain", vec![]),
    ] {
        assert_eq!(undeclared(template, false), expected, "{template}");
    }
}

#[test]
fn lists_what_is_guarded() {
    let guarded = Templates::new().guarded("a is defined and b.c | d(1) and e", true);
    assert_eq!(guarded.into_iter().collect::<Vec<_>>(), ["a", "b"]);
}
