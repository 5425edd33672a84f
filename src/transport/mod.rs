//! A [`Session`] with one host: run a command, open a tunnel. Everything else is built on these two.

mod session;

pub use session::{
    BoxFuture, ByteStream, ConnectError, Connector, Exec, ExecError, ExitStatus, Output, Prompt, Session, Stdin,
    Stdout, Target,
};
