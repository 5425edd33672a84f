//! What a window wrote last.

use std::collections::BTreeMap;
use std::time::Duration;

/// How a window ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WindowEnd {
    /// The new program serves.
    Done,
    /// Nothing was touched: what was examined had changed.
    Refused,
    /// The new program did not serve; the old one is back and serves.
    RolledBack,
    /// The new program does not serve and the old one may not come back.
    NotServing,
    /// Nothing serves.
    Down,
}

/// A window's receipt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// How it ended.
    pub end: WindowEnd,
    /// Why, in the host's words.
    pub detail: String,
    /// From the order to stop to the first answer after it; zero if nothing was stopped or nothing answered.
    pub down: Duration,
    /// The process that ran at the end.
    pub pid: Option<u32>,
}

impl Receipt {
    /// Reads the `result` file.
    ///
    /// # Errors
    /// What is missing or not understood.
    pub(super) fn from_text(text: &str) -> Result<Self, String> {
        let fields: BTreeMap<&str, &str> = text.lines().filter_map(|line| line.split_once('=')).collect();
        let field = |name: &str| fields.get(name).copied().ok_or_else(|| format!("the receipt has no `{name}`"));
        let end = match field("outcome")? {
            "done" => WindowEnd::Done,
            "refused" => WindowEnd::Refused,
            "rolled-back" => WindowEnd::RolledBack,
            "not-serving" => WindowEnd::NotServing,
            "down" => WindowEnd::Down,
            other => return Err(format!("the receipt has the unknown outcome `{other}`")),
        };
        // /proc/uptime counts hundredths of seconds; f64 holds centuries of them exactly.
        let seconds = |name: &str| -> Result<f64, String> {
            let text = field(name)?;
            let number: f64 = text.parse().map_err(|_| format!("`{name}` in the receipt is no number: `{text}`"))?;
            if number.is_finite() && number >= 0.0 {
                Ok(number)
            } else {
                Err(format!("`{name}` in the receipt: `{text}`"))
            }
        };
        let (stopped, serving) = (seconds("stopped")?, seconds("serving")?);
        let down = if stopped > 0.0 && serving > stopped { serving - stopped } else { 0.0 };
        let pid = field("pid")?.parse().ok().filter(|pid| *pid > 0);
        Ok(Self { end, detail: field("detail")?.to_owned(), down: Duration::from_secs_f64(down), pid })
    }
}
