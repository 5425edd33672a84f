//! The rules as a page for people, `docs/etcd-upgrade.md`.

use std::fmt::Write as _;

use super::{Gone, Hop, Minor, Rules, WayBack};

const HEAD: &str = "# What quorate knows of etcd's releases\n\n\
    Made from `src/etcd/rules/rules.toml`; a test holds the two together. Rows may be added or replaced by a file of the same form\n\
    (`-e etcd_rules=FILE`); of two rows with one key the later date counts.\n";

impl Rules {
    /// The page, in Markdown.
    #[must_use]
    pub fn page(&self) -> String {
        let mut page = HEAD.to_owned();
        page.push_str("\n## Hops\n\nOne minor at a time. \"First\" is done by quorate itself on the old minor, once all members run it.\n\n");
        page.push_str(
            "| hop | way back for one member | first | why | source | date |\n| --- | --- | --- | --- | --- | --- |\n",
        );
        for hop in &self.hops {
            let first: Vec<&str> = hop.first.iter().map(|first| first.word()).collect();
            let (mut why, source, date) = (hop.why.clone().unwrap_or_default(), &hop.source, hop.date);
            if let (Some(auth), Some(source)) = (&hop.auth, &hop.auth_source) {
                let how =
                    if hop.without_auth { "not with auth on" } else { "with auth on only by `etcd_accept_auth_hop`" };
                let _ = write!(why, "; {how}: {auth} ({source})");
            }
            let _ = writeln!(
                page,
                "| {} to {} | {} | {} | {why} | {source} | {date} |",
                dotted(hop.from),
                dotted(hop.to),
                way_back(hop),
                first.join(", ")
            );
        }
        page.push_str("\n## Least patches\n\nThe next minor is not begun below these.\n\n| minor | least | why | source | date |\n| --- | --- | --- | --- | --- |\n");
        for floor in &self.floors {
            let within = if floor.within { " (also for another patch of the minor)" } else { "" };
            let _ = writeln!(
                page,
                "| {} | {}{within} | {} | {} | {} |",
                dotted(floor.minor),
                floor.least,
                floor.why,
                floor.source,
                floor.date
            );
        }
        page.push_str("\n## Patches that need something first\n\nDone while an earlier patch of the minor still runs.\n\n| from | first | why | source | date |\n| --- | --- | --- | --- | --- |\n");
        for patch in &self.patches {
            let first: Vec<&str> = patch.first.iter().map(|first| first.word()).collect();
            let (at, first) = (&patch.at, first.join(", "));
            let _ = writeln!(page, "| {at} | {first} | {} | {} | {} |", patch.why, patch.source, patch.date);
        }
        page.push_str(
            "\n## Releases that are not gone to\n\n| versions | why | source | date |\n| --- | --- | --- | --- |\n",
        );
        for avoid in &self.avoid {
            let _ = writeln!(page, "| {} | {} | {} | {} |", avoid.versions, avoid.why, avoid.source, avoid.date);
        }
        page.push_str("\n## Options that are gone\n\nOn the command line of the release they end it at once. quorate takes them out or says what stands in their place, in the file in which\nthey stand and together with the program, so they come back with it; where only the operator can say what becomes of one, the hop is\nrefused. Where a release knows an option by its old and by its new name and ends where both are said, the old one is taken out if they say\nthe same. `-e etcd_rewrite_options=false` refuses them all. An option in a variable of others (`ExecStart=… $DAEMON_ARGS`, `${OPTION}`) is\nedited where the variable's value in force is set. A unit of a package is not edited: its command or its variables are said anew in\n`zz-quorate-options.conf` among the unit's drop-ins in /etc, which stays and counts from then on.\n\n| option | gone in | in its place | source | date |\n| --- | --- | --- | --- | --- |\n");
        for gone in &self.options {
            let _ = writeln!(
                page,
                "| `{}` | {} | {} | {} | {} |",
                gone.name,
                dotted(gone.gone),
                in_its_place(gone),
                gone.source,
                gone.date
            );
        }
        page.push_str("\n## Steps down\n\nBy etcd's own downgrade, `playbooks/etcd-downgrade.yml`; from no other minor is there a way down.\n\n| step | why | source | date |\n| --- | --- | --- | --- |\n");
        for down in &self.downs {
            let why = down.why.as_deref().unwrap_or_default();
            let (from, to) = (dotted(down.from), dotted(down.to));
            let _ = writeln!(page, "| {from} to {to} | {why} | {} | {} |", down.source, down.date);
        }
        page.push_str("\n## Options that are new\n\nBeside the new names above; releases before end at once when one is given.\n\n| option | new in | source | date |\n| --- | --- | --- | --- |\n");
        for new in &self.new {
            let _ = writeln!(page, "| `{}` | {} | {} | {} |", new.name, dotted(new.since), new.source, new.date);
        }
        page.push_str("\n## Values that are gone\n\n| option | value | gone in | in its place | why | source | date |\n| --- | --- | --- | --- | --- | --- | --- |\n");
        for value in &self.values {
            let _ = writeln!(
                page,
                "| `{}` | `{}` | {} | `{}` | {} | {} | {} |",
                value.name,
                value.value,
                dotted(value.gone),
                value.becomes,
                value.why,
                value.source,
                value.date
            );
        }
        page
    }
}

fn dotted((major, minor): Minor) -> String {
    format!("{major}.{minor}")
}

fn way_back(hop: &Hop) -> String {
    let text = match hop.way_back {
        WayBack::Always => "at any time",
        WayBack::WhileMixed => "until the cluster version has risen",
        WayBack::UntilFirstStart => "only where the new one has never opened the data",
        WayBack::Never => "none",
    };
    hop.back_from.as_ref().map_or_else(|| text.to_owned(), |least| format!("{text}; to {least} or later"))
}

fn in_its_place(gone: &Gone) -> String {
    let new = match (&gone.becomes, &gone.gate, &gone.where_true) {
        (Some(new), _, _) => format!("`{new}`"),
        (None, Some(gate), _) => format!("`feature-gates={gate}=true`, or `false`"),
        (None, None, Some(said)) => format!("`{said}` where it is true"),
        (None, None, None) if gone.drop => "nothing".to_owned(),
        (None, None, None) => "the operator decides".to_owned(),
    };
    let new = gone.also.as_ref().map_or_else(|| new.clone(), |also| format!("{new} and `{also}`"));
    gone.why.as_ref().map_or_else(|| new.clone(), |why| format!("{new}; {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_in_docs_is_made_from_the_rules() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/etcd-upgrade.md");
        let page = Rules::built_in().page();
        if std::env::var_os("QUORATE_WRITE_DOCS").is_some() {
            std::fs::write(&path, &page).unwrap();
        }
        assert_eq!(std::fs::read_to_string(&path).unwrap(), page, "run this test with QUORATE_WRITE_DOCS=1");
    }
}
