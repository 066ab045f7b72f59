//! What an expression reads.

use std::collections::{BTreeMap, BTreeSet};

use cedar_policy::pst::{BinaryOp, Expr, Literal, UnaryOp, Var};
use zt_core::id::FactName;

use super::search::Outcomes;
use crate::time::attributes;

/// What an expression reads.
#[derive(Debug, Default)]
pub(super) struct Reads<'a> {
    /// Facts, and which of their attributes.
    facts: BTreeMap<&'a str, BTreeSet<&'a str>>,
    /// Whether the resource was approved.
    approval: bool,
    /// Anything else that is not a constant.
    others: bool,
    /// Whether it can fail, by overflow.
    fails: bool,
}

impl<'a> Reads<'a> {
    /// Adds what `expr` reads.
    pub(super) fn add(&mut self, expr: &'a Expr) {
        match expr {
            Expr::GetAttr { .. } => match attributes(expr) {
                (Expr::Var(Var::Context), path) => match path.as_slice() {
                    ["posture", fact, attribute, ..] => {
                        self.facts.entry(fact).or_default().insert(attribute);
                    }
                    ["approved"] => self.approval = true,
                    _ => self.others = true,
                },
                (root, _) => self.add(root),
            },
            Expr::UnaryOp { op, expr } => {
                let constant =
                    matches!(&**expr, Expr::Literal(Literal::Long(n)) if n.checked_neg().is_some());
                self.fails |= *op == UnaryOp::Neg && !constant;
                self.add(expr);
            }
            Expr::BinaryOp { op, left, right } => {
                self.fails |= matches!(
                    op,
                    BinaryOp::Add | BinaryOp::Sub | BinaryOp::Mul | BinaryOp::Offset | BinaryOp::GetTag
                );
                self.add(left);
                self.add(right);
            }
            Expr::Like { expr, .. } => self.add(expr),
            Expr::Is { expr, in_expr, .. } => {
                self.add(expr);
                in_expr.iter().for_each(|expr| self.add(expr));
            }
            Expr::IfThenElse { cond, then_expr, else_expr } => {
                [cond, then_expr, else_expr].into_iter().for_each(|expr| self.add(expr));
            }
            Expr::Set(elements) => elements.iter().for_each(|element| self.add(element)),
            Expr::Record(fields) => fields.values().for_each(|field| self.add(field)),
            Expr::Literal(_) => {}
            // `has` reads no value; the rest is no constant.
            Expr::HasAttr { .. } | Expr::Var(_) | Expr::Slot(_) | Expr::Unknown { .. } | _ => {
                self.others = true;
            }
        }
    }

    /// Whether this fact is read.
    pub(super) fn fact(&self, name: &FactName) -> bool {
        self.facts.contains_key(name.as_str())
    }

    /// Whether it is read if the resource was approved.
    pub(super) const fn approval(&self) -> bool {
        self.approval
    }

    /// Whether that is one fact, and nothing else.
    pub(super) fn one_fact(&self) -> bool {
        !self.others && !self.approval && self.facts.len() == 1
    }

    /// Whether nothing of facts is read but their status.
    pub(super) fn only_status(&self) -> bool {
        self.facts.values().flatten().all(|attribute| *attribute == "status")
    }

    /// Whether the source of a fact is read.
    pub(super) fn source(&self) -> bool {
        self.facts.values().flatten().any(|attribute| *attribute == "source")
    }

    /// How it may come out, if it is a test.
    pub(super) const fn outcomes(&self) -> Outcomes {
        if self.fails { Outcomes::ANY } else { Outcomes::EITHER }
    }
}
