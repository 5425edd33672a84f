//! The password, given to the host once at most.

use russh::MethodKind;
use russh::client::{Handle, KeyboardInteractiveAuthResponse};
use secrecy::ExposeSecret as _;

use super::{Login, Said, within};
use crate::transport::session::ConnectError;
use crate::transport::ssh::watcher::Watcher;

/// Rounds of keyboard-interactive: PAM asks once, and a message or two may come without a question.
const ROUNDS: usize = 4;

impl Login<'_> {
    /// The password, once: by `password` if the host takes it so, else by `keyboard-interactive`.
    pub(super) async fn password(&mut self) -> Result<Said, ConnectError> {
        let Some(password) = self.hop.password.clone() else { return Ok(Said::No) };
        if self.handle.is_closed() {
            return Ok(Said::No);
        }
        if self.wants(MethodKind::Password) && self.hop.password_method {
            let trying = self.handle.authenticate_password(self.hop.user.clone(), password.expose_secret());
            let result = within(self.hop.timeout, trying).await.map_err(|e| self.unreachable(e))?;
            return Ok(self.tell(&result, "password".to_owned()));
        }
        if self.wants(MethodKind::KeyboardInteractive) && self.hop.keyboard_method {
            let said = within(self.hop.timeout, keyboard(self.handle, &self.hop.user, password.expose_secret())).await;
            return match said {
                Ok(None) => Ok(Said::In),
                Ok(Some(text)) => Ok(self.skip(format!("keyboard-interactive: {text}"))),
                Err(e) => Err(self.unreachable(e)),
            };
        }
        Ok(Said::No)
    }
}

/// Answers exactly one hidden question with the password; nothing if we are in, else why not.
///
/// A host that asks for more than that, or wants the answer shown, gets nothing.
async fn keyboard(handle: &mut Handle<Watcher>, user: &str, password: &str) -> Result<Option<String>, russh::Error> {
    let mut said = handle.authenticate_keyboard_interactive_start(user, None).await?;
    let mut given = false;
    for _ in 0..ROUNDS {
        said = match said {
            KeyboardInteractiveAuthResponse::Success => return Ok(None),
            KeyboardInteractiveAuthResponse::Failure { .. } => return Ok(Some("rejected".to_owned())),
            KeyboardInteractiveAuthResponse::InfoRequest { prompts, .. } => match prompts.as_slice() {
                [] => handle.authenticate_keyboard_interactive_respond(Vec::new()).await?,
                [one] if !one.echo && !given => {
                    given = true;
                    handle.authenticate_keyboard_interactive_respond(vec![password.to_owned()]).await?
                }
                other => {
                    return Ok(Some(format!(
                        "the host asks {} questions where one hidden one was expected",
                        other.len()
                    )));
                }
            },
        };
    }
    Ok(Some(format!("no end after {ROUNDS} rounds")))
}
