//! The names of windows, which are their folders' on the host.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use semver::Version;

use crate::modules::Call;

/// The names that a run has given.
#[derive(Default)]
struct Names(Mutex<BTreeSet<String>>);

impl Names {
    /// This name, or if it is given already the same with a number behind.
    fn give(&self, name: &str) -> String {
        let mut given = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut new, mut number) = (name.to_owned(), 1);
        while !given.insert(new.clone()) {
            number += 1;
            new = format!("{name}-{number}");
        }
        new
    }
}

/// The name of a member's next window, which no other has in this run: a run that goes over several versions has one for each, and one that
/// restarts a member twice, or tries again, has two.
pub(super) fn window_name(call: &Call<'_>, to: &Version) -> String {
    let name = format!("{}-{}-{}", call.run, sound(call.host), sound(&to.to_string()));
    call.fleet.kept().of::<Names>().give(&name)
}

/// A host's name as a part of a folder's name.
fn sound(host: &str) -> String {
    host.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::remote::Window;

    #[test]
    fn no_two_windows_of_a_run_have_one_name_and_the_first_has_the_plain_one() {
        let names = Names::default();
        let given = ["01A-n1-2-1-1", "01A-n1-2-1-1", "01A-n2-2-1-1", "01A-n1-2-1-1"].map(|name| names.give(name));
        assert_eq!(given, ["01A-n1-2-1-1", "01A-n1-2-1-1-2", "01A-n2-2-1-1", "01A-n1-2-1-1-3"]);
        // Names of folders, which begin with the run's ID: receipts are told by it.
        assert!(given.iter().all(|name| Window::folder(name).is_some() && name.starts_with("01A-")));
        // What another name has become by its number is not given twice either.
        assert_eq!(names.give("01A-n1-2-1-1-2"), "01A-n1-2-1-1-2-2");
    }
}
