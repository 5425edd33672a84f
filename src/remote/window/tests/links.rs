//! Programs that are reached by a link: there and back, and the link is what it was.

use std::os::unix::fs::symlink;
use std::path::Path;

use super::*;

fn sum(text: &str) -> String {
    crate::remote::sink::hex(&<sha2::Sha256 as sha2::Digest>::digest(text))
}

/// Both programs of a release, each reached by a link of a text in which `@` is the folder and `N` its name.
fn host(text: &str) -> tempfile::TempDir {
    let host = tempfile::TempDir::new().unwrap();
    let at = |name: &str| host.path().join(name);
    for folder in ["bin", "opt", "alternatives"] {
        std::fs::create_dir(at(folder)).unwrap();
    }
    for name in ["etcd", "etcdctl"] {
        std::fs::write(at(&format!("opt/{name}-2.0.5")), "old").unwrap();
        std::fs::write(at(&format!("bin/{name}.2.1.1")), "new").unwrap();
        symlink(at(&format!("opt/{name}-2.0.5")), at(&format!("alternatives/{name}"))).unwrap();
        symlink(format!("../opt/{name}-2.0.5"), at(&format!("bin/{name}-next"))).unwrap();
        symlink(said(host.path(), text, name), at(&format!("bin/{name}"))).unwrap();
    }
    host
}

fn said(host: &Path, text: &str, name: &str) -> String {
    text.replace('N', name).replace('@', host.to_str().unwrap())
}

/// The texts of both links now.
fn links(host: &Path) -> [String; 2] {
    ["etcd", "etcdctl"]
        .map(|name| std::fs::read_link(host.join("bin").join(name)).unwrap().to_str().unwrap().to_owned())
}

fn window_of(swap: impl Fn(&str) -> Swap, judged: Vec<Judged>) -> Window {
    let swaps = ["etcd", "etcdctl"].map(swap).into();
    Window { swaps, judged, identity: None, take_back: TakeBack::Open, ..window() }
}

/// The window to the new programs, judged by the old one as the unit reaches it.
fn there(host: &Path, text: &str) -> Window {
    let at = |name: &str| path(host.join("bin").join(name).to_str().unwrap());
    let swap = |name: &str| Swap {
        target: at(name),
        staged: at(&format!("{name}.2.1.1")),
        kept: at(&format!("{name}.2.0.5")),
        want: sum("new"),
        before: format!("link:{}", said(host, text, name)),
        link: None,
    };
    window_of(swap, vec![Judged { path: at("etcd"), holds: sum("old") }])
}

/// And the one back from them.
fn back(host: &Path, text: &str) -> Window {
    let at = |name: &str| path(host.join("bin").join(name).to_str().unwrap());
    let swap = |name: &str| {
        let said = said(host, text, name);
        let from = if said.starts_with('/') { RemotePath::root() } else { at(name).parent() };
        let new = at(&format!("{name}.2.1.1"));
        Swap {
            target: at(name),
            staged: from.join(&said),
            kept: new.clone(),
            want: sum("old"),
            before: format!("link:{new}"),
            link: Some(said),
        }
    };
    window_of(swap, Vec::new())
}

const FAILS: &str = "is failed failed 0 f10 4 1 203";

/// Absolute, relative, of several hops, and both.
const TEXTS: [&str; 5] = ["@/opt/N-2.0.5", "../opt/N-2.0.5", "@/alternatives/N", "N-next", "@/bin/../opt/N-2.0.5"];

#[test]
fn a_link_of_any_kind_leads_to_the_new_program_and_is_what_it_was_when_that_is_taken_back() {
    for text in TEXTS {
        let host = host(text);
        let before = links(host.path());
        let (end, detail, _) = this_on_a_host(there(host.path(), text), "", FAILS);
        assert_eq!((end, links(host.path())), (WindowEnd::RolledBack, before), "{text}: {detail}");
        let (end, detail, _) = this_on_a_host(there(host.path(), text), "", SERVES);
        let new = ["etcd", "etcdctl"].map(|name| said(host.path(), "@/bin/N.2.1.1", name));
        assert_eq!((end, links(host.path())), (WindowEnd::Done, new), "{text}: {detail}");
    }
}

#[test]
fn a_second_window_puts_back_the_link_that_was_there_before_the_first() {
    for text in TEXTS {
        let host = host(text);
        let before = links(host.path());
        assert_eq!(this_on_a_host(there(host.path(), text), "", SERVES).0, WindowEnd::Done);
        let new = links(host.path());
        let (end, detail, _) = this_on_a_host(back(host.path(), text), "", FAILS);
        assert_eq!((end, links(host.path())), (WindowEnd::RolledBack, new), "{text}: {detail}");
        let (end, detail, _) = this_on_a_host(back(host.path(), text), "", SERVES);
        assert_eq!((end, links(host.path())), (WindowEnd::Done, before), "{text}: {detail}");
    }
}

#[test]
fn a_link_that_somebody_else_turns_elsewhere_is_left_alone() {
    let host = host("../opt/N-2.0.5");
    std::fs::remove_file(host.path().join("bin/etcd")).unwrap();
    symlink("../opt/other", host.path().join("bin/etcd")).unwrap();
    let (end, detail, _) = this_on_a_host(there(host.path(), "../opt/N-2.0.5"), "", SERVES);
    assert_eq!((end, links(host.path())[0].as_str()), (WindowEnd::Refused, "../opt/other"), "{detail}");
}
