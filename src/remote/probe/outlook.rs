//! Whether a host is about to go down, and its clock.

use jiff::Timestamp;

use super::Probe;
use crate::remote::RemoteError;

/// `date` of GNU and BusyBox; a fraction that the second does not know is left out when it is read. What logind writes when a shutdown is
/// scheduled (systemd src/login/logind-dbus.c, `update_schedule_file`; seen so with 252 in the lab 2026-11-28, and the same for `shutdown -k`, which only says so); systemd's word for its way
/// down is `stopping` (systemctl(1), is-system-running). `reboot-required` is left by Debian's packages, where something does so.
const OUTLOOK: &str = r#"
date -u +clock=%s.%N || exit 1
echo "system=$(systemctl is-system-running 2>/dev/null)"
for file in /run/reboot-required /var/run/reboot-required; do [ ! -e "$file" ] || { echo "wants=$file"; break; }; done
if [ -e /run/systemd/shutdown/scheduled ]; then grep -e ^USEC= -e ^MODE= /run/systemd/shutdown/scheduled; fi
exit 0
"#;

/// What of a host's near future bears on what is stopped there or elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outlook {
    /// Its clock, while the question was under way.
    pub clock: Timestamp,
    /// Whether it is about to go down, or will be at a time that is set.
    pub leaves: Option<Leaves>,
    /// The file by which its packages say that they want a reboot, whenever somebody makes one.
    pub wants_reboot: Option<String>,
}

/// How a host goes down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Leaves {
    /// It is on its way.
    Now,
    /// By `shutdown` or `systemctl --when`.
    At {
        /// logind's word: `reboot`, `poweroff`, `halt`, `kexec` and others.
        mode: String,
        /// When.
        time: Timestamp,
    },
}

impl std::fmt::Display for Leaves {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Now => f.write_str("its systemd is stopping everything"),
            Self::At { mode, time } => {
                write!(f, "a {mode} is scheduled for {}", time.strftime("%F %T UTC"))
            }
        }
    }
}

impl Probe {
    /// Whether the host is about to go down, and what its clock says.
    ///
    /// # Errors
    /// When it does not say.
    pub async fn outlook(&self) -> Result<Outlook, RemoteError> {
        let act = "ask for its clock and whether it is about to go down";
        let printed = self.ask(act, OUTLOOK, &[], 4096).await?;
        let text = String::from_utf8_lossy(&printed);
        outlook(&text).ok_or_else(|| self.host.answer(act, format!("not what was asked for: {text:?}")))
    }
}

fn outlook(text: &str) -> Option<Outlook> {
    let value = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    let clock = value("clock")?;
    let (seconds, fraction) = clock.split_once('.').unwrap_or((clock, ""));
    let clock = Timestamp::new(seconds.parse().ok()?, fraction.parse().unwrap_or_default()).ok()?;
    let scheduled = || {
        let time = Timestamp::from_microsecond(value("USEC")?.parse().ok()?).ok()?;
        let mode = value("MODE")?.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
        Some(Leaves::At { mode, time })
    };
    let leaves = if value("system") == Some("stopping") { Some(Leaves::Now) } else { scheduled() };
    Some(Outlook { clock, leaves, wants_reboot: value("wants").map(str::to_owned) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_host_that_stays_has_a_clock_and_nothing_else() {
        let found = outlook("clock=1795864472.495977538\nsystem=degraded\n").unwrap();
        let clock = at("2026-11-28T11:14:32.495977538Z");
        assert_eq!(found, Outlook { clock, leaves: None, wants_reboot: None });
        // Of BusyBox; of a systemd that does not answer.
        let found = outlook("clock=1795864472.%N\nsystem=\n").unwrap();
        assert_eq!(found.clock, at("2026-11-28T11:14:32Z"));
    }

    #[test]
    fn a_scheduled_end_and_one_that_has_begun_are_told() {
        let text =
            "clock=1795864472.4\nsystem=running\nwants=/run/reboot-required\nUSEC=1795868072450682\nMODE=reboot\n";
        let found = outlook(text).unwrap();
        assert_eq!(found.wants_reboot.as_deref(), Some("/run/reboot-required"));
        assert_eq!(found.leaves.unwrap().to_string(), "a reboot is scheduled for 2026-11-28 12:14:32 UTC");
        let stopping = outlook("clock=1795864472.4\nsystem=stopping\n").unwrap();
        assert_eq!(stopping.leaves, Some(Leaves::Now));
    }

    #[test]
    fn what_has_no_clock_is_no_answer() {
        for text in ["", "system=running\n", "clock=\n", "clock=yesterday\n"] {
            assert_eq!(outlook(text), None, "{text:?}");
        }
    }
}
