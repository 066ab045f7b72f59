//! The conditions of a policy as a formula over tests, and the ways in which it comes out as wanted.

use std::sync::Arc;

use cedar_policy::pst::{BinaryOp, Clause, Expr, Literal, Template, UnaryOp};

use super::needs::Ways;
use super::situation::Situation;
use super::test::{Reader, Test};

/// A condition; its parts are asked in order, and only if the ones before leave it open.
#[derive(Debug)]
pub(super) enum Formula {
    Constant(bool),
    Test(Box<Test>),
    Not(Box<Formula>),
    And(Box<[Formula; 2]>),
    Or(Box<[Formula; 2]>),
    If(Box<[Formula; 3]>),
    /// What this version cannot evaluate; no way leads there.
    Unreadable,
}

impl Formula {
    /// All conditions of a policy, without its head.
    pub(super) fn of(policy: &Template, reader: &mut Reader<'_>) -> Self {
        let clauses = policy.clauses().iter().map(|clause| match clause {
            Clause::When(expr) => Self::read(expr, reader),
            Clause::Unless(expr) => Self::Not(Box::new(Self::read(expr, reader))),
        });
        clauses.reduce(|all, clause| Self::And(Box::new([all, clause]))).unwrap_or(Self::Constant(true))
    }

    /// The ways to have it come out as wanted.
    pub(super) fn ways(&self, wanted: bool, situation: &mut Situation<'_>) -> Ways {
        match self {
            Self::Constant(value) if *value == wanted => Ways::free(),
            Self::Constant(_) | Self::Unreadable => Ways::none(),
            Self::Test(test) => test.ways(wanted, situation),
            Self::Not(formula) => formula.ways(!wanted, situation),
            Self::And(parts) | Self::Or(parts) => {
                let [one, other] = parts.each_ref().map(|part| part.ways(wanted, situation));
                if wanted == matches!(self, Self::And(_)) { one.and(&other) } else { one.or(other) }
            }
            Self::If(parts) => {
                let [condition, then, otherwise] = &**parts;
                let [then, otherwise] = [then, otherwise].map(|part| part.ways(wanted, situation));
                let either = then.and(&otherwise);
                let then = condition.ways(true, situation).and(&then);
                either.or(then).or(condition.ways(false, situation).and(&otherwise))
            }
        }
    }

    fn read(expr: &Arc<Expr>, reader: &mut Reader<'_>) -> Self {
        let mut pair = |one, other| Box::new([Self::read(one, reader), Self::read(other, reader)]);
        match &**expr {
            Expr::Literal(Literal::Bool(value)) => Self::Constant(*value),
            Expr::UnaryOp { op: UnaryOp::Not, expr } => Self::Not(Box::new(Self::read(expr, reader))),
            Expr::BinaryOp { op: BinaryOp::And, left, right } => Self::And(pair(left, right)),
            Expr::BinaryOp { op: BinaryOp::Or, left, right } => Self::Or(pair(left, right)),
            Expr::IfThenElse { cond, then_expr, else_expr } => {
                Self::If(Box::new([cond, then_expr, else_expr].map(|part| Self::read(part, reader))))
            }
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
            | _ => reader.test(expr).map_or(Self::Unreadable, |test| Self::Test(Box::new(test))),
        }
    }
}
