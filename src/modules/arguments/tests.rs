use serde_json::json;

use super::*;
use crate::inventory::{Source, from_yaml};
use crate::modules::{find, table};

fn task(module: &str, args: &str) -> Task {
    let source = Source::new("pb.yml", args);
    let args = from_yaml(&source).unwrap();
    let place = args.place.clone();
    Task {
        place: place.clone(),
        name: None,
        module: module.to_owned(),
        module_place: place,
        args,
        directives: crate::playbook::Directives::default(),
        register: None,
        r#loop: None,
        with_items: false,
        loop_control: crate::playbook::LoopControl::default(),
        until: Vec::new(),
        retries: None,
        delay: None,
        changed_when: None,
        failed_when: None,
    }
}

fn problems(module: &str, args: &str) -> Vec<String> {
    let row = find(module).unwrap();
    let told = |p: Problem| format!("{}{}", p.message, p.help.map(|h| format!(" ({h})")).unwrap_or_default());
    check_args(&task(module, args), row).into_iter().map(told).collect()
}

#[test]
fn a_misspelt_argument_gets_the_nearest_name() {
    assert_eq!(problems("fail", "{mgs: x}"), ["fail has no argument `mgs` (did you mean `msg`?)"]);
}

#[test]
fn what_is_missing_or_given_twice_is_said() {
    assert!(problems("assert", "{quiet: yes}")[0].starts_with("assert needs `that`"));
    assert_eq!(problems("assert", "{that: x, msg: a, fail_msg: b}").len(), 1);
    assert_eq!(problems("debug", "{msg: a, var: b}"), ["debug takes only one of `msg`, `var`"]);
    assert_eq!(problems("command", "{chdir: /}"), ["command needs one of `free form text`, `cmd`, `argv`"]);
}

#[test]
fn a_wrong_shape_is_found_unless_a_template_may_still_fill_it() {
    assert_eq!(problems("debug", "{msg: a, verbosity: many}").len(), 1);
    assert!(problems("debug", "{msg: a, verbosity: '{{ v }}'}").is_empty());
    assert!(problems("meta", "{_raw_params: noop}").is_empty());
}

#[test]
fn words_of_free_form_text_become_arguments_before_any_template_is_filled() {
    let row = find("command").unwrap();
    let args = written(&task("command", "{_raw_params: 'touch {{ x y }} creates=/a chdir=\"/b c\" k=v'}"), row);
    assert_eq!(args.to_json(), json!({"_raw_params": "touch {{ x y }} k=v", "creates": "/a", "chdir": "/b c"}));
}

#[test]
fn ansibles_words_are_bools_and_defaults_are_filled_in() {
    let row = find("assert").unwrap();
    let given = json!({"that": true, "quiet": "yes"}).as_object().unwrap().clone();
    assert_eq!(complete(row, given).unwrap()["quiet"], json!(true));
    let given = json!({"that": true, "quiet": "perhaps"}).as_object().unwrap().clone();
    assert!(complete(row, given).unwrap_err().msg.contains("yes or no"));
}

#[test]
fn the_table_has_each_name_once() {
    let mut names = table::vocabulary().modules;
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count);
}
