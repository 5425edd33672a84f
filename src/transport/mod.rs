//! A [`Session`] with one host: run a command, open a tunnel. Everything else is built on these two.

mod capture;
mod dialogue;
mod feed;
mod local;
mod scripted;
mod session;
pub mod ssh;

pub use local::LocalSession;
pub use scripted::{Call, Scripted};
pub use session::{
    BoxFuture, ByteStream, ConnectError, Connector, Exec, ExecError, ExitStatus, Output, Prompt, Session, Stdin,
    Stdout, Target, Way,
};
