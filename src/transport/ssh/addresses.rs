//! What names stand for: asked for at each connection, and kept for the time when nobody answers.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::net::lookup_host;
use tokio::time::timeout;

/// How long a name is asked for that was known before. glibc gives a name server 5 s and asks twice (resolv.conf(5)); a link that is made anew
/// in the middle of a roll has 15 s or less for all of it.
const ANEW: Duration = Duration::from_secs(2);

/// The addresses of names, as they were first told in this run: of hosts that this machine connects to itself, since a name behind a jump host is
/// looked up there. A name server that fails, or that says something else, in the
/// middle of a run keeps nobody from where the run has been before (reliability F12).
#[derive(Default)]
pub(super) struct Addresses(Mutex<HashMap<(String, u16), Vec<SocketAddr>>>);

impl Addresses {
    /// What the name stands for: the addresses that it had before first, then those it has now.
    ///
    /// # Errors
    /// The name is not known, and was not before.
    pub(super) async fn of(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        let asked = async { lookup_host((host, port)).await.map(Iterator::collect) };
        self.merged((host.to_owned(), port), asked).await
    }

    async fn merged(
        &self,
        name: (String, u16),
        asked: impl Future<Output = io::Result<Vec<SocketAddr>>>,
    ) -> io::Result<Vec<SocketAddr>> {
        let known = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(mut all) = known().get(&name).cloned() else {
            let found = asked.await?;
            if !found.is_empty() {
                known().insert(name, found.clone());
            }
            return Ok(found);
        };
        if let Ok(Ok(now)) = timeout(ANEW, asked).await {
            let others: Vec<_> = now.into_iter().filter(|address| !all.contains(address)).collect();
            all.extend(others);
        }
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    fn at(last: u8) -> SocketAddr {
        SocketAddr::from(([10, 0, 0, last], 22))
    }

    fn name() -> (String, u16) {
        ("etcd1.example".to_owned(), 22)
    }

    fn unknown() -> io::Result<Vec<SocketAddr>> {
        Err(io::Error::other("Temporary failure in name resolution"))
    }

    #[tokio::test]
    async fn a_name_that_is_not_known_any_more_stands_for_what_it_stood_for() {
        let addresses = Addresses::default();
        assert_eq!(addresses.merged(name(), ready(Ok(vec![at(1), at(2)]))).await.unwrap(), [at(1), at(2)]);
        assert_eq!(addresses.merged(name(), ready(unknown())).await.unwrap(), [at(1), at(2)]);
        assert_eq!(addresses.merged(name(), pending()).await.unwrap(), [at(1), at(2)]);
        assert!(addresses.merged(("other.example".to_owned(), 22), ready(unknown())).await.is_err());
    }

    #[tokio::test]
    async fn a_name_that_stands_for_something_else_comes_after_what_it_stood_for() {
        let addresses = Addresses::default();
        addresses.merged(name(), ready(Ok(vec![at(1)]))).await.unwrap();
        assert_eq!(addresses.merged(name(), ready(Ok(vec![at(9), at(1)]))).await.unwrap(), [at(1), at(9)]);
        // The other one is no better known for that.
        assert_eq!(addresses.merged(name(), ready(unknown())).await.unwrap(), [at(1)]);
    }

    #[tokio::test]
    async fn a_name_without_an_address_is_not_kept() {
        let addresses = Addresses::default();
        assert!(addresses.merged(name(), ready(Ok(Vec::new()))).await.unwrap().is_empty());
        assert_eq!(addresses.merged(name(), ready(Ok(vec![at(1)]))).await.unwrap(), [at(1)]);
    }
}
