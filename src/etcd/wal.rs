//! Whose write-ahead log a file is: member ID and cluster ID from its first records.

/// Who wrote a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WalIdentity {
    /// The member.
    pub member: u64,
    /// The cluster.
    pub cluster: u64,
}

/// Why the identity cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no member and cluster ID in the first {bytes} bytes of the log: {why}")]
pub struct WalFault {
    /// How many bytes were looked at.
    pub bytes: usize,
    /// What is wrong.
    pub why: &'static str,
}

impl WalIdentity {
    /// The bytes that every segment of this member's log holds near its beginning: the metadata of wal.proto, `NodeID` as field 1
    /// and `ClusterID` as field 2 (etcd v2.0.5 etcdserver/etcdserverpb and wal/wal.go, read 2026-11-24).
    #[must_use]
    pub fn marker(&self) -> Vec<u8> {
        let mut bytes = vec![0x08];
        push_varint(&mut bytes, self.member);
        bytes.push(0x10);
        push_varint(&mut bytes, self.cluster);
        bytes
    }
}

fn push_varint(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0u64;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f).checked_shl(shift)?;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

/// The fields of a protobuf message that are numbers or bytes: `(field number, number, bytes)`.
fn field<'b>(bytes: &mut &'b [u8]) -> Option<(u64, u64, &'b [u8])> {
    let key = varint(bytes)?;
    match key & 7 {
        0 => Some((key >> 3, varint(bytes)?, &[])),
        2 => {
            let size = usize::try_from(varint(bytes)?).ok()?;
            let data = bytes.get(..size)?;
            *bytes = bytes.get(size..)?;
            Some((key >> 3, 0, data))
        }
        _ => None,
    }
}

/// The identity in the first bytes of a log segment; 512 bytes are enough for any release.
///
/// A segment is frames of a little-endian length and a record (type, crc, data); the first is the crc, the second, of type 1, the
/// metadata. From 3.0 on the top byte of the length says how the frame is padded.
///
/// # Errors
/// When there is no such record.
pub fn identity(head: &[u8]) -> Result<WalIdentity, WalFault> {
    let fault = |why| WalFault { bytes: head.len(), why };
    let mut rest = head;
    // The metadata is the second record; three leave room for one more before it.
    for _ in 0..3 {
        let (length, after) = rest.split_first_chunk::<8>().ok_or_else(|| fault("it ends before the metadata"))?;
        let length = u64::from_le_bytes(*length);
        let padding = if length >> 63 == 1 { (length >> 56) & 7 } else { 0 };
        let size = usize::try_from(length & 0x00ff_ffff_ffff_ffff).map_err(|_| fault("a frame without end"))?;
        let mut record = after.get(..size).ok_or_else(|| fault("a frame longer than what was read"))?;
        rest = after.get(size + padding as usize..).unwrap_or_default();
        let mut kind = 0;
        let mut data: &[u8] = &[];
        while let Some((number, value, bytes)) = field(&mut record) {
            match number {
                1 => kind = value,
                3 => data = bytes,
                _ => {}
            }
        }
        if kind == 1 {
            let (mut member, mut cluster) = (None, None);
            while let Some((number, value, _)) = field(&mut data) {
                match number {
                    1 => member = Some(value),
                    2 => cluster = Some(value),
                    _ => {}
                }
            }
            let found = member.zip(cluster).map(|(member, cluster)| WalIdentity { member, cluster });
            return found.ok_or_else(|| fault("metadata without both IDs"));
        }
    }
    Err(fault("no metadata among the first records"))
}

/// The index in the name of a raft snapshot, `TERM-INDEX.snap`, both of 16 hex digits (etcd snap/snapshotter.go, the same from 2.0 to
/// 3.7).
#[must_use]
pub fn snapshot_index(name: &str) -> Option<u64> {
    let (_, index) = name.strip_suffix(".snap")?.split_once('-')?;
    u64::from_str_radix(index, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A segment's head as etcd 2.0 writes it: crc record, then metadata record.
    fn head(identity: WalIdentity, padded: bool) -> Vec<u8> {
        let meta = identity.marker();
        let mut second = vec![0x08, 1, 0x10, 0x80, 0x01, 0x1a, meta.len() as u8];
        second.extend(&meta);
        let mut bytes = Vec::new();
        for record in [vec![0x08, 4, 0x10, 0], second] {
            let padding = if padded { (8 - record.len() % 8) % 8 } else { 0 };
            let flag = if padding > 0 { (0x80 | padding as u64) << 56 } else { 0 };
            bytes.extend((record.len() as u64 | flag).to_le_bytes());
            bytes.extend(&record);
            bytes.resize(bytes.len() + padding, 0);
        }
        bytes
    }

    #[test]
    fn a_snapshots_name_says_its_index() {
        assert_eq!(snapshot_index("0000000000000004-0000000000000a93.snap"), Some(0xa93));
        for name in ["", "db", "0000000000000004-0000000000000a93.snap.broken", "tmp-1", "x.snap", "1-g.snap"] {
            assert_eq!(snapshot_index(name), None);
        }
    }

    #[test]
    fn reads_the_identity_in_both_frame_formats() {
        let who = WalIdentity { member: 0x924e_2e83_e93f_2560, cluster: 7 };
        assert_eq!(identity(&head(who, false)), Ok(who));
        assert_eq!(identity(&head(who, true)), Ok(who));
    }

    #[test]
    fn the_marker_stands_in_the_head() {
        let who = WalIdentity { member: u64::MAX, cluster: 0x1234_5678_9abc_def0 };
        let head = head(who, false);
        assert!(head.windows(who.marker().len()).any(|window| window == who.marker()));
    }

    #[test]
    fn refuses_what_is_no_log() {
        for bytes in [&b""[..], b"short", &[0xff; 64], &[0; 512]] {
            assert!(identity(bytes).is_err());
        }
    }
}
