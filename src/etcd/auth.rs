//! What a member says to somebody whom it does not know, or who may not do what is asked.

use super::strict_json;

/// What a member wants before it does anything; nothing of what was asked has been done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asks {
    /// Who it is: nobody was named, or by a token that it does not know or that is older than a change of the users.
    Who,
    /// Somebody who may do more; its words.
    Rights(String),
    /// A certificate without a common name.
    OtherCertificate,
}

/// What answers say to somebody without a token or with a wrong one (etcd v3.5.35 api/v3rpc/rpctypes/error.go; 3.0 to 3.7 seen in the
/// lab 2026-11-27). A simple token lies in each member's memory: it goes when the member is restarted, and 300 s after its last use.
const WHO: [&str; 3] = ["user name is empty", "invalid auth token", "revision of auth store is old"];
/// For a token whose user may not. 3.0 says it also to who has shown none (3.0.17 seen in the lab 2026-11-27).
const DENIED: &str = "permission denied";
/// From 3.4 on, to a client that shows a certificate with a common name while auth is on: from that other programs take the user, and the
/// gateway does not (etcd v3.4.13 and v3.7.1 embed/serve.go; 3.4 to 3.7 seen in the lab 2026-11-27, and 3.0 to 3.3 not to mind).
const COMMON_NAME: &str = "CommonName of client";
/// To a wrong name or password (etcd v3.5.35 api/v3rpc/rpctypes/error.go; 3.0 to 3.7 seen in the lab 2026-11-27).
const WRONG: &str = "authentication failed";

/// The words of an error of the gateway: in `Error` with 3.0, `error` up to 3.5, `message` from 3.6 on.
fn words(body: &[u8]) -> Option<String> {
    let value = strict_json::parse(body).ok()?;
    let said = ["Error", "error", "message"].iter().find_map(|name| value.get(name)?.as_str())?;
    Some(said.chars().filter(|c| !c.is_control()).take(120).collect())
}

/// Reads an answer of the gateway; `named` is whether a token was shown.
#[must_use]
pub fn asks(status: u16, body: &[u8], named: bool) -> Option<Asks> {
    if status < 400 {
        return None;
    }
    if String::from_utf8_lossy(body).trim_start().starts_with(COMMON_NAME) {
        return Some(Asks::OtherCertificate);
    }
    let said = words(body)?;
    if WHO.iter().any(|who| said.contains(who)) {
        return Some(Asks::Who);
    }
    let asks = if named { Asks::Rights(said.clone()) } else { Asks::Who };
    said.contains(DENIED).then_some(asks)
}

/// Reads an answer of the v2 API, which has one for all: who was not named, was not known, or may not (2.1.1 and 2.3.8 seen in the lab
/// 2026-11-27: 401 with "Insufficient credentials").
#[must_use]
pub fn v2_asks(status: u16) -> bool {
    status == 401
}

/// Reads the answer about a user: whether there is one who has the role `root`, which etcd knows by name as the one that may all.
#[must_use]
pub fn has_root(status: u16, body: &[u8]) -> bool {
    let roles = || strict_json::parse(body).ok()?.get("roles")?.as_array().cloned();
    status == 200 && roles().is_some_and(|roles| roles.iter().any(|role| role == "root"))
}

/// What came of a login at the gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Login {
    /// The token.
    Token(String),
    /// Name or password is wrong.
    Wrong,
    /// A certificate without a common name is wanted first.
    OtherCertificate,
    /// Neither yes nor no; what it said.
    Unknown(String),
}

/// Reads the answer to `auth/authenticate`.
#[must_use]
pub fn login(status: u16, body: &[u8]) -> Login {
    let token = || strict_json::parse(body).ok()?.get("token")?.as_str().map(str::to_owned);
    if status == 200
        && let Some(token) = token().filter(|token| !token.is_empty() && !token.contains(char::is_control))
    {
        return Login::Token(token);
    }
    match asks(status, body, false) {
        Some(Asks::OtherCertificate) => Login::OtherCertificate,
        _ if words(body).is_some_and(|said| said.contains(WRONG)) => Login::Wrong,
        // What a 200 holds may be a token, so it is not shown.
        _ if status == 200 => Login::Unknown("status 200 without a token".to_owned()),
        _ => Login::Unknown(format!("status {status}, `{}`", words(body).unwrap_or_default())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_that_knows_nobody_or_another_token_asks_who_it_is() {
        for text in [
            r#"{"error":"etcdserver: user name is empty","message":"etcdserver: user name is empty","code":3}"#,
            r#"{"error":"etcdserver: invalid auth token","code":16}"#,
            r#"{"code":3,"message":"etcdserver: revision of auth store is old","details":[]}"#,
        ] {
            assert_eq!(asks(400, text.as_bytes(), true), Some(Asks::Who), "{text}");
        }
        assert_eq!(asks(200, br#"{"error":"etcdserver: user name is empty"}"#, true), None);
        assert_eq!(asks(503, br#"{"error":"etcdserver: no leader","code":14}"#, false), None);
    }

    #[test]
    fn permission_denied_is_a_question_of_who_only_where_nobody_was_named() {
        let denied = br#"{"Error":"etcdserver: permission denied","Code":9}"#;
        assert_eq!(asks(412, denied, false), Some(Asks::Who));
        assert!(matches!(asks(412, denied, true), Some(Asks::Rights(said)) if said.contains("denied")));
    }

    #[test]
    fn a_common_name_that_stands_in_the_way_is_known() {
        let body = b"CommonName of client sending a request against gateway will be ignored and not used as expected\n";
        assert_eq!(asks(400, body, false), Some(Asks::OtherCertificate));
        assert_eq!(login(400, body), Login::OtherCertificate);
    }

    #[test]
    fn only_who_has_the_role_root_has_it() {
        assert!(has_root(200, br#"{"header":{},"roles":["readers","root"]}"#));
        for body in [&br#"{"header":{},"roles":["roots"]}"#[..], br#"{"header":{}}"#, br#"{"roles":"root"}"#, b"root"] {
            assert!(!has_root(200, body), "{body:?}");
        }
        assert!(!has_root(400, br#"{"error":"etcdserver: user name not found","code":9,"roles":["root"]}"#));
    }

    #[test]
    fn a_login_is_a_token_a_no_or_neither() {
        assert_eq!(login(200, br#"{"header":{},"token":"abc.17"}"#), Login::Token("abc.17".to_owned()));
        let wrong = br#"{"error":"etcdserver: authentication failed, invalid user ID or password","code":3}"#;
        assert_eq!(login(400, wrong), Login::Wrong);
        assert!(
            matches!(login(503, br#"{"error":"etcdserver: no leader"}"#), Login::Unknown(said) if said.contains("no leader"))
        );
        for odd in [&br#"{"token":"a\nb"}"#[..], br#"{"token":""}"#, b"{}", b"abc.17"] {
            assert!(matches!(login(200, odd), Login::Unknown(said) if !said.contains("abc")), "{odd:?}");
        }
    }
}
