//! The engine's settings, and the one lookup it has.

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Kwargs, Rest, Value, ValueKind};
use minijinja::{AutoEscape, Environment, Error, ErrorKind, UndefinedBehavior, escape_formatter};

use super::{checks, data, filters};

/// Steps one template may take; a step is an instruction, or 64 bytes of text. A template of 10,000 lines takes some
/// 70,000, `'a' * 10**9` would take 15 million; 500,000 end in under 0.1 s and make at most 32 MB of text.
const FUEL: u64 = 500_000;

/// How deep macros may call each other: Jinja's users do it once or twice, and a call takes some 10 KiB of stack in a
/// debug build.
const RECURSION: usize = 60;

/// White space round blocks, as `#jinja2:` sets it in the first line of a template file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    trim_blocks: bool,
    lstrip_blocks: bool,
    keep_trailing_newline: bool,
}

impl Default for Layout {
    /// What ansible-core uses for templates and for text in playbooks (`_internal/_templating`, 2.19).
    fn default() -> Self {
        Self { trim_blocks: true, lstrip_blocks: false, keep_trailing_newline: true }
    }
}

impl Layout {
    /// The layout, and the template without its header.
    pub(super) fn from_header(text: &str) -> Result<(Self, &str), String> {
        let mut layout = Self::default();
        let Some(rest) = text.strip_prefix("#jinja2:") else { return Ok((layout, text)) };
        let (options, body) = rest.split_once('\n').unwrap_or((rest, ""));
        for option in options.split(',').map(str::trim).filter(|option| !option.is_empty()) {
            let (name, value) = option.split_once(':').unwrap_or((option, ""));
            let value = filters::word(value.trim().trim_matches(['\'', '"']));
            match (name.trim(), value) {
                ("trim_blocks", Some(yes)) => layout.trim_blocks = yes,
                ("lstrip_blocks", Some(yes)) => layout.lstrip_blocks = yes,
                ("keep_trailing_newline", Some(yes)) => layout.keep_trailing_newline = yes,
                (name, _) => {
                    return Err(format!(
                        "`#jinja2:` takes trim_blocks, lstrip_blocks and keep_trailing_newline, each True or False, \
                         not `{name}`"
                    ));
                }
            }
        }
        Ok((layout, body))
    }

    /// Sets it.
    pub(super) fn apply(self, env: &mut Environment<'static>) {
        let syntax = SyntaxConfig::builder()
            .trim_blocks(self.trim_blocks)
            .lstrip_blocks(self.lstrip_blocks)
            .keep_trailing_newline(self.keep_trailing_newline)
            .build();
        // The builder refuses delimiters that clash; these are Jinja's own.
        if let Ok(syntax) = syntax {
            env.set_syntax(syntax);
        }
    }
}

/// An engine with everything in it: no loader, so no file; nothing that runs; a budget.
pub(super) fn environment() -> Environment<'static> {
    let mut env = Environment::new();
    Layout::default().apply(&mut env);
    env.set_undefined_behavior(UndefinedBehavior::Strict);
    env.set_auto_escape_callback(|_| AutoEscape::None);
    env.set_fuel(Some(FUEL));
    env.set_recursion_limit(RECURSION);
    env.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
    env.set_formatter(|out, state, value| {
        if value.is_none() {
            // ansible-core leaves null out of a text, where plain Jinja writes "None" (2.19.14, tried 2026-11-24).
            return Ok(());
        }
        if data::is_omit(value) {
            let what = "`omit` leaves a whole argument out and can't be a part of a text";
            return Err(Error::new(ErrorKind::InvalidOperation, what));
        }
        escape_formatter(out, state, value)
    });
    env.remove_global("debug"); // It prints the values of all variables.
    env.add_function("lookup", lookup);
    env.add_function("query", query);
    env.add_function("q", query);
    env.add_function("dict", dict);
    filters::add(&mut env);
    checks::add(&mut env);
    env
}

/// What a template may look up. All other lookups of Ansible read files, run commands or reach the network.
pub(super) const LOOKUPS: &[&str] = &["env"];

/// `lookup('env', NAME, default=…)`: the control machine's environment.
fn lookup(kind: &str, terms: Rest<Value>, options: Kwargs) -> Result<Value, Error> {
    looked_up(kind, &terms, &options)
}

/// The same as a list.
fn query(kind: &str, terms: Rest<Value>, options: Kwargs) -> Result<Value, Error> {
    looked_up(kind, &terms, &options).map(|value| Value::from(vec![value]))
}

fn looked_up(kind: &str, terms: &[Value], options: &Kwargs) -> Result<Value, Error> {
    if !LOOKUPS.contains(&kind.trim_start_matches("ansible.builtin.")) {
        let what = format!(
            "no such lookup: `{kind}`; quorate's templates cannot run anything or read files, only `env` is there"
        );
        return Err(Error::new(ErrorKind::InvalidOperation, what));
    }
    let default = options.get::<Option<Value>>("default")?;
    options.assert_all_used()?;
    let (Some(name), 1) = (terms.first().and_then(Value::as_str), terms.len()) else {
        return Err(Error::new(ErrorKind::InvalidOperation, "lookup('env', NAME) takes the name of one variable"));
    };
    let found = std::env::var(name).ok().map(Value::from);
    Ok(found.or(default).unwrap_or_else(|| Value::from("")))
}

/// `dict(…)` of a mapping, of pairs as `zip` makes them, and of `name=value`.
fn dict(value: Option<Value>, more: Kwargs) -> Result<Value, Error> {
    let mut entries = Vec::new();
    for item in value.iter().flat_map(Value::try_iter).flatten() {
        let of_mapping = value.as_ref().filter(|value| value.kind() == ValueKind::Map);
        entries.push(match of_mapping {
            Some(mapping) => (item.clone(), mapping.get_item(&item)?),
            None => match item.try_iter()?.collect::<Vec<_>>().as_slice() {
                [key, value] => (key.clone(), value.clone()),
                _ => return Err(Error::new(ErrorKind::InvalidOperation, "dict takes pairs, or a mapping")),
            },
        });
    }
    for name in more.args() {
        entries.push((Value::from(name), more.get::<Value>(name)?));
    }
    Ok(data::map(entries))
}
