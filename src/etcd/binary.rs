//! For which machine a binary was built, from the first bytes of the file.

use semver::Version;

/// A processor that Linux and etcd know, by the name that `uname -m` gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Architecture(pub &'static str);

/// `e_machine` in the ELF header, and what `uname -m` calls it (elf(5) and Linux's elf-em.h, read 2026-11-24).
const MACHINES: &[(u16, u8, &[&str])] = &[
    (62, 2, &["x86_64"]),
    (183, 2, &["aarch64"]),
    (21, 2, &["ppc64le", "ppc64"]),
    (22, 2, &["s390x"]),
    (243, 2, &["riscv64"]),
    (3, 1, &["i686", "i386", "i586"]),
    (40, 1, &["armv7l", "armv6l"]),
];

/// Why a file is no program for a machine.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BinaryFault {
    /// Nothing in it.
    #[error("the file is empty")]
    Empty,
    /// Not ELF: a script, an archive, half a download.
    #[error("no ELF program (it begins with {start})")]
    NotElf {
        /// Its first bytes in hex.
        start: String,
    },
    /// ELF for a processor that is not in the table.
    #[error("an ELF program for an unknown machine (class {class}, e_machine {machine})")]
    UnknownMachine {
        /// 1 is 32 bit, 2 is 64 bit.
        class: u8,
        /// `e_machine`.
        machine: u16,
    },
}

/// For which machine the program is whose first bytes these are; 20 bytes are enough.
///
/// # Errors
/// When it is no ELF program or for an unknown machine.
pub fn architecture(head: &[u8]) -> Result<Architecture, BinaryFault> {
    if head.is_empty() {
        return Err(BinaryFault::Empty);
    }
    let [0x7f, b'E', b'L', b'F', class, order, ..] = *head else {
        let start = head.iter().take(4).map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ");
        return Err(BinaryFault::NotElf { start });
    };
    let machine = match head.get(18..20) {
        Some(&[low, high]) if order == 1 => u16::from_le_bytes([low, high]),
        Some(&[high, low]) => u16::from_be_bytes([high, low]),
        _ => 0,
    };
    let row = MACHINES.iter().find(|(number, width, _)| *number == machine && *width == class);
    row.and_then(|(_, _, names)| names.first())
        .map(|name| Architecture(name))
        .ok_or(BinaryFault::UnknownMachine { class, machine })
}

/// The architecture that `uname -m` names, if it is in the table.
#[must_use]
pub fn architecture_of_machine(uname: &str) -> Option<Architecture> {
    let row = MACHINES.iter().find(|(_, _, names)| names.contains(&uname))?;
    row.2.first().map(|name| Architecture(name))
}

/// What Go calls a machine, by the name that `uname -m` gives (Go's `internal/syslist`; etcd compares with it).
const GO_NAMES: &[(&str, &str)] = &[
    ("x86_64", "amd64"),
    ("aarch64", "arm64"),
    ("ppc64le", "ppc64le"),
    ("s390x", "s390x"),
    ("riscv64", "riscv64"),
    ("i686", "386"),
    ("armv7l", "arm"),
];

/// The variable that has etcd run on a machine for which it is not tested.
pub const UNSUPPORTED_ARCH: &str = "ETCD_UNSUPPORTED_ARCH";

/// What that variable has to be on a machine, by the name that `uname -m` gives; `None` where no release asks for it.
#[must_use]
pub fn unsupported_arch(uname: &str) -> Option<&'static str> {
    let Architecture(machine) = architecture_of_machine(uname)?;
    GO_NAMES.iter().find(|(name, _)| *name == machine).map(|(_, go)| *go).filter(|go| *go != "amd64")
}

/// The same where a version ends at once without it: from 2.3 on, for ppc64le up to 3.1, for arm64 and s390x up to 3.4 (`checkSupportArch` in
/// etcdmain/etcd.go of etcd v2.2.5, v2.3.8, v3.1.20, v3.2.32, v3.4.13 and v3.5.35, read 2026-11-28).
#[must_use]
pub fn wants_arch(uname: &str, version: &Version) -> Option<&'static str> {
    let minor = (version.major, version.minor);
    unsupported_arch(uname).filter(|arch| match *arch {
        _ if minor < (2, 3) => false,
        "ppc64le" => minor < (3, 2),
        "arm64" | "s390x" => minor < (3, 5),
        _ => true,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn elf(class: u8, machine: u16) -> Vec<u8> {
        let mut head = vec![0x7f, b'E', b'L', b'F', class, 1, 1];
        head.resize(18, 0);
        head.extend(machine.to_le_bytes());
        head
    }

    #[test]
    fn tells_machines_apart() {
        assert_eq!(architecture(&elf(2, 62)), Ok(Architecture("x86_64")));
        assert_eq!(architecture(&elf(2, 183)), Ok(Architecture("aarch64")));
        assert_eq!(architecture(&elf(1, 3)), Ok(Architecture("i686")));
        assert_eq!(architecture_of_machine("i386"), Some(Architecture("i686")));
        // x32 programs say x86-64 but are 32 bit; a 64 bit etcd is not that.
        assert!(matches!(architecture(&elf(1, 62)), Err(BinaryFault::UnknownMachine { class: 1, machine: 62 })));
    }

    #[test]
    fn releases_of_2_3_to_3_4_want_to_be_told_that_they_run_on_arm() {
        let wants = |machine: &str, version: &str| wants_arch(machine, &version.parse().unwrap());
        assert_eq!(
            (wants("aarch64", "2.2.5"), wants("aarch64", "3.5.35"), wants("x86_64", "3.4.13")),
            (None, None, None)
        );
        assert_eq!((wants("aarch64", "2.3.8"), wants("s390x", "3.4.13")), (Some("arm64"), Some("s390x")));
        assert_eq!((wants("ppc64le", "3.1.20"), wants("ppc64le", "3.2.32")), (Some("ppc64le"), None));
        assert_eq!((unsupported_arch("aarch64"), unsupported_arch("x86_64")), (Some("arm64"), None));
    }

    #[test]
    fn refuses_what_is_no_program() {
        assert_eq!(architecture(b""), Err(BinaryFault::Empty));
        assert!(matches!(architecture(b"#!/bin/sh\n"), Err(BinaryFault::NotElf { .. })));
        assert!(matches!(architecture(&[0x1f, 0x8b, 8, 0]), Err(BinaryFault::NotElf { .. })));
        assert!(architecture(&[0x7f, b'E', b'L', b'F', 2, 1]).is_err());
    }
}
