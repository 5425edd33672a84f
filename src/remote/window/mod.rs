//! The window: stop, swap, start as one transaction that runs on the host and survives the session.
//!
//! The script `window.sh` does the work as a transient systemd unit; here it is begun, watched and read back.

mod companions;
mod judged;
mod kept;
mod receipt;

use std::time::Duration;

pub use judged::{Judged, ReadAs};
pub use kept::{KeptState, KeptWindow, Stands};
pub use receipt::{Receipt, WindowEnd};

use super::shell;
use super::{Attributes, Change, Fence, Probe, RemoteError, RemotePath, UnitState};

const SCRIPT: &str = concat!(include_str!("companions.sh"), "\n", include_str!("window.sh"));

/// One file to be swapped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Swap {
    /// What is replaced: a file, or a link that is made to point elsewhere.
    pub target: RemotePath,
    /// What takes its place; on the same file system, with owner and mode as they shall be.
    pub staged: RemotePath,
    /// Under which name the old file stays.
    pub kept: RemotePath,
    /// SHA-256 of the staged file, in hex; `none` where the target is to be removed.
    pub want: String,
    /// What stands at the target now: SHA-256 in hex, `link:` and its text, or `none`.
    pub before: String,
    /// The text that a link at the target gets; `None` is the staged file's path.
    pub link: Option<String>,
}

/// How the host itself finds out whether the program serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Serve {
    /// The address it listens on.
    pub address: String,
    /// Its port.
    pub port: u16,
    /// The name it is called by: a program may answer only who calls it by one that it knows.
    pub name: String,
    /// A path that answers 200 without asking anybody else; `None` where it speaks TLS: then listening is enough.
    pub path: Option<String>,
}

/// Whether the host may put the old files back by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TakeBack {
    /// Yes.
    Open,
    /// Only if each of these answers and its answer does not hold the text.
    Ask(Vec<(Serve, String)>),
    /// No.
    Closed,
}

/// All that a window needs to know.
#[derive(Clone, Debug)]
pub struct Window {
    /// Its name, which is its folder's: letters, digits and dashes.
    pub name: String,
    /// The unit.
    pub unit: String,
    /// The invocation of the unit that was examined; another one means somebody else restarted it.
    pub invocation: String,
    /// What is swapped.
    pub swaps: Vec<Swap>,
    /// What systemd has read now, and must still go by when the unit is stopped, or started with the old files.
    pub read: ReadAs,
    /// Where systemd must read its files again: what it must have read then.
    pub reload: Option<ReadAs>,
    /// By which files the start was judged. One that is swapped counts for as long as the old one stands there.
    pub judged: Vec<Judged>,
    /// How variables begin with which the unit's program would start otherwise, and which systemd must not have of its own
    /// (systemctl(1), `set-environment`).
    pub foreign: &'static str,
    /// The folder of the write-ahead log and the bytes, in hex, that its newest file must hold near its beginning.
    pub identity: Option<(RemotePath, String)>,
    /// How it is seen to serve.
    pub serve: Serve,
    /// Whether the old files may come back.
    pub take_back: TakeBack,
    /// A file that the new program makes when it first opens the data, and behind which the old one cannot go.
    pub no_return: Option<RemotePath>,
    /// The longest stop: the unit's own `TimeoutStopSec` and a margin.
    pub stop: Duration,
    /// How long the program may take to serve.
    pub start: Duration,
    /// How long the old one may take, where it is put back.
    pub back: Duration,
    /// How long one process must have served, unless somebody confirms earlier.
    pub soak: Duration,
    /// How long leave to stop is waited for once everything is prepared; `None` where none is needed.
    pub leave: Option<Duration>,
}

/// How a window stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WindowState {
    /// There is no such window, or its unit never ran.
    NotBegun,
    /// It is at work; the last line of its log.
    Running(String),
    /// It has ended.
    Ended(Receipt),
    /// It began and is gone without a result: the host was powered down or somebody killed it.
    Vanished,
}

/// `$1` folder, `$2` unit of the window.
const STATE: &str = r#"
if [ -f "$1/result" ]; then echo ended; cat "$1/result"; exit 0; fi
said=$(systemctl show -p ActiveState -p Description "$2") || exit 1
# No word of systemd is none about the window: it may be at work.
case $said in *ActiveState=?*) ;; *) echo "systemctl show $2: no ActiveState" >&2; exit 1 ;; esac
# The unit has one name for all windows; which of them it runs its description says.
case $said in *"($1)"*)
    case $said in *=active* | *=activating* | *=deactivating*) echo running; tail -n 1 "$1/log" 2>/dev/null; exit 0 ;; esac
esac
if [ -f "$1/result" ]; then echo ended; cat "$1/result"; exit 0; fi
if [ -f "$1/intent" ]; then echo vanished; else echo none; fi
"#;

/// `$1` unit of the window. Prints how many seconds the window that runs in it may take by itself, there and back, by its plan; nothing where
/// none is known. A plan of an older quorate has one time for both programs.
const LONGEST: &str = r#"
said=$(systemctl show -p Description "$1") || exit 1
case $said in *"("/*")") dir=${said##*"("} dir=${dir%")"} ;; *) exit 0 ;; esac
[ -f "$dir/plan" ] || exit 0
. "$dir/plan" && echo $((stop_seconds * 2 + start_seconds + ${back_seconds:-$start_seconds} + soak_seconds + ${leave_seconds:-0}))
"#;

/// `$1` unit of the window, `$2` its folder. Old systemd has no `--collect`; then a failed unit stays until `reset-failed`. And it is from 237
/// on that nearly all properties of a service may be given to a transient one (systemd v237 NEWS): before, nothing comes after a shell
/// that was killed. Tried with 252.
const BEGIN: &str = r#"
systemctl reset-failed "$1" 2>/dev/null
unit=$1 dir=$2; shift 2
if systemd-run --help | grep -q -- --collect; then set -- --collect; fi
version=$(systemctl --version | sed -n '1s/^systemd \([0-9]*\).*/\1/p')
[ "${version:-0}" -lt 237 ] || set -- "$@" --property=TimeoutStopSec=infinity --property="ExecStopPost=/bin/sh $dir/window.sh $dir left"
# The one before has written its result, and systemd is not through with its unit.
n=0
while [ "$(systemctl show -p ActiveState "$unit")" = ActiveState=deactivating ] && [ "$n" -lt 50 ]; do n=$((n + 1)); sleep 0.1; done
exec systemd-run --unit="$unit" "$@" --description="quorate: stop, swap, start ($dir)" /bin/sh "$dir/window.sh" "$dir"
"#;

impl Window {
    /// Where the folders of all windows are: on disk, since a receipt must survive a reboot; root's alone.
    pub const HOME: &str = "/var/lib/quorate/windows";

    /// What a window says last that has prepared everything and waits for leave to stop.
    pub const READY: &str = "ready";

    /// The unit in which the window of `unit` runs: one name, so that systemd itself lets only one be at work.
    #[must_use]
    pub fn runs_as(unit: &str) -> String {
        format!("quorate-window-{}.service", unit.trim_end_matches(".service"))
    }

    /// The window's folder on the host.
    #[must_use]
    pub fn folder(name: &str) -> Option<RemotePath> {
        let sound = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
        sound.then(|| RemotePath::from_absolute(Self::HOME)).flatten().map(|folder| folder.join(name))
    }

    /// All that it may take by itself, there and back.
    #[must_use]
    pub fn longest(&self) -> Duration {
        self.stop * 2 + self.start + self.back + self.soak + self.leave.unwrap_or_default()
    }

    fn plan(&self, fence: Option<&Fence>) -> String {
        let (take_back, _) = self.asked();
        let (dir, hex) = self.identity.as_ref().map_or(("", ""), |(dir, hex)| (dir.as_str(), hex.as_str()));
        let seconds = |duration: Duration| duration.as_secs().max(1).to_string();
        let port = self.serve.port.to_string();
        shell::assignments(&[
            ("lock", fence.map_or("", |fence| fence.path.as_str())),
            ("run", fence.map_or("", |fence| fence.run.as_str())),
            ("unit", &self.unit),
            ("invocation", &self.invocation),
            ("reload", if self.reload.is_some() { "yes" } else { "no" }),
            ("read_old", &self.read.in_systemds_words()),
            ("read_new", &self.reload.as_ref().unwrap_or(&self.read).in_systemds_words()),
            ("foreign", self.foreign),
            ("identity_dir", dir),
            ("identity_hex", hex),
            ("serve_address", &self.serve.address),
            ("serve_port", &port),
            ("serve_name", &self.serve.name),
            ("serve_http", if self.serve.path.is_some() { "yes" } else { "no" }),
            ("serve_path", self.serve.path.as_deref().unwrap_or("/")),
            ("way_back", take_back),
            ("no_return", self.no_return.as_ref().map_or("", RemotePath::as_str)),
            ("stop_seconds", &seconds(self.stop)),
            ("start_seconds", &seconds(self.start)),
            ("back_seconds", &seconds(self.back)),
            ("soak_seconds", &seconds(self.soak)),
            ("leave_seconds", &self.leave.map_or_else(|| "0".to_owned(), seconds)),
        ])
    }

    fn asked(&self) -> (&'static str, String) {
        match &self.take_back {
            TakeBack::Open => ("open", String::new()),
            TakeBack::Closed => ("closed", String::new()),
            TakeBack::Ask(peers) => {
                let line = |(serve, closed): &(Serve, String)| {
                    let path = serve.path.as_deref().unwrap_or("/");
                    format!("{}\t{}\t{}\t{path}\t{closed}\n", serve.address, serve.port, serve.name)
                };
                ("ask", peers.iter().map(line).collect())
            }
        }
    }

    fn files(&self) -> String {
        let line = |s: &Swap| {
            let link = s.link.as_ref().map_or_else(String::new, |text| format!("\t{text}"));
            format!("{}\t{}\t{}\t{}\t{}{link}\n", s.target, s.staged, s.kept, s.want, s.before)
        };
        self.swaps.iter().map(line).collect()
    }

    fn judged(&self) -> String {
        self.judged.iter().map(Judged::line).collect()
    }
}

impl Probe {
    /// How the window of that name stands.
    ///
    /// # Errors
    /// When the host does not say.
    pub async fn window(&self, name: &str, unit: &str) -> Result<WindowState, RemoteError> {
        let act = format!("look at window {name}");
        let Some(folder) = Window::folder(name) else { return Ok(WindowState::NotBegun) };
        let ran = self.script(&act, STATE, &[folder.as_str(), &Window::runs_as(unit)], None).await?;
        if !ran.success() {
            return Err(self.host.failed(&act, ran.words()));
        }
        let text = String::from_utf8_lossy(&ran.stdout).into_owned();
        let (word, rest) = text.split_once('\n').unwrap_or((&text, ""));
        match word {
            "none" => Ok(WindowState::NotBegun),
            "running" => Ok(WindowState::Running(rest.trim().to_owned())),
            "vanished" => Ok(WindowState::Vanished),
            "ended" => {
                let receipt = Receipt::from_text(rest).map_err(|what| self.host.answer(&act, what))?;
                Ok(WindowState::Ended(receipt))
            }
            _ => Err(self.host.answer(&act, ran.words())),
        }
    }

    /// Whether a window of that unit, of whatever run, is at work on the host.
    ///
    /// # Errors
    /// When the host does not say.
    pub async fn window_at_work(&self, unit: &str) -> Result<bool, RemoteError> {
        let state = self.unit(&Window::runs_as(unit)).await?;
        Ok(matches!(state.active_state(), "active" | "activating" | "deactivating"))
    }

    /// How long the window of that unit that is at work may take, by its own plan; `None` where that is not there.
    ///
    /// # Errors
    /// When the host does not say.
    pub async fn window_takes(&self, unit: &str) -> Result<Option<Duration>, RemoteError> {
        const ACT: &str = "look at the plan of the transaction";
        let ran = self.script(ACT, LONGEST, &[&Window::runs_as(unit)], None).await?;
        if !ran.success() {
            return Err(self.host.failed(ACT, ran.words()));
        }
        Ok(String::from_utf8_lossy(&ran.stdout).trim().parse().ok().map(Duration::from_secs))
    }

    /// The last lines that the unit printed before the window ended; data of the host.
    ///
    /// # Errors
    /// When there are none.
    pub async fn window_journal(&self, name: &str) -> Result<String, RemoteError> {
        // 20 lines of a log are far below this even when each is a JSON line of etcd.
        const CAP: usize = 64 * 1024;
        let Some(folder) = Window::folder(name) else { return Ok(String::new()) };
        let bytes = self.read(&folder.join("journal"), CAP).await?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}

impl Change {
    /// Puts the window's folder on the host, where none of that name may be. Nothing is begun by it.
    ///
    /// # Errors
    /// When it could not be put there.
    pub async fn lay_out(&self, window: &Window) -> Result<(), RemoteError> {
        let (act, folder) = self.folder_of(window)?;
        let odd = |path: &RemotePath| path.as_str().contains(['\t', '\n']);
        let swapped = window.swaps.iter().flat_map(|swap| [&swap.target, &swap.staged, &swap.kept]);
        if let Some(path) = swapped.chain(window.judged.iter().map(|file| &file.path)).find(|path| odd(path)) {
            return Err(self.probe().host.refused(&act, format!("{path:?} has a tab or a line's end in it")));
        }
        let ours = Attributes { mode: Some(0o700), ..Attributes::default() };
        let private = Attributes { mode: Some(0o600), ..Attributes::default() };
        self.mkdir(&folder.parent(), &ours, true).await?;
        self.mkdir(&folder, &ours, false).await?;
        self.write(&folder.join("plan"), window.plan(self.probe.host.fence.as_ref()).as_bytes(), &private).await?;
        self.write(&folder.join("files"), window.files().as_bytes(), &private).await?;
        self.write(&folder.join("judged"), window.judged().as_bytes(), &private).await?;
        self.write(&folder.join("peers"), window.asked().1.as_bytes(), &private).await?;
        self.write(&folder.join("window.sh"), SCRIPT.as_bytes(), &ours).await
    }

    /// Starts the window whose folder is there; when this returns, the host does the rest alone.
    ///
    /// # Errors
    /// When it did not begin. Where no answer came it may have begun: [`Probe::window`] knows.
    pub async fn order(&self, window: &Window) -> Result<(), RemoteError> {
        let (act, folder) = self.folder_of(window)?;
        let ran = self.script(&act, BEGIN, &[&Window::runs_as(&window.unit), folder.as_str()], None).await?;
        if ran.success() { Ok(()) } else { Err(self.probe().host.failed(&act, ran.words())) }
    }

    fn folder_of(&self, window: &Window) -> Result<(String, RemotePath), RemoteError> {
        let act = format!("begin window {}", window.name);
        match Window::folder(&window.name) {
            Some(folder) => Ok((act, folder)),
            None => Err(self.probe().host.refused(&act, "no name for a window")),
        }
    }

    /// Tells the window that is ready whether there is leave to stop.
    ///
    /// # Errors
    /// When it could not be told; without a word it stops nothing and ends.
    pub async fn answer(&self, name: &str, may: bool) -> Result<(), RemoteError> {
        self.tell_window(name, if may { "leave" } else { "no-leave" }).await
    }

    /// Tells the window that enough was seen: it need not wait out its soak.
    ///
    /// # Errors
    /// When it could not be told; it then ends by itself.
    pub async fn confirm(&self, name: &str) -> Result<(), RemoteError> {
        self.tell_window(name, "confirmed").await
    }

    /// A word to a window, by a file of that name in its folder.
    async fn tell_window(&self, name: &str, word: &str) -> Result<(), RemoteError> {
        let Some(folder) = Window::folder(name) else { return Ok(()) };
        let private = Attributes { mode: Some(0o600), ..Attributes::default() };
        self.write(&folder.join(word), b"", &private).await
    }
}

#[cfg(test)]
mod tests;
