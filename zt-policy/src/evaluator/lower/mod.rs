//! From Cedar's public syntax tree to a [`Program`].

mod constants;

use cedar_policy::pst::{BinaryOp, Clause, EntityUID, Expr, PatternElem, Template, UnaryOp, Var};

use crate::evaluator::program::{Binary, ContextReads, Node, Piece, Program, Unary, Variable};
use crate::evaluator::symbols::{Symbols, TextId, Uid};
use crate::evaluator::value::{Builder, Layer};

/// The most levels that a lowered policy may have; a chain of `&&`, of `||` or of attributes is one.
pub const MAX_LEVELS: usize = 320;

/// Why a policy is left to Cedar.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unlowered {
    /// It is deeper than what is evaluated on any stack.
    #[error("more than {MAX_LEVELS} levels")]
    TooDeep,
    /// Its text is so long, or nested so deep, that Cedar's own conversions might run out of stack.
    #[error("more than {0} operators, attributes and brackets")]
    TooLong(usize),
    /// It has no syntax tree.
    #[error("no syntax tree: {0}")]
    NoSyntaxTree(String),
    /// An expression that this version does not know.
    #[error("an unknown expression: {0}")]
    Unknown(String),
    /// More than 2^32 texts or values.
    #[error("more constants than fit")]
    TooLarge,
}

impl Program {
    /// Lowers the conditions of a policy or a template. What it names gets its number in `symbols`.
    pub(crate) fn lower(policy: &Template, symbols: &mut Symbols) -> Result<Self, Unlowered> {
        let builder = Builder::new(std::mem::take(symbols), Layer::Policy);
        let mut lowering = Lowering { builder, deepest: 0, whole_context: false, context: Vec::new() };
        let root = lowering.clauses(policy.clauses());
        let Lowering { builder, deepest, whole_context, context } = lowering;
        let is_full = builder.is_full();
        *symbols = builder.symbols;
        let reads = if whole_context { ContextReads::All } else { ContextReads::Names(context) };
        match root {
            Ok(_) if is_full => Err(Unlowered::TooLarge),
            Ok(root) => Ok(Self { root, constants: builder.pool, depth: deepest, reads }),
            Err(error) => Err(error),
        }
    }
}

struct Lowering {
    builder: Builder,
    deepest: usize,
    whole_context: bool,
    context: Vec<TextId>,
}

impl Lowering {
    fn clauses(&mut self, clauses: &[Clause]) -> Result<Node, Unlowered> {
        let mut all = Vec::new();
        for clause in clauses {
            match clause {
                Clause::When(expr) => self.chain(BinaryOp::And, expr, 1, &mut all)?,
                Clause::Unless(expr) => {
                    let node = self.node(expr, 2)?;
                    all.push(Node::Unary(Unary::Not, Box::new(node)));
                }
            }
        }
        Ok(Node::All(all.into()))
    }

    /// The operands of a chain of `op`, however it is nested, in the order in which they are evaluated.
    fn chain(
        &mut self,
        op: BinaryOp,
        expr: &Expr,
        level: usize,
        found: &mut Vec<Node>,
    ) -> Result<(), Unlowered> {
        let mut rest = vec![expr];
        while let Some(expr) = rest.pop() {
            if let Expr::BinaryOp { op: here, left, right } = expr
                && *here == op
            {
                rest.extend([&**right, &**left]);
            } else {
                found.push(self.node(expr, level)?);
            }
        }
        Ok(())
    }

    fn node(&mut self, expr: &Expr, level: usize) -> Result<Node, Unlowered> {
        if level >= MAX_LEVELS {
            return Err(Unlowered::TooDeep);
        }
        self.deepest = self.deepest.max(level);
        let level = level.saturating_add(1);
        match expr {
            Expr::Literal(literal) => self.literal(literal),
            Expr::Var(variable) => Ok(Node::Variable(self.variable(variable))),
            Expr::UnaryOp { op, expr } => {
                let argument = self.node(expr, level)?;
                let op = unary(*op).ok_or_else(|| Unlowered::Unknown(op.to_string()))?;
                Ok(self.unary(op, argument))
            }
            Expr::BinaryOp { op: op @ (BinaryOp::And | BinaryOp::Or), .. } => {
                let mut operands = Vec::new();
                self.chain(*op, expr, level, &mut operands)?;
                let operands = operands.into();
                Ok(if *op == BinaryOp::And { Node::All(operands) } else { Node::Any(operands) })
            }
            Expr::BinaryOp { op, left, right } => {
                let operands = Box::new([self.node(left, level)?, self.node(right, level)?]);
                let op = binary(*op).ok_or_else(|| Unlowered::Unknown(op.to_string()))?;
                Ok(Node::Binary(op, operands))
            }
            Expr::GetAttr { .. } => self.attributes(expr, level),
            Expr::HasAttr { expr, attrs } => {
                let names: Box<[_]> = attrs.iter().map(|name| self.builder.name(name)).collect();
                let of = self.of(expr, names.first().copied(), level)?;
                Ok(Node::Has(Box::new(of), names))
            }
            Expr::Like { expr, pattern } => {
                let pieces = pattern.iter().map(|piece| match piece {
                    PatternElem::Char(c) => Piece::Char(*c),
                    PatternElem::Wildcard => Piece::Wildcard,
                });
                Ok(Node::Like(Box::new(self.node(expr, level)?), pieces.collect()))
            }
            Expr::Is { expr, entity_type, in_expr } => {
                let type_name = self.builder.name(&entity_type.to_string());
                let of = self.node(expr, level)?;
                match in_expr {
                    None => Ok(Node::Is(Box::new(of), type_name)),
                    Some(within) => Ok(Node::IsIn(Box::new([of, self.node(within, level)?]), type_name)),
                }
            }
            Expr::IfThenElse { cond, then_expr, else_expr } => Ok(Node::If(Box::new([
                self.node(cond, level)?,
                self.node(then_expr, level)?,
                self.node(else_expr, level)?,
            ]))),
            Expr::Set(elements) => {
                let elements: Result<_, _> =
                    elements.iter().map(|element| self.node(element, level)).collect();
                Ok(self.set(elements?))
            }
            Expr::Record(fields) => {
                let mut nodes = Vec::with_capacity(fields.len());
                for (name, value) in fields {
                    let name = self.builder.name(name);
                    nodes.push((name, self.node(value, level)?));
                }
                Ok(self.record(nodes))
            }
            Expr::Slot(_) | Expr::Unknown { .. } | _ => Err(Unlowered::Unknown(expr.to_string())),
        }
    }

    fn attributes(&mut self, expr: &Expr, level: usize) -> Result<Node, Unlowered> {
        let (mut of, mut names) = (expr, Vec::new());
        while let Expr::GetAttr { expr, attr } = of {
            names.push(self.builder.name(attr));
            of = expr;
        }
        names.reverse();
        let of = self.of(of, names.first().copied(), level)?;
        Ok(Node::Attributes(Box::new(of), names.into()))
    }

    /// That of which the attribute `name` is read.
    fn of(&mut self, expr: &Expr, name: Option<TextId>, level: usize) -> Result<Node, Unlowered> {
        if let (Expr::Var(Var::Context), Some(name)) = (expr, name) {
            self.context.push(name);
            return Ok(Node::Variable(Variable::Context));
        }
        self.node(expr, level)
    }

    fn variable(&mut self, variable: &Var) -> Variable {
        match variable {
            Var::Principal => Variable::Principal,
            Var::Action => Variable::Action,
            Var::Resource => Variable::Resource,
            Var::Context => {
                self.whole_context = true;
                Variable::Context
            }
        }
    }
}

/// The number of a uid in a policy.
pub(crate) fn uid(symbols: &mut Symbols, uid: &EntityUID) -> Uid {
    symbols.uid(&uid.ty.to_string(), &uid.eid)
}

fn unary(op: UnaryOp) -> Option<Unary> {
    Some(match op {
        UnaryOp::Not => Unary::Not,
        UnaryOp::Neg => Unary::Negate,
        UnaryOp::IsEmpty => Unary::IsEmpty,
        UnaryOp::Datetime => Unary::Datetime,
        UnaryOp::Decimal => Unary::Decimal,
        UnaryOp::Duration => Unary::Duration,
        UnaryOp::Ip => Unary::Ip,
        UnaryOp::IsIPv4 => Unary::IsIpv4,
        UnaryOp::IsIPV6 => Unary::IsIpv6,
        UnaryOp::IsLoopback => Unary::IsLoopback,
        UnaryOp::IsMulticast => Unary::IsMulticast,
        UnaryOp::ToDate => Unary::ToDate,
        UnaryOp::ToTime => Unary::ToTime,
        UnaryOp::ToMilliseconds => Unary::ToUnits(1),
        UnaryOp::ToSeconds => Unary::ToUnits(1000),
        UnaryOp::ToMinutes => Unary::ToUnits(60_000),
        UnaryOp::ToHours => Unary::ToUnits(3_600_000),
        UnaryOp::ToDays => Unary::ToUnits(86_400_000),
        _ => return None,
    })
}

fn binary(op: BinaryOp) -> Option<Binary> {
    Some(match op {
        BinaryOp::Eq => Binary::Equal,
        BinaryOp::NotEq => Binary::NotEqual,
        BinaryOp::Less => Binary::Less,
        BinaryOp::LessEq => Binary::LessOrEqual,
        BinaryOp::Greater => Binary::Greater,
        BinaryOp::GreaterEq => Binary::GreaterOrEqual,
        BinaryOp::Add => Binary::Add,
        BinaryOp::Sub => Binary::Subtract,
        BinaryOp::Mul => Binary::Multiply,
        BinaryOp::In => Binary::In,
        BinaryOp::Contains => Binary::Contains,
        BinaryOp::ContainsAll => Binary::ContainsAll,
        BinaryOp::ContainsAny => Binary::ContainsAny,
        BinaryOp::GetTag => Binary::GetTag,
        BinaryOp::HasTag => Binary::HasTag,
        BinaryOp::IsInRange => Binary::IsInRange,
        BinaryOp::Offset => Binary::Offset,
        BinaryOp::DurationSince => Binary::DurationSince,
        BinaryOp::DecimalLessThan => Binary::DecimalLess,
        BinaryOp::DecimalLessEq => Binary::DecimalLessOrEqual,
        BinaryOp::DecimalGreater => Binary::DecimalGreater,
        BinaryOp::DecimalGreaterEq => Binary::DecimalGreaterOrEqual,
        BinaryOp::And | BinaryOp::Or | _ => return None,
    })
}
