//! What systemd stops with a unit, and what becomes of it in the end.

use super::*;

/// Other units of that systemd: an API server and a proxy that require etcd, what is bound to the former, a target that requires what is down,
/// and units that are down. An order to start one is kept in `@`.
const OTHERS: &str = r#"others() {
    told=$*
    case $1 in
    start) echo "${told#start --no-block }" >>@; case $told in *refuses.service) return 1 ;; esac; return ;;
    esac
    case $told in
    *RequiredBy*) for name in ${told#* -- }; do case $name in
        etcd.service) echo RequiredBy=api.service idle.service refuses.service; echo PropagatesStopTo=; echo ConsistsOf=part.service ;;
        api.service) echo BoundBy=bound.service; echo RequiredBy=etcd.service ;;
        idle.service) echo RequiredBy=some.target ;;
        esac; done ;;
    *idle.service) echo ActiveState=inactive ;;
    *part.service) echo ActiveState=failed ;;
    *api.service) echo ActiveState=activating ;;
    *) echo ActiveState=active ;;
    esac
}
others=others"#;

/// A restart, or with `swap` a swap, on a host with those units: its end, its detail, and the orders to start one of them.
fn ends(more: &str, (new, on_stop): (&str, &str), left: Option<&str>) -> (Receipt, Vec<String>) {
    let folder = tempfile::TempDir::new().unwrap();
    let orders = folder.path().join("orders");
    let others = OTHERS.replace('@', orders.to_str().unwrap());
    let window = Window { swaps: Vec::new(), identity: None, take_back: TakeBack::Open, ..window() };
    // Told before the script begins, as part of what its systemd is like.
    let new = format!("{new}; }}\n{others}\n{more}\nnothing() {{ :");
    carried_out_in(folder.path(), window, None, "", (&new, on_stop), left);
    let receipt = Receipt::from_text(&std::fs::read_to_string(folder.path().join("result")).unwrap()).unwrap();
    let orders = std::fs::read_to_string(orders).unwrap_or_default();
    (receipt, orders.lines().map(str::to_owned).collect())
}

const UP: [&str; 4] = ["api.service", "refuses.service", "bound.service", "some.target"];

fn told() -> Vec<String> {
    UP.iter().map(|name| format!("--job-mode=ignore-requirements -- {name}")).collect()
}

const TOLD: &str = "; stopped with it and told to start again: api.service bound.service some.target\
                    ; stopped with it and not started again: refuses.service";

#[test]
fn what_was_up_and_is_stopped_with_the_unit_is_started_again_and_nothing_else() {
    let (receipt, orders) = ends("", (SERVES, ":"), None);
    assert_eq!((receipt.end, orders), (WindowEnd::Done, told()));
    assert_eq!(receipt.detail, format!("process 200 serves{TOLD}"));
    assert_eq!(receipt.left_down, ["refuses.service"]);
    // Also with the old program.
    let (receipt, orders) = ends("", ("is failed failed 0 f10 4 1 203", ":"), None);
    assert_eq!((receipt.end, orders), (WindowEnd::RolledBack, told()));
    assert!(receipt.detail.ends_with(TOLD), "{}", receipt.detail);
    // And where the unit was only told to start again.
    let (receipt, orders) = ends("", (SERVES, "told_stop="), None);
    assert_eq!((receipt.end, orders), (WindowEnd::Down, told()));
}

#[test]
fn nothing_that_requires_the_unit_is_started_where_that_is_not() {
    let (receipt, orders) = ends("", (SERVES, "reload_needed=yes"), None);
    assert_eq!((receipt.end, orders), (WindowEnd::Down, Vec::<String>::new()));
    assert_eq!(receipt.left_down, UP);
    assert!(receipt.detail.ends_with(&format!("; stopped with it and not started again: {}", UP.join(" "))));
}

#[test]
fn nothing_is_stopped_where_it_is_not_known_what_goes_with_it() {
    for silent in ["return 1", "case $1/$3 in show/ActiveState) ;; *) others \"$@\" ;; esac"] {
        let more = format!("silent() {{ {silent}; }}\nothers=silent");
        let (receipt, orders) = ends(&more, (SERVES, "echo >stopped"), None);
        assert_eq!((receipt.end, receipt.stopped), (WindowEnd::Refused, Duration::ZERO), "{silent}");
        assert_eq!(receipt.detail, "systemd does not say what it stops with etcd.service");
        assert_eq!(orders, Vec::<String>::new());
    }
}
