//! How many writes of a load were acknowledged so far, read as its history grows.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader};
use std::path::PathBuf;
use std::time::Duration;

use super::history::Line;
use super::run::{HISTORY, Load};
use crate::act::{ActError, wait_until};

/// A count that goes on where it was.
#[derive(Debug)]
pub struct Acknowledged {
    path: PathBuf,
    history: Option<BufReader<File>>,
    line: String,
    writes: u64,
}

impl Load {
    /// A count of its acknowledged writes, from its first one on.
    #[must_use]
    pub fn acknowledged(&self) -> Acknowledged {
        Acknowledged { path: self.folder().join(HISTORY), history: None, line: String::new(), writes: 0 }
    }
}

impl Acknowledged {
    /// Waits until so many were acknowledged since the load began.
    ///
    /// # Errors
    /// They were not in time.
    pub fn wait_for(&mut self, writes: u64, limit: Duration) -> Result<(), ActError> {
        wait_until("acknowledged writes", limit, || match self.count() {
            Ok(count) if count >= writes => Ok(()),
            Ok(count) => Err(format!("{count} so far, not {writes}")),
            Err(error) => Err(error.to_string()),
        })
    }

    /// Waits until so many more are acknowledged from now on.
    ///
    /// # Errors
    /// They were not in time.
    pub fn wait_for_more(&mut self, writes: u64, limit: Duration) -> Result<(), ActError> {
        let now = self.count().unwrap_or(self.writes);
        self.wait_for(now + writes, limit)
    }

    fn count(&mut self) -> io::Result<u64> {
        let history = match &mut self.history {
            Some(history) => history,
            none => none.insert(BufReader::new(File::open(&self.path)?)),
        };
        while history.read_line(&mut self.line)? > 0 {
            // The end of the file may be the middle of a line.
            if self.line.ends_with('\n') {
                let line = serde_json::from_str(&self.line).map_err(io::Error::other)?;
                let write = matches!(line, Line::Op(one) if one.writes() && one.index().is_some());
                self.writes += u64::from(write);
                self.line.clear();
            }
        }
        Ok(self.writes)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn acknowledged_writes_are_counted_as_they_come_and_nothing_else() {
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join(HISTORY);
        let mut acknowledged = Acknowledged { path: path.clone(), history: None, line: String::new(), writes: 0 };
        assert!(acknowledged.count().is_err(), "there is no history yet");
        let mut file = File::create(&path).unwrap();
        let mut says = |act: &str, outcome: &str, end: &str| {
            let line = format!(
                r#"{{"op":{{"client":0,"endpoint":0,"act":"{act}","key":"/k","attempt":0,"value":null,"previous":null,"start":1,"end":2,"outcome":{outcome}}}}}"#
            );
            write!(file, "{line}{end}").unwrap();
        };
        says("create", r#"{"ok":7}"#, "\n");
        says("read", r#"{"ok":7}"#, "\n");
        says("swap", r#"{"unknown":"a timeout"}"#, "\n");
        assert_eq!(acknowledged.count().unwrap(), 1);
        says("swap", r#"{"ok":8}"#, "");
        assert_eq!(acknowledged.count().unwrap(), 1, "the line is not at its end");
        writeln!(file).unwrap();
        assert_eq!(acknowledged.count().unwrap(), 2);
        writeln!(file, "small talk").unwrap();
        assert!(acknowledged.count().is_err());
    }
}
