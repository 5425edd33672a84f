//! Locks, on a real shell and a real disk.

use std::os::unix::fs::MetadataExt as _;
use std::time::Duration;

use super::Bench;
use crate::remote::{Attributes, Held, Holder, Lock, RemoteError, Renewed};

fn holder(run: &str) -> Holder {
    let text = |text: &str| text.to_owned();
    let (user, from, since) = (text("ops"), text("bastion"), text("2026-11-27T12:00:00Z"));
    Holder { run: text(run), user, from, since, what: text("etcd-upgrade.yml\nrun=other") }
}

fn lock(bench: &Bench) -> Lock {
    Lock::at(bench.at("locks").join("etcd"))
}

#[tokio::test]
async fn a_lock_is_one_runs_until_it_is_given_back() {
    let bench = Bench::new();
    let (lock, change) = (lock(&bench), bench.change());
    assert_eq!(bench.probe().lock(&lock).await.unwrap(), None);
    assert_eq!(change.take(&lock, &holder("A"), None).await.unwrap(), None);
    // Taken twice by the same run, as after a lost link, it is still its own.
    assert_eq!(change.take(&lock, &holder("A"), None).await.unwrap(), None);
    let held = change.take(&lock, &holder("B"), None).await.unwrap().unwrap();
    let told = Holder { what: "etcd-upgrade.yml run=other".to_owned(), ..holder("A") };
    assert_eq!(held.holder, told);
    assert!(held.silent < Duration::from_secs(60), "{held:?}");
    assert_eq!(bench.probe().lock(&lock).await.unwrap().unwrap().holder, told);
    assert_eq!(change.renew(&lock, "A").await.unwrap(), Renewed::Ours);
    assert_eq!(change.renew(&lock, "B").await.unwrap(), Renewed::Lost);
    // Another's lock stays where it is all the while: a rename and back would show here.
    let changed =
        || std::fs::metadata(bench.local("locks/etcd")).map(|told| (told.ctime(), told.ctime_nsec())).unwrap();
    let before = changed();
    assert!(!change.leave(&lock, "B").await.unwrap());
    assert_eq!(changed(), before);
    assert!(change.leave(&lock, "A").await.unwrap());
    assert!(!change.leave(&lock, "A").await.unwrap());
    assert_eq!(change.take(&lock, &holder("B"), None).await.unwrap(), None);
    let names: Vec<_> = std::fs::read_dir(bench.local("locks")).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(names, ["etcd"]);
}

#[tokio::test]
async fn a_lock_that_cannot_be_taken_away_is_not_called_gone() {
    let bench = Bench::new();
    let lock = lock(&bench);
    bench.change().take(&lock, &holder("A"), None).await.unwrap();
    bench.program("mv", "#!/bin/sh\necho 'mv: Read-only file system' >&2\nexit 1\n");
    let change = crate::remote::Change::new(bench.with_programs(), &crate::remote::Permit::of_a_real_run());
    let error = change.leave(&lock, "A").await.unwrap_err();
    assert!(error.to_string().contains("Read-only file system"), "{error}");
    assert!(bench.probe().lock(&lock).await.unwrap().is_some());
    // With none there the same `mv` says nothing of it.
    std::fs::remove_file(bench.local("locks/etcd")).unwrap();
    assert!(!change.leave(&lock, "A").await.unwrap());
}

#[tokio::test]
async fn a_lock_is_taken_over_only_from_the_run_that_is_over() {
    let bench = Bench::new();
    let (lock, change) = (lock(&bench), bench.change());
    change.take(&lock, &holder("A"), None).await.unwrap();
    let held = change.take(&lock, &holder("C"), Some("B")).await.unwrap().unwrap();
    assert_eq!(held.holder.run, "A");
    assert_eq!(change.take(&lock, &holder("C"), Some("A")).await.unwrap(), None);
    assert_eq!(change.take(&lock, &holder("D"), Some("A")).await.unwrap().unwrap().holder.run, "C");
    assert_eq!(change.renew(&lock, "A").await.unwrap(), Renewed::Lost);
}

#[tokio::test]
async fn of_two_that_begin_together_never_both_have_it() {
    let bench = Bench::new();
    let lock = lock(&bench);
    let (a, b) = (bench.change(), bench.change());
    let mut won = [0, 0];
    // 200 rounds: with none lost the chance of both is below 1.5 % (three in n).
    for round in 0..200 {
        // Half of them take it over from a run that is over.
        let over = (round % 2 == 1).then_some("OLD");
        if over.is_some() {
            a.take(&lock, &holder("OLD"), None).await.unwrap();
        }
        let (first, second) = (holder("A"), holder("B"));
        let (first, second) = tokio::join!(a.take(&lock, &first, over), b.take(&lock, &second, over));
        let (first, second) = (first.unwrap(), second.unwrap());
        assert!(first.is_some() || second.is_some(), "round {round}: both have it");
        let run = bench.probe().lock(&lock).await.unwrap().unwrap().holder.run;
        match (first, second) {
            (None, _) => assert_eq!(run, "A"),
            (_, None) => assert_eq!(run, "B"),
            // The one who was to take it over came second to somebody who gave up.
            (Some(first), Some(second)) => panic!("round {round}: nobody has it: {first:?}, {second:?}"),
        }
        won[usize::from(run == "B")] += 1;
        assert!(a.leave(&lock, &run).await.unwrap());
    }
    assert_eq!(won[0] + won[1], 200);
}

#[tokio::test]
async fn nothing_is_changed_once_the_lock_is_another_runs() {
    let bench = Bench::new();
    let (lock, change) = (lock(&bench), bench.change());
    change.take(&lock, &holder("A"), None).await.unwrap();
    let fenced = change.with_host(bench.host().fenced(Some(lock.fence("A"))));
    let (file, plain) = (bench.at("f"), Attributes::default());
    fenced.write(&file, b"by A", &plain).await.unwrap();
    change.take(&lock, &holder("B"), Some("A")).await.unwrap();
    let refused = fenced.write(&file, b"late", &plain).await.unwrap_err();
    assert!(matches!(&refused, RemoteError::Fenced { run, .. } if run == "A"), "{refused}");
    assert_eq!(std::fs::read(bench.local("f")).unwrap(), b"by A");
    assert!(matches!(fenced.run(&["touch", "x"], Default::default()).await, Err(RemoteError::Fenced { .. })));
    change.break_lock(&lock, "B", "tried").await.unwrap();
    let other = change.with_host(bench.host().fenced(Some(lock.fence("B"))));
    assert!(matches!(other.write(&file, b"late", &plain).await, Err(RemoteError::Fenced { .. })));
}

#[tokio::test]
async fn a_broken_lock_is_written_down() {
    let bench = Bench::new();
    let (lock, change) = (lock(&bench), bench.change());
    change.take(&lock, &holder("A"), None).await.unwrap();
    // Also of a run that has none here now: it must not take it again.
    assert!(!change.break_lock(&lock, "B", "lost with a boot").await.unwrap());
    assert!(change.take(&lock, &holder("B"), Some("A")).await.unwrap_err().to_string().contains("lost with a boot"));
    assert!(change.break_lock(&lock, "A", "its machine burnt\ndown").await.unwrap());
    assert_eq!(
        std::fs::read_to_string(bench.local("locks/broken")).unwrap(),
        "B\tlost with a boot\nA\tits machine burnt down\n"
    );
    assert_eq!(bench.probe().lock(&lock).await.unwrap(), None);
    assert_eq!(change.renew(&lock, "A").await.unwrap(), Renewed::Lost);
    let again = change.take(&lock, &holder("A"), None).await.unwrap_err().to_string();
    assert!(again.contains("taken away from this run: A\tits machine"), "{again}");
    assert_eq!(change.take(&lock, &holder("C"), None).await.unwrap(), None);
}

#[tokio::test]
async fn a_lock_that_went_with_a_boot_allows_nothing_until_it_is_taken_again() {
    let bench = Bench::new();
    let (lock, change) = (lock(&bench), bench.change());
    change.take(&lock, &holder("A"), None).await.unwrap();
    let fenced = change.with_host(bench.host().fenced(Some(lock.fence("A"))));
    std::fs::remove_dir_all(bench.local("locks")).unwrap();
    let write = async || fenced.write(&bench.at("f"), b"on", &Attributes::default()).await;
    assert!(matches!(write().await, Err(RemoteError::Fenced { .. })));
    assert_eq!(change.renew(&lock, "A").await.unwrap(), Renewed::None);
    assert_eq!(change.take(&lock, &holder("A"), None).await.unwrap(), None);
    write().await.unwrap();
    assert_eq!(change.renew(&lock, "A").await.unwrap(), Renewed::Ours);
}

#[tokio::test]
async fn what_is_no_lock_of_ours_is_shown_as_held_by_nobody_known() {
    let bench = Bench::new();
    let lock = lock(&bench);
    std::fs::create_dir_all(bench.local("locks")).unwrap();
    std::fs::write(bench.local("locks/etcd"), [b'\x1b'; 100_000]).unwrap();
    let held = bench.change().take(&lock, &holder("A"), Some("")).await.unwrap().unwrap();
    assert_eq!(held, Held { holder: Holder::default(), silent: held.silent });
}
