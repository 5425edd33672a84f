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
        origin.obtain("etcd", &V, "x86_64", dir.path(), &Unpacked::default()).unwrap_err().msg.contains("not listed")
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
    assert!(Origin::Plain(path.clone(), sum).obtain("etcd", &V, "x86_64", dir.path(), &Unpacked::default()).is_ok());
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

#[test]
fn a_list_of_checksums_that_is_too_long_is_refused_and_never_read_in_part() {
    let dir = releases(&elf(62));
    let origin = Origin::Releases(dir.path().to_owned());
    let sums = dir.path().join("SHA256SUMS");
    let text = std::fs::read_to_string(&sums).unwrap();
    let line = |number: usize| format!("{}  etcd-v2.1.1-linux-{number}.tar.gz\n", "00".repeat(32));
    let more: String = (0..).map(line).take(1_048_576 / line(0).len() + 1).collect();
    for long in [format!("{text}{more}"), format!("{more}{text}")] {
        std::fs::write(&sums, &long).unwrap();
        let said = [
            origin.obtain("etcd", &V, "x86_64", dir.path(), &Unpacked::default()).unwrap_err().msg,
            origin.versions("x86_64").unwrap_err().msg,
            folder_fault(dir.path(), Some(&V)).unwrap(),
        ];
        for said in said {
            let told =
                [&sums.display().to_string(), "1048576", &long.len().to_string()].map(|part| said.contains(part));
            assert_eq!(told, [true; 3], "{said}");
        }
    }
    let (most, _) = more.split_at(1_048_576 - text.len());
    let (most, _) = most.rsplit_once('\n').unwrap();
    std::fs::write(&sums, format!("{most}\n{text}")).unwrap();
    assert!(origin.obtain("etcd", &V, "x86_64", dir.path(), &Unpacked::default()).is_ok());
}
