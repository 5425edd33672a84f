//! What becomes of an option, in words.

use crate::etcd::{Becomes, By, Said, variable_of_option};

/// How an option is written, by its name.
pub(super) fn name(said: &Said) -> String {
    match said.by {
        By::Flag => format!("`--{}`", said.name),
        By::Variable => format!("`{}`", variable_of_option(&said.name)),
        By::Key => format!("`{}`", said.name),
    }
}

/// What becomes of it, in words. Values that the host's files hold are not repeated.
pub(super) fn words(said: &Said, becomes: &Becomes) -> String {
    let write = |name: &str, value: Option<&str>| match (said.by, value) {
        (By::Flag, value) => format!("`--{name}{}`", value.map(|value| format!("={value}")).unwrap_or_default()),
        (By::Variable, value) => {
            format!("`{}{}`", variable_of_option(name), value.map(|value| format!("={value}")).unwrap_or_default())
        }
        (By::Key, value) => format!("`{name}{}`", value.map(|value| format!(": {value}")).unwrap_or_default()),
    };
    match becomes {
        Becomes::Nothing => format!("{} taken out", name(said)),
        Becomes::Other { name: new, value, also } => {
            let also = also.as_ref().map(|(name, value)| format!(" and {}", write(name, Some(value))));
            format!("{} -> {}{}", name(said), write(new, value.as_deref()), also.unwrap_or_default())
        }
        Becomes::Longer(more) => format!("{} and `{}` behind it", name(said), more.trim_start_matches(',')),
    }
}
