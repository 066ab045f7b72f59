//! The condition of a policy, as a formula over tests of one fact and whatever else it asks.

use cedar_policy::pst::{BinaryOp, Expr, Literal, UnaryOp};
use zt_core::device::{FactKind, FactStatus};
use zt_core::id::FactName;

use super::reads::Reads;
use super::search::Outcomes;
use super::worlds::Worlds;

/// A condition; its parts are asked in order, and only if the ones before leave it open.
#[derive(Debug)]
pub(super) enum Formula {
    Constant(bool),
    Leaf(Leaf),
    Not(Box<Formula>),
    And(Box<(Formula, Formula)>),
    Or(Box<(Formula, Formula)>),
    If(Box<(Formula, Formula, Formula)>),
}

/// A test, and how it comes out by the status of the fact.
#[derive(Debug, Clone, Copy)]
pub(super) struct Leaf {
    /// Pass or fail, in that order.
    known: (Value, Value),
    unknown: Value,
    unsupported: Value,
}

/// How a test comes out.
#[derive(Debug, Clone, Copy)]
pub(super) enum Value {
    Is(bool),
    /// As this variable does.
    Var(usize),
}

impl Leaf {
    pub(super) const fn at(&self, status: FactStatus) -> Value {
        match status {
            FactStatus::Pass => self.known.0,
            FactStatus::Fail => self.known.1,
            FactStatus::Unknown => self.unknown,
            FactStatus::Unsupported => self.unsupported,
        }
    }
}

/// What may go away.
#[derive(Debug, Clone, Copy)]
pub(super) enum Subject<'w> {
    /// A fact, of this kind.
    Fact(&'w FactName, FactKind),
    /// An approval; before that it counts as a fact that passes, and as an unknown one after it.
    Approval,
}

impl Subject<'_> {
    pub(super) fn is_read(self, reads: &Reads<'_>) -> bool {
        match self {
            Self::Fact(name, _) => reads.fact(name),
            Self::Approval => reads.approval(),
        }
    }
}

/// Makes formulas of expressions, with respect to one thing that may go away.
pub(super) struct Builder<'a, 'w> {
    subject: Subject<'w>,
    worlds: &'w mut Worlds,
    vars: &'w mut Vec<Outcomes>,
    /// The tests made already: the same test comes out the same each time.
    leaves: Vec<(&'a Expr, Leaf)>,
}

impl<'a, 'w> Builder<'a, 'w> {
    pub(super) const fn new(
        subject: Subject<'w>,
        worlds: &'w mut Worlds,
        vars: &'w mut Vec<Outcomes>,
    ) -> Self {
        Self { subject, worlds, vars, leaves: Vec::new() }
    }

    pub(super) fn formula(&mut self, expr: &'a Expr) -> Result<Formula, String> {
        if let Expr::Literal(Literal::Bool(value)) = expr {
            return Ok(Formula::Constant(*value));
        }
        let mut reads = Reads::default();
        reads.add(expr);
        if !self.subject.is_read(&reads) {
            return self.once(expr, |builder| Ok(builder.foreign(&reads))).map(Formula::Leaf);
        }
        Ok(match expr {
            Expr::UnaryOp { op: UnaryOp::Not, expr } => Formula::Not(Box::new(self.formula(expr)?)),
            Expr::BinaryOp { op: BinaryOp::And, left, right } => {
                Formula::And(Box::new((self.formula(left)?, self.formula(right)?)))
            }
            Expr::BinaryOp { op: BinaryOp::Or, left, right } => {
                Formula::Or(Box::new((self.formula(left)?, self.formula(right)?)))
            }
            Expr::IfThenElse { cond, then_expr, else_expr } => Formula::If(Box::new((
                self.formula(cond)?,
                self.formula(then_expr)?,
                self.formula(else_expr)?,
            ))),
            Expr::Literal(_)
            | Expr::Var(_)
            | Expr::Slot(_)
            | Expr::UnaryOp { .. }
            | Expr::BinaryOp { .. }
            | Expr::GetAttr { .. }
            | Expr::HasAttr { .. }
            | Expr::Like { .. }
            | Expr::Is { .. }
            | Expr::Set(_)
            | Expr::Record(_)
            | Expr::Unknown { .. }
            | _ => Formula::Leaf(self.once(expr, |builder| builder.test(expr, &reads))?),
        })
    }

    fn once(
        &mut self,
        expr: &'a Expr,
        make: impl FnOnce(&mut Self) -> Result<Leaf, String>,
    ) -> Result<Leaf, String> {
        if let Some((_, leaf)) = self.leaves.iter().find(|(known, _)| *known == expr) {
            return Ok(*leaf);
        }
        let leaf = make(self)?;
        self.leaves.push((expr, leaf));
        Ok(leaf)
    }

    /// What is not about the fact comes out the same whatever becomes of it.
    fn foreign(&mut self, reads: &Reads<'_>) -> Leaf {
        let value = self.var(reads);
        Leaf { known: (value, value), unknown: value, unsupported: value }
    }

    fn test(&mut self, expr: &Expr, reads: &Reads<'_>) -> Result<Leaf, String> {
        let text = expr.to_string();
        let Subject::Fact(fact, kind) = self.subject else { return approval(expr, &text) };
        if !reads.one_fact() {
            return Err(format!("`{text}` compares a fact with what is not a constant"));
        }
        let (pass, fail) = if reads.only_status() {
            (
                self.ask(&text, (fact, kind, FactStatus::Pass))?,
                self.ask(&text, (fact, kind, FactStatus::Fail))?,
            )
        } else {
            let value = self.var(reads);
            (value, value)
        };
        // The source of an unknown fact tells why it is, in any words.
        let (unknown, unsupported) = if reads.source() {
            (self.var(reads), self.var(reads))
        } else {
            (
                self.ask(&text, (fact, kind, FactStatus::Unknown))?,
                self.ask(&text, (fact, kind, FactStatus::Unsupported))?,
            )
        };
        Ok(Leaf { known: (pass, fail), unknown, unsupported })
    }

    fn ask(
        &mut self,
        text: &str,
        (fact, kind, status): (&FactName, FactKind, FactStatus),
    ) -> Result<Value, String> {
        let outcome = self.worlds.ask(text, (fact, kind), status);
        outcome.map(Value::Is).ok_or_else(|| {
            let status = status.as_str();
            format!("`{text}` has no outcome when `context.posture.{fact}` is {status}")
        })
    }

    fn var(&mut self, reads: &Reads<'_>) -> Value {
        self.vars.push(reads.outcomes());
        Value::Var(self.vars.len().saturating_sub(1))
    }
}

fn approval(expr: &Expr, text: &str) -> Result<Leaf, String> {
    if let Expr::BinaryOp { op: BinaryOp::Contains, .. } = expr {
        let known = (Value::Is(true), Value::Is(true));
        return Ok(Leaf { known, unknown: Value::Is(false), unsupported: Value::Is(false) });
    }
    Err(format!("`{text}` asks for an approval within something else; write it on its own"))
}
