//! What a `%` in a unit's file stands for.

/// What specifiers stand for in the files of one unit of the system's own manager (systemd.unit(5), "Specifiers"): what follows from its
/// name, the manager's folders, and the host's name where that is known. All others only systemd knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Specifiers {
    unit: Option<String>,
    host: Option<String>,
}

impl Specifiers {
    /// Of the unit with that name, its suffix included, as systemd calls it: of an alias, the name of the unit itself.
    #[must_use]
    pub fn of(unit: &str) -> Self {
        Self { unit: Some(unit.to_owned()), host: None }
    }

    /// The same on the host that calls itself so.
    #[must_use]
    pub fn on(self, host: &str) -> Self {
        Self { host: Some(host.to_owned()), ..self }
    }

    /// Whether a text may ask for the host's name.
    #[must_use]
    pub fn may_ask_for_host(text: &str) -> bool {
        text.contains("%H")
    }

    /// What the one with that letter stands for.
    pub(super) fn value(&self, letter: char) -> Option<String> {
        let unit = self.unit.as_deref();
        let name = || Some(unit?.rsplit_once('.')?.0);
        let parts = || Some(name()?.split_once('@').unwrap_or((name()?, "")));
        let value = match letter {
            '%' => Some("%"),
            'n' => unit,
            'N' => name(),
            'p' => parts().map(|(prefix, _)| prefix),
            'i' => parts().map(|(_, instance)| instance),
            'H' => self.host.as_deref(),
            't' => Some("/run"),
            'S' => Some("/var/lib"),
            'C' => Some("/var/cache"),
            'L' => Some("/var/log"),
            'E' => Some("/etc"),
            _ => None,
        };
        // Without a unit nothing is known, also not whose manager it is.
        value.filter(|_| unit.is_some() || letter == '%').map(str::to_owned)
    }

    /// The text with all of them put in.
    ///
    /// # Errors
    /// Which one is not known.
    pub(super) fn put_into(&self, text: &str) -> Result<String, String> {
        let (mut whole, mut chars) = (String::with_capacity(text.len()), text.chars());
        while let Some(c) = chars.next() {
            if c == '%' {
                whole.push_str(&self.of_next(chars.next())?);
            } else {
                whole.push(c);
            }
        }
        Ok(whole)
    }

    /// What a `%` before that letter stands for.
    ///
    /// # Errors
    /// That it is not known.
    pub(super) fn of_next(&self, letter: Option<char>) -> Result<String, String> {
        let value = letter.and_then(|letter| self.value(letter));
        value.ok_or_else(|| {
            format!("the specifier %{}, which only systemd knows", letter.map(String::from).unwrap_or_default())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_from_the_name_is_known_and_the_rest_is_not() {
        let plain = Specifiers::of("etcd.service").on("node1");
        assert_eq!(plain.put_into("%n %N %p [%i] %H %% %E/x").unwrap(), "etcd.service etcd etcd [] node1 % /etc/x");
        let instance = Specifiers::of("etcd@main.service");
        assert_eq!(instance.put_into("%n %N %p %i").unwrap(), "etcd@main.service etcd@main etcd main");
        for unknown in ["%H", "%m", "%j", "%", "%I"] {
            assert!(instance.put_into(unknown).is_err(), "{unknown}");
        }
        assert_eq!(Specifiers::default().put_into("50%%").unwrap(), "50%");
        for unknown in ["%n", "%t", "%i"] {
            assert!(Specifiers::default().put_into(unknown).is_err(), "{unknown}");
        }
    }
}
