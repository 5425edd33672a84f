//! `slurp`: the bytes of a host's file, in base64.
//!
//! Differs from Ansible: at most 16 MiB, since all of it is kept in memory as a variable; larger files are for `fetch`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use crate::transport::BoxFuture;

use super::attributes::{check_written, needed_path};
use super::deliver::failed;
use super::table::{Argument, CheckMode, Row, Shape};
use super::{Call, Failure, Module, Outcome};

/// Bytes of the largest file; base64 and the copies that templates make of it are some five times that.
const CAP: usize = 16 * 1024 * 1024;

/// Its row.
pub const ROW: Row = Row {
    arguments: &[Argument::new("src", Shape::Path, "the file on the host").aliases(&["path"]).required()],
    returns: &[("content", "its bytes in base64"), ("encoding", "`base64`"), ("source", "the file")],
    check: CheckMode::Runs,
    preflight_local: Some(|args, _| check_written(args, &["src", "path"])),
    module: Some(&Slurp),
    ..Row::new("slurp", "reads a file of the host into a variable")
};

struct Slurp;

impl Module for Slurp {
    fn run<'a>(&'a self, call: Call<'a>) -> BoxFuture<'a, Result<Outcome, Failure>> {
        Box::pin(async move {
            let path = needed_path(&call, "src")?;
            match call.probe.stat(&path, true).await? {
                None => return Err(failed(&call, &path, "file not found")),
                Some(stat) if stat.kind != "file" => {
                    return Err(failed(&call, &path, &format!("is a {}; expected a file", stat.kind)));
                }
                Some(stat) if stat.size > CAP as u64 => {
                    let what = format!("has {} bytes; slurp takes at most {CAP} (16 MiB): use fetch", stat.size);
                    return Err(failed(&call, &path, &what));
                }
                Some(_) => {}
            }
            let bytes = call.probe.read(&path, CAP).await?;
            let mut result = Map::new();
            result.insert("content".to_owned(), Value::from(STANDARD.encode(&bytes)));
            result.insert("encoding".to_owned(), Value::from("base64"));
            result.insert("source".to_owned(), Value::from(path.as_str()));
            Ok(Outcome { result, ..Outcome::default() })
        })
    }
}

#[cfg(test)]
mod tests;
