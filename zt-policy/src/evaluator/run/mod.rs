//! Runs a [`Program`], with Cedar's results, the failures included.

mod binary;
mod like;
mod unary;

use crate::evaluator::facts::Facts;
use crate::evaluator::graph::field;
use crate::evaluator::program::{Node, Outcome, Program, Variable};
use crate::evaluator::symbols::{TextId, Uid};
use crate::evaluator::value::{Field, Layer, Pool, Pools, Span, Value};

/// Levels that fit any stack; more are run where there is room.
const SHALLOW: usize = 24;
/// Room for [`MAX_LEVELS`](crate::evaluator::MAX_LEVELS), and for comparing values of
/// [`MAX_VALUE_DEPTH`](crate::evaluator::MAX_VALUE_DEPTH), without optimisation.
const STACK_BYTES: usize = 2 * 1024 * 1024;

/// Memory that is used again from one run to the next.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    pool: Pool,
    stack: Vec<Value>,
    fields: Vec<Field>,
}

impl Program {
    /// What the conditions say of `resource` to what `facts` bind besides. Allocates nothing once `scratch` has grown,
    /// unless the program has more than 24 levels and the thread less than 2 MiB of stack.
    pub(crate) fn run(&self, facts: &Facts<'_>, resource: Uid, scratch: &mut Scratch) -> Outcome {
        self.run_part(&self.root, (facts, resource), scratch)
    }

    /// What one of the [`parts`](Program::parts) says.
    pub(crate) fn run_part(
        &self,
        part: &Node,
        (facts, resource): (&Facts<'_>, Uid),
        scratch: &mut Scratch,
    ) -> Outcome {
        scratch.pool.clear();
        scratch.stack.clear();
        scratch.fields.clear();
        let mut run = Run { program: self, facts, resource, scratch };
        let result = if self.depth <= SHALLOW && !facts.is_deep() {
            run.node(part)
        } else {
            stacker::maybe_grow(STACK_BYTES, STACK_BYTES.saturating_mul(2), || run.node(part))
        };
        match result {
            Ok(Value::Bool(true)) => Outcome::True,
            Ok(Value::Bool(false)) => Outcome::False,
            Ok(_) | Err(Failed) => Outcome::Error,
        }
    }
}

/// What Cedar reports as an error of evaluation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Failed;

struct Run<'a> {
    program: &'a Program,
    facts: &'a Facts<'a>,
    resource: Uid,
    scratch: &'a mut Scratch,
}

impl Run<'_> {
    fn node(&mut self, node: &Node) -> Result<Value, Failed> {
        match node {
            Node::Constant(value) => Ok(*value),
            Node::Failure => Err(Failed),
            Node::Variable(variable) => Ok(self.variable(*variable)),
            Node::Attributes(of, names) => {
                let of = self.node(of)?;
                names.iter().try_fold(of, |of, name| self.attribute(of, *name)?.ok_or(Failed))
            }
            Node::Has(of, names) => {
                let of = self.node(of)?;
                self.has(of, names)
            }
            Node::All(nodes) => self.junction(nodes, true),
            Node::Any(nodes) => self.junction(nodes, false),
            Node::If(nodes) => {
                let [condition, then, otherwise] = &**nodes;
                if self.truth(condition)? { self.node(then) } else { self.node(otherwise) }
            }
            Node::Unary(op, argument) => {
                let argument = self.node(argument)?;
                self.unary(*op, argument)
            }
            Node::Binary(op, operands) => {
                let [left, right] = &**operands;
                let (left, right) = (self.node(left)?, self.node(right)?);
                self.binary(*op, left, right)
            }
            Node::Like(text, pattern) => {
                let Value::Text(text) = self.node(text)? else { return Err(Failed) };
                Ok(Value::Bool(like::matches(self.text(text)?, pattern)))
            }
            Node::Is(of, type_name) => {
                let of = self.node(of)?;
                Ok(Value::Bool(self.is(of, *type_name)?))
            }
            Node::IsIn(nodes, type_name) => {
                let [of, within] = &**nodes;
                let of = self.node(of)?;
                // As with `&&`, what comes after is not evaluated for an entity of another type.
                if !self.is(of, *type_name)? {
                    return Ok(Value::Bool(false));
                }
                let within = self.node(within)?;
                self.is_in(of, within)
            }
            Node::Set(elements) => self.set(elements),
            Node::Record(fields) => self.record(fields),
        }
    }

    fn variable(&self, variable: Variable) -> Value {
        match variable {
            Variable::Principal => Value::Entity(self.facts.principal),
            Variable::Action => Value::Entity(self.facts.action),
            Variable::Resource => Value::Entity(self.resource),
            Variable::Context => Value::Record(self.facts.context),
        }
    }

    fn truth(&mut self, node: &Node) -> Result<bool, Failed> {
        if let Value::Bool(value) = self.node(node)? { Ok(value) } else { Err(Failed) }
    }

    /// `go_on` if all are that; the other at the first that is not, and what comes after it is not evaluated.
    fn junction(&mut self, nodes: &[Node], go_on: bool) -> Result<Value, Failed> {
        for node in nodes {
            if self.truth(node)? != go_on {
                return Ok(Value::Bool(!go_on));
            }
        }
        Ok(Value::Bool(go_on))
    }

    /// An attribute; `None` if there is no such one, though there might be.
    fn attribute(&self, of: Value, name: TextId) -> Result<Option<Value>, Failed> {
        let fields = match of {
            Value::Record(fields) => fields,
            Value::Entity(uid) => match self.facts.record(uid) {
                Some(record) => record.attributes,
                None => return Ok(None),
            },
            Value::Bool(_)
            | Value::Long(_)
            | Value::Text(_)
            | Value::Decimal(_)
            | Value::Datetime(_)
            | Value::Duration(_)
            | Value::Ip(_)
            | Value::Set(_) => return Err(Failed),
        };
        Ok(field(self.pools().fields(fields), name).map(|field| field.value))
    }

    fn has(&self, of: Value, names: &[TextId]) -> Result<Value, Failed> {
        let mut of = of;
        for name in names {
            match self.attribute(of, *name)? {
                Some(value) => of = value,
                None => return Ok(Value::Bool(false)),
            }
        }
        Ok(Value::Bool(true))
    }

    fn is(&self, of: Value, type_name: TextId) -> Result<bool, Failed> {
        let Value::Entity(uid) = of else { return Err(Failed) };
        let (actual, _) = self.facts.symbols().parts(uid).ok_or(Failed)?;
        Ok(actual == type_name)
    }

    fn text(&self, text: TextId) -> Result<&str, Failed> {
        self.facts.symbols().text_of(text).ok_or(Failed)
    }

    fn set(&mut self, nodes: &[Node]) -> Result<Value, Failed> {
        let base = self.scratch.stack.len();
        for node in nodes {
            let value = self.node(node)?;
            self.scratch.stack.push(value);
        }
        let mut stack = std::mem::take(&mut self.scratch.stack);
        let elements = stack.get_mut(base..).unwrap_or_default();
        elements.sort_unstable_by(|a, b| self.pools().compare(*a, *b));
        let start = self.scratch.pool.elements.len();
        let mut last = None;
        for element in elements {
            if last.is_none_or(|last| !self.pools().equal(last, *element)) {
                self.scratch.pool.elements.push(*element);
            }
            last = Some(*element);
        }
        stack.truncate(base);
        self.scratch.stack = stack;
        span(start, self.scratch.pool.elements.len()).map(Value::Set)
    }

    fn record(&mut self, nodes: &[(TextId, Node)]) -> Result<Value, Failed> {
        let base = self.scratch.fields.len();
        for (name, node) in nodes {
            let value = self.node(node)?;
            self.scratch.fields.push(Field { name: *name, value });
        }
        let start = self.scratch.pool.fields.len();
        if let Some(fields) = self.scratch.fields.get_mut(base..) {
            fields.sort_unstable_by_key(|field| field.name);
            self.scratch.pool.fields.extend_from_slice(fields);
        }
        self.scratch.fields.truncate(base);
        span(start, self.scratch.pool.fields.len()).map(Value::Record)
    }

    fn pools(&self) -> Pools<'_> {
        Pools {
            policy: &self.program.constants,
            store: &self.facts.graph.pool,
            request: self.facts.pool(),
            scratch: &self.scratch.pool,
        }
    }
}

/// What was added to a list of the scratch pool.
fn span(from: usize, to: usize) -> Result<Span, Failed> {
    let start = u32::try_from(from).map_err(|_| Failed)?;
    let len = to.checked_sub(from).and_then(|len| u32::try_from(len).ok()).ok_or(Failed)?;
    Ok(Span { layer: Layer::Scratch, start, len })
}
