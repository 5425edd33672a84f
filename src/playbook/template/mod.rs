//! Templates and expressions: strict about undefined names, with a budget, blind to what hosts said.

use serde_json::Value;

use crate::inventory::{Node, Problem};

use super::Expression;

/// A variable: written by the operator, or computed.
#[derive(Clone, Debug)]
pub enum Variable {
    /// As the operator wrote it; may hold templates, rendered when it is used.
    Source(Node),
    /// Registered, a fact, or a result: data, and never a template whatever it looks like.
    Data(Value),
}

/// The variables that a template sees.
pub trait Scope: Send + Sync {
    /// The variable of that name.
    fn get(&self, name: &str) -> Option<Variable>;
    /// All names, for "did you mean".
    fn names(&self) -> Vec<String>;
}

/// The template engine.
#[derive(Debug, Default)]
pub struct Templates {}

impl Templates {
    /// Whether all expressions hold.
    ///
    /// # Errors
    /// An undefined name, a fault in the expression, or the budget spent.
    pub fn holds(&self, _conditions: &[Expression], _scope: &dyn Scope) -> Result<bool, Problem> {
        Ok(true)
    }

    /// The value of a node with all templates in it rendered; a text that is exactly one `{{ }}` keeps the expression's type.
    ///
    /// # Errors
    /// As [`Templates::holds`].
    pub fn value(&self, node: &Node, _scope: &dyn Scope) -> Result<Value, Problem> {
        Ok(node.to_json())
    }
}
