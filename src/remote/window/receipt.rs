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

impl WindowEnd {
    /// The word of the `result` file.
    ///
    /// # Errors
    /// When it is none of them.
    pub(super) fn from_word(word: &str) -> Result<Self, String> {
        match word {
            "done" => Ok(Self::Done),
            "refused" => Ok(Self::Refused),
            "rolled-back" => Ok(Self::RolledBack),
            "not-serving" => Ok(Self::NotServing),
            "down" => Ok(Self::Down),
            other => Err(format!("the receipt has the unknown outcome `{other}`")),
        }
    }

    /// The same for people.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Refused => "refused, nothing was touched",
            Self::RolledBack => "rolled back",
            Self::NotServing => "the new program does not serve",
            Self::Down => "nothing serves",
        }
    }
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
    /// When the order to stop was given, since the host's boot; zero if nothing was stopped.
    pub stopped: Duration,
    /// When the program that serves at the end answered first, since the host's boot; zero if none does.
    pub serving: Duration,
    /// What was stopped with the unit and is not up again.
    pub left_down: Vec<String>,
    /// The process that ran at the end.
    pub pid: Option<u32>,
}

/// How the detail of a window begins that no leave has reached in time, in `window.sh`.
const NO_LEAVE: &str = "no leave to stop ";

impl Receipt {
    /// Whether it has stopped nothing since no leave to do so reached it in time.
    #[must_use]
    pub fn had_no_leave(&self) -> bool {
        self.end == WindowEnd::Refused && self.detail.starts_with(NO_LEAVE)
    }

    /// Reads the `result` file.
    ///
    /// # Errors
    /// What is missing or not understood.
    pub(super) fn from_text(text: &str) -> Result<Self, String> {
        let fields: BTreeMap<&str, &str> = text.lines().filter_map(|line| line.split_once('=')).collect();
        let field = |name: &str| fields.get(name).copied().ok_or_else(|| format!("the receipt has no `{name}`"));
        let end = WindowEnd::from_word(field("outcome")?)?;
        // /proc/uptime counts hundredths of seconds; f64 holds centuries of them exactly.
        let seconds = |name: &str| -> Result<Duration, String> {
            let text = field(name)?;
            let number: f64 = text.parse().map_err(|_| format!("`{name}` in the receipt is no number: `{text}`"))?;
            Duration::try_from_secs_f64(number).map_err(|_| format!("`{name}` in the receipt: `{text}`"))
        };
        let (stopped, serving) = (seconds("stopped")?, seconds("serving")?);
        let pid = field("pid")?.parse().ok().filter(|pid| *pid > 0);
        // A window of an older quorate says nothing of it.
        let left_down = fields.get("left_down").copied().unwrap_or_default();
        let left_down = left_down.split_whitespace().map(str::to_owned).collect();
        let (detail, down) = (field("detail")?.to_owned(), between(stopped, serving));
        Ok(Self { end, detail, down, stopped, serving, left_down, pid })
    }

    /// How long nothing sound answered when another window brought the old program back: from the first order to stop to the first
    /// answer after the way back. Nothing if the host was restarted in between, since its clock then began anew.
    #[must_use]
    pub fn down_until(&self, back: &Self) -> Option<Duration> {
        let known = !self.stopped.is_zero() && back.stopped > self.stopped && back.serving > back.stopped;
        known.then(|| between(self.stopped, back.serving))
    }
}

fn between(stopped: Duration, serving: Duration) -> Duration {
    if stopped.is_zero() { Duration::ZERO } else { serving.saturating_sub(stopped) }
}
