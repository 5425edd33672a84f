//! A window that is ready and waits for leave to stop.

use super::*;

/// Its end, whether it had no leave in time, and whether anything was stopped.
fn with_word(word: Option<&str>) -> (WindowEnd, String, bool) {
    let folder = tempfile::TempDir::new().unwrap();
    if let Some(word) = word {
        std::fs::write(folder.path().join(word), "").unwrap();
    }
    let leave = Some(Duration::from_secs(1));
    let window = Window { swaps: Vec::new(), identity: None, take_back: TakeBack::Open, leave, ..window() };
    let stopped = folder.path().join("stopped");
    let on_stop = format!(": >{}", stopped.display());
    let (end, detail, _) = carried_out_in(folder.path(), window, None, "", (SERVES, &on_stop), None);
    let log = std::fs::read_to_string(folder.path().join("log")).unwrap();
    assert!(log.lines().next().unwrap().ends_with(&format!(" {}", Window::READY)), "{log}");
    let receipt = Receipt::from_text(&std::fs::read_to_string(folder.path().join("result")).unwrap()).unwrap();
    assert_eq!(receipt.had_no_leave(), word.is_none());
    (end, detail, stopped.exists())
}

#[test]
fn stops_by_leave_only() {
    assert_eq!(with_word(Some("leave")), (WindowEnd::Done, "process 200 serves".to_owned(), true));
    let late = "no leave to stop etcd.service came within 1 s".to_owned();
    assert_eq!(with_word(None), (WindowEnd::Refused, late, false));
    let taken = "there is no leave to stop etcd.service any more".to_owned();
    assert_eq!(with_word(Some("no-leave")), (WindowEnd::Refused, taken, false));
}
