//! Drop-in files of a unit that systemd has not read yet.

use super::{Probe, UnitState};
use crate::remote::{RemoteError, RemotePath};

/// `$1` the files that systemd has read, a line each, then the unit's names. Prints those that it would read besides, in the order of
/// its own search path: of files with one name the first counts, and a link to `/dev/null` stands for none (systemd.unit(5)).
const UNREAD: &str = r#"
newline='
'
loaded=$newline seen=/
while IFS= read -r file; do loaded=$loaded$(readlink -f -- "$file")$newline; done <<end
$1
end
shift
for folder in $(systemctl show --property=UnitPath | sed 's/^UnitPath=//'); do
    for name; do
        for file in "$folder/$name.d"/*.conf; do
            [ -f "$file" ] || [ -L "$file" ] || continue
            case $seen in */"${file##*/}"/*) continue ;; esac
            seen=$seen${file##*/}/
            real=$(readlink -f -- "$file")
            [ "$real" != /dev/null ] || continue
            case $loaded in *"$newline$real$newline"*) ;; *) printf '%s\n' "$file" ;; esac
        done
    done
done
"#;

impl Probe {
    /// The drop-ins of the unit that lie where systemd looks for them and that it has not read. `NeedDaemonReload` knows of a new
    /// file in a folder that was there, but not of a new folder: systemd remembers which folders there were when it last read all
    /// units (systemd v252 shared/dropin.c, `unit_path_cache`; seen in the lab 2026-11-26).
    ///
    /// # Errors
    /// When the host does not say.
    pub async fn unread_drop_ins(&self, unit: &UnitState) -> Result<Vec<RemotePath>, RemoteError> {
        let act = format!("look for drop-ins of {}", unit.get("Id"));
        let loaded: Vec<&str> = unit.get("DropInPaths").split_whitespace().collect();
        let loaded = loaded.join("\n");
        let names = names(unit.get("Id"), unit.get("Names"));
        let mut args = vec![loaded.as_str()];
        args.extend(names.iter().map(String::as_str));
        let ran = self.script(&act, UNREAD, &args, None).await?;
        if !ran.success() {
            return Err(self.host.failed(&act, ran.words()));
        }
        Ok(String::from_utf8_lossy(&ran.stdout).lines().filter_map(RemotePath::from_absolute).collect())
    }
}

/// The names under which a unit's drop-ins may lie: its own, and those of the templates that it is an instance of.
fn names(id: &str, aliases: &str) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for name in std::iter::once(id).chain(aliases.split_whitespace()) {
        let template =
            name.split_once('@').and_then(|(stem, rest)| Some(format!("{stem}@.{}", rest.rsplit_once('.')?.1)));
        for name in std::iter::once(name.to_owned()).chain(template) {
            if !name.is_empty() && !names.contains(&name) {
                names.push(name);
            }
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::names;

    #[test]
    fn a_units_drop_ins_lie_under_its_names_and_its_template() {
        assert_eq!(names("etcd.service", "etcd.service etcd2.service"), ["etcd.service", "etcd2.service"]);
        assert_eq!(names("etcd@a.b.service", "etcd@a.b.service"), ["etcd@a.b.service", "etcd@.service"]);
    }
}
