//! Templates and expressions: strict about undefined names, with a budget, blind to what hosts said.

mod checks;
mod data;
mod engine;
mod fault;
mod filters;
mod frame;
mod paper;
mod tokens;
mod yaml;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use minijinja::Environment;
use minijinja::value::{Value as Raw, ValueKind};
use serde_json::Value;

pub use self::data::Ready;
use self::data::{is_omit, to_json};
use self::fault::{Failure, Sort, Spot};
use self::frame::Frame;
use crate::inventory::{Node, NodeValue, Place, Problem, ScalarStyle};

use super::Expression;

/// A variable: written by the operator, or computed.
#[derive(Clone, Debug)]
pub enum Variable {
    /// As the operator wrote it; may hold templates, rendered when it is used.
    Source(Node),
    /// Registered, a fact, or a result: data, and never a template whatever it looks like.
    Data(Value),
    /// The same, in the engine's form already.
    Ready(Ready),
}

/// The variables that a template sees.
pub trait Scope: Send + Sync {
    /// The variable of that name.
    fn get(&self, name: &str) -> Option<Variable>;
    /// All names, for "did you mean".
    fn names(&self) -> Vec<String>;
}

/// What became of a list of conditions, all of which must hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The index of the first that does not hold; the ones behind it were not looked at.
    pub unmet: Option<usize>,
    /// The indices of those that gave no `true` or `false` but, say, a list, and what they gave. Taken by its truth, as
    /// ansible-core did until 2.18; 2.19 refuses it.
    pub loose: Vec<(usize, &'static str)>,
}

impl Verdict {
    /// Whether all hold.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.unmet.is_none()
    }
}

/// The template engine: Jinja as Ansible 2.19 has it, with native types, one budget a template, and no way to a file, a
/// command or the network.
#[derive(Debug)]
pub struct Templates {
    env: Environment<'static>,
}

impl Default for Templates {
    fn default() -> Self {
        Self::new()
    }
}

impl Templates {
    /// An engine with all filters, tests and functions.
    #[must_use]
    pub fn new() -> Self {
        Self { env: engine::environment() }
    }

    /// Whether all expressions hold; looked at in order up to the first that does not.
    ///
    /// # Errors
    /// An undefined name, a fault in the expression, or the budget spent.
    pub fn holds(&self, conditions: &[Expression], scope: &dyn Scope) -> Result<bool, Problem> {
        self.judge(conditions, scope).map(|verdict| verdict.holds())
    }

    /// As [`Templates::holds`], and which does not hold, and which gave no bool.
    ///
    /// A bool is taken as it is. Text is read as Ansible's `bool` filter reads it where it is one of its words (`no`,
    /// `off`, `false`, `n`, `f`, `0` and nothing at all do not hold), and holds otherwise; it is never evaluated again.
    /// Anything else is taken by its truth: 0, an empty list, an empty mapping and null do not hold.
    ///
    /// # Errors
    /// As [`Templates::holds`].
    pub fn judge(&self, conditions: &[Expression], scope: &dyn Scope) -> Result<Verdict, Problem> {
        let frame = Frame::new(&self.env, scope);
        let mut verdict = Verdict { unmet: None, loose: Vec::new() };
        for (index, condition) in conditions.iter().enumerate() {
            let value = expression(&frame, condition).map_err(problem)?;
            if let Some(kind) = loose_kind(&value) {
                verdict.loose.push((index, kind));
            }
            let holds = match value.as_str() {
                Some(text) => filters::word(text).unwrap_or(!text.is_empty()),
                None => value.is_true(),
            };
            if !holds {
                verdict.unmet = Some(index);
                break;
            }
        }
        Ok(verdict)
    }

    /// The value of an expression without braces, as in `until:`.
    ///
    /// # Errors
    /// As [`Templates::holds`].
    pub fn evaluate(&self, expression: &Expression, scope: &dyn Scope) -> Result<Value, Problem> {
        let value = self::expression(&Frame::new(&self.env, scope), expression).map_err(problem)?;
        json(&value, &expression.place)
    }

    /// The value of a node with all templates in it rendered, keys of mappings too; a text that is exactly one `{{ }}`
    /// keeps the expression's type. What stands under `!unsafe` is left as it is. An entry of a mapping or a list whose
    /// value is `omit` is left out; a node that is `omit` itself gives null.
    ///
    /// # Errors
    /// As [`Templates::holds`].
    pub fn value(&self, node: &Node, scope: &dyn Scope) -> Result<Value, Problem> {
        let value = Frame::new(&self.env, scope).node(node).map_err(problem)?;
        json(&value, &node.place)
    }

    /// A text with its templates filled in, always as text. As in all values of a playbook, and unlike in conditions and
    /// template files, a backslash in a text literal stands for itself (`escape_backslashes` of ansible-core).
    ///
    /// # Errors
    /// As [`Templates::holds`].
    pub fn text(&self, text: &str, place: &Place, scope: &dyn Scope) -> Result<String, Problem> {
        Frame::new(&self.env, scope).filled(text, place, true).map_err(problem)
    }

    /// The text of a template file filled in; `place` is the whole file. A first line
    /// `#jinja2: trim_blocks: False, lstrip_blocks: True` sets how white space round blocks is treated and is dropped.
    ///
    /// # Errors
    /// As [`Templates::holds`], and an option in the first line that is not known.
    pub fn file(&self, text: &str, place: &Place, scope: &dyn Scope) -> Result<String, Problem> {
        let (layout, body) = engine::Layout::from_header(text).map_err(|what| Problem::new(place, what))?;
        if layout == engine::Layout::default() {
            return Frame::new(&self.env, scope).filled(body, place, false).map_err(problem);
        }
        let mut env = self.env.clone();
        layout.apply(&mut env);
        Frame::new(&env, scope).filled(body, place, false).map_err(problem)
    }

    /// Whether the text of a template file is well formed, before there are any variables.
    ///
    /// # Errors
    /// A fault in its syntax, and an option in the first line that is not known.
    pub fn check_file(&self, text: &str, place: &Place) -> Result<(), Problem> {
        let (layout, body) = engine::Layout::from_header(text).map_err(|what| Problem::new(place, what))?;
        let mut env = self.env.clone();
        layout.apply(&mut env);
        Frame::new(&env, &Nothing).well_formed(body, place).map_err(problem)
    }

    /// What is wrong with a template, or with `bare` an expression, whatever the variables are: its syntax; filters, tests
    /// and lookups that there are not; and, where it uses no variables, what goes wrong when it is rendered. `file` says that
    /// it is a template file's, where a backslash escapes.
    #[must_use]
    pub fn faults(&self, text: &str, place: &Place, bare: bool, file: bool) -> Vec<Problem> {
        let inner = if bare { tokens::single_expression(text) } else { None }.unwrap_or(0..text.len());
        let spot = Spot { place, whole: text, offset: inner.start, literal: !bare && !file };
        let faults = paper::faults(&self.env, text.get(inner).unwrap_or_default(), spot, bare);
        if !faults.is_empty() || !self.undeclared(text, bare).is_empty() || !self.guarded(text, bare).is_empty() {
            return faults;
        }
        let frame = Frame::new(&self.env, &Nothing);
        let failure = match (bare, file) {
            (true, _) => expression(&frame, &Expression { place: place.clone(), text: text.to_owned() }).err(),
            (false, true) => {
                engine::Layout::from_header(text).ok().and_then(|(_, body)| frame.filled(body, place, false).err())
            }
            (false, false) => {
                let value = NodeValue::String(text.to_owned(), ScalarStyle::Quoted);
                frame.node(&Node::new(place, value)).err()
            }
        };
        // The engine passes over names in slices when it lists those that a template uses.
        let sees_all = tokens::names(&tokens::tokens(text, bare)).is_empty();
        failure.filter(|failure| sees_all || failure.sort != Sort::Undefined).map(problem).into_iter().collect()
    }

    /// Why the value can't be rendered whatever the variables are, if so: something in it is encrypted.
    #[must_use]
    pub fn unreadable(&self, node: &Node) -> Option<Problem> {
        node.tagged("!vault").map(frame::encrypted)
    }

    /// Where in a text that stands at `place` the name is used first.
    #[must_use]
    pub fn place_of(&self, name: &str, text: &str, place: &Place, bare: bool) -> Place {
        let spot = Spot { place, whole: text, offset: 0, literal: false };
        paper::first_uses(text, bare).remove(name).map_or_else(|| place.clone(), |range| spot.place(range))
    }

    /// The names that a template (with `bare`: an expression without braces) uses, neither sets itself nor guards
    /// anywhere by `default` or `is defined`. A template with a fault in its syntax gives none: rendering tells it.
    #[must_use]
    pub fn undeclared(&self, text: &str, bare: bool) -> BTreeSet<String> {
        let used = if bare {
            self.env.compile_expression_owned(text.to_owned()).map(|e| e.undeclared_variables(false))
        } else {
            self.env.template_from_str(text).map(|t| t.undeclared_variables(false))
        };
        let cut = tokens::tokens(text, bare);
        let guarded = tokens::guarded(&cut);
        let builtin: BTreeSet<&str> = self.env.globals().map(|(name, _)| name).chain(["omit"]).collect();
        let open = |name: &String| !guarded.contains(name.as_str()) && !builtin.contains(name.as_str());
        let Ok(mut used) = used else { return BTreeSet::new() };
        used.extend(paper::sliced(&cut).into_iter().map(str::to_owned));
        used.into_iter().filter(open).collect()
    }

    /// The names that a template, or with `bare` an expression, guards by `default` or `is defined`: what another
    /// condition of the same list may then use freely.
    #[must_use]
    pub fn guarded(&self, text: &str, bare: bool) -> BTreeSet<String> {
        tokens::guarded(&tokens::tokens(text, bare)).into_iter().map(str::to_owned).collect()
    }
}

/// No variables.
struct Nothing;

impl Scope for Nothing {
    fn get(&self, _: &str) -> Option<Variable> {
        None
    }

    fn names(&self) -> Vec<String> {
        Vec::new()
    }
}

fn expression(frame: &Frame<'_>, expression: &Expression) -> Result<Raw, Failure> {
    let text = expression.text.as_str();
    // `when: "{{ x }}"` is common enough to be read as `when: x`; what x holds is not evaluated again.
    let inner = tokens::single_expression(text).unwrap_or(0..text.len());
    let spot = Spot { place: &expression.place, whole: text, offset: inner.start, literal: false };
    let text = text.get(inner).unwrap_or_default();
    if text.trim().is_empty() {
        return Err(Failure::new(fault::Sort::Other, Problem::new(&expression.place, "an empty expression")));
    }
    frame.expression(text, spot)
}

/// What the value is, if it is no bool.
fn loose_kind(value: &Raw) -> Option<&'static str> {
    match value.kind() {
        ValueKind::Bool => None,
        ValueKind::String => Some("text"),
        ValueKind::Number => Some("a number"),
        ValueKind::None => Some("null"),
        ValueKind::Map => Some("a mapping"),
        _ => Some("a list"),
    }
}

fn json(value: &Raw, place: &Place) -> Result<Value, Problem> {
    if is_omit(value) {
        return Ok(Value::Null);
    }
    to_json(value).map_err(|error| {
        let what = error.detail().unwrap_or("a part of the value is undefined").to_owned();
        Problem::new(place, what)
    })
}

fn problem(failure: Failure) -> Problem {
    *failure.problem
}
