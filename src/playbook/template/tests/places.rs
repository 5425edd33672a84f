use super::*;

fn problem_in(source: &str, scalar: &str, value: &str) -> Problem {
    let at = source.find(scalar).unwrap();
    let place = Place::new(&Source::new("site.yml", source), at, at + scalar.len());
    Templates::new().value(&node(&json!(value), &place), &sample()).unwrap_err()
}

fn covered(problem: &Problem) -> &str {
    &problem.place.source.text[problem.place.start..problem.place.end]
}

#[test]
fn points_into_a_plain_scalar() {
    let problem =
        problem_in("a: x {{ foo.a }} {{ nope }} y\n", "x {{ foo.a }} {{ nope }} y", "x {{ foo.a }} {{ nope }} y");
    assert_eq!(problem.place.to_string(), "site.yml:1:21");
    assert_eq!(covered(&problem), "nope");
}

#[test]
fn points_into_a_quoted_scalar() {
    let problem = problem_in("a:\n  - \"{{ 'é' ~ nope }}\"\n", "\"{{ 'é' ~ nope }}\"", "{{ 'é' ~ nope }}");
    assert_eq!(problem.message, "`nope` is not defined");
    assert_eq!(problem.place.to_string(), "site.yml:2:9");
}

#[test]
fn points_into_a_block_scalar() {
    let source = "a: |\n    one\n    two {{ 1 }}\n    three {{ nope }}\n";
    let problem = problem_in(source, &source[3..], "one\ntwo {{ 1 }}\nthree {{ nope }}\n");
    assert_eq!(problem.place.to_string(), "site.yml:4:14");
    assert_eq!(covered(&problem), "nope");
}

#[test]
fn falls_back_to_the_scalar_where_its_text_is_written_otherwise() {
    let problem = problem_in("a: \"x\\n{{ nope }}\"\n", "\"x\\n{{ nope }}\"", "x\n{{ nope }}");
    assert_eq!(problem.message, "`nope` is not defined");
    assert_eq!(problem.place.line_col().0, 1);
}

#[test]
fn points_behind_a_chain_that_was_softened() {
    let text = "{{ foo.q.z | default('x') ~ foo['q'].y | d('') ~ nope }}";
    let problem = problem_in(text, text, text);
    assert_eq!(covered(&problem), &text[3..text.len() - 3]);
    let text = "{% if foo.q.z is defined %}{% endif %}{{ nope }}";
    assert_eq!(covered(&problem_in(text, text, text)), "nope");
}

#[test]
fn points_at_bad_syntax_and_unknown_filters() {
    let problem = problem_in("a: x {{ foo | nofilter }}", "x {{ foo | nofilter }}", "x {{ foo | nofilter }}");
    assert!(problem.message.contains("nofilter"), "{problem}");
    assert_eq!(problem.place.line_col(), (1, 15));
    let problem = problem_in("a: x {{ foo +* }}", "x {{ foo +* }}", "x {{ foo +* }}");
    assert!(problem.message.starts_with("template: "), "{problem}");
    assert!(problem.place.start > 3);
}

#[test]
fn points_into_a_template_file_behind_its_header() {
    let text = "#jinja2: lstrip_blocks: True\nline\n{{ nope }}\n";
    let problem = Templates::new().file(text, &place(text), &sample()).unwrap_err();
    assert_eq!(problem.place.to_string(), "site.yml:3:4");
}

#[test]
fn hints_at_format_for_a_percent_sign() {
    let problem = eval("'%s' % 1", &sample()).unwrap_err();
    assert!(problem.help.unwrap_or_default().contains("format"));
}
