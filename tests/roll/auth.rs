//! Clusters whose clients must give passwords: of v2 and of v3, with TLS and without.

use std::fs;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::Arc;

use quorate_lab::load::LoadOptions;
use quorate_lab::{HEALTHY, Host, Lab, Sudo, User};

use crate::quorate::{Ran, Roll};
use crate::standing::{assert_nothing_to_do, said};
use crate::unrolled::changes_nothing;
use crate::watched::{Rolled, Writers};
use crate::{long_turn, own_turn};

/// Fewer than in the other hops: two cores have five members and TLS to look after.
const WRITERS: Writers = Writers {
    load: LoadOptions { clients: Some(10), rate: Some(15.0), ..LoadOptions::USUAL },
    before: 100,
    in_all: 800,
};
/// Each request with a password costs 2.x 70 ms of the lab's two cores: bcrypt, at a cost that cannot be chosen.
const FEW: Writers =
    Writers { load: LoadOptions { clients: Some(4), rate: Some(4.0), ..LoadOptions::USUAL }, before: 20, in_all: 80 };

fn roll(lab: &Lab, state: &Path, to: &str) -> Roll {
    let roll = Roll::new(lab, &lab.inventory(), &lab.ssh_config(), state).to(to, lab);
    match lab.become_password_file() {
        Some(file) => roll.with("--become-password-file", file),
        None => roll,
    }
}

fn password_file(lab: &Lab) -> PathBuf {
    lab.etcd_password_file().expect("a password")
}

/// Stops the test if the password stands in anything that quorate wrote, said or left on a host. In etcd's own log it is: up to 3.4 a new
/// user is written there as it was sent.
#[track_caller]
fn assert_password_is_nowhere(lab: &Lab, state: &Path, ran: &Ran) {
    let password = fs::read_to_string(password_file(lab)).unwrap().trim().to_owned();
    assert!(!ran.to_string().contains(&password), "it was said");
    // A backup is etcd's.
    let mut look = process::Command::new("grep");
    look.args(["-rlF", "--exclude=snapshot.db", "--exclude=copy.tar", "-e", &password]).arg(state);
    let found = look.output().unwrap();
    assert_eq!((found.status.code(), String::from_utf8_lossy(&found.stdout).as_ref()), (Some(1), ""), "{found:?}");
    for host in lab.members() {
        let look = format!(
            "grep -rlF '{password}' /etc /root /home /run /tmp /var --exclude-dir=etcd 2>/dev/null; \
             journalctl --no-pager -o cat | grep -cF '{password}'; true"
        );
        assert_eq!(said(lab, &host.name, &look).trim(), "0", "{}", host.name);
    }
}

/// From now on the members give tokens that say themselves who they are for how long, signed, in place of such as they remember.
fn sign_tokens(lab: &Lab) {
    let folder = tempfile::tempdir().unwrap();
    let (key, public) = (folder.path().join("key"), folder.path().join("public"));
    for args in [vec!["genrsa", "-out", key.to_str().unwrap(), "2048"], {
        vec!["rsa", "-in", key.to_str().unwrap(), "-pubout", "-out", public.to_str().unwrap()]
    }] {
        let made = process::Command::new("openssl").args(&args).output().unwrap();
        assert!(made.status.success(), "{made:?}");
    }
    let (key, public) = (fs::read_to_string(key).unwrap(), fs::read_to_string(public).unwrap());
    for host in lab.members() {
        let script = format!(
            "set -e; umask 077; printf %s '{key}' >/etc/etcd/jwt.key; printf %s '{public}' >/etc/etcd/jwt.pub; umask 022
             chown $(stat -c %u:%g /etc/etcd/tls/member.key) /etc/etcd/jwt.*; mkdir -p /etc/systemd/system/etcd.service.d
             printf '[Service]\\nEnvironment=ETCD_AUTH_TOKEN=jwt,pub-key=/etc/etcd/jwt.pub,priv-key=/etc/etcd/jwt.key,sign-method=RS256,ttl=10m\\n' \
                 >/etc/systemd/system/etcd.service.d/jwt.conf
             systemctl daemon-reload; systemctl restart etcd"
        );
        said(lab, &host.name, &script);
        lab.wait_healthy(HEALTHY).unwrap();
    }
}

#[test]
fn rolls_five_members_with_tls_and_passwords_and_signed_tokens_from_3_4_to_3_6() {
    let _turn = long_turn();
    let lab = Lab::builder().name(&format!("auth-tls-{}", process::id())).members(5).etcd("3.4.23").release("3.6.16");
    let lab = lab.tls(true).auth(true).user(User::Ops).sudo(Sudo::Password).start().unwrap();
    let lab = Arc::new(lab);
    sign_tokens(&lab);
    let with_password = |state: &Path| roll(&lab, state, "3.6.16").with("--etcd-password-file", password_file(&lab));
    let certificate = lab.site().path("tls");
    let known = |state: &Path| {
        let roll = with_password(state).var("etcd_client_cert", certificate.join("client.crt"));
        roll.var("etcd_client_key", certificate.join("client.key"))
    };

    // The members' own certificates have a common name.
    let refused = changes_nothing(&lab, with_password);
    refused.ended(3).says(&["answer no client whose certificate has a common name", "etcd_client_cert"]);
    let refused = changes_nothing(&lab, known);
    refused.ended(3).says(&["3.4.23 to 3.5.35 with auth on", "etcd_accept_auth_hop=true"]);

    let accepted = |state: &Path| known(state).var("etcd_accept_auth_hop", "true");
    let rolled = Rolled::on(Arc::clone(&lab), &WRITERS, |_, state| accepted(state));
    rolled.assert_all_members_run("3.6.16");
    rolled.assert_no_write_is_lost(WRITERS.in_all);
    rolled.assert_one_member_down_at_a_time();
    assert_password_is_nowhere(&lab, rolled.state.path(), &rolled.ran);
    assert_nothing_to_do(&lab, accepted(rolled.state.path()));
}

#[test]
fn members_of_3_0_are_not_rolled_with_passwords() {
    let _turn = own_turn();
    let lab = Lab::builder().name(&format!("auth-30-{}", process::id())).etcd("3.0.17").release("3.1.20").auth(true);
    let lab = lab.start().unwrap();
    let refused = changes_nothing(&lab, |state| {
        // What is accepted for another hop does not open this one.
        let roll = roll(&lab, state, "3.1.20").with("--etcd-password-file", password_file(&lab));
        roll.var("etcd_accept_auth_hop", "true")
    });
    refused.ended(3).says(&["3.0.17 to 3.1.20 with auth on", "let nobody log in", "etcdctl auth disable"]);
}

#[test]
fn rolls_3_1_to_3_4_with_tls_and_passwords() {
    let _turn = long_turn();
    let lab = Lab::builder().name(&format!("auth-31-{}", process::id())).etcd("3.1.20").tls(true).auth(true);
    let lab = ["3.2.32", "3.3.27", "3.4.13"].into_iter().fold(lab, quorate_lab::LabBuilder::release).start().unwrap();
    let lab = Arc::new(lab);
    let certificate = lab.site().path("tls");
    let with_password = |state: &Path| {
        let roll = roll(&lab, state, "3.4.13").with("--etcd-password-file", password_file(&lab));
        let roll = roll.var("etcd_client_cert", certificate.join("client.crt"));
        roll.var("etcd_client_key", certificate.join("client.key"))
    };
    let refused = changes_nothing(&lab, with_password);
    refused.ended(3).says(&["a snapshot of 3.2.32 could not be saved", "with the role root"]);

    // By the names in their certificates.
    let (hosts, password) = (lab.members(), fs::read_to_string(password_file(&lab)).unwrap());
    for Host { name, .. } in &hosts {
        let script = format!(
            "set -e; cd /etc/etcd/tls; export ETCDCTL_API=3 ETCDCTL_CACERT=ca.crt ETCDCTL_CERT=member.crt ETCDCTL_KEY=member.key
             ask() {{ etcdctl --endpoints https://{}:2379 --user root:{} \"$@\" 2>&1; }}
             ask user add {name}:any; ask user grant-role {name} root",
            hosts[0].address,
            password.trim()
        );
        said(&lab, &hosts[0].name, &script);
    }
    let rolled = Rolled::on(Arc::clone(&lab), &WRITERS, |_, state| with_password(state));
    rolled.assert_all_members_run("3.4.13");
    rolled.assert_no_write_is_lost(WRITERS.in_all);
    rolled.assert_one_member_down_at_a_time();
    assert_password_is_nowhere(&lab, rolled.state.path(), &rolled.ran);
}

#[test]
fn rolls_2_1_to_2_2_with_passwords() {
    let _turn = own_turn();
    let lab = Lab::builder().name(&format!("auth-v2-{}", process::id())).etcd("2.1.1").release("2.2.5").auth(true);
    let rolled =
        Rolled::new(lab, &FEW, |lab, state| roll(lab, state, "2.2.5").with("--etcd-password-file", password_file(lab)));
    rolled.assert_all_members_run("2.2.5");
    rolled.assert_no_write_is_lost(FEW.in_all);
    rolled.assert_one_member_down_at_a_time();
    assert_password_is_nowhere(&rolled.lab, rolled.state.path(), &rolled.ran);
}

/// How often the members were given a wrong password, by their own logs.
fn wrong_logins(lab: &Lab) -> usize {
    let count = "journalctl -u etcd -o cat --no-pager | grep -c 'invalid authentication was requested'; true";
    lab.members().iter().map(|host| said(lab, &host.name, count).trim().parse::<usize>().unwrap()).sum()
}

#[test]
fn refuses_without_a_password_and_with_a_wrong_one_that_is_tried_once() {
    let _turn = own_turn();
    let lab = Lab::builder().name(&format!("auth-no-{}", process::id())).etcd("3.5.35").release("3.6.16").auth(true);
    let lab = lab.start().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        use std::os::unix::fs::PermissionsExt as _;
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        path
    };

    let nobody = changes_nothing(&lab, |state| roll(&lab, state, "3.6.16"));
    nobody.ended(3).says(&["asks for a name and a password", "etcd_password", "refused before any change"]);

    assert_eq!(wrong_logins(&lab), 0);
    let wrong = file("wrong", "not the password\n");
    let refused = changes_nothing(&lab, |state| roll(&lab, state, "3.6.16").with("--etcd-password-file", &wrong));
    refused.ended(3).says(&["refuses the user `root` with the password given", "refused before any change"]);
    assert_eq!(wrong_logins(&lab), 1, "{refused}");
    assert!(!refused.to_string().contains("not the password"), "{refused}");

    // The variable in a file of variables counts before the option, as with sudo's password.
    let variables = file("vars.yml", "etcd_password: neither is this\n");
    let refused = changes_nothing(&lab, |state| {
        let roll = roll(&lab, state, "3.6.16").with("--etcd-password-file", password_file(&lab));
        roll.with("-e", format!("@{}", variables.display()))
    });
    refused.ended(3).says(&["refuses the user `root`"]);
    assert!(!refused.to_string().contains("neither is this"), "{refused}");

    let writer = lab.site().path("etcd-password-writer");
    let refused = changes_nothing(&lab, |state| {
        roll(&lab, state, "3.6.16").with("--etcd-password-file", &writer).var("etcd_user", "writer")
    });
    refused.ended(3).says(&["the user `writer` may not do it", "the role root"]);
}
