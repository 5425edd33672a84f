//! The JSON gateway to etcd's v3 API, as far as its versions differ.

use serde_json::Value;

use crate::version;

/// What a member says to any v3 call while the cluster version is below 3.0 (etcd v3.0.17,
/// etcdserver/api/v3rpc/rpctypes/error.go); it has done nothing then.
pub(crate) const NOT_CAPABLE: &str = "etcdserver: not capable";

/// Where a member of this version serves the gateway; `None` where there is none. `/v3alpha` in 3.0 to
/// 3.2, `/v3beta` in 3.3, `/v3` from 3.4 on (embed/serve.go of each).
pub(crate) fn prefix(version: &str) -> Option<&'static str> {
    match version::minor(version)? {
        (3, 0..=2) => Some("/v3alpha"),
        (3, 3) => Some("/v3beta"),
        (3, _) => Some("/v3"),
        _ => None,
    }
}

/// A number of 64 bits, which the gateway writes as a string of digits and leaves out where it is 0.
pub(crate) fn number(value: &Value, name: &str) -> Option<u64> {
    match value.get(name) {
        None => Some(0),
        Some(Value::String(digits)) => digits.parse().ok(),
        Some(_) => None,
    }
}

/// The words of an answer that is an error: in `Error` with 3.0 (built with grpc-gateway v1.1.0; seen in the lab
/// 2026-11-27), `error` up to 3.5, `message` from 3.6 on.
pub(crate) fn complaint(answer: &Value) -> Option<&str> {
    ["Error", "error", "message"].iter().find_map(|name| answer.get(name)).and_then(Value::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_prefix_follows_the_version() {
        for (version, wanted) in [
            ("2.3.8", None),
            ("3.0.17", Some("/v3alpha")),
            ("3.2.32", Some("/v3alpha")),
            ("3.3.27", Some("/v3beta")),
            ("3.4.13", Some("/v3")),
            ("3.7.3", Some("/v3")),
            ("not_decided", None),
        ] {
            assert_eq!(prefix(version), wanted, "{version}");
        }
    }

    #[test]
    fn a_complaint_is_found_under_its_name_of_each_age() {
        for text in [
            r#"{"Error":"etcdserver: not capable","Code":14}"#,
            r#"{"error":"etcdserver: not capable","message":"etcdserver: not capable","code":14}"#,
            r#"{"code":14,"message":"etcdserver: not capable","details":[]}"#,
        ] {
            assert_eq!(complaint(&serde_json::from_str(text).unwrap()), Some(NOT_CAPABLE));
        }
        assert_eq!(complaint(&serde_json::json!({ "header": {} })), None);
    }

    #[test]
    fn a_number_is_a_string_of_digits_or_absent() {
        let answer = serde_json::json!({ "revision": "12", "odd": 12 });
        assert_eq!(number(&answer, "revision"), Some(12));
        assert_eq!(number(&answer, "raft_term"), Some(0));
        assert_eq!(number(&answer, "odd"), None);
    }
}
