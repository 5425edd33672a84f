//! The new binary on the control machine: out of a release archive with its SHA256SUMS, or as a plain file with its SHA-256.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use semver::Version;
use sha2::{Digest, Sha256};

use crate::etcd::{self, Architecture, Checksums};
use crate::events::Fault;
use crate::inventory::{Node, Problem};
use crate::modules::{Call, Failure};

use super::written;

/// The largest binary etcd ever released has 27 MB; more than 512 MiB is no etcd and would fill a disk.
const MOST: u64 = 512 * 1024 * 1024;
/// A SHA256SUMS file has some twenty lines.
const SUMS_CAP: u64 = 1024 * 1024;

/// A verified binary on the control machine.
#[derive(Clone, Debug)]
pub(super) struct Binary {
    /// Where it lies.
    pub(super) path: PathBuf,
    /// Bytes.
    pub(super) size: u64,
    /// SHA-256 in hex.
    pub(super) sha256: String,
}

/// Where the operator says the binary is.
#[derive(Clone, Debug)]
pub(super) enum Origin {
    /// A folder of archives with SHA256SUMS.
    Releases(PathBuf),
    /// A file and its sum.
    Plain(PathBuf, [u8; 32]),
}

/// A local path of the operator: from where quorate was started, since these are said on the command line; else from the playbook's folder.
pub(super) fn local(playbook_dir: &Path, text: &str) -> PathBuf {
    let here = PathBuf::from(text);
    if here.exists() || here.is_absolute() { here } else { playbook_dir.join(text) }
}

/// What is wrong on this machine with `releases` or `binary`, found before any host is contacted: a folder without a list of sums, an
/// archive of the version that is not listed or not there. The sums themselves are compared when the binary is taken.
pub(super) fn on_paper(args: &Node, playbook_dir: &Path) -> Vec<Problem> {
    let named = |name: &str| args.get(name).filter(|node| node.as_str().is_some_and(|text| !text.contains("{{")));
    let path = |node: &Node| local(playbook_dir, node.as_str().unwrap_or_default());
    let given = |name: &str| args.get(name).is_some();
    let mut problems = Vec::new();
    let wrong = match (given("releases"), given("binary"), given("binary_sha256")) {
        (true, false, _) | (false, true, true) => None,
        (true, true, _) => Some("takes either `releases` or `binary`, not both"),
        (false, true, false) => Some("nothing is installed without its checksum: `binary` needs `binary_sha256`"),
        (false, false, _) => Some("needs to know where the new binary is: `releases`, or `binary` and `binary_sha256`"),
    };
    if let Some(what) = wrong {
        problems.push(Problem::new(&args.place, what));
    }
    if let Some(node) = named("binary")
        && !path(node).is_file()
    {
        problems.push(Problem::new(&node.place, format!("there is no file {}", path(node).display())));
    }
    if let Some(node) = named("binary_sha256")
        && node.as_str().and_then(etcd::sha256_from_hex).is_none()
    {
        problems.push(Problem::new(&node.place, "expected the 64 hex digits of a SHA-256"));
    }
    let version = match written::version(args, "version") {
        Some(Ok(version)) => Some(version),
        Some(Err(problem)) => {
            problems.push(problem);
            None
        }
        None => None,
    };
    if let Some(node) = named("releases") {
        problems.extend(folder_fault(&path(node), version.as_ref()).map(|what| Problem::new(&node.place, what)));
    }
    problems
}

/// What a folder of releases lacks for a version on any machine.
fn folder_fault(folder: &Path, version: Option<&Version>) -> Option<String> {
    let (list, sums) = match sums(folder) {
        Ok(read) => read,
        Err(fault) => return Some(fault),
    };
    let start = format!("etcd-v{}-linux-", version?);
    let listed: Vec<&str> = sums.names().filter(|name| name.starts_with(&start)).collect();
    if listed.is_empty() {
        return Some(format!("{} lists no {start}*.tar.gz", list.display()));
    }
    let there = listed.iter().any(|name| folder.join(name).is_file());
    (!there).then(|| format!("{} is listed but not there", listed.join(", ")))
}

fn input(message: impl Into<String>) -> Failure {
    Failure::new(Fault::Input, message)
}

impl Origin {
    /// What the arguments `releases`, `binary` and `binary_sha256` say.
    pub(super) fn from_call(call: &Call<'_>) -> Result<Self, Failure> {
        let local = |text: &str| local(call.playbook_dir, text);
        match (call.text("releases"), call.text("binary"), call.text("binary_sha256")) {
            (None, Some(binary), Some(sum)) => {
                let sum = etcd::sha256_from_hex(sum)
                    .ok_or_else(|| input("binary_sha256: expected the 64 hex digits of a SHA-256"))?;
                Ok(Self::Plain(local(binary), sum))
            }
            (None, Some(_), None) => {
                Err(input("binary: nothing is installed without its checksum; give binary_sha256 too"))
            }
            (Some(folder), None, None) => Ok(Self::Releases(local(folder))),
            _ => Err(input("give either releases (a folder of archives with SHA256SUMS), or binary and binary_sha256")),
        }
    }

    /// The versions that are at hand for that machine; of a plain binary nothing is known beforehand.
    pub(super) fn versions(&self, machine: &str) -> Result<BTreeSet<Version>, Failure> {
        let Self::Releases(folder) = self else { return Ok(BTreeSet::new()) };
        let (_, sums) = sums(folder).map_err(input)?;
        let there = sums.names().filter(|name| folder.join(name).is_file());
        Ok(there.filter_map(|name| etcd::version_of_archive(name, machine)).collect())
    }

    /// The program `name` of that version for that machine, verified; unpacked into `into` if it comes out of an archive.
    pub(super) fn obtain(
        &self,
        name: &str,
        version: &Version,
        machine: &str,
        into: &Path,
        unpacked: &Unpacked,
    ) -> Result<Binary, Failure> {
        match self {
            Self::Plain(path, want) => {
                let (size, found) = digest(path)?;
                compare(path, want, &found, "binary_sha256")?;
                checked(Binary { path: path.clone(), size, sha256: hex(&found) }, machine)
            }
            Self::Releases(folder) => {
                let wanted = [folder.display().to_string(), name.to_owned(), version.to_string(), machine.to_owned()];
                unpacked.once(wanted, || {
                    let archive = verified_archive(folder, version, machine)?;
                    checked(unpack(&archive, name, version, into)?, machine)
                })
            }
        }
    }
}

/// The releases' folder, program, version and machine.
type Wanted = [String; 4];

/// What the run has unpacked already. A roll asks for the same program at every task of every host, and hashing and inflating the 8 MB of
/// 2.1.1 takes 0.2 s of a processor each time (two cores, 2026-11-24). The copy lies in the run's own folder, which nobody else can
/// write to. One or two entries a run.
#[derive(Debug, Default)]
pub(super) struct Unpacked(Mutex<BTreeMap<Wanted, Arc<Mutex<Option<Binary>>>>>);

impl Unpacked {
    /// Unpacks what is wanted if that was not done before; who asks meanwhile waits for it. A failure is found anew each time.
    fn once(&self, wanted: Wanted, unpack: impl FnOnce() -> Result<Binary, Failure>) -> Result<Binary, Failure> {
        let slot = Arc::clone(self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(wanted).or_default());
        let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(binary) = slot.as_ref().filter(|binary| binary.path.is_file()) {
            return Ok(binary.clone());
        }
        let binary = unpack()?;
        *slot = Some(binary.clone());
        Ok(binary)
    }
}

/// Size and SHA-256 of a file here.
pub(super) fn digest(path: &Path) -> Result<(u64, [u8; 32]), Failure> {
    let fault = |error: io::Error| input(format!("{}: {error}", path.display()));
    let mut file = File::open(path).map_err(fault)?;
    let (size, sum) = pour(&mut file, &mut io::sink()).map_err(fault)?;
    if size == 0 {
        return Err(input(format!("{}: the file is empty", path.display())));
    }
    Ok((size, sum))
}

/// Copies all of it and hashes it on the way.
fn pour(from: &mut impl Read, to: &mut impl Write) -> io::Result<(u64, [u8; 32])> {
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 256 * 1024];
    let mut size = 0;
    loop {
        let count = from.read(&mut buffer)?;
        let Some(bytes) = buffer.get(..count).filter(|bytes| !bytes.is_empty()) else { break };
        hasher.update(bytes);
        to.write_all(bytes)?;
        size += count as u64;
    }
    Ok((size, hasher.finalize().into()))
}

fn compare(path: &Path, want: &[u8; 32], found: &[u8; 32], by: &str) -> Result<(), Failure> {
    if want == found {
        return Ok(());
    }
    let (want, found) = (hex(want), hex(found));
    Err(Failure::new(
        Fault::Refused,
        format!("{}: wrong checksum\nexpected {want} ({by})\nfound    {found}", path.display()),
    ))
}

/// The list of a folder's sums, and where it lies; else what is wrong with it. A part of a list would lack the archives behind its end.
fn sums(folder: &Path) -> Result<(PathBuf, Checksums), String> {
    let list = folder.join("SHA256SUMS");
    let fault = |what: &dyn std::fmt::Display| format!("{}: {what}", list.display());
    let file = File::open(&list).map_err(|error| fault(&error))?;
    let size = file.metadata().map_err(|error| fault(&error))?.len();
    let mut bytes = Vec::new();
    file.take(SUMS_CAP + 1).read_to_end(&mut bytes).map_err(|error| fault(&error))?;
    if bytes.len() as u64 > SUMS_CAP {
        let what = format!("a list of checksums has at most {SUMS_CAP} bytes, and this file has {size}");
        return Err(fault(&what));
    }
    let text = String::from_utf8(bytes).map_err(|_| fault(&"not UTF-8"))?;
    let sums = Checksums::from_text(&text).map_err(|what| fault(&what))?;
    Ok((list, sums))
}

/// The archive of that version, its sum compared with the one in SHA256SUMS.
fn verified_archive(folder: &Path, version: &Version, machine: &str) -> Result<PathBuf, Failure> {
    let name = etcd::archive_name(version, machine);
    let (list, sums) = sums(folder).map_err(input)?;
    let want = sums.of(&name).ok_or_else(|| {
        let listed: Vec<&str> = sums.names().take(20).collect();
        input(format!("{}: {name} is not listed (listed: {})", list.display(), listed.join(", ")))
    })?;
    let archive = folder.join(&name);
    let (_, found) = digest(&archive)?;
    compare(&archive, &want, &found, "SHA256SUMS")?;
    Ok(archive)
}

/// Takes one program out of an archive; nothing else of it touches the disk, and no name in it becomes a path.
fn unpack(archive: &Path, name: &str, version: &Version, into: &Path) -> Result<Binary, Failure> {
    let fault = |error: io::Error| input(format!("{}: {error}", archive.display()));
    let file = File::open(archive).map_err(fault)?;
    let mut tar = tar::Archive::new(flate2::read::GzDecoder::new(file));
    for entry in tar.entries().map_err(fault)? {
        let entry = entry.map_err(fault)?;
        let is_it = entry.header().entry_type().is_file()
            && entry
                .path()
                .is_ok_and(|path| path.components().count() == 2 && path.file_name().is_some_and(|f| f == name));
        if !is_it {
            continue;
        }
        std::fs::create_dir_all(into).map_err(disk)?;
        let mut out = tempfile::NamedTempFile::new_in(into).map_err(disk)?;
        let (size, sha256) = pour(&mut entry.take(MOST), out.as_file_mut())
            .map_err(|error| input(format!("{}: unpacking {name}: {error}", archive.display())))?;
        if size == 0 || size >= MOST {
            return Err(input(format!("{}: {name} in it has {size} bytes, which is no program", archive.display())));
        }
        let path = into.join(format!("{name}-{version}-{}", hex(&sha256).get(..12).unwrap_or_default()));
        out.as_file().sync_all().map_err(disk)?;
        out.persist(&path).map_err(|error| disk(error.error))?;
        return Ok(Binary { path, size, sha256: hex(&sha256) });
    }
    Err(input(format!("{}: there is no program `{name}` in it", archive.display())))
}

fn disk(error: io::Error) -> Failure {
    Failure::new(Fault::Disk, format!("the run's own folder: {error}"))
}

/// Refuses a binary for another machine, before it is carried anywhere.
fn checked(binary: Binary, machine: &str) -> Result<Binary, Failure> {
    let mut head = [0; 20];
    let path = &binary.path;
    let read = File::open(path)
        .and_then(|mut file| file.read(&mut head))
        .map_err(|e| input(format!("{}: {e}", path.display())))?;
    let refuse = |what: String| Failure::new(Fault::Refused, format!("{}: {what}", path.display()));
    let built = etcd::architecture(head.get(..read).unwrap_or_default()).map_err(|fault| refuse(fault.to_string()))?;
    match etcd::architecture_of_machine(machine) {
        Some(host) if host == built => Ok(binary),
        Some(Architecture(host)) => Err(refuse(format!(
            "built for another machine\nexpected {host} (uname -m of the host)\nfound    {}",
            built.0
        ))),
        None => Err(refuse(format!("the host's machine `{machine}` is unknown"))),
    }
}

/// SHA-256 of bytes, in hex.
pub(super) fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// Bytes as small hex digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests;
