//! Links, symbolic and hard.

use serde_json::Value;

use crate::remote::RemotePath;

use super::super::Failure;
use super::super::attributes::Sort;
use super::{Act, source};

impl Act<'_, '_> {
    /// Attributes are those of what it leads to, or of the link itself without `follow`.
    pub(super) async fn symlink(&mut self) -> Result<bool, Failure> {
        let old = self.there.as_ref().and_then(|stat| stat.target.clone());
        let target = match (source(self)?, &old) {
            (Some(target), _) => target.to_owned(),
            (None, Some(old)) => old.clone(),
            (None, None) => return Err(self.failed("src is needed to make a link")),
        };
        let same = old.as_deref() == Some(&target);
        let force = self.call.flag("force");
        if !same {
            self.may_be_replaced(force).await?;
            if !force && !self.leads_somewhere(&target).await? {
                return Err(self.failed(&format!("{target} does not exist; force=yes makes the link nevertheless")));
            }
            self.turns(&format!("link to {target}"));
            if let Some(change) = &self.call.change {
                if self.kind() == "directory" {
                    change.remove(&self.path, false).await?;
                }
                change.symlink(&self.path, &target, force || self.kind() == "link").await?;
            }
        }
        self.result.insert("src".to_owned(), Value::from(target));
        self.result.insert("dest".to_owned(), Value::from(self.path.as_str()));
        let settled = self.settle_link().await?;
        self.result.insert("dest".to_owned(), Value::from(self.path.as_str()));
        self.result.insert("state".to_owned(), Value::from("link"));
        Ok(!same || settled)
    }

    async fn settle_link(&mut self) -> Result<bool, Failure> {
        if self.wanted == super::Wanted::default() {
            return self.finish("dest", "link", Sort::File).await;
        }
        let link = self.path.clone();
        let end = self.call.probe.stat(&link, true).await?;
        if let Some(end) = end.filter(|_| self.call.flag("follow")) {
            self.path = self.call.probe.canonical(&link).await?;
            self.there = Some(end);
        } else {
            // A link has no mode of its own on Linux (symlink(7)).
            self.wanted.mode = None;
        }
        let sort =
            if self.there.as_ref().is_some_and(|stat| stat.kind == "directory") { Sort::Folder } else { Sort::File };
        let settled = self.finish("dest", "link", sort).await?;
        self.path = link;
        Ok(settled)
    }

    /// Whether what is there may give way to a link.
    async fn may_be_replaced(&self, force: bool) -> Result<(), Failure> {
        match self.kind() {
            "absent" | "link" => Ok(()),
            "directory" if force => {
                let held = self.call.probe.list(&self.path).await?.len();
                if held == 0 {
                    return Ok(());
                }
                Err(self.failed(&format!("is a folder with {held} entries; it is not turned into a link")))
            }
            _ if force => Ok(()),
            kind => Err(self.failed(&format!("is a {kind}; it is not turned into a link without force"))),
        }
    }

    /// A relative target counts from the folder that the link is in.
    async fn leads_somewhere(&self, target: &str) -> Result<bool, Failure> {
        let whole =
            if target.starts_with('/') { target.to_owned() } else { format!("{}/{target}", self.path.parent()) };
        match RemotePath::from_absolute(&whole) {
            Some(path) => Ok(self.call.probe.stat(&path, true).await?.is_some()),
            // A path with `..` can't be named to the host by us, but as text of a link it is the operator's.
            None => {
                let there = self.call.probe.run(&["test", "-e", &whole]).await?;
                Ok(there.success())
            }
        }
    }

    pub(super) async fn hardlink(&mut self) -> Result<bool, Failure> {
        let source = source(self)?.and_then(RemotePath::from_absolute);
        let Some(source) = source else {
            return Err(self.failed("state=hard needs src as an absolute path without `..`"));
        };
        let Some(original) = self.call.probe.stat(&source, true).await? else {
            return Err(self.failed(&format!("{source} does not exist")));
        };
        let same = self.there.as_ref().is_some_and(|s| (s.inode, s.device) == (original.inode, original.device));
        if !same {
            let force = self.call.flag("force");
            match self.kind() {
                "absent" => {}
                "directory" => return Err(self.failed("is a folder; it is not turned into a hard link")),
                _ if force => {}
                kind => return Err(self.failed(&format!("is a {kind}; it is not replaced without force"))),
            }
            self.turns("hard");
            if let Some(change) = &self.call.change {
                change.hardlink(&self.path, &source, force).await?;
            }
        }
        self.result.insert("src".to_owned(), Value::from(source.as_str()));
        let settled = self.finish("dest", "hard", Sort::File).await?;
        self.result.insert("state".to_owned(), Value::from("hard"));
        Ok(!same || settled)
    }
}
