//! The usage text of a staged etcd, asked on the host and compared with the options in use there, and those of the next start.

use std::collections::BTreeSet;

use semver::Version;

use crate::etcd::{Flags, Rules, options_of_usage, unnamed, unsupported_arch, variable_of_option};
use crate::events::Kind;
use crate::modules::{Call, Failure};

use super::facts::Facts;
use super::place::Place;

/// `$1` user or empty, `$2` the program, `$3` the machine where releases want it named, or empty. As the unit's user, as it is asked for its version; it only prints, but a program that is none
/// of etcd's may do anything with the word, so not for long.
const ASK_USAGE: &str = r#"
cd / || exit 1
[ -z "$3" ] || export ETCD_UNSUPPORTED_ARCH="$3"
if [ -n "$1" ] && command -v runuser >/dev/null; then exec timeout 10 runuser -u "$1" -- "$2" --help 2>&1; fi
exec timeout 10 "$2" --help 2>&1
"#;

/// Warns of options of the process, and of those with which it would start now, that the staged program does not name.
///
/// # Errors
/// When the host is not reached.
pub(super) async fn compare(
    call: &Call<'_>,
    all: [&Flags; 2],
    (rules, version): (&Rules, &Version),
    facts: &Facts,
    place: &Place,
) -> Result<(), Failure> {
    let user = facts.state.user().unwrap_or_default();
    let (host, staged) = (call.host, &place.staged);
    let args = [user, staged.as_str(), unsupported_arch(&facts.machine).unwrap_or_default()];
    let ran = call.probe.script(&format!("ask {staged} for its options"), ASK_USAGE, &args, None).await?;
    let warn = |text: String| (call.say)(Kind::Warning { text: format!("{host}: {text}") });
    let Some(usage) = options_of_usage(&String::from_utf8_lossy(&ran.stdout)) else {
        return warn(format!(
            "{staged} --help is no usage text of etcd; its options were not compared with those in use"
        ));
    };
    for what in not_named(all, &usage, rules, version) {
        warn(what)?;
    }
    Ok(())
}

/// Each once, in words.
fn not_named(all: [&Flags; 2], usage: &BTreeSet<String>, rules: &Rules, version: &Version) -> BTreeSet<String> {
    let of = |flags: &Flags| {
        let names = unnamed(flags, usage, rules, version).into_iter();
        names.map(|name| in_words(flags, &name, version)).collect::<Vec<_>>()
    };
    all.into_iter().flat_map(of).collect()
}

fn in_words(flags: &Flags, name: &str, version: &Version) -> String {
    let written = match (flags.is_spoken(name), flags.is_variable(name)) {
        (true, _) => format!("`--{name}`"),
        (false, true) => format!("`{}`", variable_of_option(name)),
        (false, false) => format!("`{name}` in the configuration file"),
    };
    let end = if flags.is_spoken(name) {
        "a flag that it does not know ends it"
    } else {
        "what it does not know it passes over"
    };
    format!("{written} is in use, and {version} does not name it in its usage text: {end}")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn an_option_that_only_the_next_start_has_is_compared_too_and_one_of_both_is_told_once() {
        let flags = |words: &[&str]| {
            let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            Flags::from_process(&words, &BTreeMap::new())
        };
        let (now, next) = (flags(&["etcd", "--one=1"]), flags(&["etcd", "--one=1", "--two=2"]));
        let told = not_named([&now, &next], &BTreeSet::new(), Rules::built_in(), &Version::new(3, 5, 35));
        let told: Vec<&str> = told.iter().filter_map(|what| what.split(' ').next()).collect();
        assert_eq!(told, ["`--one`", "`--two`"]);
    }
}
