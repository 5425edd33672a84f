//! Options in a vendor's unit, said anew in a drop-in.

use super::*;

/// The drop-in after a rewriting, without the comment at its head; nothing else may change.
#[track_caller]
fn drop_in(target: &str, before: &Given) -> (String, Given) {
    let after = before.rewritten(Rules::built_in(), &target.parse().unwrap(), false);
    assert!(after.faults.is_empty(), "{:?}", after.faults);
    let changed = after.given.changed(before);
    let [(path, text)] = changed.as_slice() else { panic!("{changed:?}") };
    assert_eq!(path.as_str(), OWN);
    assert!(after.lines.iter().all(|line| line.starts_with(OWN)), "{:?}", after.lines);
    let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    (lines.join("\n"), after.given.started_with())
}

#[test]
fn a_vendors_command_is_said_anew_and_edited_at_later_hops() {
    let exec = "ExecStart = /bin/etcd \\\n    --debug --x=50%% \\\n    --enable-v2=true $O";
    let before = given(&[(VENDOR, &unit(&format!("Environment=A=1\n{exec}")))], &[(ENV, "O=--y\n")]);
    let (text, next) = drop_in("3.5.35", &before);
    let new =
        "[Service]\nExecStart=\nExecStart=/bin/etcd \\\n    --log-level=debug --x=50%% \\\n    --enable-v2=true $O";
    assert_eq!(text, new);
    assert_eq!(
        next.text(&RemotePath::from_absolute(VENDOR).unwrap()),
        before.text(&RemotePath::from_absolute(VENDOR).unwrap())
    );
    let (text, last) = drop_in("3.6.16", &next);
    assert_eq!(text, new.replace(" \\\n    --enable-v2=true", ""));
    let after = last.rewritten(Rules::built_in(), &Version::new(3, 6, 16), false);
    assert_eq!(after.given.changed(&last), []);
}

#[test]
fn a_vendors_variables_are_said_anew_with_all_that_are_set() {
    let operators = "/etc/systemd/system/etcd.service.d/10.conf";
    let vendors = unit("Environment=A=1 ETCD_LOGGER=capnslog\nEnvironment='O=--debug --x'\nExecStart=/bin/etcd $O");
    let before = given(&[(VENDOR, &vendors), (operators, "[Service]\nEnvironment=\"B=2 3\" A=2\n")], &[]);
    let (text, next) = drop_in("3.5.35", &before);
    assert_eq!(
        text,
        "[Service]\nEnvironment=\nEnvironment=A=1\nEnvironment=ETCD_LOGGER=zap\nEnvironment='O=--log-level=debug --x'\n\
         Environment=\"B=2 3\"\nEnvironment=A=2"
    );
    let variables = |given: &Given| given.parts().environment;
    let mut expected = variables(&before);
    expected.insert("ETCD_LOGGER".to_owned(), "zap".to_owned());
    expected.insert("O".to_owned(), "--log-level=debug --x".to_owned());
    assert_eq!(variables(&next), expected);
    // What the operator has said in its place is edited where it stands.
    let vendors = unit("Environment=O=--debug\nExecStart=/bin/etcd $O");
    let own = [(VENDOR, vendors.as_str()), (operators, "[Service]\nEnvironment=O=--debug\n")];
    let after = given(&own, &[]).rewritten(Rules::built_in(), &Version::new(3, 5, 35), false);
    assert_eq!(after.lines, [format!("{operators}: `--debug` -> `--log-level=debug`")]);
}

#[test]
fn command_and_variables_of_a_vendor_share_the_drop_in_and_one_that_is_there_is_added_to() {
    let vendors = unit("Environment=ETCD_DEBUG=true\nExecStart=/bin/etcd --enable-v2");
    let before = given(&[(VENDOR, &vendors)], &[]);
    let (_, next) = drop_in("3.5.35", &before);
    let (text, _) = drop_in("3.6.16", &next);
    assert_eq!(
        text,
        "[Service]\nEnvironment=\nEnvironment=ETCD_LOG_LEVEL=debug\n[Service]\nExecStart=\nExecStart=/bin/etcd"
    );
    let (text, _) = drop_in("3.6.16", &before);
    assert_eq!(text, "[Service]\nExecStart=\nExecStart=/bin/etcd\nEnvironment=\nEnvironment=ETCD_LOG_LEVEL=debug");
}

#[test]
fn where_another_drop_in_is_read_behind_it_the_vendors_is_refused() {
    let mut before = given(&[(VENDOR, &unit("ExecStart=/bin/etcd --debug"))], &[]);
    before.drop_in = Err("zzz.conf is read behind it".to_owned());
    refused("3.5.35", &before, &["`--debug`", VENDOR, "it is the vendor's, and zzz.conf is read behind it"]);
}
