//! Where a member's program stands on its host, what takes its place, and under which name the old one stays.

use semver::Version;

use crate::events::Fault;
use crate::modules::Failure;
use crate::remote::{Attributes, Probe, RemotePath, Stat, Swap};

use super::facts::Facts;

/// `$1` a path; prints what stands there in the window's own form.
const STANDING: &str = r#"
if [ -L "$1" ]; then printf 'link:%s' "$(readlink "$1")"; elif [ -f "$1" ]; then sha256sum <"$1" | cut -d' ' -f1; else printf none; fi
"#;
/// `$1` a process; prints the SHA-256 of the program it runs, also where the file was replaced since.
const RUNNING: &str = r#"sha256sum <"/proc/$1/exe" | cut -d' ' -f1"#;

/// The places of one swap.
pub(super) struct Place {
    /// The program as the unit names it.
    pub(super) target: RemotePath,
    /// Where the new one lies until it takes its place.
    pub(super) staged: RemotePath,
    /// SHA-256 of the program that runs now.
    pub(super) running: String,
    /// What stands at the target now.
    pub(super) standing: String,
    /// Owner and mode of the program file.
    pub(super) attributes: Attributes,
}

/// SHA-256 of the program that the process runs, in hex.
pub(super) async fn running(probe: &Probe, pid: Option<u32>) -> Result<String, Failure> {
    line(probe, "hash the running program", RUNNING, &pid.unwrap_or_default().to_string()).await
}

async fn line(probe: &Probe, act: &str, script: &'static str, argument: &str) -> Result<String, Failure> {
    let ran = probe.script(act, script, &[argument], None).await?;
    let text = String::from_utf8_lossy(&ran.stdout).trim().to_owned();
    if ran.success() && !text.is_empty() {
        return Ok(text);
    }
    Err(Failure::new(Fault::Failed, format!("{}: {act}: {}", probe.name(), ran.words())))
}

impl Place {
    /// Finds out where things stand for `version` to take the place of what runs.
    pub(super) async fn find(probe: &Probe, facts: &Facts, version: &Version) -> Result<Self, Failure> {
        let running = running(probe, facts.state.main_pid()).await?;
        Self::at(probe, facts.program.clone(), running, version).await
    }

    /// The same for any program; `running` is the SHA-256 of what one gets who calls it now.
    pub(super) async fn at(
        probe: &Probe,
        target: RemotePath,
        running: String,
        version: &Version,
    ) -> Result<Self, Failure> {
        let standing = line(probe, "look at the program", STANDING, target.as_str()).await?;
        let stat: Option<Stat> = probe.stat(&target, true).await?;
        let attributes = stat.map_or_else(Attributes::default, |stat| Attributes {
            mode: Some(stat.mode),
            owner: Some(stat.uid.to_string()),
            group: Some(stat.gid.to_string()),
        });
        let staged = Self::beside(&target, version);
        Ok(Self { target, staged, running, standing, attributes })
    }

    /// The name of a version's program beside the one that the unit starts.
    pub(super) fn beside(target: &RemotePath, version: &Version) -> RemotePath {
        target.parent().join(&format!("{}.{version}", target.name()))
    }

    /// Under which name the old program stays; another build of one and the same version must not take the new one's name.
    pub(super) fn kept(&self, old: &Version) -> RemotePath {
        let kept = Self::beside(&self.target, old);
        if kept == self.staged { kept.parent().join(&format!("{}.before", kept.name())) } else { kept }
    }

    /// The swap from `old` to what is staged; `want` is the new program's SHA-256.
    pub(super) fn swap(&self, old: &Version, want: &str) -> Swap {
        Swap {
            target: self.target.clone(),
            staged: self.staged.clone(),
            kept: self.kept(old),
            want: want.to_owned(),
            before: self.standing.clone(),
            link: None,
        }
    }

    /// The swap back to `old`; `new` is the SHA-256 of the program that took its place.
    pub(super) fn swap_back(&self, old: &Version, new: &str) -> Swap {
        let (target, kept, want) = (self.target.clone(), self.staged.clone(), self.running.clone());
        // Of a link nothing was kept: it points elsewhere, and shall have the text that it had, by which it led to the old program.
        let Some(text) = self.standing.strip_prefix("link:") else {
            return Swap { target, staged: self.kept(old), kept, want, before: new.to_owned(), link: None };
        };
        let from = if text.starts_with('/') { RemotePath::root() } else { target.parent() };
        let before = format!("link:{}", self.staged);
        Swap { target, staged: from.join(text), kept, want, before, link: Some(text.to_owned()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_back_leads_to_the_kept_file_or_to_where_the_link_led() {
        let path = |text: &str| RemotePath::from_absolute(text).unwrap();
        let back = |standing: &str| {
            let (target, staged) = (path("/usr/bin/etcd"), path("/usr/bin/etcd.2.1.1"));
            let (running, standing) = ("old".to_owned(), standing.to_owned());
            let place = Place { target, staged, running, standing, attributes: Attributes::default() };
            let swap = place.swap_back(&Version::new(2, 0, 5), "new");
            (swap.staged.as_str().to_owned(), swap.before, swap.link)
        };
        assert_eq!(back("old"), ("/usr/bin/etcd.2.0.5".into(), "new".into(), None));
        // Each by its own text; where that leads is looked at before, since the old program must be there.
        for (text, leads) in [
            ("/opt/etcd-v2.0.5/etcd", "/opt/etcd-v2.0.5/etcd"),
            ("etcd-v2.0.5/etcd", "/usr/bin/etcd-v2.0.5/etcd"),
            ("../../opt/etcd-2.0.5", "/usr/bin/../../opt/etcd-2.0.5"),
            ("/usr/bin/../lib/etcd", "/usr/bin/../lib/etcd"),
        ] {
            let (staged, before, link) = back(&format!("link:{text}"));
            assert_eq!((staged.as_str(), before.as_str()), (leads, "link:/usr/bin/etcd.2.1.1"));
            assert_eq!(link.as_deref(), Some(text));
        }
    }
}
