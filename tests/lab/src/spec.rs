//! What a lab is made of: how many members, which etcd, with or without a bastion, whose login.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::version;

/// The account that the control machine logs in with on every host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum User {
    /// Root itself.
    Root,
    /// `ops`, a plain account that may use sudo.
    Ops,
}

impl User {
    /// The account's name on the hosts.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::Ops => "ops",
        }
    }
}

impl FromStr for User {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "root" => Ok(Self::Root),
            "ops" => Ok(Self::Ops),
            other => Err(format!("expected `root` or `ops`, found `{other}`")),
        }
    }
}

/// Whether sudo asks `ops` for a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sudo {
    /// It asks; the password is in the file `become-password` of the lab.
    Password,
    /// It does not (`NOPASSWD`).
    NoPassword,
}

impl FromStr for Sudo {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "password" => Ok(Self::Password),
            "nopasswd" => Ok(Self::NoPassword),
            other => Err(format!("expected `password` or `nopasswd`, found `{other}`")),
        }
    }
}

/// As many as have room among the addresses.
const MOST_BASTIONS: u8 = 4;

/// Everything that was chosen for a lab; the rest is worked out from it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Spec {
    /// The lab's name: lower-case letters, digits and `-`, at most 20 of them.
    pub name: String,
    /// etcd members, each on a host of its own.
    pub members: u8,
    /// The version of etcd that the members start with.
    pub etcd: String,
    /// Further versions whose archives lie in the releases folder.
    pub releases: Vec<String>,
    /// The v2 interface is switched on, where it is off unless asked for (3.4 and 3.5).
    pub enable_v2: bool,
    /// Bastions; where there is one, members are reachable through them only.
    pub bastions: u8,
    /// Clients and peers of etcd use TLS, both sides with certificates.
    pub tls: bool,
    /// Clients of etcd must give a password: `root` may all, `writer` what the load does.
    pub auth: bool,
    /// Who logs in.
    pub user: User,
    /// Whether sudo asks.
    pub sudo: Sudo,
    /// Bytes of each host's system disk and of each member's data disk.
    pub disk_bytes: u64,
}

impl Default for Spec {
    fn default() -> Self {
        Self {
            name: "default".to_owned(),
            members: 3,
            etcd: "2.0.5".to_owned(),
            releases: Vec::new(),
            enable_v2: false,
            bastions: 1,
            tls: false,
            auth: false,
            user: User::Root,
            sudo: Sudo::NoPassword,
            // Sparse, so it costs what is written. Archives, old and new binary and several
            // backups of a test's data come to about 200 MB; 1 GiB leaves room for five times that.
            disk_bytes: 1 << 30,
        }
    }
}

impl Spec {
    /// Says what is wrong with it, if anything is.
    ///
    /// # Errors
    /// The first thing that is wrong, in words.
    pub(crate) fn check(&self) -> Result<(), String> {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let fits = (1..=20).contains(&self.name.len()) && !self.name.starts_with('-');
        if !fits || !self.name.chars().all(plain) {
            return Err(format!("a lab's name is 1 to 20 of a-z, 0-9 and `-`, not `{}`", self.name));
        }
        if !(1..=9).contains(&self.members) {
            return Err(format!("1 to 9 members, not {}", self.members));
        }
        // Their addresses lie between those of the first and of the members (`Site::bastions`).
        if self.bastions > MOST_BASTIONS {
            return Err(format!("at most {MOST_BASTIONS} bastions, not {}", self.bastions));
        }
        // 3.6 has no v2 interface, and before 3.4 it is on anyway (CHANGELOG-3.4.md, CHANGELOG-3.6.md).
        if self.enable_v2 && !matches!(version::minor(&self.etcd), Some((3, 4 | 5))) {
            return Err(format!("the v2 interface can be switched on in 3.4 and 3.5, not in {}", self.etcd));
        }
        // 2.1 is the first that has passwords (Documentation/auth_api.md of 2.1).
        if self.auth && version::minor(&self.etcd) < Some((2, 1)) {
            return Err(format!("etcd {} knows no passwords", self.etcd));
        }
        // It panics on the first connection: its keep-alive takes every one for plain TCP
        // (pkg/transport/keepalive_listener.go; etcd v2.0.0 with `--ca-file`, seen in the lab 2026-11-27).
        if self.tls && self.etcd == "2.0.0" {
            return Err("etcd 2.0.0 panics where it is to use TLS".to_owned());
        }
        // Below this mkfs makes an ext4 without a journal, and a power cut would mean nothing.
        if self.disk_bytes < (64 << 20) {
            return Err(format!("a disk has at least 64 MiB, not {} bytes", self.disk_bytes));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_a_name_that_is_no_plain_word() {
        for name in ["", "-a", "A", "a/b", "a.b", "aaaaaaaaaaaaaaaaaaaaa"] {
            let spec = Spec { name: name.to_owned(), ..Spec::default() };
            assert!(spec.check().is_err(), "{name}");
        }
        assert!(Spec::default().check().is_ok());
    }

    #[test]
    fn a_2_0_0_has_no_tls() {
        for (etcd, fits) in [("2.0.0", false), ("2.0.5", true), ("3.7.3", true)] {
            let spec = Spec { etcd: etcd.to_owned(), tls: true, ..Spec::default() };
            assert_eq!(spec.check().is_ok(), fits, "{etcd}");
        }
    }

    #[test]
    fn passwords_begin_with_2_1() {
        for (etcd, fits) in [("2.0.5", false), ("2.1.1", true), ("3.7.3", true)] {
            let spec = Spec { etcd: etcd.to_owned(), auth: true, ..Spec::default() };
            assert_eq!(spec.check().is_ok(), fits, "{etcd}");
        }
    }

    #[test]
    fn the_v2_interface_is_a_choice_in_3_4_and_3_5_only() {
        for (etcd, fits) in [("2.0.5", false), ("3.3.27", false), ("3.4.13", true), ("3.5.35", true), ("3.6.16", false)]
        {
            let spec = Spec { etcd: etcd.to_owned(), enable_v2: true, ..Spec::default() };
            assert_eq!(spec.check().is_ok(), fits, "{etcd}");
        }
    }
}
