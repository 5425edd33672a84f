//! A [`Session`] with one host: run a command, open a tunnel. Everything else is built on these two.

mod capture;
mod dialogue;
mod feed;
mod local;
mod resident;
mod scripted;
mod session;
pub mod ssh;

pub use local::LocalSession;
pub use resident::{Leave, Marks, Resident, Residents, Unanswered};
pub use scripted::{Call, Scripted};
pub use session::{
    BoxFuture, ByteStream, ConnectError, Connector, Drain, Exec, ExecError, ExitStatus, Output, Prompt, Session, Stdin,
    Target, Way,
};
