use serde_json::json;

use super::*;

fn bits(mode: serde_json::Value, now: u32, sort: Sort) -> Option<u32> {
    Mode::from_value(&mode).ok()?.bits(Some(now), sort, Some(0o751))
}

#[test]
fn a_mode_is_octal_text_or_a_number_of_yaml_or_symbolic() {
    for (mode, now, sort, expected) in [
        (json!("0644"), 0, Sort::File, 0o644),
        (json!("644"), 0, Sort::File, 0o644),
        (json!(420), 0, Sort::File, 0o644),
        (json!("4755"), 0, Sort::File, 0o4755),
        (json!("u=rw,g=r"), 0o777, Sort::File, 0o647),
        (json!("u=rw,go="), 0o777, Sort::File, 0o600),
        (json!("a+x"), 0o644, Sort::File, 0o755),
        (json!("o-rwx"), 0o777, Sort::File, 0o770),
        (json!("u=rwX,g=rX,o=rX"), 0o600, Sort::File, 0o644),
        (json!("u=rwX,g=rX,o=rX"), 0o600, Sort::Folder, 0o755),
        (json!("g=u,o=g"), 0o700, Sort::File, 0o777),
        (json!("u+s,g+s,a+t"), 0o755, Sort::File, 0o7755),
        (json!("u=rwx"), 0o4700, Sort::File, 0o700),
        (json!("u=rwx"), 0o4700, Sort::Folder, 0o4700),
        (json!("u=r+w-r"), 0o777, Sort::File, 0o277),
        (json!("preserve"), 0, Sort::File, 0o751),
    ] {
        assert_eq!(bits(mode.clone(), now, sort), Some(expected), "{mode}");
    }
}

#[test]
fn refuses_what_is_no_mode() {
    for mode in ["", "rw", "+x", "u=rq", "u", "999", "77777", "x=r", "u=rw,,g=r"] {
        assert!(Mode::from_value(&json!(mode)).is_err(), "{mode:?}");
    }
    assert!(Mode::from_value(&json!(0o10000)).is_err());
    assert!(Mode::from_value(&json!([1])).is_err());
}

#[test]
fn a_decimal_mode_is_found_on_paper() {
    let node = |text: &str| crate::inventory::from_yaml(&crate::inventory::Source::new("pb.yml", text)).unwrap();
    assert_eq!(check_written(&node("{mode: 0644, path: /a}"), &["path"]).len(), 0);
    assert_eq!(check_written(&node("{mode: '0644', path: '{{ x }}'}"), &["path"]).len(), 0);
    let problems = check_written(&node("{mode: 644, path: a/b}"), &["path"]);
    assert_eq!(problems.len(), 2, "{problems:?}");
    assert_eq!(problems[0].help.as_deref(), Some("write '0644', in quotes"));
}
