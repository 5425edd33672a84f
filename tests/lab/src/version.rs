//! What follows from a version of etcd.

/// Major and minor of `3.4.13`.
pub(crate) fn minor(version: &str) -> Option<(u32, u32)> {
    let mut numbers = version.split('.').map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

/// The version from the answer to `GET /version`, and the cluster's: `{"releaseVersion":…}` (2.0), the text
/// `etcd 2.0.13` (2.0.8 on), or `{"etcdserver":…,"etcdcluster":…}` (2.1 on).
pub(crate) fn said(answer: &str) -> (Option<String>, Option<String>) {
    let Ok(value) = serde_json::from_str::<serde_json::Value>(answer) else {
        let version = answer.strip_prefix("etcd ").map(|rest| rest.trim().to_owned());
        return (version, None);
    };
    let word = |name: &str| value.get(name).and_then(serde_json::Value::as_str).map(str::to_owned);
    (word("etcdserver").or_else(|| word("releaseVersion")), word("etcdcluster"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minor_is_two_numbers() {
        assert_eq!(minor("3.4.13"), Some((3, 4)));
        assert_eq!(minor("3.10.0"), Some((3, 10)));
        assert_eq!(minor("not_decided"), None);
    }

    #[test]
    fn reads_every_form_of_version() {
        let old = said(r#"{"releaseVersion":"2.0.5","internalVersion":"2"}"#);
        assert_eq!(old, (Some("2.0.5".to_owned()), None));
        assert_eq!(said("etcd 2.0.13\n"), (Some("2.0.13".to_owned()), None));
        let new = said(r#"{"etcdserver":"2.1.1","etcdcluster":"2.1.0"}"#);
        assert_eq!(new, (Some("2.1.1".to_owned()), Some("2.1.0".to_owned())));
        let newest = said(r#"{"etcdserver":"3.7.3","etcdcluster":"3.7.0","storage":"3.7.0"}"#);
        assert_eq!(newest, (Some("3.7.3".to_owned()), Some("3.7.0".to_owned())));
    }
}
