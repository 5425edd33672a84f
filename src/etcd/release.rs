//! Release archives and their checksums, as etcd publishes them.

use std::collections::BTreeMap;

use semver::Version;

/// The name of the archive of a release for Linux: `etcd-v2.1.1-linux-amd64.tar.gz`.
#[must_use]
pub fn archive_name(version: &Version, machine: &str) -> String {
    // Go's names, which etcd's releases use, beside those of `uname -m`.
    let arch = match machine {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "i686" => "386",
        other => other,
    };
    format!("etcd-v{version}-linux-{arch}.tar.gz")
}

/// The version in the name of an archive for Linux on that machine.
#[must_use]
pub fn version_of_archive(name: &str, machine: &str) -> Option<Version> {
    let version = name.strip_prefix("etcd-v")?.split("-linux-").next()?;
    Version::parse(version).ok().filter(|version| archive_name(version, machine) == name)
}

/// The contents of a SHA256SUMS file: SHA-256 by file name.
#[derive(Clone, Debug, Default)]
pub struct Checksums(BTreeMap<String, [u8; 32]>);

/// What is wrong with a SHA256SUMS file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct ChecksumFault {
    /// From 1.
    pub line: usize,
    /// What.
    pub what: String,
}

/// The 32 bytes that 64 hex digits say, in either case; anything else is `None`.
#[must_use]
pub fn sha256_from_hex(text: &str) -> Option<[u8; 32]> {
    let digits = text.as_bytes();
    if digits.len() != 64 {
        return None;
    }
    let mut sum = [0u8; 32];
    for (byte, pair) in sum.iter_mut().zip(digits.chunks_exact(2)) {
        let pair = std::str::from_utf8(pair).ok().filter(|pair| pair.bytes().all(|b| b.is_ascii_hexdigit()))?;
        *byte = u8::from_str_radix(pair, 16).ok()?;
    }
    Some(sum)
}

impl Checksums {
    /// Reads `shasum -a 256` lines: 64 hex digits, two blanks (or blank and star), a name. Blank lines are passed over.
    ///
    /// # Errors
    /// When a line is something else, or one name has two different sums.
    pub fn from_text(text: &str) -> Result<Self, ChecksumFault> {
        let mut sums = BTreeMap::new();
        for (index, line) in text.lines().enumerate() {
            let fault = |what: String| ChecksumFault { line: index + 1, what };
            if line.trim().is_empty() {
                continue;
            }
            let (hex, name) = line.split_once(' ').ok_or_else(|| fault("expected `<64 hex digits>  <name>`".into()))?;
            let sum = sha256_from_hex(hex).ok_or_else(|| {
                fault(format!("expected 64 hex digits of SHA-256, found {} characters", hex.chars().count()))
            })?;
            let name = name.trim_start_matches([' ', '*']).trim_end();
            let name = name.strip_prefix("./").unwrap_or(name);
            if sums.insert(name.to_owned(), sum).is_some_and(|before| before != sum) {
                return Err(fault(format!("`{name}` is listed twice with different sums")));
            }
        }
        Ok(Self(sums))
    }

    /// The sum of the file of that name.
    #[must_use]
    pub fn of(&self, name: &str) -> Option<[u8; 32]> {
        self.0.get(name).copied()
    }

    /// All names, for messages.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUM: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn reads_the_published_form_in_either_case() {
        let text = format!("{SUM}  a.tar.gz\n\n{}  b.tar.gz\n", SUM.to_uppercase());
        let sums = Checksums::from_text(&text).unwrap();
        assert_eq!(sums.of("a.tar.gz"), sums.of("b.tar.gz"));
        assert!(sums.of("a.tar.gz").is_some() && sums.of("c").is_none());
    }

    #[test]
    fn refuses_other_sums_and_contradictions() {
        let md5 = "d41d8cd98f00b204e9800998ecf8427e  a\n";
        assert_eq!(Checksums::from_text(md5).unwrap_err().line, 1);
        for bad in [&SUM[1..], &format!("{SUM}0"), &SUM.replace('e', "g")] {
            assert!(Checksums::from_text(&format!("{bad}  a")).is_err());
        }
        let twice = format!("{SUM}  a\n{}  a\n", SUM.replace("e3", "e4"));
        assert_eq!(Checksums::from_text(&twice).unwrap_err().line, 2);
        assert!(Checksums::from_text(&format!("{SUM}  a\n{SUM}  a\n")).is_ok());
    }

    #[test]
    fn names_archives_as_etcd_does() {
        assert_eq!(archive_name(&Version::new(2, 1, 1), "x86_64"), "etcd-v2.1.1-linux-amd64.tar.gz");
        assert_eq!(archive_name(&Version::new(3, 5, 35), "aarch64"), "etcd-v3.5.35-linux-arm64.tar.gz");
    }
}
