use super::*;

#[test]
fn a_single_expression_keeps_its_type() {
    let vars = sample();
    for (template, expected) in [
        ("{{ 1 + 1 }}", json!(2)),
        ("{{ '[1]' }}", json!("[1]")),
        ("{{ 'true' }}", json!("true")),
        ("{{ n }}", json!(null)),
        ("{{ l }}", json!([3, 1, 2])),
        ("{{ foo }}\n", json!({"a": 1, "d": {"x": "y"}})),
        ("{{- 1 -}}", json!(1)),
        ("{{ {'a': {'b': 1}} }}", json!({"a": {"b": 1}})),
        ("{{ '}}' }}", json!("}}")),
        ("{{ 1 }}{{ 2 }}", json!("12")),
        (" {{ 1 }}", json!(" 1")),
        ("a{{ n }}b{{ true }}c{{ 1.0 }}d{{ [1, 'x', none] }}", json!("abTruec1.0d[1, 'x', None]")),
        ("{{ l | ansible.builtin.flatten }}", json!([3, 1, 2])),
        ("{{ r is ansible.builtin.changed }}", json!(true)),
        ("no template", json!("no template")),
        ("{# nothing #}", json!("")),
        ("{% raw %}{{ x }}{% endraw %}", json!("{{ x }}")),
        ("{{ 1 }}-{{ 2 }}\n", json!("1-2\n")),
        ("{% if true %}\nX\n{% endif %}\nY", json!("X\nY")),
    ] {
        assert_eq!(value(&json!(template), &vars).unwrap(), expected, "{template}");
    }
}

#[test]
fn scalars_that_are_no_text_stay_as_they_are() {
    let plain = json!({"a": 1, "b": 1.5, "c": null, "d": [true, "x"]});
    assert_eq!(value(&plain, &Vars::default()).unwrap(), plain);
}

#[test]
fn leaves_unsafe_text_alone() {
    let mut unsafe_node = node(&json!({"a": "{{ 7*7 }}", "{{ k }}": ["{{ x }}"]}), &place("?"));
    unsafe_node.tag = Some("!unsafe".to_owned());
    let expected = json!({"a": "{{ 7*7 }}", "{{ k }}": ["{{ x }}"]});
    assert_eq!(Templates::new().value(&unsafe_node, &Vars::default()).unwrap(), expected);
    let mut vars = Vars::default();
    vars.0.insert("u".to_owned(), Variable::Source(unsafe_node));
    assert_eq!(value(&json!("x{{ u.a }}"), &vars).unwrap(), json!("x{{ 7*7 }}"));
}

#[test]
fn omits_an_argument() {
    let vars = sample().source("maybe", &json!("{{ mode_of_file | default(omit) }}"));
    let args =
        json!({"path": "/x", "mode": "{{ mode | default(omit) }}", "owner": "{{ maybe }}", "l": [1, "{{ omit }}"]});
    assert_eq!(value(&args, &vars).unwrap(), json!({"path": "/x", "l": [1]}));
    assert_eq!(value(&json!("{{ omit }}"), &vars).unwrap(), json!(null));
    assert_eq!(value(&json!("{{ {'a': omit, 'b': 1} }}"), &vars).unwrap(), json!({"b": 1}));
    assert!(value(&json!("x{{ omit }}"), &vars).unwrap_err().message.contains("omit"));
}

#[test]
fn a_template_file_keeps_its_last_line_feed() {
    let file = |text: &str| Templates::new().file(text, &place(text), &sample());
    assert_eq!(file("a\n{% for i in l %}\n- {{ i }}\n{% endfor %}\nb\n").unwrap(), "a\n- 3\n- 1\n- 2\nb\n");
    assert_eq!(file("  {% if true %}\nx\n  {% endif %}\n").unwrap(), "  x\n  ");
    let header = "#jinja2: lstrip_blocks: True\n  {% if true %}\nx\n  {% endif %}\n";
    assert_eq!(file(header).unwrap(), "x\n");
    assert_eq!(file("#jinja2: trim_blocks: False\n{% if true %}\nx{% endif %}\n").unwrap(), "\nx\n");
    assert!(file("#jinja2: colour: True\nx").unwrap_err().message.contains("colour"));
}

#[test]
fn a_variable_that_is_one_word_stays_one_value() {
    let vars = Vars::default().data("name", json!("\"; touch /x; \""));
    assert_eq!(value(&json!(["echo", "{{ name }}"]), &vars).unwrap(), json!(["echo", "\"; touch /x; \""]));
    assert_eq!(text("echo {{ name | quote }}", &vars).unwrap(), "echo '\"; touch /x; \"'");
}
