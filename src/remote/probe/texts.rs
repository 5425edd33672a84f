//! Several small files in one question.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::Probe;
use crate::remote::{RemoteError, RemotePath};

/// `$1` the most bytes that one may have, then paths; links are followed. A line for each: `none`, `other` for what is no regular file, or
/// `=` and its bytes in base64.
const TEXTS: &str = r#"
most=$1; shift
for file; do
    if [ ! -e "$file" ]; then
        said=$(ls -dL -- "$file" 2>&1)
        case $said in *"No such file or directory"* | *"Not a directory"*) echo none; continue ;; esac
        printf '%s\n' "$said" >&2; exit 1
    fi
    [ -f "$file" ] || { echo other; continue; }
    size=$(stat -L -c %s -- "$file") || exit 1
    [ "$size" -le "$most" ] || { echo "$file has $size bytes, more than $most" >&2; exit 1; }
    text=$(base64 -w 0 <"$file") || exit 1
    printf '=%s\n' "$text"
done
"#;

/// What stands at a path, links followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// Nothing.
    None,
    /// What is no regular file.
    Other,
    /// A file's bytes.
    Bytes(Vec<u8>),
}

impl Probe {
    /// What stands at each of these paths, in their order.
    ///
    /// # Errors
    /// When the host does not say, or one is longer than `cap` bytes.
    pub async fn texts(&self, paths: &[RemotePath], cap: usize) -> Result<Vec<Content>, RemoteError> {
        if paths.is_empty() {
            return Ok(Vec::new());
        }
        let names: Vec<&str> = paths.iter().map(RemotePath::as_str).collect();
        let act = format!("read {}", names.join(", "));
        let most = cap.to_string();
        let args: Vec<&str> = std::iter::once(most.as_str()).chain(names).collect();
        // Base64 makes four bytes of three.
        let printed = self.ask(&act, TEXTS, &args, paths.len() * (cap * 3 / 2 + 16)).await?;
        let odd = || self.host.answer(&act, "not a line for each file");
        let text = String::from_utf8(printed).map_err(|_| odd())?;
        let found: Option<Vec<Content>> = text.lines().map(content).collect();
        found.filter(|found| found.len() == paths.len()).ok_or_else(odd)
    }
}

fn content(line: &str) -> Option<Content> {
    match line {
        "none" => Some(Content::None),
        "other" => Some(Content::Other),
        _ => STANDARD.decode(line.strip_prefix('=')?).ok().map(Content::Bytes),
    }
}
