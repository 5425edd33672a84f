//! The usage text of a staged etcd, asked on the host and compared with the options in use there.

use semver::Version;

use crate::etcd::{Rules, options_of_usage, unnamed, variable_of_option};
use crate::events::Kind;
use crate::modules::{Call, Failure};

use super::facts::Facts;
use super::place::Place;

/// `$1` user or empty, `$2` the program. As the unit's user, as it is asked for its version; it only prints, but a program that is none
/// of etcd's may do anything with the word, so not for long.
const ASK_USAGE: &str = r#"
cd / || exit 1
if [ -n "$1" ] && command -v runuser >/dev/null; then exec timeout 10 runuser -u "$1" -- "$2" --help 2>&1; fi
exec timeout 10 "$2" --help 2>&1
"#;

/// Warns of options in use that the staged program does not name.
///
/// # Errors
/// When the host is not reached.
pub(super) async fn compare(
    call: &Call<'_>,
    facts: &Facts,
    rules: &Rules,
    place: &Place,
    version: &Version,
) -> Result<(), Failure> {
    let user = facts.state.user().unwrap_or_default();
    let (host, staged) = (call.host, &place.staged);
    let ran =
        call.probe.script(&format!("ask {staged} for its options"), ASK_USAGE, &[user, staged.as_str()], None).await?;
    let warn = |text: String| (call.say)(Kind::Warning { text: format!("{host}: {text}") });
    let Some(usage) = options_of_usage(&String::from_utf8_lossy(&ran.stdout)) else {
        return warn(format!(
            "{staged} --help is no usage text of etcd; its options were not compared with those in use"
        ));
    };
    for name in unnamed(&facts.flags, &usage, rules, version) {
        let written = match (facts.flags.is_spoken(&name), facts.flags.is_variable(&name)) {
            (true, _) => format!("`--{name}`"),
            (false, true) => format!("`{}`", variable_of_option(&name)),
            (false, false) => format!("`{name}` in the configuration file"),
        };
        let end = if facts.flags.is_spoken(&name) {
            "a flag that it does not know ends it"
        } else {
            "what it does not know it passes over"
        };
        warn(format!("{written} is in use, and {version} does not name it in its usage text: {end}"))?;
    }
    Ok(())
}
