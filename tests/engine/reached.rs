//! Hosts that are reached late or not at all.

use super::*;

#[tokio::test]
async fn a_host_that_the_network_refuses_is_tried_again_and_one_that_refuses_us_is_not() {
    let ping = "- hosts: g\n  tasks: [{name: ask, ping: }]\n";
    let away = |times| {
        let lab = Lab::default();
        lab.0.lock().unwrap().away.insert("h2".to_owned(), times);
        lab
    };
    let done = perform(ping, away(2), |options| options.connect_tries = 3, None).await;
    assert_eq!((done.code, done.ends("ask").len()), (0, 3));
    let warned = |done: &Done| done.kinds.iter().filter(|kind| matches!(kind, Kind::Warning { .. })).count();
    assert_eq!(warned(&done), 2);
    let done = perform(ping, away(2), |options| options.connect_tries = 2, None).await;
    assert_eq!((done.code, warned(&done)), (4, 1));
    let lab = Lab::default();
    lab.0.lock().unwrap().strange.insert("h2".to_owned());
    let done = perform(ping, lab, |options| options.connect_tries = 3, None).await;
    assert_eq!((done.code, warned(&done)), (6, 0));
}

#[tokio::test]
async fn another_way_is_told_once_a_host_and_the_first_is_not() {
    let lab = Lab::default();
    let way = |first, why: &str| Way { through: "b".to_owned(), first, why: why.to_owned() };
    lab.0.lock().unwrap().detours.insert("h1".to_owned(), way(true, ""));
    lab.0.lock().unwrap().detours.insert("h2".to_owned(), way(false, "a: refused"));
    let twice = "- hosts: g\n  tasks: [{ping: }, {meta: reset_connection}, {name: ask, ping: }]\n";
    let done = perform(twice, lab, |_| {}, None).await;
    assert_eq!((done.code, done.ends("ask").len()), (0, 3));
    let told = done.kinds.iter().filter_map(|kind| match kind {
        Kind::WayChanged { host, through, why } => Some([host.as_str(), through, why]),
        _ => None,
    });
    assert_eq!(told.collect::<Vec<_>>(), [["h2", "b", "a: refused"]]);
}

#[tokio::test]
async fn a_question_that_is_lost_with_its_connection_is_asked_again_and_a_command_is_not() {
    let reset = |task: &'static str, tries| async move {
        let lab = Lab::default();
        lab.0.lock().unwrap().reset.insert("h2".to_owned());
        let text = format!("- hosts: h2\n  tasks: [{{name: do, {task}}}]\n");
        perform(&text, lab, |options| options.connect_tries = tries, None).await
    };
    let done = reset("stat: {path: /etc/hostname}", 2).await;
    assert_eq!((done.code, done.ends("do")), (0, vec!["h2 ok".to_owned()]), "{:?}", done.message("do"));
    let again =
        |kind: &Kind| matches!(kind, Kind::Warning { text } if text.contains("trying again in 1 s (1 of 2 tries)"));
    assert_eq!(done.kinds.iter().filter(|kind| again(kind)).count(), 1);
    assert_eq!(reset("stat: {path: /etc/hostname}", 1).await.code, 4);
    let done = reset("command: echo once-only", 2).await;
    assert_eq!((done.code, done.ran("once-only")), (4, 1));
}
