//! A lock on a host, which says whose work what it stands for is. It lies on the host, so that every control machine sees the same one; it
//! has no end by time; and what is changed by leave of it is refused by the host itself once it is somebody else's.
//!
//! It is in memory: a full or read-only disk hinders neither who takes it nor who gives it back, and a refused run leaves nothing behind. A
//! host that was booted anew has none; the run takes it again before it asks for leave to stop a host, and then looks at all others once
//! more. Locks that were broken are written down on the disk, so that the run from which they were taken does not take them again.
//! `tests/model.rs` looks at every order of these steps.

use std::time::Duration;

use super::{Change, Probe, RemoteError, RemotePath};

/// Where locks are (file-hierarchy(7): what is in /run goes with the boot).
const HOME: &str = "/run/quorate/locks";
/// Where it is written down which were broken.
const BROKEN: &str = "/var/lib/quorate/locks";
/// A lock's text is a few lines; more is not ours.
const CAP: usize = 8 * 1024;

/// Who holds a lock, as they said it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Holder {
    /// The run's ID.
    pub run: String,
    /// Who started it.
    pub user: String,
    /// From which machine.
    pub from: String,
    /// When, by that machine's clock.
    pub since: String,
    /// What is run.
    pub what: String,
}

/// A lock as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// Whose it is; data of the host.
    pub holder: Holder,
    /// How long ago they last said that they are at work, by the host's own clock; whole seconds.
    pub silent: Duration,
}

/// How a lock was found by the run that had taken it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Renewed {
    /// It is still its own.
    Ours,
    /// There is none: the host was booted anew.
    None,
    /// It was broken, or taken over.
    Lost,
}

/// A lock by its place on hosts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lock {
    path: RemotePath,
    broken: RemotePath,
}

/// Leave to change a host for as long as the lock there is one run's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fence {
    /// The lock's file.
    pub(super) path: RemotePath,
    /// The run.
    pub(super) run: String,
}

/// `$1` the lock, `$2` our run, `$3` a run that is known to be over, or nothing, `$4` what was broken; the lock's text on standard input. The lock is made by
/// link(2), which makes it with its text or, where there is one, not at all.
const TAKE: &str = r#"
umask 022
mkdir -p "${1%/*}" || exit 1
new=$1.$2 claim=$1.over
trap 'rm -f "$new"' EXIT
holder() { sed -n 's/^run=//p' "$1" 2>/dev/null | head -n 1; }
cat >"$new" || exit 1
# What was broken is not taken again by the run from which it was taken away.
grep "^$2	" "$4" 2>/dev/null && exit 2
for try in 1 2 3; do
    ln "$new" "$1" 2>/dev/null && { echo taken; exit; }
    held=$(holder "$1")
    [ "$held" = "$2" ] && { touch -c "$1"; echo taken; exit; }
    if [ -n "$3" ] && [ "$held" = "$3" ]; then
        # Of those who would take it over one makes the folder; who comes after finds another holder.
        if mkdir "$claim" 2>/dev/null; then
            if [ "$(holder "$1")" = "$3" ]; then mv -f "$new" "$1" && echo taken; rmdir "$claim"; exit; fi
            rmdir "$claim"
        fi
    fi
    said=$(head -c 8192 "$1" 2>/dev/null) && written=$(stat -c %Y "$1" 2>/dev/null) || continue
    echo "held $(($(date +%s) - written))"
    printf '%s\n' "$said"
    exit
done
echo "the lock comes and goes" >&2
exit 1
"#;

/// `$1` the lock. Prints how long ago its last sign of life was, and its text; nothing where there is none.
const LOOK: &str = r#"
said=$(head -c 8192 "$1" 2>/dev/null) && written=$(stat -c %Y "$1" 2>/dev/null) || exit 0
echo "held $(($(date +%s) - written))"
printf '%s\n' "$said"
"#;

/// `$1` the lock, `$2` the run, `$3` what was broken.
const RENEW: &str = r#"
[ "$(sed -n 's/^run=//p' "$1" 2>/dev/null | head -n 1)" = "$2" ] && { touch -c "$1" && echo ours; exit; }
if [ -e "$1" ] || grep -q "^$2	" "$3" 2>/dev/null; then echo lost; else echo none; fi
"#;

/// `$1` the lock, `$2` whose it must be. One that is seen to be another's is not touched; and it is taken away by a rename, and looked at
/// again behind that: between a look and a removal it might become somebody else's.
const LEAVE: &str = r#"
whose() { sed -n 's/^run=//p' "$1" | head -n 1; }
gone=$1.gone.$$
if [ -r "$1" ] && [ "$(whose "$1")" != "$2" ]; then echo other; exit 0; fi
if ! mv -f "$1" "$gone"; then
    # Not there, or it cannot be taken away: a lock that stays is never called gone.
    [ -e "$1" ] && exit 1
    echo none; exit 0
fi
if [ "$(whose "$gone")" != "$2" ]; then
    ln "$gone" "$1"; rm -f "$gone"; echo other; exit 0
fi
rm -f "$gone"; rmdir "$1.over" 2>/dev/null
echo left
"#;

/// `$1` what was broken, `$2` the run, `$3` why. Once is enough.
const WRITE_DOWN: &str = r#"
umask 022
grep -q "^$2	" "$1" 2>/dev/null && exit 0
mkdir -p "${1%/*}" && printf '%s\t%s\n' "$2" "$3" >>"$1" && sync "$1" "${1%/*}"
"#;

impl Holder {
    fn to_text(&self) -> String {
        // A line each: what is in a value must not begin another.
        let line = |name: &str, value: &str| format!("{name}={}\n", value.replace(['\n', '\r'], " "));
        [("run", &self.run), ("user", &self.user), ("from", &self.from), ("since", &self.since), ("what", &self.what)]
            .map(|(name, value)| line(name, value))
            .concat()
    }

    fn from_text(text: &str) -> Self {
        let value = |name: &str| {
            let found = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
            found.unwrap_or_default().trim().to_owned()
        };
        Self { run: value("run"), user: value("user"), from: value("from"), since: value("since"), what: value("what") }
    }
}

impl Held {
    /// What LOOK and TAKE print of a lock that is there.
    fn from_text(text: &str) -> Option<Self> {
        let (first, rest) = text.split_once('\n')?;
        let seconds = first.strip_prefix("held ")?.parse::<i64>().ok()?;
        // A clock that was set back meanwhile.
        let silent = Duration::from_secs(u64::try_from(seconds).unwrap_or_default());
        Some(Self { holder: Holder::from_text(rest), silent })
    }
}

impl Lock {
    /// The lock of that name, which is made of letters, digits and dashes.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let sound = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
        let at = |home: &str, name: &str| {
            sound.then(|| RemotePath::from_absolute(home)).flatten().map(|home| home.join(name))
        };
        Some(Self { path: at(HOME, name)?, broken: at(BROKEN, &format!("{name}.broken"))? })
    }

    #[cfg(test)]
    pub(super) fn at(path: RemotePath) -> Self {
        let broken = path.parent().join("broken");
        Self { path, broken }
    }

    /// Its file.
    #[must_use]
    pub fn path(&self) -> &RemotePath {
        &self.path
    }

    /// Leave for as long as it is that run's.
    #[must_use]
    pub fn fence(&self, run: &str) -> Fence {
        Fence { path: self.path.clone(), run: run.to_owned() }
    }
}

impl Fence {
    /// A shell's test of whether the lock is the run's. For words that are quoted already.
    pub(super) fn test(lock: &str, run: &str) -> String {
        format!("[ \"$(sed -n 's/^run=//p' {lock} 2>/dev/null | head -n 1)\" = {run} ]")
    }
}

impl Probe {
    /// The lock as it stands; `None` where nobody holds it.
    ///
    /// # Errors
    /// When the host does not say.
    pub async fn lock(&self, lock: &Lock) -> Result<Option<Held>, RemoteError> {
        let act = format!("look at {}", lock.path);
        let ran = self.script(&act, LOOK, &[lock.path.as_str()], None).await?;
        let text = String::from_utf8_lossy(&ran.stdout).into_owned();
        match (ran.success(), text.is_empty()) {
            (true, true) => Ok(None),
            (true, false) => Held::from_text(&text).map(Some).ok_or_else(|| self.host.answer(&act, ran.words())),
            (false, _) => Err(self.host.failed(&act, ran.words())),
        }
    }
}

impl Change {
    /// Takes the lock, also from `over`, a run that is known to be over; `Some` says who holds it instead.
    ///
    /// # Errors
    /// When it could not be taken for another reason, or the host does not say.
    pub async fn take(&self, lock: &Lock, holder: &Holder, over: Option<&str>) -> Result<Option<Held>, RemoteError> {
        let act = format!("take the lock {}", lock.path);
        let args = [lock.path.as_str(), holder.run.as_str(), over.unwrap_or_default(), lock.broken.as_str()];
        let ran = self.script(&act, TAKE, &args, Some(holder.to_text().into_bytes())).await?;
        let text = String::from_utf8_lossy(ran.stdout.get(..CAP).unwrap_or(&ran.stdout)).into_owned();
        if ran.success() && text.trim() == "taken" {
            return Ok(None);
        }
        if ran.rc == 2 {
            return Err(self.probe.host.refused(&act, format!("it was taken away from this run: {}", text.trim())));
        }
        match Held::from_text(&text) {
            Some(held) if ran.success() => Ok(Some(held)),
            _ => Err(self.probe.host.failed(&act, ran.words())),
        }
    }

    /// Says that its holder is at work.
    ///
    /// # Errors
    /// When the host does not say.
    pub async fn renew(&self, lock: &Lock, run: &str) -> Result<Renewed, RemoteError> {
        let act = format!("renew the lock {}", lock.path);
        let ran = self.script(&act, RENEW, &[lock.path.as_str(), run, lock.broken.as_str()], None).await?;
        match String::from_utf8_lossy(&ran.stdout).trim() {
            "ours" => Ok(Renewed::Ours),
            "none" => Ok(Renewed::None),
            "lost" => Ok(Renewed::Lost),
            _ => Err(self.probe.host.failed(&act, ran.words())),
        }
    }

    /// Gives the lock back if it is that run's; whether it was.
    ///
    /// # Errors
    /// When it could not be removed.
    pub async fn leave(&self, lock: &Lock, run: &str) -> Result<bool, RemoteError> {
        self.gone(lock, run).await
    }

    /// Takes the lock away from that run, whatever becomes of it, and writes down why, so that it does not take it again; whether it had it.
    ///
    /// # Errors
    /// When it could not be removed, or nothing could be written down.
    pub async fn break_lock(&self, lock: &Lock, run: &str, why: &str) -> Result<bool, RemoteError> {
        let act = format!("write down that the lock {} is broken", lock.path);
        let why = why.replace(['\n', '\r'], " ");
        let ran = self.script(&act, WRITE_DOWN, &[lock.broken.as_str(), run, &why], None).await?;
        if !ran.success() {
            return Err(self.probe.host.failed(&act, ran.words()));
        }
        self.gone(lock, run).await
    }

    async fn gone(&self, lock: &Lock, run: &str) -> Result<bool, RemoteError> {
        let act = format!("give the lock {} back", lock.path);
        let ran = self.script(&act, LEAVE, &[lock.path.as_str(), run], None).await?;
        match (ran.success(), String::from_utf8_lossy(&ran.stdout).trim()) {
            (true, "left") => Ok(true),
            (true, "none" | "other") => Ok(false),
            _ => Err(self.probe.host.failed(&act, ran.words())),
        }
    }
}
