//! Members that speak TLS to their clients and to each other, and ask both for certificates.

use std::fs;
use std::path::Path;
use std::process::{self, Command};
use std::sync::LazyLock;

use quorate_lab::load::LoadOptions;
use quorate_lab::{Host, Lab, Turn, wait_until};

use crate::quorate::Roll;
use crate::standing::{Standing, assert_nothing_to_do, said, starts};
use crate::turn;
use crate::watched::{Rolled, Writers};

/// The lab's usual load, with writes enough to lose some.
const WRITERS: Writers = Writers { load: LoadOptions::USUAL, before: 500, in_all: 2_000 };

/// Made by whichever test comes first. Hold [`turn`] while you have it.
static ROLLED: LazyLock<Rolled> = LazyLock::new(|| {
    let lab = Lab::builder().name(&format!("tls-{}", process::id())).tls(true);
    Rolled::new(lab, &WRITERS, Roll::to_2_1_1)
});

fn rolled() -> (&'static Rolled, Turn) {
    let turn = turn();
    (&ROLLED, turn)
}

#[test]
fn rolls_three_members_that_speak_tls() {
    let (rolled, _turn) = rolled();
    rolled.assert_all_members_are_new();
    rolled.assert_no_write_is_lost(WRITERS.in_all);
    rolled.assert_one_member_down_at_a_time();
    let warnings = rolled.ran.to_string().matches("the members speak TLS, which a host cannot ask").count();
    assert_eq!(warnings, 1, "{}", rolled.ran);
}

#[test]
fn changes_and_restarts_nothing_over_tls_when_run_again() {
    let (Rolled { lab, state, .. }, _turn) = rolled();
    assert_nothing_to_do(lab, Roll::to_2_1_1(lab, state.path()));
}

/// A member with another certificate towards its clients; it has its old one again when this is dropped.
struct Recertified<'a> {
    lab: &'a Lab,
    host: Host,
}

/// What makes a certificate.
struct Certificate {
    /// Whether the lab's authority signs it, or another one of the same name.
    by_the_labs_ca: bool,
    /// What it is for: `IP:…`, `DNS:…`.
    names: String,
    /// `serverAuth`, `clientAuth` or both.
    usage: &'static str,
}

impl<'a> Recertified<'a> {
    /// Gives the certificate to etcd2 for its clients, and lets it listen on all addresses. What it shows its peers stays.
    fn with(lab: &'a Lab, certificate: &Certificate) -> Self {
        let host = lab.host("etcd2").unwrap();
        let folder = tempfile::tempdir().unwrap();
        let pem = issue(lab, folder.path(), certificate);
        // The member's own key, so that only the certificate is another.
        let put = format!("cat >/etc/etcd/tls/other.crt <<'EOF'\n{pem}EOF\nchown etcd /etc/etcd/tls/other.crt");
        said(lab, &host.name, &put);
        let edit = "cp -p /etc/default/etcd /root/etcd.before && \
            sed -i -e 's,^ETCD_CERT_FILE=.*,ETCD_CERT_FILE=/etc/etcd/tls/other.crt,' \
                -e 's,^ETCD_LISTEN_CLIENT_URLS=.*,ETCD_LISTEN_CLIENT_URLS=https://0.0.0.0:2379,' /etc/default/etcd";
        said(lab, &host.name, edit);
        let recertified = Self { lab, host };
        recertified.restart();
        recertified
    }

    /// Restarts it and waits until it is back among the others, as a peer sees it: its clients may not believe it.
    fn restart(&self) {
        said(self.lab, &self.host.name, "systemctl restart etcd");
        let sound = || {
            let log = "journalctl -u etcd -o cat _SYSTEMD_INVOCATION_ID=$(systemctl show -p InvocationID --value etcd)";
            let log = said(self.lab, &self.host.name, log);
            if log.contains("published {Name:etcd2") { Ok(()) } else { Err(log) }
        };
        wait_until("etcd2 among its peers", quorate_lab::HEALTHY, sound).unwrap();
    }
}

impl Drop for Recertified<'_> {
    fn drop(&mut self) {
        said(self.lab, &self.host.name, "mv /root/etcd.before /etc/default/etcd; rm /etc/etcd/tls/other.crt");
        self.restart();
        self.lab.wait_healthy(quorate_lab::HEALTHY).unwrap();
    }
}

/// A certificate for the key that etcd2 has, in PEM.
fn issue(lab: &Lab, folder: &Path, certificate: &Certificate) -> String {
    let tls = lab.site().path("tls");
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    let (mut ca, mut ca_key) = (text(&tls.join("ca.crt")), text(&tls.join("ca.key")));
    if !certificate.by_the_labs_ca {
        (ca, ca_key) = (text(&folder.join("ca.crt")), text(&folder.join("ca.key")));
        let new = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=another CA", "-days", "2"];
        openssl(&[&new[..], &["-keyout", &ca_key, "-out", &ca]].concat());
    }
    let (key, out) = (text(&tls.join("etcd2/member.key")), text(&folder.join("member.crt")));
    let names = format!("subjectAltName={}", certificate.names);
    let usage = format!("extendedKeyUsage={}", certificate.usage);
    let new = ["req", "-x509", "-subj", "/CN=etcd2", "-days", "2", "-addext", "basicConstraints=critical,CA:FALSE"];
    let signed = ["-key", &key, "-CA", &ca, "-CAkey", &ca_key, "-addext", &names, "-addext", &usage, "-out", &out];
    openssl(&[&new[..], &signed].concat());
    fs::read_to_string(out).unwrap()
}

fn openssl(arguments: &[&str]) {
    let ran = Command::new("openssl").args(arguments).output().expect("openssl starts");
    assert!(ran.status.success(), "openssl {arguments:?}: {}", String::from_utf8_lossy(&ran.stderr));
}

#[test]
fn asks_a_member_by_its_advertised_name_and_with_a_certificate_that_clients_may_have() {
    let (Rolled { lab, state, .. }, _turn) = rolled();
    let address = lab.host("etcd2").unwrap().address;
    // Listens on 0.0.0.0, so it is asked on 127.0.0.1, which this certificate does not name; and no client may show it.
    let certificate = Certificate { by_the_labs_ca: true, names: format!("IP:{address}"), usage: "serverAuth" };
    let _recertified = Recertified::with(lab, &certificate);
    assert_nothing_to_do(lab, Roll::to_2_1_1(lab, state.path()));
}

#[test]
fn refuses_a_member_whose_certificate_its_authority_has_not_signed() {
    let (Rolled { lab, state, .. }, _turn) = rolled();
    let address = lab.host("etcd2").unwrap().address;
    let names = format!("IP:{address},IP:127.0.0.1");
    let certificate = Certificate { by_the_labs_ca: false, names, usage: "serverAuth,clientAuth" };
    let _recertified = Recertified::with(lab, &certificate);
    let (standing, before) = (Standing::of(lab), starts(lab));
    let ran = Roll::to_2_1_1(lab, state.path()).run();
    ran.ended(3).says(&["etcd2: https://", "none of the authorities has signed it", "refused before any change"]);
    assert_eq!(starts(lab), before, "{ran}");
    standing.assert_unchanged(lab);
}

/// A certificate for etcd2's key by the lab's authority that holds between these moments.
fn issue_between(lab: &Lab, begins: &str, ends: &str) -> String {
    let address = lab.host("etcd2").unwrap().address;
    issue_named(lab, &format!("subjectAltName=IP:{address}\n"), begins, ends)
}

/// The same with that to say whom it is for, beside its common name.
fn issue_named(lab: &Lab, names: &str, begins: &str, ends: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let text = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let tls = |name: &str| lab.site().path("tls").join(name).to_str().unwrap().to_owned();
    let config = format!(
        "[ca]\ndefault_ca=lab\n[lab]\ndatabase={}\nserial={}\nnew_certs_dir={}\ndefault_md=sha256\npolicy=any\n\
         x509_extensions=both\n[any]\ncommonName=optional\n\
         [both]\nbasicConstraints=critical,CA:FALSE\nextendedKeyUsage=serverAuth,clientAuth\n{names}",
        text("index"),
        text("serial"),
        folder.path().display(),
    );
    for (name, content) in [("config", config.as_str()), ("index", ""), ("serial", "01\n")] {
        fs::write(text(name), content).unwrap();
    }
    openssl(&["req", "-new", "-key", &tls("etcd2/member.key"), "-subj", "/CN=etcd2", "-out", &text("csr")]);
    let signer =
        ["ca", "-batch", "-notext", "-config", &text("config"), "-cert", &tls("ca.crt"), "-keyfile", &tls("ca.key")];
    let what = ["-in", &text("csr"), "-startdate", begins, "-enddate", ends, "-out", &text("crt")];
    openssl(&[&signer[..], &what[..]].concat());
    fs::read_to_string(text("crt")).unwrap()
}

#[test]
fn refuses_a_certificate_that_is_over_and_speaks_of_one_that_ends_soon() {
    let (Rolled { lab, state, .. }, _turn) = rolled();
    // 2.1 has read its own at its start, and shows that.
    let put = |pem: &str| {
        let keep = "cd /etc/etcd/tls; [ -e kept.crt ] || cp -p member.crt kept.crt; cat >member.crt";
        said(lab, "etcd2", &format!("{keep} <<'EOF'\n{pem}EOF"));
    };
    put(&issue_between(lab, "20250101000000Z", "20260401000000Z"));
    let (standing, before) = (Standing::of(lab), starts(lab));
    let over = Roll::to_2_1_1(lab, state.path()).run();
    standing.assert_unchanged(lab);
    let ends = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(10 * 24 + 1);
    put(&issue_between(lab, "20250101000000Z", &ends.strftime("%Y%m%d%H%M%SZ").to_string()));
    let soon = Roll::to_2_1_1(lab, state.path()).run();
    put(&issue_named(lab, "", "20250101000000Z", "20360401000000Z"));
    let nameless = Roll::to_2_1_1(lab, state.path()).run();
    said(lab, "etcd2", "mv /etc/etcd/tls/kept.crt /etc/etcd/tls/member.crt");
    assert_eq!(starts(lab), before);
    over.ended(3).says(&[
        "etcd2: cert-file: /etc/etcd/tls/member.crt",
        "CN=etcd2 ended on 2026-04-01",
        "refused before any change",
    ]);
    let day = ends.strftime("%F").to_string();
    let words =
        format!("etcd2: cert-file: /etc/etcd/tls/member.crt: the certificate of CN=etcd2 ends on {day}, in 10 days");
    assert_eq!(soon.ended(0).to_string().matches(&words).count(), 1, "{soon}");
    // The lab's builds would not start with that one; nothing is started here.
    nameless
        .ended(0)
        .says(&["etcd2: cert-file: /etc/etcd/tls/member.crt: the certificate of CN=etcd2 has no subjectAltName"]);
}
