//! What etcd is and when it is safe: versions, hops, flags, answers, the cluster as seen, and whether a member may stop.
//!
//! Everything here is a pure function over bytes and values; nothing asks a host.

mod alarm;
mod answer;
mod auth;
mod binary;
mod catch_up;
mod certificate;
mod command_line;
mod config_file;
mod defrag;
mod flags;
mod gateway;
mod hop;
mod key_hash;
mod not_now;
mod order;
mod path;
mod raft_status;
mod reach;
mod readiness;
mod release;
mod rewrite;
mod rules;
mod strict_json;
mod usage;
mod v2_check;
mod v2_keys;
mod version;
mod view;
mod wal;

pub use alarm::Alarm;
pub use answer::{
    AnswerError, Health, KeyCount, MemberEntry, SelfStats, count_keys, health, members, read_probe, self_stats,
    v2_deleted, v2_top,
};
pub use auth::{Asks, Login, asks, has_root, login, v2_asks};
pub use binary::{
    Architecture, BinaryFault, UNSUPPORTED_ARCH, architecture, architecture_of_machine, unsupported_arch, wants_arch,
};
pub use catch_up::{CatchUp, Lag, Stability, is_to_blame};
pub use certificate::{Certificate, CertificateFault, Term, certificates};
pub use command_line::{Spoken, is_switch, is_true, option_of_variable, spoken, variable_of_option};
pub use config_file::{Key, Reshape, Shape, reshapes};
pub use defrag::{Worth, may_defragment, patience, quota as quota_of_database};
pub use flags::{FlagFault, Flags};
pub use gateway::{
    Api, MemberStatus, StoreState, absent_key, alarms, api, downgrade_taken, downgrade_to, gateway_count,
    gateway_members, gateway_read, keys_at, member_status,
};
pub use hop::{HopRefusal, judge, judge_down, may_be_left, refuses_risen};
pub use key_hash::{HashBy, KeyHash, Sameness, hash_by, key_hash, key_hash_at, key_hash_of_tool, sameness};
pub use not_now::NotNow;
pub use order::{Rank, next};
pub use path::{ENABLE_V2, Missing, PathFault, Step, end_of_v2, path, path_down, serves_v2_if_told, stop_with_v2};
pub use raft_status::{Progress, RaftStatus, raft_status};
pub use readiness::{not_ready, ready, tells_ready};
pub use release::{ChecksumFault, Checksums, archive_name, sha256_from_hex, version_of_archive};
pub use rewrite::{Becomes, By, Rewrite, RewriteFault, Said, rewrite, touches};
pub use rules::{
    Avoid, Down, First, Floor, Gone, Hop, Minor, New, Patch, Rejected, Rules, RulesFault, WayBack, minor_of,
};
pub use usage::{options_of_usage, unnamed};
pub use v2_check::{SKIP_CHECK, V2Left, knows_skip_check, skips_v2_check, v2_left};
pub use v2_keys::{
    Copied, Copy, Removed, V2Folder, V2Key, V2Listing, V2Made, V2Store, copied, copy_found, copy_of, copy_read,
    first_names, lacks_v2_api, lease_granted, lease_of, v2_auth, v2_listing, v2_made, v2_removed, v2_store,
};
pub use version::{
    ClusterVersion, VersionAnswer, VersionFault, from_binary_output, from_tool_output, from_version_body,
};
pub use view::{ClusterView, MemberView, may_stop, quorum};
pub use wal::{WalFault, WalIdentity, identity, snapshot_index};
