//! The head of a run's journal, which is known only once its last event is written there.

use std::fmt;
use std::sync::Arc;

/// Characters of it that people are shown: 64 bits, which nobody hits by chance and which can be read out over the telephone.
const SHORT: usize = 16;

/// Tells the head: the SHA-256, in hex, of the journal's last line.
#[derive(Clone, Default)]
pub struct Head(Option<Arc<Told>>);

type Told = dyn Fn() -> Option<String> + Send + Sync;

impl Head {
    /// What `told` answers when the run's last event is shown.
    pub fn of(told: impl Fn() -> Option<String> + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(told)))
    }

    /// The whole.
    #[must_use]
    pub fn sum(&self) -> Option<String> {
        self.0.as_ref().and_then(|told| told())
    }

    /// So much of it as people compare.
    #[must_use]
    pub fn short(&self) -> Option<String> {
        let mut sum = self.sum()?;
        sum.truncate(SHORT);
        Some(sum)
    }
}

impl fmt::Debug for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Head").field(&self.sum()).finish()
    }
}
