//! `quorate etcd status`: one table of what the members said.

use comfy_table::{CellAlignment, Table, presets};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::answers::{self, Answer, Asked};
use super::arguments::{Cluster, Status as Arguments};
use super::exit::Exit;
use super::running::Passwords;
use crate::events::Fault;
use crate::inventory::Source;
use crate::report::escaped_line;

/// What is known of one member; what is not known is `None` and shown as `unknown`.
///
/// The names are those under which `etcd_facts` returns them in `ansible_facts.etcd`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct MemberRow {
    /// The host.
    pub(super) host: String,
    /// The member's name in the cluster.
    pub(super) member: Option<String>,
    /// Its ID in hexadecimal.
    pub(super) id: Option<String>,
    /// The version of its binary, as it says.
    pub(super) version: Option<String>,
    /// The cluster version it reports.
    pub(super) cluster_version: Option<String>,
    /// `leader`, `follower` or `learner`.
    pub(super) role: Option<String>,
    /// Its raft index.
    pub(super) raft_index: Option<u64>,
    /// The size of its database or data directory in bytes.
    pub(super) db_size: Option<u64>,
    /// Whether it is healthy, by its own word and by a read through it.
    pub(super) healthy: Option<bool>,
    /// Why something is not known: "connection refused".
    pub(super) note: Option<String>,
}

impl MemberRow {
    /// What a host answered; a field of another type than expected is as unknown as a missing one.
    fn of(answer: &Answer) -> Self {
        let host = answer.host.as_str();
        let unknown = |note: String| Self { host: host.to_owned(), note: Some(note), ..Self::default() };
        let Some(result) = answer.good() else { return unknown(answer.why_not().to_owned()) };
        match result.get("ansible_facts").and_then(|facts| facts.get("etcd")).map(Self::deserialize) {
            Some(Ok(row)) => Self { host: host.to_owned(), ..row },
            Some(Err(error)) => unknown(format!("answered what no sound member answers: {error}")),
            None => unknown("no answer".to_owned()),
        }
    }
}

/// Asks and shows.
pub(super) fn run(arguments: &Arguments) -> Exit {
    asked(arguments).map_or_else(|exit| exit, |asked| show(&asked, arguments.cluster.output.json))
}

fn asked(arguments: &Arguments) -> Result<Asked, Exit> {
    let Cluster { group, connection, output } = &arguments.cluster;
    let pattern = Value::from(group.as_str());
    let text = format!("- hosts: {pattern}\n  gather_facts: false\n  tasks:\n    - etcd_facts:\n");
    let play = Source::new("<command line>", text);
    let login = |passwords: Passwords| passwords.with_etcd(&arguments.login);
    answers::asked(&play, "etcd status", (connection, output), login)
}

/// Prints the rows; a member that is not known to be healthy is exit 11, none that is (or no leader) 12.
fn show(asked: &Asked, json: bool) -> Exit {
    let rows: Vec<MemberRow> = asked.answers.iter().map(MemberRow::of).collect();
    let text = if json { as_json(&rows) } else { as_table(&rows) };
    asked.answer(&text, || verdict(&rows))
}

/// What the rows come to: silence is not health.
fn verdict(rows: &[MemberRow]) -> Exit {
    let healthy = rows.iter().filter(|row| row.healthy == Some(true)).count();
    let has_leader = rows.iter().any(|row| row.role.as_deref() == Some("leader"));
    if healthy == rows.len() && has_leader {
        Exit::DONE
    } else if has_leader && healthy > rows.len() / 2 {
        Fault::MemberDown.into()
    } else {
        Fault::QuorumLost.into()
    }
}

/// One JSON object a line.
fn as_json(rows: &[MemberRow]) -> String {
    answers::json_lines(rows.iter().filter_map(|row| serde_json::to_value(row).ok()))
}

fn as_table(rows: &[MemberRow]) -> String {
    let text = |value: &Option<String>| value.as_deref().map_or("unknown".to_owned(), escaped_line);
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_header([
        "host",
        "member",
        "id",
        "version",
        "cluster",
        "role",
        "raft index",
        "db size",
        "health",
    ]);
    for row in rows {
        let index = row.raft_index.map_or("unknown".to_owned(), |index| index.to_string());
        let size = row.db_size.map_or("unknown".to_owned(), |size| indicatif::BinaryBytes(size).to_string());
        let health = match row.healthy {
            Some(true) => "healthy",
            Some(false) => "unhealthy",
            None => "unknown",
        };
        let health = match &row.note {
            Some(note) => format!("{health}: {}", escaped_line(&note.replace('\n', "; "))),
            None => health.to_owned(),
        };
        let (host, id) = (escaped_line(&row.host), text(&row.id));
        let (member, version, cluster, role) =
            (text(&row.member), text(&row.version), text(&row.cluster_version), text(&row.role));
        table.add_row([host, member, id, version, cluster, role, index, size, health]);
    }
    for column in [6, 7] {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.lines().map(|line| line.trim_end().to_owned() + "\n").collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(host: &str, role: &str, healthy: Option<bool>) -> MemberRow {
        let role = Some(role.to_owned());
        MemberRow { host: host.to_owned(), role, healthy, raft_index: Some(12), ..MemberRow::default() }
    }

    #[test]
    fn silence_is_unknown_and_not_health() {
        let rows = [row("n1", "leader", Some(true)), row("n2", "follower", Some(true)), row("n3", "follower", None)];
        assert_eq!(verdict(&rows), Exit(11));
        assert_eq!(verdict(&rows[1..]), Exit(12), "no leader seen");
        assert_eq!(verdict(&rows[..2]), Exit::DONE);
        assert_eq!(verdict(&[]), Exit(12));
        let table = as_table(&rows);
        assert!(table.lines().nth(3).unwrap().ends_with("unknown"), "{table}");
    }

    #[test]
    fn an_answer_of_another_shape_is_unknown() {
        use crate::events::Status;
        let row = |status: Status, facts: Value| {
            let result = serde_json::json!({"ansible_facts": {"etcd": facts}}).as_object().unwrap().clone();
            MemberRow::of(&Answer { host: "n1".to_owned(), told: Some((status, result)) })
        };
        let good = row(Status::Ok, serde_json::json!({"role": "leader", "healthy": true, "x": 1}));
        assert_eq!((good.host.as_str(), good.healthy), ("n1", Some(true)));
        let bad = row(Status::Ok, serde_json::json!({"healthy": "yes"}));
        assert_eq!(bad.healthy, None);
        assert!(bad.note.unwrap().contains("no sound member"));
        assert_eq!(row(Status::Unreachable, serde_json::json!({"healthy": true})).healthy, None);
    }

    #[test]
    fn what_a_member_says_keeps_the_table_straight() {
        let mut liar = row("n1", "leader", Some(true));
        liar.member = Some("\u{1b}[2Jx\nn2 healthy".to_owned());
        let table = as_table(&[liar, row("n2", "follower", Some(true))]);
        assert_eq!(table.lines().count(), 3, "{table}");
        assert!(!table.contains('\u{1b}'));
        let mut note = row("n1", "leader", None);
        note.note = Some("it is so\ndo that".to_owned());
        assert!(as_table(&[note]).contains("unknown: it is so; do that"));
    }
}
