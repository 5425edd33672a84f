//! Every member looked at every 50 ms from the clients' network, and asked as often (every 500 ms over TLS) whether it serves, as one of the
//! cluster's clients would see it.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use quorate_lab::{Client, Host, Lab};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, ClientConnection, RootCertStore};

/// Between two questions to the same member.
const EVERY: Duration = Duration::from_millis(50);

/// The same over TLS: each question is a handshake, and five members asked five times a second took half a core. The witness sees what comes
/// between, every 50 ms too.
const EVERY_OVER_TLS: Duration = Duration::from_millis(500);

/// A running member answers within a millisecond; a busy machine may take a hundred times that, and a member that does
/// not answer at all for so long is down for its clients.
const ANSWER: Duration = Duration::from_secs(2);

/// The client port.
const PORT: u16 = 2379;

/// One answer, or none, with the time of the question and that of the answer.
#[derive(Clone, Copy, Debug)]
struct Sample {
    asked: Instant,
    told: Instant,
    serves: bool,
}

/// The callers at work, one a member; they stop when this is dropped.
pub(crate) struct RollCall {
    stop: Arc<AtomicBool>,
    callers: Vec<(String, JoinHandle<Vec<Sample>>)>,
}

impl RollCall {
    /// Begins.
    pub(crate) fn begin(lab: &Arc<Lab>) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let caller = |host: Host| {
            let (lab, stop) = (Arc::clone(lab), Arc::clone(&stop));
            let name = host.name.clone();
            let client = lab.client(ANSWER).expect("a client");
            let tls = lab.site().spec().tls.then(|| tls(&lab.site().path("tls")));
            let work = move || lab.among_clients(|| call(&client, &host, tls, &stop)).expect("the clients' network");
            let thread = thread::spawn(work);
            (name, thread)
        };
        Self { callers: lab.members().into_iter().map(caller).collect(), stop }
    }

    /// Ends, and gives the times at which each member was down.
    pub(crate) fn end(mut self) -> Vec<Down> {
        self.stop.store(true, Ordering::Relaxed);
        let callers = std::mem::take(&mut self.callers);
        callers.into_iter().flat_map(|(host, thread)| downs(&host, &thread.join().expect("a caller"))).collect()
    }
}

impl Drop for RollCall {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// A connection that stays open as long as the member's process runs: a member that went and came back between two questions is
/// seen all the same. etcd ends no connection of a client that waits (v2.1.1 etcdmain/etcd.go: a read timeout of 0).
///
/// It has asked one question on it, as a client that keeps its connection has: on one that never said a word 3.3.27 waits when it is
/// to stop, until systemd kills it after 90 s (seen in the lab). And one that owes its part of TLS is closed by 3.5 and later.
struct Witness {
    address: SocketAddr,
    tls: Option<Arc<ClientConfig>>,
    stream: Option<TcpStream>,
}

/// The lab's authority, and the certificate of its clients.
fn tls(folder: &Path) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(folder.join("ca.crt")).unwrap()).unwrap();
    let own = CertificateDer::from_pem_file(folder.join("client.crt")).unwrap();
    let key = PrivateKeyDer::from_pem_file(folder.join("client.key")).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    Arc::new(config.with_root_certificates(roots).with_client_auth_cert(vec![own], key).unwrap())
}

impl Witness {
    fn new(address: SocketAddr, tls: Option<Arc<ClientConfig>>) -> Self {
        let stream = Self::connected(address, tls.clone()).ok();
        Self { address, tls, stream }
    }

    fn connected(address: SocketAddr, tls: Option<Arc<ClientConfig>>) -> std::io::Result<TcpStream> {
        let mut stream = TcpStream::connect_timeout(&address, ANSWER)?;
        stream.set_read_timeout(Some(ANSWER))?;
        match tls {
            None => Self::ask(&mut stream, address)?,
            Some(config) => {
                let session = ClientConnection::new(config, address.ip().into());
                let mut session = session.map_err(std::io::Error::other)?;
                // What the member says of its session's tickets comes before its answer.
                Self::ask(&mut rustls::Stream::new(&mut session, &mut stream), address)?;
            }
        }
        stream.set_nonblocking(true)?;
        Ok(stream)
    }

    fn ask(stream: &mut (impl Read + Write), address: SocketAddr) -> std::io::Result<()> {
        write!(stream, "GET /version HTTP/1.1\r\nHost: {address}\r\n\r\n")?;
        // The answer is some hundred bytes in one piece, of which nothing may be left to be read.
        let read = stream.read(&mut [0; 4096])?;
        if read == 0 { Err(std::io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
    }

    /// What it sees now; what it saw before is `last`.
    fn look(&mut self, last: &mut Option<Instant>, samples: &mut Vec<Sample>) {
        let now = Instant::now();
        let there = self.stream.as_ref().is_some_and(|stream| match stream.peek(&mut [0]) {
            // With TLS a word comes before the end.
            Ok(bytes) => bytes != 0 && self.tls.is_none(),
            Err(error) => error.kind() == std::io::ErrorKind::WouldBlock,
        });
        if there {
            *last = Some(now);
            return;
        }
        if self.stream.is_some() {
            // The process was there the last time, so it was not down before: nearer than the last question, where those are rare.
            if let Some(last) = last.filter(|_| samples.last().is_none_or(|sample| sample.serves)) {
                samples.push(Sample { asked: last, told: last, serves: true });
            }
            samples.push(Sample { asked: now, told: now, serves: false });
        }
        *self = Self::new(self.address, self.tls.take());
        if self.stream.is_some() {
            // It has asked, and was answered.
            samples.push(Sample { asked: now, told: Instant::now(), serves: true });
            *last = Some(Instant::now());
        }
    }
}

fn call(client: &Client, host: &Host, tls: Option<Arc<ClientConfig>>, stop: &AtomicBool) -> Vec<Sample> {
    let mut samples: Vec<Sample> = Vec::new();
    let every = if tls.is_some() { EVERY_OVER_TLS } else { EVERY };
    let mut witness = Witness::new(SocketAddr::from((host.address, PORT)), tls);
    let (mut there, mut next) = (None, Instant::now());
    while !stop.load(Ordering::Relaxed) {
        witness.look(&mut there, &mut samples);
        let asked = Instant::now();
        if asked >= next {
            let serves = client.get(host.address, "/version").is_ok();
            samples.push(Sample { asked, told: Instant::now(), serves });
            next = asked + every;
        }
        thread::sleep(EVERY.saturating_sub(asked.elapsed()));
    }
    samples
}

/// The body of an answer with status 200, in this thread's network.
pub(crate) fn get(address: SocketAddr, path: &str) -> Result<String, String> {
    let ask = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect_timeout(&address, ANSWER)?;
        stream.set_read_timeout(Some(ANSWER))?;
        write!(stream, "GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n")?;
        let mut answer = String::new();
        // The store of a test has a few MB.
        stream.take(64 << 20).read_to_string(&mut answer)?;
        Ok(answer)
    };
    let answer = ask().map_err(|error| error.to_string())?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(|| format!("cut short: {answer}"))?;
    let good = head.lines().next().is_some_and(|line| line.split(' ').nth(1) == Some("200"));
    if good { Ok(body.to_owned()) } else { Err(head.to_owned()) }
}

/// A time at which a member did not serve, taken as long as it can have been: from the last question that was answered, or the last
/// time that its process was seen, to the next answer.
#[derive(Clone, Debug)]
pub(crate) struct Down {
    pub(crate) host: String,
    pub(crate) from: Instant,
    pub(crate) to: Instant,
}

fn downs(host: &str, samples: &[Sample]) -> Vec<Down> {
    let mut found: Vec<Down> = Vec::new();
    let mut last_good = None;
    let mut open = None;
    for sample in samples {
        match (sample.serves, open) {
            (false, None) => open = Some(last_good.unwrap_or(sample.asked)),
            (true, Some(from)) => {
                found.push(Down { host: host.to_owned(), from, to: sample.told });
                open = None;
            }
            _ => {}
        }
        if sample.serves {
            last_good = Some(sample.asked);
        }
    }
    if let (Some(from), Some(last)) = (open, samples.last()) {
        found.push(Down { host: host.to_owned(), from, to: last.told });
    }
    found
}

/// Two members that were down at the same time, if any were.
pub(crate) fn two_at_once(downs: &[Down]) -> Option<(&Down, &Down)> {
    let pairs = downs.iter().enumerate().flat_map(|(number, a)| downs.iter().skip(number + 1).map(move |b| (a, b)));
    pairs.into_iter().find(|(a, b)| a.host != b.host && a.from < b.to && b.from < a.to)
}

#[test]
fn two_members_that_are_down_at_once_are_found() {
    let begin = Instant::now();
    let at = |ms| begin + Duration::from_millis(ms);
    let answers = |from: u64, to: u64| -> Vec<Sample> {
        let sample = |ms| Sample { asked: at(ms), told: at(ms + 1), serves: ms < from || ms >= to };
        (0..20).map(|number| sample(number * 50)).collect()
    };
    let (first, overlapping, later) = (answers(100, 300), answers(300, 500), answers(450, 600));
    let both = |other: &[Sample]| [downs("etcd1", &first), downs("etcd2", other)].concat();
    assert_eq!(both(&overlapping).len(), 2);
    // The second's last answer came before the first's next one: they may both have been down.
    assert!(two_at_once(&both(&overlapping)).is_some());
    assert!(two_at_once(&both(&later)).is_none());
}
