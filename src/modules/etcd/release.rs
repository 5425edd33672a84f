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
    let list = folder.join("SHA256SUMS");
    let sums = match std::fs::read_to_string(&list).map(|text| Checksums::from_text(&text)) {
        Ok(Ok(sums)) => sums,
        Ok(Err(fault)) => return Some(format!("{}: {fault}", list.display())),
        Err(error) => return Some(format!("{}: {error}", list.display())),
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
        let (_, sums) = sums(folder)?;
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

/// The list of a folder's sums, and where it lies.
fn sums(folder: &Path) -> Result<(PathBuf, Checksums), Failure> {
    let list = folder.join("SHA256SUMS");
    let mut text = String::new();
    File::open(&list)
        .and_then(|file| file.take(SUMS_CAP).read_to_string(&mut text))
        .map_err(|error| input(format!("{}: {error}", list.display())))?;
    let sums = Checksums::from_text(&text).map_err(|fault| input(format!("{}: {fault}", list.display())))?;
    Ok((list, sums))
}

/// The archive of that version, its sum compared with the one in SHA256SUMS.
fn verified_archive(folder: &Path, version: &Version, machine: &str) -> Result<PathBuf, Failure> {
    let name = etcd::archive_name(version, machine);
    let (list, sums) = sums(folder)?;
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
mod tests {
    use super::*;

    fn elf(machine: u16) -> Vec<u8> {
        let mut bytes = vec![0x7f, b'E', b'L', b'F', 2, 1, 1];
        bytes.resize(18, 0);
        bytes.extend(machine.to_le_bytes());
        bytes.resize(4096, 7);
        bytes
    }

    /// A folder with one archive of 2.1.1 that holds `etcd` and its SHA256SUMS.
    fn releases(program: &[u8]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        let name = "etcd-v2.1.1-linux-amd64.tar.gz";
        let file = File::create(dir.path().join(name)).unwrap();
        let mut tar = tar::Builder::new(flate2::write::GzEncoder::new(file, flate2::Compression::fast()));
        let mut header = tar::Header::new_gnu();
        header.set_size(program.len() as u64);
        header.set_mode(0o755);
        tar.append_data(&mut header, "etcd-v2.1.1-linux-amd64/etcd", program).unwrap();
        tar.into_inner().unwrap().finish().unwrap();
        let (_, sum) = digest(&dir.path().join(name)).unwrap();
        std::fs::write(dir.path().join("SHA256SUMS"), format!("{}  {name}\n", hex(&sum))).unwrap();
        dir
    }

    const V: Version = Version::new(2, 1, 1);

    #[test]
    fn takes_the_program_out_of_a_verified_archive() {
        let dir = releases(&elf(62));
        let into = tempfile::tempdir().unwrap();
        let origin = Origin::Releases(dir.path().to_owned());
        let binary = origin.obtain("etcd", &V, "x86_64", into.path(), &Unpacked::default()).unwrap();
        assert_eq!((binary.size, std::fs::read(&binary.path).unwrap()), (4096, elf(62)));
        assert!(
            origin
                .obtain("etcdctl", &V, "x86_64", into.path(), &Unpacked::default())
                .unwrap_err()
                .msg
                .contains("no program `etcdctl`")
        );
    }

    #[test]
    fn an_archive_is_read_once_a_run() {
        let (dir, into, run) = (releases(&elf(62)), tempfile::tempdir().unwrap(), Unpacked::default());
        let origin = Origin::Releases(dir.path().to_owned());
        let first = origin.obtain("etcd", &V, "x86_64", into.path(), &run).unwrap();
        std::fs::write(dir.path().join("etcd-v2.1.1-linux-amd64.tar.gz"), b"another").unwrap();
        assert_eq!(origin.obtain("etcd", &V, "x86_64", into.path(), &run).unwrap().sha256, first.sha256);
        let again = origin.obtain("etcd", &V, "x86_64", into.path(), &Unpacked::default());
        assert!(again.unwrap_err().msg.contains("wrong checksum"));
    }

    #[test]
    fn refuses_a_wrong_checksum_and_a_foreign_machine() {
        let dir = releases(&elf(62));
        let origin = Origin::Releases(dir.path().to_owned());
        let sums = dir.path().join("SHA256SUMS");
        let text = std::fs::read_to_string(&sums).unwrap();
        std::fs::write(&sums, format!("{}{}", "00", &text[2..])).unwrap();
        let failure = origin.obtain("etcd", &V, "x86_64", dir.path(), &Unpacked::default()).unwrap_err();
        assert_eq!((failure.fault, failure.msg.contains("wrong checksum")), (Fault::Refused, true));
        std::fs::write(&sums, text.replace("2.1.1", "2.1.2")).unwrap();
        assert!(
            origin
                .obtain("etcd", &V, "x86_64", dir.path(), &Unpacked::default())
                .unwrap_err()
                .msg
                .contains("not listed")
        );
        let foreign = releases(&elf(183));
        let origin = Origin::Releases(foreign.path().to_owned());
        assert!(
            origin
                .obtain("etcd", &V, "x86_64", dir.path(), &Unpacked::default())
                .unwrap_err()
                .msg
                .contains("another machine")
        );
    }

    #[test]
    fn a_plain_binary_needs_its_own_sum() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("etcd");
        std::fs::write(&path, elf(62)).unwrap();
        let (_, sum) = digest(&path).unwrap();
        assert!(
            Origin::Plain(path.clone(), sum).obtain("etcd", &V, "x86_64", dir.path(), &Unpacked::default()).is_ok()
        );
        let failure = Origin::Plain(path.clone(), [1; 32])
            .obtain("etcd", &V, "x86_64", dir.path(), &Unpacked::default())
            .unwrap_err();
        assert_eq!(failure.fault, Fault::Refused);
        std::fs::write(&path, "").unwrap();
        assert!(
            Origin::Plain(path, sum)
                .obtain("etcd", &V, "x86_64", dir.path(), &Unpacked::default())
                .unwrap_err()
                .msg
                .contains("empty")
        );
    }
}
