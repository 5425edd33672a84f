//! What is kept of windows on a host: what any run did there, for whoever has not got the run's journal.

use super::receipt::WindowEnd;
use super::{Probe, RemoteError, Window};

/// How many of the newest are read: a run over all minors of etcd has some 17 for a host.
const MOST: &str = "64";

/// `$1` home of the windows, `$2` how many. A folder's name begins with its run's ID, whose order is that of time. What stands at a target is
/// compared for the windows of the newest run alone: each comparison reads a whole binary.
const LIST: &str = r#"
cd "$1" 2>/dev/null || exit 0
names=$(ls -1 | sort | tail -n "$2")
newest=$(printf '%s\n' "$names" | tail -n 1 | cut -d- -f1)
tab=$(printf '\t')
for name in $names; do
    [ -f "$name/plan" ] || continue
    unit=$(. "./$name/plan" && printf '%s' "$unit") || continue
    echo "window $name"
    echo "unit $unit"
    [ -f "$name/intent" ] && echo "began $(stat -c %Y "$name/intent")"
    # Asked first whether it is at work: one that ends in between has its result when that is looked for.
    said=$(systemctl show -p ActiveState -p Description "quorate-window-${unit%.service}.service") || exit 1
    case $(printf '%s\n' "$said" | tr '\n' ' ') in
    *activating*"/$name)"* | *=active*"/$name)"* | *"/$name)"*activating* | *"/$name)"*=active*) echo "runs yes" ;;
    esac
    if [ -f "$name/result" ]; then
        echo "ended $(stat -c %Y "$name/result")"
        sed -n 's/^outcome=/outcome /p; s/^detail=/detail /p' "$name/result"
    fi
    last=$(tail -n 1 "$name/log" 2>/dev/null) && echo "last ${last#* }"
    [ "${name%%-*}" = "$newest" ] || continue
    while IFS=$tab read -r target staged kept want before link; do
        if [ -L "$target" ]; then now="link:$(readlink "$target")" sum=$(sha256sum <"$target" | cut -d' ' -f1)
        elif [ -f "$target" ]; then sum=$(sha256sum <"$target" | cut -d' ' -f1) now=$sum
        else now=none sum=none; fi
        if [ "$sum" = "$want" ]; then echo "new $target"; elif [ "$now" = "$before" ]; then echo "old $target"; else echo "other $target"; fi
    done <"$name/files"
done
"#;

/// How a window stands, by what is kept of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeptState {
    /// It was put there, and nothing was begun.
    NotBegun,
    /// It is at work.
    Running,
    /// It ended so.
    Ended(WindowEnd),
    /// It began, is not at work, and left no receipt.
    Vanished,
}

/// What stands where a window was to put a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stands {
    /// The file that was to come.
    New,
    /// What was there before.
    Old,
    /// Neither.
    Other,
}

/// What a host keeps of one window; its own words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptWindow {
    /// Its name: the run's ID, a dash, and more.
    pub name: String,
    /// The unit that it stopped.
    pub unit: String,
    /// When it began, in seconds since 1970 by the host's clock.
    pub began: Option<i64>,
    /// When it ended, likewise.
    pub ended: Option<i64>,
    /// How it stands.
    pub state: KeptState,
    /// The receipt's reason, or else the last line of its log.
    pub detail: String,
    /// Each file that it was to swap, and what stands there now; for the newest run on the host alone.
    pub files: Vec<(String, Stands)>,
}

impl KeptWindow {
    /// The ID of the run that began it.
    #[must_use]
    pub fn run(&self) -> &str {
        self.name.split('-').next().unwrap_or_default()
    }

    fn named(name: &str) -> Self {
        let (name, unit, detail) = (name.to_owned(), String::new(), String::new());
        Self { name, unit, began: None, ended: None, state: KeptState::NotBegun, detail, files: Vec::new() }
    }

    fn take(&mut self, word: &str, rest: &str) -> Result<(), String> {
        let number = || rest.parse().map_err(|_| format!("expected seconds since 1970 after `{word}`, found `{rest}`"));
        let mut file = |stands| self.files.push((rest.to_owned(), stands));
        match word {
            "unit" => rest.clone_into(&mut self.unit),
            "began" => {
                self.began = Some(number()?);
                self.state = KeptState::Vanished;
            }
            "ended" => self.ended = Some(number()?),
            "runs" => self.state = KeptState::Running,
            "outcome" => self.state = KeptState::Ended(WindowEnd::from_word(rest)?),
            "detail" => rest.clone_into(&mut self.detail),
            "last" if self.detail.is_empty() => rest.clone_into(&mut self.detail),
            "last" => {}
            "new" => file(Stands::New),
            "old" => file(Stands::Old),
            "other" => file(Stands::Other),
            _ => return Err(format!("the line `{word} {rest}` is not understood")),
        }
        Ok(())
    }
}

fn read(text: &str) -> Result<Vec<KeptWindow>, String> {
    let mut found: Vec<KeptWindow> = Vec::new();
    for line in text.lines() {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match (word, found.last_mut()) {
            ("window", _) => found.push(KeptWindow::named(rest)),
            (_, Some(window)) => window.take(word, rest)?,
            (_, None) => return Err(format!("the line `{line}` comes before any window")),
        }
    }
    Ok(found)
}

impl Probe {
    /// The newest windows that the host keeps something of, oldest first.
    ///
    /// # Errors
    /// When the host does not say.
    pub async fn kept_windows(&self) -> Result<Vec<KeptWindow>, RemoteError> {
        const ACT: &str = "read the receipts of windows";
        let ran = self.script(ACT, LIST, &[Window::HOME, MOST], None).await?;
        if !ran.success() {
            return Err(self.host.failed(ACT, ran.words()));
        }
        read(&String::from_utf8_lossy(&ran.stdout)).map_err(|what| self.host.answer(ACT, what))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_host_lists_is_read_and_what_is_not_understood_is_refused() {
        let text = "window 01A-n1-2-1-1\nunit etcd.service\nbegan 10\nended 20\noutcome done\ndetail process 7 serves\nlast done: x\n\
            window 01B-n1-2-2-0\nunit etcd.service\nbegan 30\nlast stopping etcd.service\nold /usr/local/bin/etcd\nnew /usr/local/bin/etcdctl\n\
            window 01B-n1-2-3-0\nunit etcd.service\nbegan 31\nruns yes\n";
        let found = read(text).unwrap();
        assert_eq!(found.iter().map(KeptWindow::run).collect::<Vec<_>>(), ["01A", "01B", "01B"]);
        assert_eq!(found[0].state, KeptState::Ended(WindowEnd::Done));
        assert_eq!(
            (found[0].began, found[0].ended, found[0].detail.as_str()),
            (Some(10), Some(20), "process 7 serves")
        );
        assert_eq!((found[1].state, found[1].detail.as_str()), (KeptState::Vanished, "stopping etcd.service"));
        let files = [("/usr/local/bin/etcd", Stands::Old), ("/usr/local/bin/etcdctl", Stands::New)];
        assert_eq!(found[1].files, files.map(|(path, stands)| (path.to_owned(), stands)));
        assert_eq!(found[2].state, KeptState::Running);
        assert_eq!(read("").unwrap(), []);
        for bad in ["unit etcd\n", "window 01A\noutcome fine\n", "window 01A\nbegan soon\n", "window 01A\nsmall talk\n"]
        {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_link_is_told_by_where_it_leads_and_by_its_text_and_a_second_window_of_a_name_by_itself() {
        let home = tempfile::TempDir::new().unwrap();
        let at = |name: &str| home.path().join(name);
        let sum = |text: &str| crate::remote::sink::hex(&<sha2::Sha256 as sha2::Digest>::digest(text));
        std::fs::create_dir_all(at("bin")).unwrap();
        for (name, text) in [("old", "old"), ("new", "new")] {
            std::fs::write(at(&format!("bin/{name}")), text).unwrap();
        }
        std::os::unix::fs::symlink("../bin/old", at("bin/etcd")).unwrap();
        let bin = at("bin").display().to_string();
        let windows = at("windows");
        // The way there, which a second window of that name has taken back.
        for (name, files) in [
            ("01A-n1-2-1-1", format!("{bin}/etcd\t{bin}/new\t{bin}/kept\t{}\tlink:../bin/old\n", sum("new"))),
            (
                "01A-n1-2-1-1-2",
                format!("{bin}/etcd\t{bin}/old\t{bin}/new\t{}\tlink:{bin}/new\t../bin/old\n", sum("old")),
            ),
        ] {
            std::fs::create_dir_all(windows.join(name)).unwrap();
            std::fs::write(windows.join(name).join("plan"), "unit=etcd.service\n").unwrap();
            std::fs::write(windows.join(name).join("files"), files).unwrap();
        }
        let listed = |systemctl: &str| {
            let text = format!("systemctl() {{ {systemctl}; }}\n{LIST}");
            std::process::Command::new("sh").args(["-c", &text, "sh"]).arg(&windows).arg(MOST).output().unwrap()
        };
        let out = listed("echo ActiveState=inactive");
        let found = read(&String::from_utf8_lossy(&out.stdout)).unwrap();
        let told: Vec<_> = found.iter().map(|window| (window.run(), window.name.as_str(), window.files[0].1)).collect();
        assert_eq!(told, [("01A", "01A-n1-2-1-1", Stands::Old), ("01A", "01A-n1-2-1-1-2", Stands::New)]);
        // Nobody can say of a window whose unit is not known whether it is at work.
        assert!(!listed("return 1").status.success());
    }

    #[test]
    fn the_script_is_plain_sh() {
        let checked = std::process::Command::new("sh").args(["-n", "-c", LIST]).status().unwrap();
        assert!(checked.success());
    }
}
