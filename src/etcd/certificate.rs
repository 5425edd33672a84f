//! Certificates of etcd: until when they hold, and whom they name.

use jiff::Timestamp;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use x509_cert::Certificate as Parsed;
use x509_cert::der::asn1::{ObjectIdentifier, PrintableStringRef, Utf8StringRef};
use x509_cert::der::{Decode, Tag, Tagged};
use x509_cert::time::Time;

/// `id-at-commonName` (RFC 5280, appendix A.1).
const COMMON_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.3");
/// `id-ce-subjectAltName` (RFC 5280, 4.2.1.6).
const ALT_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.17");
/// How long before its end a certificate is spoken of: the usual 90 days of a short one are renewed by then.
const SOON: i64 = 30;
const DAY: i64 = 24 * 60 * 60;

/// One certificate, as far as a roll hangs on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// Whom it is for, as RFC 4514 writes names.
    pub subject: String,
    /// The common name in it.
    pub common_name: Option<String>,
    /// Whether it says in a subjectAltName whom it is for.
    pub alt_names: bool,
    /// From when it holds.
    pub begins: Timestamp,
    /// Until when.
    pub ends: Timestamp,
}

/// Why a file holds no certificate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertificateFault {
    /// No PEM block of one.
    #[error("no certificate in it")]
    None,
    /// PEM or DER is broken.
    #[error("a certificate in it cannot be read: {0}")]
    Broken(String),
}

/// Whether a certificate holds at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Term {
    /// It does, and will for a while.
    Holds,
    /// It does, for so many whole days.
    EndsSoon(i64),
    /// Its time is over.
    Over,
    /// Its time has not come.
    NotYet,
}

impl Certificate {
    /// Whether it holds at that moment.
    #[must_use]
    pub fn at(&self, now: Timestamp) -> Term {
        let left = self.ends.as_second() - now.as_second();
        if now < self.begins {
            Term::NotYet
        } else if left < 0 {
            Term::Over
        } else if left < SOON * DAY {
            Term::EndsSoon(left / DAY)
        } else {
            Term::Holds
        }
    }
}

/// All certificates of a PEM file, in their order; keys and what else is in it are passed over, as Go does it.
///
/// # Errors
/// When there is none, or one that cannot be read.
pub fn certificates(pem: &[u8]) -> Result<Vec<Certificate>, CertificateFault> {
    let mut found = Vec::new();
    for der in CertificateDer::pem_slice_iter(pem) {
        let der = der.map_err(|error| CertificateFault::Broken(error.to_string()))?;
        found.push(parsed(&der).map_err(|error| CertificateFault::Broken(error.to_string()))?);
    }
    if found.is_empty() { Err(CertificateFault::None) } else { Ok(found) }
}

fn parsed(der: &[u8]) -> Result<Certificate, x509_cert::der::Error> {
    let parsed = Parsed::from_der(der)?;
    let body = parsed.tbs_certificate();
    let names = body.subject().iter();
    let common = names.filter(|part| part.oid == COMMON_NAME).find_map(|part| {
        let text = match part.value.tag() {
            Tag::PrintableString => part.value.decode_as::<PrintableStringRef<'_>>().ok()?.as_str().to_owned(),
            Tag::Utf8String => part.value.decode_as::<Utf8StringRef<'_>>().ok()?.as_str().to_owned(),
            // An old form of text, which Go reads too: what is not ASCII in it does not matter here.
            _ => String::from_utf8_lossy(part.value.value()).into_owned(),
        };
        Some(text).filter(|text| !text.is_empty())
    });
    let moment = |time: &Time| {
        let seconds = i64::try_from(time.to_unix_duration().as_secs()).unwrap_or(i64::MAX);
        // Later than any clock shows is as good as never.
        Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX)
    };
    Ok(Certificate {
        subject: body.subject().to_string(),
        common_name: common,
        alt_names: body.extensions().is_some_and(|all| all.iter().any(|one| one.extn_id == ALT_NAME)),
        begins: moment(&body.validity().not_before),
        ends: moment(&body.validity().not_after),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `openssl ca -selfsign -startdate 20260101000000Z -enddate 20260401000000Z` of `/O=lab/CN=etcd1`.
    const NAMED: &str = "-----BEGIN CERTIFICATE-----
MIHjMIGWAgEBMAUGAytlcDAeMQwwCgYDVQQKDANsYWIxDjAMBgNVBAMMBWV0Y2Qx
MB4XDTI2MDEwMTAwMDAwMFoXDTI2MDQwMTAwMDAwMFowHjEMMAoGA1UECgwDbGFi
MQ4wDAYDVQQDDAVldGNkMTAqMAUGAytlcAMhAG6ubgzQxpJzLZA0UReQ65BM6IjW
qY105ZImgOo4kGUUMAUGAytlcANBAEy/0oUBs0wApR/dQHX0UjZ7cCNSmZWs++pB
9yMtFWj8Tsrj2Uxg2SGPh0PhOPkoL99ihyHSZ3jCNnz5CgBdYQ8=
-----END CERTIFICATE-----
";
    /// The same of `/O=clients`.
    const NAMELESS: &str = "-----BEGIN CERTIFICATE-----
MIHKMH4CAQEwBQYDK2VwMBIxEDAOBgNVBAoMB2NsaWVudHMwHhcNMjYwMTAxMDAw
MDAwWhcNMjYwNDAxMDAwMDAwWjASMRAwDgYDVQQKDAdjbGllbnRzMCowBQYDK2Vw
AyEA6vfliXoilK2/mhQbLnM5qhKHGwT4hQMiepyPeSmiXFcwBQYDK2VwA0EAAwPy
7CSNk/WApaMylOaVp1bWa2Ho3HrNMmN7XOYMMOaPcikmPtTK+5bZxcNUwz/DY146
5aI++vEbhwTVA4M8Dg==
-----END CERTIFICATE-----
";

    /// `openssl req -x509 -newkey ed25519 -nodes -subj /CN=etcd1 -addext subjectAltName=IP:10.0.0.1`.
    const ALSO_BY_ADDRESS: &str = "-----BEGIN CERTIFICATE-----
MIIBRzCB+qADAgECAhQarC5sgb1weZAhgk9y1xr1KYitKDAFBgMrZXAwEDEOMAwG
A1UEAwwFZXRjZDEwIBcNMjYxMTI4MTk1OTMxWhgPMjEwOTAxMTcxOTU5MzFaMBAx
DjAMBgNVBAMMBWV0Y2QxMCowBQYDK2VwAyEAp7hhn+rPx/gN5iA3n4J5t4kWE0QL
ZrT9yx2aThSWrXajZDBiMB0GA1UdDgQWBBTvMSCrvRtvpea4A11Omcj9NRJkvzAf
BgNVHSMEGDAWgBTvMSCrvRtvpea4A11Omcj9NRJkvzAPBgNVHRMBAf8EBTADAQH/
MA8GA1UdEQQIMAaHBAoAAAEwBQYDK2VwA0EAVE6fW533/3iGOSvMe2OunYlOy+6C
FIEwKF7TeelqEM9dr4t/BjvJffQhkux2XbyvnjdUdqDLe9LhYhTWAP6xAw==
-----END CERTIFICATE-----
";

    fn one(pem: &str) -> Certificate {
        certificates(pem.as_bytes()).unwrap().remove(0)
    }

    #[test]
    fn names_and_times_are_read() {
        let found = one(NAMED);
        assert_eq!(found.common_name.as_deref(), Some("etcd1"));
        assert!(found.subject.contains("CN=etcd1"), "{}", found.subject);
        assert_eq!(found.begins.to_string(), "2026-01-01T00:00:00Z");
        assert_eq!(found.ends.to_string(), "2026-04-01T00:00:00Z");
        assert_eq!(one(NAMELESS).common_name, None);
        assert_eq!((found.alt_names, one(ALSO_BY_ADDRESS).alt_names), (false, true));
        assert_eq!(certificates(format!("{NAMED}{NAMELESS}").as_bytes()).unwrap().len(), 2);
    }

    #[test]
    fn a_certificate_holds_from_its_beginning_to_its_end() {
        let at = |moment: &str| one(NAMED).at(moment.parse().unwrap());
        assert_eq!(at("2025-12-31T23:59:59Z"), Term::NotYet);
        assert_eq!(at("2026-01-01T00:00:00Z"), Term::Holds);
        assert_eq!(at("2026-03-01T23:59:59Z"), Term::Holds);
        assert_eq!(at("2026-03-02T00:00:01Z"), Term::EndsSoon(29));
        assert_eq!(at("2026-04-01T00:00:00Z"), Term::EndsSoon(0));
        assert_eq!(at("2026-04-01T00:00:01Z"), Term::Over);
    }

    #[test]
    fn what_is_no_certificate_is_said_to_be_none() {
        assert_eq!(certificates(b""), Err(CertificateFault::None));
        assert_eq!(
            certificates(b"-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"),
            Err(CertificateFault::None)
        );
        let broken = NAMED.replacen("MIH", "AAA", 1);
        assert!(matches!(certificates(broken.as_bytes()), Err(CertificateFault::Broken(_))));
    }
}
