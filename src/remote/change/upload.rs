//! Writing files: whole or not at all, and on the disk before we say so.

use sha2::{Digest, Sha256};
use tokio::io::AsyncRead;

use super::{Attributes, Change};
use crate::remote::probe::{carry_deadline, octal, ownership};
use crate::remote::sink::hex;
use crate::remote::{RemoteError, RemotePath, shell};
use crate::transport::Stdin;

/// Temp beside the target under a name nobody can guess, made with `O_EXCL` (that is what `set -C` means) and mode 0600. From
/// then on only the open file is meant, through /proc/self/fd: in a folder of somebody else a name can be swapped for a link
/// (CVE-2024-9902 is Ansible's `chown` that followed one). The hash is taken of what the disk gives back, fsync of the file
/// comes before the rename and fsync of the folder after it: without the latter a power cut undoes the rename.
/// A failed fsync may have dropped the pages, so it is never tried again; the whole write has to be.
/// Where nobody listens any more a word on standard error is SIGPIPE, which would end the shell before it has cleaned up.
/// What is left if the host loses power or the shell is killed is called `.quorate-` and 32 hex digits.
/// Attributes not given are those of the file that was there, else 0666 less the umask.
const UPLOAD: &str = r#"
old=$(umask); umask 077; set -u
dest=$1 sum=$2 mode=$3 owner=$4 name=$5
dir=${dest%/*}/; tmp=$dir$name
say() { echo "$*" >&2; exit 1; }
[ -d "$dir" ] || say "no such folder: $dir"
[ -L "$dest" ] || [ ! -d "$dest" ] || say "is a folder"
if [ -f "$dest" ] && [ ! -L "$dest" ]; then
    [ -n "$mode" ] || mode=$(stat -c %a -- "$dest") || exit 1
    case $owner in
        '') owner=$(stat -c %u:%g -- "$dest") || exit 1 ;;
        :*) owner=$(stat -c %u -- "$dest")$owner || exit 1 ;;
        *:*) ;;
        *) owner=$owner:$(stat -c %g -- "$dest") || exit 1 ;;
    esac
fi
[ -n "$mode" ] || mode=$(printf %04o $((0666 & ~0$old)))
trap 'rm -f -- "$tmp"' EXIT
trap 'exit 1' HUP INT TERM
trap '' PIPE
set -C; exec 3>"$tmp"; set +C
fd=/proc/self/fd/3
cat >&3 || say "the disk did not take it"
found=$(sha256sum < "$fd") || exit 1
[ "${found%% *}" = "$sum" ] || say "expected SHA-256 $sum, found ${found%% *}: it did not arrive whole"
[ -z "$owner" ] || chown -- "$owner" "$fd" || exit 1
chmod -- "$mode" "$fd" || exit 1
sync "$fd" || say "fsync failed"
mv -fT -- "$tmp" "$dest" || exit 1
trap - EXIT
[ "$fd" -ef "$dest" ] || say "somebody else put another file there meanwhile"
sync -- "$dir" || say "written, but fsync of the folder failed"
"#;

impl Change {
    /// Makes `path` a file with these bytes, atomically and durably; a link there is replaced, not followed.
    ///
    /// # Errors
    /// When it could not be written; then what was there is still there, unless the message says otherwise: the last step,
    /// fsync of the folder, can fail too.
    pub async fn write(&self, path: &RemotePath, bytes: &[u8], attributes: &Attributes) -> Result<(), RemoteError> {
        let sum = hex(&Sha256::digest(bytes));
        let stdin = Stdin::Bytes(bytes.to_vec());
        self.put(&format!("write {path}"), path, stdin, bytes.len() as u64, &sum, attributes).await
    }

    /// The same from a stream of `size` bytes whose SHA-256 in hex is known beforehand. It may take as long as 64 KiB/s
    /// takes, at least 60 s.
    ///
    /// # Errors
    /// When it could not be written, or what arrived has another sum; see [`Change::write`].
    pub async fn upload(
        &self,
        path: &RemotePath,
        source: impl AsyncRead + Send + Unpin + 'static,
        size: u64,
        sha256: &str,
        attributes: &Attributes,
    ) -> Result<(), RemoteError> {
        let stdin = Stdin::Stream(Box::new(source));
        self.put(&format!("upload {path}"), path, stdin, size, &sha256.to_ascii_lowercase(), attributes).await
    }

    async fn put(
        &self,
        act: &str,
        path: &RemotePath,
        stdin: Stdin,
        size: u64,
        sum: &str,
        attributes: &Attributes,
    ) -> Result<(), RemoteError> {
        let Some(nonce) = shell::nonce() else {
            return Err(self.probe.host.refused(act, "no random numbers to be had"));
        };
        let name = format!(".quorate-{nonce}");
        let args = [path.as_str(), sum, &octal(attributes), &ownership(attributes), &name];
        self.probe.feed(act, UPLOAD, &args, stdin, carry_deadline(size)).await
    }
}
