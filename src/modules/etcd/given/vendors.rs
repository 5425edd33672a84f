//! What a vendor's unit says, said anew in a drop-in: the vendor's files are not edited, since the next version of the package writes over
//! them.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::{File, Given};

/// The drop-in's name: behind the operator's own, since drop-ins are read in the order of their names (systemd.unit(5)).
pub(in crate::modules::etcd) const DROP_IN: &str = "zz-quorate-options.conf";

/// What is said anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Settings {
    /// The command that starts etcd.
    ExecStart,
    /// The variables that are set beside it.
    Environment,
}

impl Given {
    /// The same with a drop-in that empties settings and says them as they are in force (systemd.service(5), `ExecStart=`; systemd.exec(5),
    /// `Environment=`). All variables are said, since the list can only be emptied as a whole.
    pub(super) fn with_drop_in(&self, settings: &BTreeSet<Settings>) -> Self {
        let mut new = self.clone();
        let (Ok(path), Ok(files), Some(service)) = (&self.drop_in, &mut new.units, self.parts().service) else {
            return new;
        };
        let written = |place: &crate::remote::WordPlace, to: usize| {
            let file = self.units.iter().flatten().nth(place.file);
            file.and_then(|file| file.text.get(place.word.start..to)).unwrap_or_default().to_owned()
        };
        let mut lines = String::from("[Service]\n");
        for settings in settings {
            match settings {
                Settings::ExecStart => {
                    let (first, last) = (service.command_places().first(), service.command_places().last());
                    let command = first.zip(last).map(|(first, last)| written(first, last.word.end));
                    let _ = writeln!(lines, "ExecStart=\nExecStart={}", command.unwrap_or_default());
                }
                Settings::Environment => {
                    lines.push_str("Environment=\n");
                    for place in service.environment_places() {
                        let _ = writeln!(lines, "Environment={}", written(place, place.word.end));
                    }
                }
            }
        }
        if let Some(file) = files.iter_mut().find(|file| file.path == *path) {
            let end = if file.text.ends_with('\n') { "" } else { "\n" };
            file.text = format!("{}{end}{lines}", file.text);
            return new;
        }
        let vendors = files.first().map(|file| file.path.to_string()).unwrap_or_default();
        let text = format!(
            "# Put here by quorate: the package's {vendors} has options that the new etcd does not take.\n\
             # What is said below counts, and what the package or another drop-in says in its place does not.\n{lines}"
        );
        let behind = files.iter().skip(1).position(|file| file.path.name() > path.name()).map(|at| at + 1);
        let file = File { path: path.clone(), text, fixed: None, vendors: false };
        files.insert(behind.unwrap_or(files.len()), file);
        new
    }
}
