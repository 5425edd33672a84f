//! A copy carried off its host: whole and as it was told, or not at all.

use std::path::Path;

use crate::events::Fault;
use crate::modules::Failure;
use crate::remote::Probe;

use super::{Copy, disk};

/// Carries a copy into the folder here, under its own name, and answers its bytes; what came must have the size that the host told before,
/// and the sum that it took. Nothing is left of what has not.
pub(super) async fn carry_off(probe: &Probe, copy: &Copy, partial: &Path) -> Result<u64, Failure> {
    let carried = carry(probe, copy, partial).await;
    if carried.is_err() {
        // What went wrong before is what is told; a folder that is left is cleared by the next run.
        std::fs::remove_dir_all(partial).ok();
    }
    carried
}

async fn carry(probe: &Probe, copy: &Copy, partial: &Path) -> Result<u64, Failure> {
    let fresh = || -> std::io::Result<std::fs::File> {
        use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
        if partial.exists() {
            std::fs::remove_dir_all(partial)?;
        }
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(partial)?;
        std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(partial.join(copy.file))
    };
    let host = probe.name();
    let Some(stat) = probe.stat(&copy.path, true).await? else {
        return Err(Failure::new(Fault::Failed, format!("{host}: the backup is gone: there is no {}", copy.path)));
    };
    let file = fresh().map_err(|e| disk(partial, &e))?;
    let durable = file.try_clone().map_err(|e| disk(partial, &e))?;
    let came = probe.download(&copy.path, stat.size, tokio::fs::File::from_std(file)).await?;
    if came != copy.sha256 {
        let hashed = &copy.sha256;
        let text = format!("{host}: the backup did not arrive whole\nexpected {hashed}\nfound    {came}");
        return Err(Failure::new(Fault::Failed, text));
    }
    durable.sync_all().map_err(|e| disk(partial, &e))?;
    Ok(stat.size)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::super::release::sha256;
    use super::*;
    use crate::remote::{RemoteHost, RemotePath};
    use crate::transport::LocalSession;

    async fn carried(folder: &Path, of: &str, sum: String) -> Result<u64, Failure> {
        let path = format!("{}:/usr/sbin:/usr/bin:/sbin:/bin", folder.join("bin").display());
        let host = RemoteHost::new(Arc::new(LocalSession::new("h1"))).with_environment(vec![("PATH".to_owned(), path)]);
        let at = RemotePath::from_absolute(folder.to_str().unwrap()).unwrap().join(of);
        let copy = Copy { path: at, file: "copy.tar", sha256: sum, made_by: "a test" };
        carry_off(&Probe::new(host), &copy, &folder.join("h1.partial")).await
    }

    #[tokio::test]
    async fn a_copy_arrives_whole_or_nothing_is_left_of_it() {
        let dir = tempfile::tempdir().unwrap();
        let (folder, partial) = (dir.path(), dir.path().join("h1.partial"));
        std::fs::write(folder.join("copy.tar"), "a backup").unwrap();
        assert_eq!(carried(folder, "copy.tar", sha256(b"a backup")).await.unwrap(), 8);
        assert_eq!(std::fs::read_to_string(partial.join("copy.tar")).unwrap(), "a backup");
        let failure = carried(folder, "copy.tar", sha256(b"another")).await.unwrap_err();
        assert!(failure.msg.contains("did not arrive whole") && !partial.exists(), "{}", failure.msg);
        let failure = carried(folder, "none", sha256(b"a backup")).await.unwrap_err();
        assert!(failure.msg.contains("there is no"), "{}", failure.msg);
    }

    #[tokio::test]
    async fn a_copy_that_is_longer_than_was_told_does_not_fill_the_disk() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path();
        std::fs::write(folder.join("copy.tar"), "a backup").unwrap();
        crate::remote::tests::install("/dev/stdin", &folder.join("bin/cat"), "#!/bin/sh\nexec yes\n");
        let failure = carried(folder, "copy.tar", sha256(b"a backup")).await.unwrap_err();
        assert!(
            failure.msg.contains("h1: download") && failure.msg.contains("expected 8 bytes, found "),
            "{}",
            failure.msg
        );
        assert!(!folder.join("h1.partial").exists());
    }
}
