//! `stat`: what is known of a path of a host.
//!
//! Differs from Ansible: times are whole to the nanosecond where the host's `stat` gives them; `lnk_source` is left out of
//! a link that leads nowhere; a checksum that could not be made (no permission) is left out with the rest given.

use serde_json::{Map, Number, Value};

use crate::events::Fault;
use crate::transport::BoxFuture;

use super::attributes::{check_written, needed_path};
use super::deliver::failed;
use super::table::{Argument, CheckMode, Row, Shape};
use super::{Call, Failure, Module, Outcome};

/// All of it in one go, each part ended by NUL. GNU stat; `file` and `lsattr` where they are there.
const STAT: &str = r#"
p=$1 follow=$2 sum=$3 mime=$4 attributes=$5
why=$(ls -d $follow -- "$p" 2>&1 >/dev/null) || case $why in
    *"No such file or directory" | *"Not a directory" | *"Too many levels of symbolic links") exit 0 ;;
    *) echo "$why" >&2; exit 1 ;;
esac
stat $follow -c '%f %u %g %s %.9X %.9Y %.9Z %i %d %h %b %o %t %T' -- "$p" || exit 1
printf '\0'; stat $follow -c %U -- "$p"; printf '\0'; stat $follow -c %G -- "$p"
printf '\0'
[ ! -r "$p" ] || printf r; [ ! -w "$p" ] || printf w; [ ! -x "$p" ] || printf x
printf '\0'
regular=; [ ! -f "$p" ] || { [ -L "$p" ] && [ -z "$follow" ]; } || regular=yes
[ -z "$sum" ] || [ -z "$regular" ] || "$sum" < "$p" 2>/dev/null
printf '\0'
[ -z "$mime" ] || { command -v file >/dev/null && file -b $follow --mime -- "$p" 2>/dev/null; }
printf '\0'
[ -z "$attributes" ] || { command -v lsattr >/dev/null && lsattr -vd -- "$p" 2>/dev/null; }
printf '\0'
[ -n "$follow" ] || [ ! -L "$p" ] || readlink -n -- "$p"
printf '\0'
[ -n "$follow" ] || [ ! -L "$p" ] || readlink -n -e -- "$p" || :
printf '\0'
"#;

const ALGORITHMS: &[&str] = &["md5", "sha1", "sha224", "sha256", "sha384", "sha512"];

/// Its row.
pub const ROW: Row = Row {
    arguments: &[
        Argument::new("path", Shape::Path, "the path on the host").aliases(&["dest", "name"]).required(),
        Argument::new("follow", Shape::Bool, "of a link, what it leads to").default("no"),
        Argument::new("get_checksum", Shape::Bool, "of a file, the checksum of its bytes").default("yes"),
        Argument::new("checksum_algorithm", Shape::Text, "which")
            .aliases(&["checksum", "checksum_algo"])
            .choices(ALGORITHMS)
            .default("sha1"),
        Argument::new("get_mime", Shape::Bool, "what `file` takes it for")
            .aliases(&["mime", "mime_type", "mime-type"])
            .default("yes"),
        Argument::new("get_attributes", Shape::Bool, "what `lsattr` says")
            .aliases(&["attr", "attributes"])
            .default("yes"),
    ],
    returns: &[("stat", "a mapping with `exists` and, if so, mode, size, times, owner, kind, checksum and more")],
    check: CheckMode::Runs,
    preflight_local: Some(|args, _| check_written(args, &["path", "dest", "name"])),
    module: Some(&StatModule),
    ..Row::new("stat", "says what is at a path of the host")
};

struct StatModule;

impl Module for StatModule {
    fn run<'a>(&'a self, call: Call<'a>) -> BoxFuture<'a, Result<Outcome, Failure>> {
        Box::pin(async move {
            let path = needed_path(&call, "path")?;
            let algorithm = call.text("checksum_algorithm").unwrap_or("sha1");
            let program = format!("{algorithm}sum");
            let given = |name: &str, value: &'static str| if call.flag(name) { value } else { "" };
            let sum = if call.flag("get_checksum") { program.as_str() } else { "" };
            let (follow, mime) = (given("follow", "-L"), given("get_mime", "yes"));
            let args = [path.as_str(), follow, sum, mime, given("get_attributes", "yes")];
            let ran = call.probe.script(&format!("stat {path}"), STAT, &args, None).await?;
            if !ran.success() {
                return Err(failed(&call, &path, &ran.words()));
            }
            let mut stat = if ran.stdout.is_empty() {
                Map::from_iter([("exists".to_owned(), Value::from(false))])
            } else {
                let read = Printed::from_output(&ran.stdout).and_then(|printed| printed.mapping(&call));
                read.ok_or_else(|| {
                    Failure::new(Fault::Failed, format!("{}: stat {path}: unexpected answer", call.host))
                })?
            };
            if stat.len() > 1 {
                stat.insert("path".to_owned(), Value::from(path.as_str()));
            }
            let result = Map::from_iter([("stat".to_owned(), Value::Object(stat))]);
            Ok(Outcome { result, ..Outcome::default() })
        })
    }
}

/// What the script printed, part by part.
struct Printed {
    numbers: Vec<String>,
    parts: Vec<String>,
}

impl Printed {
    fn from_output(bytes: &[u8]) -> Option<Self> {
        let mut parts: Vec<String> =
            bytes.split(|byte| *byte == 0).map(|part| String::from_utf8_lossy(part).into_owned()).collect();
        if parts.len() != 10 {
            return None;
        }
        let numbers: Vec<String> = parts.remove(0).split_whitespace().map(ToOwned::to_owned).collect();
        (numbers.len() == 14).then_some(Self { numbers, parts })
    }

    fn part(&self, at: usize) -> &str {
        self.parts.get(at).map_or("", |part| part.trim_end_matches('\n'))
    }

    fn number(&self, at: usize) -> Option<u64> {
        self.numbers.get(at)?.parse().ok()
    }

    /// A time in seconds with its fraction.
    fn time(&self, at: usize) -> Option<Value> {
        let seconds: f64 = self.numbers.get(at)?.parse().ok()?;
        Number::from_f64(seconds).map(Value::Number)
    }

    fn mapping(&self, call: &Call<'_>) -> Option<Map<String, Value>> {
        let mode = u32::from_str_radix(self.numbers.first()?, 16).ok()?;
        let mut stat = Map::from_iter([("exists".to_owned(), Value::from(true))]);
        let mut put = |name: &str, value: Value| {
            stat.insert(name.to_owned(), value);
        };
        put("mode", Value::from(format!("{:04o}", mode & 0o7777)));
        // stat(2), S_IFMT and the values beside it.
        let kinds = [
            ("isdir", 0o04),
            ("ischr", 0o02),
            ("isblk", 0o06),
            ("isreg", 0o10),
            ("isfifo", 0o01),
            ("islnk", 0o12),
            ("issock", 0o14),
        ];
        for (name, kind) in kinds {
            put(name, Value::from(mode >> 12 == kind));
        }
        for (at, name) in [(1, "uid"), (2, "gid"), (3, "size"), (7, "inode"), (8, "dev"), (9, "nlink"), (10, "blocks")]
        {
            put(name, Value::from(self.number(at)?));
        }
        put("block_size", Value::from(self.number(11)?));
        let (major, minor) = (self.numbers.get(12)?, self.numbers.get(13)?);
        let device = (u64::from_str_radix(major, 16).ok()? << 8) | u64::from_str_radix(minor, 16).ok()?;
        put("device_type", Value::from(device));
        for (at, name) in [(4, "atime"), (5, "mtime"), (6, "ctime")] {
            put(name, self.time(at)?);
        }
        let bits = [
            ("rusr", 0o400),
            ("wusr", 0o200),
            ("xusr", 0o100),
            ("rgrp", 0o40),
            ("wgrp", 0o20),
            ("xgrp", 0o10),
            ("roth", 4),
            ("woth", 2),
            ("xoth", 1),
            ("isuid", 0o4000),
            ("isgid", 0o2000),
        ];
        for (name, bit) in bits {
            put(name, Value::from(mode & bit != 0));
        }
        for (name, letter) in [("readable", 'r'), ("writeable", 'w'), ("executable", 'x')] {
            put(name, Value::from(self.part(2).contains(letter)));
        }
        for (name, at) in [("pw_name", 0), ("gr_name", 1)] {
            if self.part(at) != "UNKNOWN" {
                put(name, Value::from(self.part(at)));
            }
        }
        if let Some(sum) = self.part(3).split_whitespace().next() {
            put("checksum", Value::from(sum));
        }
        if call.flag("get_mime") {
            let (kind, charset) = self.part(4).split_once("; charset=").unwrap_or(("unknown", "unknown"));
            put("mimetype", Value::from(kind));
            put("charset", Value::from(charset));
        }
        for (name, at) in [("lnk_target", 6), ("lnk_source", 7)] {
            if !self.part(at).is_empty() {
                put(name, Value::from(self.part(at)));
            }
        }
        if call.flag("get_attributes") {
            self.attributes(&mut stat);
        }
        Some(stat)
    }

    /// `3751 --------------e------- /path`: version and flags, as lsattr(1) prints them.
    fn attributes(&self, stat: &mut Map<String, Value>) {
        let mut words = self.part(5).split_whitespace();
        let (version, flags) = (words.next(), words.next().unwrap_or_default().replace('-', ""));
        if let Some(version) = version {
            stat.insert("version".to_owned(), Value::from(version));
        }
        let names = flags.chars().filter_map(|flag| FLAGS.iter().find(|(known, _)| *known == flag));
        stat.insert("attributes".to_owned(), names.map(|(_, name)| Value::from(*name)).collect());
        stat.insert("attr_flags".to_owned(), Value::from(flags));
    }
}

/// chattr(1)'s letters and their names, as Ansible gives them.
const FLAGS: &[(char, &str)] = &[
    ('A', "noatime"),
    ('a', "append"),
    ('c', "compressed"),
    ('C', "nocow"),
    ('d', "nodump"),
    ('D', "dirsync"),
    ('e', "extents"),
    ('E', "encrypted"),
    ('h', "blocksize"),
    ('i', "immutable"),
    ('I', "indexed"),
    ('j', "journalled"),
    ('N', "inline"),
    ('s', "zero"),
    ('S', "synchronous"),
    ('t', "notail"),
    ('T', "blockroot"),
    ('u', "undelete"),
    ('X', "compressedraw"),
    ('Z', "compresseddirty"),
];

#[cfg(test)]
mod tests;
