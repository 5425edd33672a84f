//! Folders, links, attributes and removal.

use super::{Attributes, Change};
use crate::remote::probe::{octal, ownership};
use crate::remote::{RemoteError, RemotePath, shell};

/// The longest answer to be kept: only whether it is empty matters.
const SHORT: usize = 64 * 1024;

/// Each part in turn. A folder appears with mode 0700 and gets the mode asked for only once it has its owner.
const MKDIR: &str = r#"
old=$(umask); umask 077; set -u
path=$1 mode=$2 owner=$3 parents=$4
[ -n "$mode" ] || mode=$(printf %04o $((0777 & ~0$old)))
make() {
    mkdir -- "$1" || return 1
    [ -z "$owner" ] || chown -h -- "$owner" "$1" || return 1
    chmod -- "$mode" "$1" && sync -- "${1%/*}/" && echo made
}
[ -n "$parents" ] || { make "$path"; exit; }
rest=${path#/}/ at=
while [ -n "$rest" ]; do
    at=$at/${rest%%/*}; rest=${rest#*/}
    [ -d "$at" ] || make "$at" || exit 1
done
"#;
/// `-c` prints what was changed and nothing else. A link has no mode of its own, and its target is not ours to change.
const ATTRIBUTES: &str = r#"
path=$1 mode=$2 owner=$3 recurse=$4
[ -e "$path" ] || [ -L "$path" ] || { echo "no such file" >&2; exit 1; }
[ -z "$mode" ] || [ ! -L "$path" ] || { echo "is a link; a mode belongs to what it leads to" >&2; exit 1; }
if [ -n "$recurse" ]; then
    [ -z "$owner" ] || find "$path" -exec chown -hc -- "$owner" {} + || exit 1
    [ -z "$mode" ] || find "$path" ! -type l -exec chmod -c -- "$mode" {} + || exit 1
else
    [ -z "$owner" ] || chown -hc -- "$owner" "$path" || exit 1
    [ -z "$mode" ] || chmod -c -- "$mode" "$path" || exit 1
fi
"#;
/// The parent is entered and links in it followed first, so that what is removed is what was looked at; a second look at
/// where it really is, since /x/etc is /etc if /x leads to /. Other file systems mounted below stay.
const REMOVE: &str = r#"
set -u
name=${1##*/} dir=${1%/*}/
why=$(ls -d -- "$1" 2>&1 >/dev/null) || case $why in
    *"No such file or directory" | *"Not a directory") exit 0 ;;
    *) echo "$why" >&2; exit 1 ;;
esac
cd -P -- "$dir" || exit 1
if [ -n "$2" ]; then
    case $(pwd -P) in / | //) echo "is really /$name: not removed" >&2; exit 1 ;; esac
    rm -rf --one-file-system -- "./$name" || exit 1
elif [ -d "./$name" ] && [ ! -L "./$name" ]; then
    rmdir -- "./$name" || exit 1
else
    rm -f -- "./$name" || exit 1
fi
echo removed
sync .
"#;
/// Under a name nobody can guess, then renamed over what is there; without force it must not be there.
const LINK: &str = r#"
set -u
path=$1 target=$2 how=$3 force=$4 name=$5
dir=${path%/*}/; tmp=$dir$name
if [ -n "$force" ]; then
    trap 'rm -f -- "$tmp"' EXIT
    trap 'exit 1' HUP INT TERM
    trap '' PIPE
    ln "$how" -T -- "$target" "$tmp" || exit 1
    # rename(2) does nothing for two names of one file, and mv complains.
    [ "$how" != -P ] || [ -L "$path" ] || [ ! "$tmp" -ef "$path" ] || exit 0
    mv -fT -- "$tmp" "$path" || exit 1
else
    ln "$how" -T -- "$target" "$path" || exit 1
fi
sync -- "$dir"
"#;
const TOUCH: &str = r#"
[ ! -L "$1" ] || [ -e "$1" ] || { echo "is a link that leads nowhere" >&2; exit 1; }
exec touch -- "$1"
"#;

/// Folders of the system whose loss is the loss of the host (hier(7)); besides these, everything directly under `/`.
const KEPT: &[&str] = &[
    "/boot/efi",
    "/boot/grub",
    "/dev/shm",
    "/etc/ssh",
    "/etc/systemd",
    "/etc/systemd/system",
    "/lib/systemd",
    "/usr/bin",
    "/usr/lib",
    "/usr/lib32",
    "/usr/lib64",
    "/usr/lib/systemd",
    "/usr/lib/systemd/system",
    "/usr/libexec",
    "/usr/local",
    "/usr/local/bin",
    "/usr/local/sbin",
    "/usr/sbin",
    "/usr/share",
    "/var/cache",
    "/var/lib",
    "/var/lib/dpkg",
    "/var/lib/rpm",
    "/var/lib/systemd",
    "/var/log",
    "/var/spool",
    "/var/tmp",
];

impl Change {
    /// Makes a folder and gives it the attributes; with `parents` also the missing ones above it, with the same attributes
    /// (as Ansible's `file` does), and one that is there already is left as it is. Without `parents` it must not exist:
    /// a folder that somebody else has put there is not ours. Answers whether anything was made.
    ///
    /// # Errors
    /// When it could not be made.
    pub async fn mkdir(&self, path: &RemotePath, attributes: &Attributes, parents: bool) -> Result<bool, RemoteError> {
        let args = [path.as_str(), &octal(attributes), &ownership(attributes), flag(parents)];
        let said = self.probe.ask(&format!("make folder {path}"), MKDIR, &args, SHORT).await?;
        Ok(!said.is_empty())
    }

    /// Gives what is at `path` (and all in it, if `recurse`) owner, group and mode. Links get an owner, are not followed, and
    /// have no mode. Answers whether anything was changed. Where somebody else may write in the folder above, a name can be
    /// swapped between look and change; give such folders to nobody.
    ///
    /// # Errors
    /// When it does not exist, is a link while a mode is given, or it could not be changed.
    pub async fn set_attributes(
        &self,
        path: &RemotePath,
        attributes: &Attributes,
        recurse: bool,
    ) -> Result<bool, RemoteError> {
        let act = format!("set attributes of {path}");
        let args = [path.as_str(), &octal(attributes), &ownership(attributes), flag(recurse)];
        let ran = self.script(&act, ATTRIBUTES, &args, None).await?;
        if ran.success() { Ok(!ran.stdout.is_empty()) } else { Err(self.probe.host.failed(&act, ran.words())) }
    }

    /// Removes a file, a link or an empty folder; with `recursive` a folder with all in it, but nothing mounted below.
    /// Answers whether there was anything. `/`, what is directly in it and the system's own folders are never removed with
    /// all in them.
    ///
    /// # Errors
    /// When it is refused or could not be removed.
    pub async fn remove(&self, path: &RemotePath, recursive: bool) -> Result<bool, RemoteError> {
        let act = format!("remove {path}");
        let plain = plain(path);
        if plain == "/" || (recursive && is_kept(&plain)) {
            return Err(self.probe.host.refused(&act, "a folder of the system itself"));
        }
        let said = self.probe.ask(&act, REMOVE, &[&plain, flag(recursive)], SHORT).await?;
        Ok(!said.is_empty())
    }

    /// Makes `path` a symbolic link to `target` (any text); with `force` atomically in place of the file or link that is there.
    ///
    /// # Errors
    /// When it could not be made, or something is there and `force` is not given.
    pub async fn symlink(&self, path: &RemotePath, target: &str, force: bool) -> Result<(), RemoteError> {
        self.link(&format!("link {path} to {target}"), path, target, "-s", force).await
    }

    /// Makes `path` another name of the file `source`; with `force` atomically in place of what is there.
    ///
    /// # Errors
    /// When it could not be made, or something is there and `force` is not given.
    pub async fn hardlink(&self, path: &RemotePath, source: &RemotePath, force: bool) -> Result<(), RemoteError> {
        self.link(&format!("link {path} to {source}"), path, source.as_str(), "-P", force).await
    }

    async fn link(
        &self,
        act: &str,
        path: &RemotePath,
        target: &str,
        how: &str,
        force: bool,
    ) -> Result<(), RemoteError> {
        let Some(nonce) = shell::nonce() else {
            return Err(self.probe.host.refused(act, "no random numbers to be had"));
        };
        let name = format!(".quorate-{nonce}");
        self.probe.ask(act, LINK, &[path.as_str(), target, how, flag(force), &name], SHORT).await.map(drop)
    }

    /// Sets the times of what is at `path` to now; makes an empty file if there is nothing.
    ///
    /// # Errors
    /// When it could not be done.
    pub async fn touch(&self, path: &RemotePath, attributes: &Attributes) -> Result<(), RemoteError> {
        self.probe.ask(&format!("touch {path}"), TOUCH, &[path.as_str()], SHORT).await?;
        if *attributes != Attributes::default() {
            self.set_attributes(path, attributes, false).await?;
        }
        Ok(())
    }
}

fn flag(set: bool) -> &'static str {
    if set { "yes" } else { "" }
}

/// The path without empty parts and `.`.
fn plain(path: &RemotePath) -> String {
    let parts: Vec<&str> = path.as_str().split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    format!("/{}", parts.join("/"))
}

fn is_kept(plain: &str) -> bool {
    plain.matches('/').count() < 2 || KEPT.contains(&plain)
}
