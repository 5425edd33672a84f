//! Whether the certificates that a member reads still hold: one that is over lets nobody in who connects anew, and a member that is
//! restarted connects anew to all its peers.

use std::collections::BTreeMap;

use jiff::Timestamp;
use semver::Version;

use crate::etcd::{self, Certificate, Term};
use crate::modules::Failure;
use crate::remote::{Probe, RemotePath};

use super::facts::{Facts, PEM_CAP, refused};

/// Looks at each file of certificates that the member's options name; gives what should be said of those that end soon. By our clock, since we
/// connect too, and by the host's, since the member does. Of a `way` from one version to another also what names nobody on it.
///
/// # Errors
/// A refusal where a certificate does not hold, or a file has none, or what it names does not do on the way.
pub(super) async fn hold(
    probe: &Probe,
    facts: &Facts,
    there: Timestamp,
    way: Option<(&Version, &Version)>,
) -> Result<Vec<String>, Failure> {
    let (now, mut soon) = (Timestamp::now(), Vec::new());
    // One file often serves clients and peers: it is spoken of once, by its first option.
    let mut files: BTreeMap<RemotePath, Vec<&str>> = BTreeMap::new();
    for (option, path) in facts.flags.certificate_files() {
        let text = if path.starts_with('/') { path.to_owned() } else { format!("{}/{path}", facts.cwd) };
        let none = || refused(probe.name(), format!("{option}: `{path}` is no path"));
        files.entry(RemotePath::from_absolute(&text).ok_or_else(none)?).or_default().push(option);
    }
    for (path, options) in files {
        let option = options.first().copied().unwrap_or_default();
        let pem = probe.read(&path, PEM_CAP).await.map_err(|error| refused(probe.name(), error))?;
        let found =
            etcd::certificates(&pem).map_err(|fault| refused(probe.name(), format!("{option}: {path}: {fault}")))?;
        let judged = judge(option, &found, there).and_then(|_| judge(option, &found, now));
        let judged = judged.map_err(|what| {
            let next = "put a new one in its place (etcd 3.2 and later read it without a restart), then run again";
            refused(
                probe.name(),
                format!("{option}: {path}: {what}\na member that is restarted now would stay outside\n{next}"),
            )
        })?;
        let nobody = match (found.first(), way) {
            (Some(shown), Some(way)) => names_nobody(&options, shown, way),
            _ => Ok(None),
        };
        let nobody = nobody.map_err(|what| refused(probe.name(), format!("{option}: {path}: {what}")))?;
        let said = judged.into_iter().chain(nobody);
        soon.extend(said.map(|what| format!("{}: {option}: {path}: {what}", probe.name())));
    }
    Ok(soon)
}

/// What is to be said of a certificate by which a member is known and that has a common name at most, in which Go does not look from 1.15 on; the
/// error is why it does not do on the way. From 3.5.0 on releases are built with Go 1.16 or later (etcd's CHANGELOG-3.5), and members look
/// whom another one's certificate names: not tried, since all the lab's programs are built with a later Go. Before that it hangs on who built
/// it. Where 3.5 runs already its members get along; the side of clients is for those to judge.
fn names_nobody(
    options: &[&str],
    shown: &Certificate,
    (from, to): (&Version, &Version),
) -> Result<Option<String>, String> {
    let is = |option: &str| options.contains(&option);
    let old = |version: &Version| (version.major, version.minor) < (3, 5);
    if shown.alt_names || !old(from) || !(is("cert-file") || is("peer-cert-file")) {
        return Ok(None);
    }
    let what = format!("the certificate of {} has no subjectAltName", shown.subject);
    if old(to) || !is("peer-cert-file") {
        return Ok(Some(format!("{what}: what is built with Go 1.15 or later does not take it")));
    }
    let next = "give it one with the host's names and addresses in subjectAltName, then run again";
    Err(format!("{what}, and members of etcd {to} take none from another by its common name\n{next}"))
}

/// What is to be said of the certificates of one file; the error is why they do not do. Of authorities one that holds is enough: a file may
/// have the old one beside the new one.
fn judge(option: &str, found: &[Certificate], now: Timestamp) -> Result<Vec<String>, String> {
    let authorities = option.contains("ca-file");
    let (mut out, mut said) = (Vec::new(), Vec::new());
    for certificate in found {
        let (subject, day) = (&certificate.subject, |moment: Timestamp| moment.strftime("%F").to_string());
        match certificate.at(now) {
            Term::Holds => {}
            Term::EndsSoon(days) => {
                said.push(format!("the certificate of {subject} ends on {}, in {days} days", day(certificate.ends)));
            }
            Term::Over => out.push(format!("the certificate of {subject} ended on {}", day(certificate.ends))),
            Term::NotYet => {
                out.push(format!("the certificate of {subject} does not hold before {}", day(certificate.begins)));
            }
        }
    }
    if out.is_empty() || (authorities && out.len() < found.len()) {
        said.append(&mut out);
        return Ok(said);
    }
    Err(out.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn certificate(name: &str, begins: &str, ends: &str) -> Certificate {
        let moment = |day: &str| format!("{day}T00:00:00Z").parse().unwrap();
        let subject = format!("CN={name}");
        Certificate {
            subject,
            common_name: Some(name.to_owned()),
            alt_names: true,
            begins: moment(begins),
            ends: moment(ends),
        }
    }

    fn judged(option: &str, found: &[Certificate]) -> Result<Vec<String>, String> {
        judge(option, found, "2026-06-15T00:00:00Z".parse().unwrap())
    }

    #[test]
    fn one_that_is_over_or_to_come_is_refused_and_one_that_ends_soon_is_spoken_of() {
        let good = certificate("good", "2026-01-01", "2026-12-31");
        let (over, soon) =
            (certificate("old", "2025-01-01", "2026-06-14"), certificate("m", "2026-01-01", "2026-07-01"));
        assert_eq!(judged("cert-file", std::slice::from_ref(&good)), Ok(Vec::new()));
        assert_eq!(judged("cert-file", &[soon]).unwrap(), ["the certificate of CN=m ends on 2026-07-01, in 16 days"]);
        assert_eq!(
            judged("cert-file", &[good.clone(), over]).unwrap_err(),
            "the certificate of CN=old ended on 2026-06-14"
        );
        let later = certificate("new", "2026-07-01", "2027-01-01");
        assert!(judged("peer-cert-file", &[later]).unwrap_err().contains("does not hold before 2026-07-01"));
    }

    #[test]
    fn a_peers_without_a_subject_alternative_name_does_not_do_on_the_way_to_3_5() {
        let good = certificate("etcd1", "2026-01-01", "2026-12-31");
        let old = Certificate { alt_names: false, ..good.clone() };
        let of = |option: &str, shown: &Certificate, from: &str, to: &str| {
            names_nobody(&["client-cert-file", option], shown, (&from.parse().unwrap(), &to.parse().unwrap()))
        };
        let peer = "peer-cert-file";
        assert_eq!(of(peer, &good, "3.4.13", "3.5.35"), Ok(None));
        let said = of(peer, &old, "3.3.27", "3.4.13").unwrap().unwrap();
        assert!(said.contains("CN=etcd1 has no subjectAltName: what is built"), "{said}");
        assert!(of(peer, &old, "3.4.13", "3.5.35").unwrap_err().contains("members of etcd 3.5.35 take none"));
        // What only clients see, and what 3.5 gets along with, stops nobody.
        assert!(of("cert-file", &old, "3.4.13", "3.5.35").unwrap().is_some());
        assert_eq!(of(peer, &old, "3.5.35", "3.6.16"), Ok(None));
        assert_eq!(of("trusted-ca-file", &old, "3.4.13", "3.5.35"), Ok(None));
    }

    #[test]
    fn an_old_authority_beside_a_good_one_is_only_spoken_of() {
        let (old, new) =
            (certificate("old", "2016-01-01", "2026-01-01"), certificate("new", "2025-01-01", "2035-01-01"));
        assert_eq!(judged("trusted-ca-file", &[old.clone(), new]).unwrap().len(), 1);
        assert!(judged("peer-trusted-ca-file", &[old]).is_err());
    }
}
