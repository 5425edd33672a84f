//! What templates see.

use super::*;

#[tokio::test]
async fn variables_win_in_ansibles_order() {
    let playbook = "
- hosts: h1
  vars: {x: play, lazy: '{{ x }}!'}
  tasks:
  - {name: a, debug: {msg: '{{ lazy }}'}}
  - vars: {x: block}
    block:
    - {name: b, debug: {msg: '{{ lazy }}'}}
    - {name: c, debug: {msg: '{{ lazy }}'}, vars: {x: task}}
  - set_fact: {x: set}
  - {name: d, debug: {msg: '{{ lazy }}'}, vars: {x: task}}
";
    let done = run(playbook).await;
    let said: Vec<String> = ["a", "b", "c", "d"].iter().flat_map(|task| done.message(task)).collect();
    assert_eq!(said, ["\"play!\"", "\"block!\"", "\"task!\"", "\"set!\""]);
    let extra = |options: &mut Options| options.extra = extra_vars(&["x=extra".to_owned()]).unwrap();
    let done = perform(playbook, Lab::default(), extra, None).await;
    assert_eq!(done.message("d"), ["\"extra!\""]);
}

#[tokio::test]
async fn hostvars_show_what_was_learned_since_they_were_last_asked_for() {
    let playbook = "
- hosts: g
  vars: {all: \"{{ groups.g | map('extract', hostvars, 'x') | join(',') }}\"}
  tasks:
  - {set_fact: {x: '{{ inventory_hostname }}'}}
  - {name: first, debug: {msg: '{{ all }}'}}
  - {set_fact: {x: '{{ x }}{{ x }}'}, when: inventory_hostname == 'h2'}
  - {name: second, debug: {msg: '{{ all }}'}}
  - {name: own, debug: {msg: '{{ ansible_host }}'}}
";
    let done = run(playbook).await;
    assert_eq!(done.message("first"), vec!["\"h1,h2,h3\""; 3]);
    assert_eq!(done.message("second"), vec!["\"h1,h2h2,h3\""; 3]);
    assert_eq!(done.message("own").len(), 3);
    assert!(done.message("own").contains(&"\"h1\"".to_owned()));
}
