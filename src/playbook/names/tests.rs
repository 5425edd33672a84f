use super::*;
use crate::inventory::Source;
use crate::playbook::{Vocabulary, from_source};

fn playbook(tasks: &str) -> Playbook {
    let vocabulary =
        Vocabulary { modules: vec!["assert", "command", "debug", "ping", "set_fact"], free_form: vec!["command"] };
    let text = format!("- hosts: \"{{{{ group }}}}\"\n  vars: {{p: \"{{{{ q }}}}\"}}\n  tasks:\n{tasks}");
    from_source(&Source::new("p.yml", text), &vocabulary).unwrap()
}

fn found<'u>(uses: &'u [Use], text: &str) -> &'u Use {
    uses.iter().find(|one| one.text == text).unwrap()
}

#[test]
fn finds_templates_and_expressions_with_their_places() {
    let playbook = playbook(concat!(
        "    - debug:\n        msg: ['{{ a }}', plain, {k: '{{ b }}'}]\n      when: c\n",
        "    - assert: {that: [d == 1, '{{ e }}']}\n    - debug: var=f\n    - command: echo {{ g }}\n",
        "    - debug: {msg: !unsafe '{{ h }}'}\n      name: '{{ shown_as_it_is }}'\n",
    ));
    let uses = uses(&playbook);
    let texts: Vec<(&str, bool)> = uses.iter().map(|one| (one.text.as_str(), one.bare)).collect();
    assert_eq!(
        texts,
        [
            ("{{ group }}", false),
            ("{{ q }}", false),
            ("c", true),
            ("{{ a }}", false),
            ("{{ b }}", false),
            ("d == 1", true),
            ("{{ e }}", false),
            ("f", true),
            ("echo {{ g }}", false),
        ]
    );
    assert_eq!(found(&uses, "c").place.to_string(), "p.yml:6:13");
    assert_eq!(found(&uses, "echo {{ g }}").place.to_string(), "p.yml:9:16");
}

#[test]
fn knows_the_loop_only_where_there_is_one() {
    let playbook = playbook(concat!(
        "    - debug: msg={{ item }}\n      loop: '{{ list }}'\n    - debug: msg={{ item + 1 }}\n",
        "    - debug: msg={{ f }}\n      loop: [1]\n      loop_control: {loop_var: f, index_var: i, extended: yes}\n",
    ));
    let uses = uses(&playbook);
    let has = |text: &str, name: &str| found(&uses, text).locals.iter().any(|local| local == name);
    assert!(has("{{ item }}", "item") && has("{{ item }}", "p"));
    assert!(!has("{{ list }}", "item") && !has("{{ item + 1 }}", "item"));
    assert!(has("{{ f }}", "f") && has("{{ f }}", "i") && has("{{ f }}", "ansible_loop") && !has("{{ f }}", "item"));
    // The play's variable may be used inside the loop.
    assert!(has("{{ q }}", "item"));
}

#[test]
fn knows_the_variables_of_task_block_and_play_only_inside_them() {
    let playbook = playbook(concat!(
        "    - vars: {v: 1}\n      block:\n        - debug: msg={{ v }}\n          vars: {w: 1}\n",
        "      rescue:\n        - debug: msg={{ ansible_failed_task }}\n    - debug: msg={{ outside }}\n",
    ));
    let uses = uses(&playbook);
    assert_eq!(found(&uses, "{{ v }}").locals, ["p", "v", "w"]);
    assert_eq!(
        found(&uses, "{{ ansible_failed_task }}").locals,
        ["p", "v", "ansible_failed_task", "ansible_failed_result"]
    );
    assert_eq!(found(&uses, "{{ outside }}").locals, ["p"]);
}

#[test]
fn names_what_conditions_around_look_after() {
    let playbook = playbook(concat!(
        "    - when: a.b is defined\n      block:\n        - debug: msg={{ a }}\n          when: [c is not undefined, c > 1]\n",
        "    - debug: msg={{ z }}\n",
    ));
    let uses = uses(&playbook);
    assert_eq!(found(&uses, "{{ a }}").guarded, ["a", "c"]);
    assert!(found(&uses, "c > 1").guarded.contains(&"c".to_owned()));
    assert!(found(&uses, "{{ z }}").guarded.is_empty());
}

#[test]
fn lists_what_the_run_defines() {
    let playbook = playbook(concat!(
        "    - command: id\n      register: r\n    - block:\n        - set_fact: {a: 1, b: 2}\n      always:\n        - ping:\n          register: s\n",
        "  handlers:\n    - name: h\n      set_fact: c=1\n",
    ));
    assert_eq!(defines(&playbook).into_iter().collect::<Vec<_>>(), ["a", "b", "c", "r", "s"]);
}

#[test]
fn tells_names_that_nobody_defines_with_the_nearest_that_somebody_does() {
    let playbook = playbook(concat!(
        "    - command: echo {{ etcd_verison }} {{ ansible_host }} {{ ansible_distribution }}\n      register: answer\n",
        "    - assert: {that: [answer.rc == 0, anwser.rc == 0, maybe is defined, maybe > 1]}\n",
        "    - debug: msg={{ item }}\n    - debug: msg={{ other | default('x') }}\n",
    ));
    let mut known = defines(&playbook);
    known.extend(["etcd_version", "group", "q", "ansible_host"].map(str::to_owned));
    let found: Vec<String> = undefined(&uses(&playbook), &Templates::new(), &known)
        .iter()
        .map(|problem| format!("{problem} ({})", problem.help.as_deref().unwrap_or_default()))
        .collect();
    assert_eq!(
        found,
        [
            "p.yml:4:62: `ansible_distribution` is not defined anywhere (quorate gathers no facts of hosts: ask with \
             `command` and `register`)",
            "p.yml:4:24: `etcd_verison` is not defined anywhere (did you mean `etcd_version`?)",
            "p.yml:6:39: `anwser` is not defined anywhere (did you mean `answer`?)",
            "p.yml:7:21: `item` is not defined anywhere (define it, or say what it is without: `item | default(…)`)",
        ]
    );
}

#[test]
fn tells_what_a_tasks_own_files_may_use() {
    let playbook = playbook("    - ping:\n      vars: {v: 1}\n      loop: [1]\n      when: w is defined\n");
    let found = tasks(&playbook);
    let (task, around) = found.first().unwrap();
    assert_eq!(task.module, "ping");
    assert!(["p", "v", "item"].iter().all(|name| around.locals.iter().any(|local| local == name)));
    assert_eq!((around.guarded.as_slice(), around.play), (&["w".to_owned()][..], 0));
}
