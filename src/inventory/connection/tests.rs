use secrecy::ExposeSecret as _;
use serde_json::json;

use super::*;

fn read(vars: Value) -> Result<ConnectionVars, ConnectionFault> {
    let vars = vars.as_object().unwrap().iter().map(|(key, value)| (key.clone(), value.clone())).collect();
    from_vars("h1", &vars)
}

fn refusal(vars: Value) -> String {
    read(vars).unwrap_err().to_string()
}

#[test]
fn a_host_without_variables_is_reached_by_its_name() {
    let vars = read(json!({})).unwrap();
    assert_eq!((vars.address.as_str(), vars.port, vars.user, vars.local), ("h1", None, None, false));
    assert!(vars.jumps.is_none() && vars.timeout.is_none() && vars.escalation.enabled.is_none());
}

#[test]
fn the_later_name_counts() {
    let vars = read(json!({
        "ansible_ssh_host": "10.0.0.2", "ansible_host": "10.0.0.1", "ansible_ssh_port": "2222", "ansible_port": 22,
        "ansible_ssh_user": "b", "ansible_user": "a", "ansible_ssh_private_key_file": "/k2", "ansible_private_key_file": "/k1",
        "ansible_ssh_pass": "p2", "ansible_password": "p1", "ansible_become_pass": "s2", "ansible_become_password": "s1",
    }))
    .unwrap();
    assert_eq!((vars.address.as_str(), vars.port, vars.user.as_deref()), ("10.0.0.2", Some(2222), Some("b")));
    assert_eq!(vars.identity, Some("/k2".into()));
    assert_eq!(vars.password.unwrap().expose_secret(), "p2");
    assert_eq!(vars.escalation.password.unwrap().expose_secret(), "s2");
}

#[test]
fn null_counts_as_not_set() {
    let vars = read(json!({"ansible_user": "a", "ansible_ssh_user": null})).unwrap();
    assert_eq!(vars.user.as_deref(), Some("a"));
}

#[test]
fn a_password_is_never_shown() {
    let vars = read(json!({"ansible_password": "hunter2", "ansible_become_password": "hunter3"})).unwrap();
    assert!(!format!("{vars:?}").contains("hunter"));
}

#[test]
fn reads_become_and_timeout() {
    let vars = read(
        json!({"ansible_become": "yes", "ansible_become_user": "etcd", "ansible_become_method": "sudo", "ansible_timeout": 30}),
    );
    let vars = vars.unwrap();
    assert_eq!(vars.timeout, Some(Duration::from_secs(30)));
    assert_eq!((vars.escalation.enabled, vars.escalation.user.as_deref()), (Some(true), Some("etcd")));
    assert!(refusal(json!({"ansible_become_method": "su"})).contains("`su` is not supported"));
    assert!(refusal(json!({"ansible_become": "maybe"})).contains("neither true nor false"));
    assert!(refusal(json!({"ansible_timeout": 0})).contains("whole number of seconds"));
}

#[test]
fn refuses_ports_that_are_none() {
    for port in
        [json!("22abc"), json!(0), json!(65536), json!(-1), json!(1e9), json!("0x16"), json!("022"), json!([22])]
    {
        assert!(refusal(json!({"ansible_port": port})).starts_with("host `h1`: `ansible_port`"), "{port}");
    }
}

#[test]
fn refuses_addresses_and_users_that_could_do_harm() {
    assert!(refusal(json!({"ansible_host": "-oProxyCommand=touch /tmp/x"})).contains("begin with `-`"));
    assert!(refusal(json!({"ansible_host": "еtcd1"})).contains("U+0435"));
    assert!(refusal(json!({"ansible_host": "a\u{1b}[2J"})).contains("U+001B"));
    assert!(refusal(json!({"ansible_host": 10})).contains("is text"));
    assert!(refusal(json!({"ansible_user": "root -oProxyCommand=x"})).contains("a space"));
    assert!(refusal(json!({"ansible_become_user": "a;id"})).contains("`;`"));
    assert!(from_vars("fóö", &IndexMap::new()).is_err());
}

#[test]
fn host_keys_can_not_go_unchecked() {
    assert!(refusal(json!({"ansible_host_key_checking": false})).contains("always checked"));
    assert!(
        refusal(json!({"ansible_ssh_common_args": "-o StrictHostKeyChecking=no"}))
            .contains("`-o StrictHostKeyChecking`")
    );
}

#[test]
fn reads_jump_hosts() {
    let jumps = |args: &str| read(json!({"ansible_ssh_common_args": args})).unwrap().jumps.unwrap();
    let jump =
        |user: Option<&str>, host: &str, port| Jump { user: user.map(str::to_owned), host: host.to_owned(), port };
    assert_eq!(jumps("-J ops@b1:2222,b2"), [jump(Some("ops"), "b1", Some(2222)), jump(None, "b2", None)]);
    assert_eq!(jumps("-Jb1"), [jump(None, "b1", None)]);
    assert_eq!(jumps("-o ProxyJump=b1"), [jump(None, "b1", None)]);
    assert_eq!(jumps("-oProxyJump=b1"), [jump(None, "b1", None)]);
    assert_eq!(jumps("-o 'proxyjump b1'"), [jump(None, "b1", None)]);
    assert_eq!(jumps("-J ssh://ops@[2001:db8::1]:22"), [jump(Some("ops"), "2001:db8::1", Some(22))]);
    assert_eq!(jumps("-o ProxyJump=none -J b2"), []);
    let both = json!({"ansible_ssh_extra_args": "-J b2", "ansible_ssh_common_args": "-J b1"});
    assert_eq!(read(both).unwrap().jumps.unwrap(), [jump(None, "b1", None)]);
}

#[test]
fn refuses_every_other_ssh_option_by_name() {
    for (args, named) in [
        ("-o ProxyCommand='ssh -W %h:%p b1'", "write the bastion as `-J"),
        ("-F /tmp/config", "`-F`"),
        ("-J b1 -C", "`-C`"),
        ("-o UserKnownHostsFile=/dev/null", "`-o UserKnownHostsFile`"),
        ("-J 'b1", "quote"),
        ("-J", "needs a value"),
        ("-J -oProxyCommand=x", "begin with `-`"),
        ("-J a,b,c,d,e", "more than 4"),
        ("-J a,b,a", "`a` twice"),
        ("-J b:99999", "not a port"),
    ] {
        let message = refusal(json!({"ansible_ssh_common_args": args}));
        assert!(message.contains(named), "{args}: {message}");
    }
}

#[test]
fn local_hosts_need_no_address() {
    assert!(read(json!({"ansible_connection": "local"})).unwrap().local);
    assert!(refusal(json!({"ansible_connection": "winrm"})).contains("`winrm` is not supported"));
}

#[test]
fn reads_other_ways_each_as_a_list_of_jump_hosts() {
    let ways = |list: Value| read(json!({FALLBACK_JUMPS: list})).map(|vars| vars.fallbacks);
    let found = ways(json!(["b2", "ops@b3:2222, [fe80::1]:22"])).unwrap();
    let written: Vec<Vec<String>> = found.iter().map(|way| way.iter().map(Jump::to_string).collect()).collect();
    assert_eq!(written, [vec!["b2"], vec!["ops@b3:2222", "[fe80::1]:22"]]);
    assert_eq!(ways(json!(null)).unwrap(), Vec::<Vec<Jump>>::new());
    for (list, item, part) in [
        (json!("b2"), None, "must be a list"),
        (json!([7]), Some(0), "must be text"),
        (json!(["b2", "none"]), Some(1), "`none` is no way"),
        (json!(["b2", ""]), Some(1), "jump host"),
        (json!(["-oProxyCommand=x"]), Some(0), "begin with `-`"),
        (json!(["b2", "b3:0"]), Some(1), "not a port"),
        (json!(["b2", "b2"]), Some(1), "there twice"),
        (json!(["a,b,a"]), Some(0), "`a` twice"),
        (json!(["a", "b", "c", "d", "e"]), Some(4), "more than 4 other ways"),
    ] {
        let fault = ways(list.clone()).unwrap_err();
        assert_eq!((fault.key.as_str(), fault.item), (FALLBACK_JUMPS, item), "{list}: {fault}");
        assert!(fault.message.contains(part), "{list}: {fault}");
    }
    let misspelt = read(json!({"quorate_fallback_jump": ["b2"]})).unwrap_err();
    assert_eq!((misspelt.key.as_str(), misspelt.help.is_some()), ("quorate_fallback_jump", true));
}
