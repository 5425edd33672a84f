//! One use of templates: variables rendered when they are needed, each once, and cycles found.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::io;

use minijinja::Environment;
use minijinja::value::Value;

use super::data::{Omit, from_json, is_omit, map};
use super::fault::{Circumstances, Failure, Sort, Spot, tell, undefined};
use super::tokens::{Kind, Token, is_template, names, rewritten, single_expression, tokens};
use super::{Scope, Variable};
use crate::inventory::{Entry, Node, NodeValue, Place, Problem};

/// How deep variables may lie in variables. Real projects nest under ten deep; each level takes some 20 KiB of stack in
/// a debug build, and a worker thread has 2 MiB.
const DEPTH: usize = 40;

/// How many variables one use may render. A play has some hundreds; this stops a net of variables that grows as a power.
const RENDERINGS: usize = 10_000;

/// The most text that one template may make, in bytes: 256 times the largest configuration file that we know of.
const OUTPUT: usize = 16 << 20;

/// What became of a name.
#[derive(Clone)]
enum Outcome {
    Missing,
    Value(Value),
    Failed(Failure),
}

/// Variables of one scope, while one thing is rendered.
pub(super) struct Frame<'a> {
    env: &'a Environment<'static>,
    scope: &'a dyn Scope,
    known: RefCell<HashMap<String, Outcome>>,
    open: RefCell<Vec<String>>,
    renderings: Cell<usize>,
}

impl<'a> Frame<'a> {
    pub(super) fn new(env: &'a Environment<'static>, scope: &'a dyn Scope) -> Self {
        let (known, open) = (RefCell::default(), RefCell::default());
        Self { env, scope, known, open, renderings: Cell::new(0) }
    }

    /// The node with everything in it rendered; `omit` in mappings and lists is gone.
    pub(super) fn node(&self, node: &Node) -> Result<Value, Failure> {
        if node.tag.as_deref() == Some("!unsafe") {
            return Ok(from_json(&node.to_json()));
        }
        if node.tag.as_deref() == Some("!vault") {
            // Its bytes are not what the operator means: no file and no command must get them.
            return Err(Failure::new(Sort::Other, encrypted(&node.place)));
        }
        match &node.value {
            NodeValue::String(text, _) => self.text(text, &node.place),
            NodeValue::Sequence(items) => {
                let mut rendered = Vec::with_capacity(items.len());
                for item in items {
                    rendered.push(self.node(item)?);
                }
                rendered.retain(|value| !is_omit(value));
                Ok(Value::from(rendered))
            }
            NodeValue::Mapping(entries) => self.mapping(entries),
            _ => Ok(from_json(&node.to_json())),
        }
    }

    fn mapping(&self, entries: &[Entry]) -> Result<Value, Failure> {
        let mut rendered = Vec::with_capacity(entries.len());
        for entry in entries {
            let key = self.text(&entry.key, &entry.key_place)?;
            let value = self.node(&entry.value)?;
            if !is_omit(&value) {
                let key = key.as_str().map_or_else(|| key.to_string(), str::to_owned);
                rendered.push((Value::from(key), value));
            }
        }
        Ok(map(rendered))
    }

    /// A scalar: with its native type if it is one `{{ }}` and nothing else, else text.
    fn text(&self, text: &str, place: &Place) -> Result<Value, Failure> {
        if !is_template(text) {
            return Ok(Value::from(text));
        }
        match single_expression(text) {
            Some(inner) => {
                let spot = Spot { place, whole: text, offset: inner.start, literal: true };
                self.expression(text.get(inner).unwrap_or_default(), spot)
            }
            None => self.filled(text, place, true).map(Value::from),
        }
    }

    /// The value of an expression; an undefined one is a failure.
    pub(super) fn expression(&self, text: &str, spot: Spot<'_>) -> Result<Value, Failure> {
        let cut = tokens(text, true);
        let rewritten = rewritten(text, &cut, spot.literal);
        self.with_context(&cut, |context, seen| {
            let compiled = self.env.compile_expression_owned(rewritten.text.clone());
            let value = compiled.and_then(|e| e.eval(context)).map_err(|e| tell(&e, &rewritten, spot, seen))?;
            if value.is_undefined() {
                // The engine itself gives an undefined value back without a fault, even when strict.
                let chain = cut.iter().all(|t| t.kind == Kind::Name || t.text == ".");
                let place = spot.place(0..text.trim_end().len());
                return Err(undefined(chain.then_some(text.trim()), &place, seen));
            }
            Ok(value)
        })
    }

    /// A text with its templates filled in; with `literal`, a backslash in a text literal stands for itself.
    pub(super) fn filled(&self, text: &str, place: &Place, literal: bool) -> Result<String, Failure> {
        let cut = tokens(text, false);
        let rewritten = rewritten(text, &cut, literal);
        let spot = Spot { place, whole: text, offset: 0, literal };
        self.with_context(&cut, |context, seen| {
            let mut output = Capped { bytes: Vec::new() };
            let filled = self
                .env
                .template_from_str(&rewritten.text)
                .and_then(|template| template.render_captured_to(context, &mut output).map(|_| ()));
            filled.map_err(|e| tell(&e, &rewritten, spot, seen))?;
            let not_text =
                |_| Failure::new(Sort::Other, Problem::new(place, "the template gave bytes that are no text"));
            String::from_utf8(output.bytes).map_err(not_text)
        })
    }

    /// Whether a text's templates are well formed; nothing is rendered.
    pub(super) fn well_formed(&self, text: &str, place: &Place) -> Result<(), Failure> {
        let rewritten = rewritten(text, &tokens(text, false), false);
        let spot = Spot { place, whole: text, offset: 0, literal: false };
        self.with_context(&[], |_, seen| {
            self.env.template_from_str(&rewritten.text).map(drop).map_err(|e| tell(&e, &rewritten, spot, seen))
        })
    }

    /// Calls `act` with the variables that those tokens name.
    fn with_context<T>(
        &self,
        cut: &[Token<'_>],
        act: impl FnOnce(Value, &Circumstances<'_>) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let mut defined = Vec::new();
        let mut unrendered = Vec::new();
        for name in names(cut) {
            match self.variable(name) {
                Outcome::Missing => {}
                Outcome::Value(value) => defined.push((name.to_owned(), value)),
                // Left out, so that `default` and `is defined` see an undefined name as in Ansible.
                Outcome::Failed(failure) if failure.sort == Sort::Undefined => {
                    unrendered.push((name.to_owned(), failure))
                }
                Outcome::Failed(failure) => defined.push((name.to_owned(), failure.into_value())),
            }
        }
        let context = map(defined.iter().map(|(name, value)| (Value::from(name.as_str()), value.clone())));
        act(context, &Circumstances { scope: self.scope, defined: &defined, unrendered: &unrendered })
    }

    fn variable(&self, name: &str) -> Outcome {
        if let Some(known) = self.known.borrow().get(name) {
            return known.clone();
        }
        let outcome = match self.scope.get(name) {
            None if name == "omit" => Outcome::Value(Value::from_object(Omit)),
            None => Outcome::Missing,
            Some(Variable::Data(json)) => Outcome::Value(from_json(&json)),
            Some(Variable::Ready(ready)) => Outcome::Value(ready.0),
            Some(Variable::Source(node)) => match self.source(name, &node) {
                Ok(value) => Outcome::Value(value),
                Err(failure) => Outcome::Failed(failure),
            },
        };
        let lasting = !matches!(&outcome, Outcome::Failed(failure) if failure.sort == Sort::Cycle);
        if lasting {
            self.known.borrow_mut().insert(name.to_owned(), outcome.clone());
        }
        outcome
    }

    /// Renders a variable as the operator wrote it.
    fn source(&self, name: &str, node: &Node) -> Result<Value, Failure> {
        if let Some(way) = self.way_back_to(name) {
            let message = format!("variables that need each other: {way}");
            return Err(Failure::new(Sort::Cycle, Problem::new(&node.place, message)));
        }
        self.renderings.set(self.renderings.get() + 1);
        if self.open.borrow().len() >= DEPTH || self.renderings.get() > RENDERINGS {
            let message = format!("`{name}` lies too deep in other variables");
            let help = format!("variables may lie {DEPTH} deep in each other, and {RENDERINGS} in all");
            return Err(Failure::new(Sort::Cycle, Problem::new(&node.place, message).help(help)));
        }
        self.open.borrow_mut().push(name.to_owned());
        let value = self.node(node);
        self.open.borrow_mut().pop();
        value
    }

    /// `a → b → a`, if `name` is being rendered already.
    fn way_back_to(&self, name: &str) -> Option<String> {
        let open = self.open.borrow();
        let at = open.iter().position(|n| n == name)?;
        let mut way: Vec<&str> = open.iter().skip(at).map(String::as_str).collect();
        way.push(name);
        Some(way.join(" → "))
    }
}

/// What is wrong with a value that ansible-vault has encrypted.
pub(super) fn encrypted(place: &Place) -> Problem {
    Problem::new(place, "a value encrypted by ansible-vault, which quorate cannot read")
        .help("decrypt it into a file of mode 0600 and give `-e @FILE`")
}

/// Bytes up to the cap.
struct Capped {
    bytes: Vec<u8>,
}

impl io::Write for Capped {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + buf.len() > OUTPUT {
            return Err(io::Error::other("the output is too large"));
        }
        self.bytes.extend_from_slice(buf);
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
