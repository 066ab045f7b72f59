//! A policy's conditions, lowered: a tree without texts, with its constants parsed.

use crate::evaluator::symbols::TextId;
use crate::evaluator::value::{Pool, Value};

/// The conditions of a policy, without its scope.
#[derive(Debug)]
pub(crate) struct Program {
    pub(crate) root: Node,
    pub(crate) constants: Pool,
    /// The levels of the tree.
    pub(crate) depth: usize,
    pub(crate) reads: ContextReads,
}

/// The attributes of the context that a program can see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ContextReads {
    All,
    Names(Vec<TextId>),
}

/// An expression.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) enum Node {
    Constant(Value),
    /// A constant that cannot be made, like `ip("x")`.
    Failure,
    Variable(Variable),
    /// `.a.b.c`, of a record or an entity.
    Attributes(Box<Node>, Box<[TextId]>),
    /// `has a.b.c`, of a record or an entity.
    Has(Box<Node>, Box<[TextId]>),
    /// `&&` of all, in order.
    All(Box<[Node]>),
    /// `||` of all, in order.
    Any(Box<[Node]>),
    If(Box<[Node; 3]>),
    Unary(Unary, Box<Node>),
    Binary(Binary, Box<[Node; 2]>),
    Like(Box<Node>, Box<[Piece]>),
    Is(Box<Node>, TextId),
    /// `is T in x`.
    IsIn(Box<[Node; 2]>, TextId),
    Set(Box<[Node]>),
    /// In the order in which Cedar evaluates the fields.
    Record(Box<[(TextId, Node)]>),
}

/// What a request binds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Variable {
    Principal,
    Action,
    Resource,
    Context,
}

/// An operator or function of one argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Unary {
    Not,
    Negate,
    IsEmpty,
    Ip,
    Decimal,
    Datetime,
    Duration,
    IsIpv4,
    IsIpv6,
    IsLoopback,
    IsMulticast,
    ToDate,
    ToTime,
    /// `toMilliseconds` and the like: the milliseconds of one.
    ToUnits(i64),
}

/// An operator or function of two arguments, both of which are evaluated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Binary {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Add,
    Subtract,
    Multiply,
    In,
    Contains,
    ContainsAll,
    ContainsAny,
    GetTag,
    HasTag,
    IsInRange,
    Offset,
    DurationSince,
    DecimalLess,
    DecimalLessOrEqual,
    DecimalGreater,
    DecimalGreaterOrEqual,
}

/// A part of a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Piece {
    Char(char),
    Wildcard,
}

/// What a policy says to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It holds.
    True,
    /// It does not hold.
    False,
    /// It fails; Cedar then skips it.
    Error,
}

impl Program {
    /// What has to hold, all of it, in order.
    pub(crate) fn parts(&self) -> &[Node] {
        if let Node::All(parts) = &self.root { parts } else { std::slice::from_ref(&self.root) }
    }
}

impl Node {
    /// Whether this is so of it, or of anything within it.
    pub(crate) fn has(&self, test: &impl Fn(&Self) -> bool) -> bool {
        let any = |nodes: &[Self]| nodes.iter().any(|node| node.has(test));
        test(self)
            || match self {
                Self::Constant(_) | Self::Failure | Self::Variable(_) => false,
                Self::Attributes(of, _) | Self::Has(of, _) | Self::Like(of, _) | Self::Is(of, _) => {
                    of.has(test)
                }
                Self::Unary(_, argument) => argument.has(test),
                Self::All(nodes) | Self::Any(nodes) | Self::Set(nodes) => any(nodes),
                Self::If(nodes) => any(&**nodes),
                Self::Binary(_, nodes) | Self::IsIn(nodes, _) => any(&**nodes),
                Self::Record(fields) => fields.iter().any(|(_, node)| node.has(test)),
            }
    }
}
