//! Bytes kept up to a cap, and a count of the rest.

/// What is kept of a stream that may be endless.
#[derive(Debug)]
pub(crate) struct Capture {
    kept: Vec<u8>,
    cap: usize,
    dropped: u64,
}

impl Capture {
    /// An empty one that keeps at most `cap` bytes.
    pub(crate) const fn new(cap: usize) -> Self {
        Self { kept: Vec::new(), cap, dropped: 0 }
    }

    /// Keeps what fits of `bytes` and counts the others.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        let room = self.cap.saturating_sub(self.kept.len()).min(bytes.len());
        let (kept, over) = bytes.split_at(room);
        self.kept.extend_from_slice(kept);
        self.dropped = self.dropped.saturating_add(over.len() as u64);
    }

    /// The bytes kept, and how many were dropped.
    pub(crate) fn into_parts(self) -> (Vec<u8>, u64) {
        (self.kept, self.dropped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_up_to_the_cap_and_counts_the_rest() {
        let mut capture = Capture::new(4);
        capture.push(b"abc");
        capture.push(b"def");
        capture.push(b"g");
        assert_eq!(capture.into_parts(), (b"abcd".to_vec(), 3));
    }
}
