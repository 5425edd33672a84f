//! What is said before any host is contacted.

use super::*;

fn refusals(playbook: &str, set: impl FnOnce(&mut Options)) -> String {
    let problems = prepare(playbook, set).expect_err("must be refused");
    let told = |p: &Problem| format!("{} ({})", p.message, p.help.as_deref().unwrap_or_default());
    problems.iter().map(told).collect::<Vec<_>>().join("\n")
}

#[test]
fn what_is_wrong_on_paper_is_said_before_any_host_is_contacted() {
    let play = |task: &str| format!("- hosts: h1\n  tasks:\n  - {task}\n");
    let said = refusals(&play("debug: {mssg: x}"), |_| {});
    assert!(said.contains("no argument `mssg`") && said.contains("`msg`"), "{said}");
    let said = refusals(&play("{debug: {}, when: inventory_hostnam == 'x'}"), |_| {});
    assert!(said.contains("`inventory_hostnam`") && said.contains("`inventory_hostname`"), "{said}");
    let said = refusals(&play("{name: one, debug: {}}"), |options| options.start_at = Some("onw".to_owned()));
    assert!(said.contains("no task `onw`"), "{said}");
    let said = refusals(&play("{debug: {}, tags: config}"), |options| options.tags.only = vec!["cnofig".to_owned()]);
    assert!(said.contains("`config`"), "{said}");
    let said = refusals("- hosts: g\n  serial: 2\n  rolling: {guard: etcd}\n  tasks: []\n", |_| {});
    assert!(said.contains("one host at a time"), "{said}");
    let said = refusals("- hosts: g\n  vars_files: [none.yml]\n  tasks: []\n", |_| {});
    assert!(said.contains("no such file"), "{said}");
    let said = refusals(&play("debug: {msg: '{{ inventory_hostname | uper }}'}"), |_| {});
    assert!(said.contains("no filter `uper`") && said.contains("`upper`"), "{said}");
    let said = refusals(&play("{debug: {}, when: inventory_hostname ==}"), |_| {});
    assert!(said.contains("unexpected end"), "{said}");
    let said = refusals(&play("debug: {msg: '{{ ansible_distribution }}'}"), |_| {});
    assert!(said.contains("`ansible_distribution`") && said.contains("gathers no facts"), "{said}");
}

#[test]
fn how_hosts_are_reached_is_looked_at_before_the_first_is() {
    for (vars, part) in [
        ("ansible_user: 'root -oProxyCommand=x'", "may not contain a space"),
        ("ansible_port: 0", "ansible_port"),
        ("ansible_connection: winrm", "not supported"),
        ("ansible_host: '{{ \"a;b\" }}'", "may not contain `;`"),
    ] {
        let said = refusals(&format!("- hosts: g\n  vars: {{{vars}}}\n  tasks: [ping: ]\n"), |_| {});
        assert!(said.contains(part) && said.lines().count() == 1, "{said}");
    }
    // Known only once a host was asked.
    let later = "- hosts: g\n  vars: {ansible_host: '{{ r.stdout }}'}\n  tasks:\n  - {command: id, register: r}\n";
    assert!(prepare(later, |_| {}).is_ok());
}

#[test]
fn nothing_gets_the_bytes_of_an_encrypted_value() {
    let vault = "!vault '$ANSIBLE_VAULT;1.1;AES256'";
    for (vars, task) in [
        (format!("a: {{b: [{vault}]}}"), "debug: {msg: '{{ a.b }}'}".to_owned()),
        ("x: 1".to_owned(), format!("debug: {{msg: {vault}}}")),
        (format!("ansible_become_password: {vault}"), "ping: ".to_owned()),
    ] {
        let said = refusals(&format!("- hosts: h1\n  vars: {{{vars}}}\n  tasks:\n  - {task}\n"), |_| {});
        assert!(said.contains("encrypted by ansible-vault") && said.contains("-e @FILE"), "{said}");
    }
    let unused = format!("- hosts: h1\n  vars: {{a: {vault}}}\n  tasks: [ping: ]\n");
    assert!(prepare(&unused, |_| {}).is_ok());
}

#[test]
fn the_variables_behind_a_template_are_looked_at_too() {
    let play = |vars: &str, task: &str| format!("- hosts: h1\n  vars: {{{vars}}}\n  tasks:\n  - {task}\n");
    let uses_a = "debug: {msg: '{{ a }}'}";
    let said = refusals(&play("a: '{{ b }}', b: ['{{ a }}']", uses_a), |_| {});
    assert!(said.contains("variables that need each other: ") && said.contains("a → b"), "{said}");
    let said = refusals(&play("a: '{{ b | uper }}', b: x", uses_a), |_| {});
    assert!(said.contains("no filter `uper`"), "{said}");
    let extra = |options: &mut Options| options.extra = extra_vars(&["{a: '{{ nowhere }}'}".to_owned()]).unwrap();
    let said = refusals(&play("", uses_a), extra);
    assert!(said.contains("`nowhere`, which `a` needs, is not defined anywhere"), "{said}");
    // Set later, shadowed by the task, or looked after: the run will see.
    for task in [
        "{set_fact: {b: 1}}\n  - debug: {msg: '{{ a }}'}",
        "{debug: {msg: '{{ a }}'}, vars: {a: 1}}",
        "{debug: {msg: '{{ a }}'}, when: b is defined}",
        "{debug: {msg: \"{{ a | default('x') }}\"}}",
        "{debug: {msg: x}}",
    ] {
        let extra = |options: &mut Options| options.extra = extra_vars(&["{a: '{{ b }}'}".to_owned()]).unwrap();
        assert!(prepare(&play("", task), extra).is_ok(), "{task}");
    }
}

#[test]
fn a_number_that_tasks_or_blocks_set_otherwise_is_left_to_the_run() {
    let play = |vars: &str, tasks: &str| {
        format!("- hosts: h1\n  rolling: {{guard: etcd}}\n  vars: {{{vars}}}\n  tasks:\n{tasks}")
    };
    let uses = "  - etcd_downgrade: {version: '{{ v }}'}\n";
    for vars in ["v: 3.10", "v: '{{ w }}', w: 3.10"] {
        let said = refusals(&play(vars, uses), |_| {});
        assert!(said.contains("found `3.10`, which YAML takes for the number 3.1"), "{said}");
    }
    for (vars, tasks) in [
        ("v: 3.10", format!("  - set_fact: {{v: 3.10.1}}\n{uses}")),
        ("v: 3.10", format!("  - {{command: id, register: v}}\n{uses}")),
        ("v: '{{ w }}', w: 3.10", format!("  - set_fact: {{w: 3.10.1}}\n{uses}")),
        ("v: 3.10", format!("  - vars: {{v: 3.10.1}}\n    block:\n  {uses}")),
        ("v: 3.10", "  - {etcd_downgrade: {version: '{{ v }}'}, vars: {v: 3.10.1}}\n".to_owned()),
    ] {
        assert!(prepare(&play(vars, &tasks), |_| {}).is_ok(), "{tasks}");
    }
}
