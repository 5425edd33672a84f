//! One piece of work for the loader that stays on a host, if there is one for who we act as.

use secrecy::ExposeSecret as _;
use sha2::{Digest as _, Sha256};

use super::shell::{self, Program};
use super::sink::hex;
use super::{RemoteError, RemoteHost};
use crate::transport::{ExecError, Leave, Marks, Output, Resident, Unanswered};

impl RemoteHost {
    /// Has the loader that stays run it, and begins one where there may be one; `None` where it is to go alone: nothing was done then.
    ///
    /// # Errors
    /// When its end was not seen.
    pub(super) async fn ask_resident(
        &self,
        program: &Program<'_>,
        nonce: &str,
        caps: [usize; 2],
    ) -> Option<Result<Output, RemoteError>> {
        let (leave, resident) = self.session.residents()?.turn(&self.acts_as())?;
        let (mut resident, first) = match resident {
            Some(resident) => (resident, Vec::new()),
            None => self.begin_resident()?,
        };
        let marks = Marks { begin: format!("{nonce}-start\n"), end: format!("{nonce}-done ") };
        let text = [first, program.told(nonce)].concat();
        let answer = resident.ask(&text, &marks, caps, program.deadline).await;
        self.answered(answer, leave, resident)
    }

    fn begin_resident(&self) -> Option<(Resident, Vec<u8>)> {
        let framed = shell::resident(self.r#become.as_ref(), &shell::nonce()?);
        let session = std::sync::Arc::clone(&self.session);
        Some((Resident::begin(session, framed.command, framed.prompt), framed.text))
    }

    fn answered(
        &self,
        answer: Result<Output, Unanswered>,
        leave: Leave,
        resident: Resident,
    ) -> Option<Result<Output, RemoteError>> {
        match answer {
            Ok(output) => {
                leave.give_back(resident);
                Some(Ok(output))
            }
            // sudo or the login shell lets none stay, or somebody ended it: each command goes alone from here on, and says what is wrong.
            Err(Unanswered::NotBegun) => {
                leave.never_again();
                None
            }
            Err(Unanswered::Lost(ExecError::BecomeRefused { .. })) => {
                Some(Err(self.not_become("sudo did not take the password")))
            }
            Err(Unanswered::Lost(error)) => Some(Err(error.into())),
        }
    }

    /// A command has run alone: the next may be told to one that stays.
    pub(super) fn has_run_alone(&self) {
        if let Some(residents) = self.session.residents() {
            residents.may_begin(&self.acts_as());
        }
    }

    /// As whom, and by which password (none of its letters), as a name: with another password sudo is asked anew.
    fn acts_as(&self) -> String {
        let Some(b) = &self.r#become else { return String::new() };
        let password = b.password.as_ref().map_or("", |secret| secret.expose_secret());
        format!("{} {}", b.user, hex(&Sha256::digest(password)))
    }
}
