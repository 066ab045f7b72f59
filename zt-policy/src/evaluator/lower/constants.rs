//! Constants, made once.

use cedar_policy::pst::Literal;

use crate::evaluator::lower::{Lowering, Unlowered, uid};
use crate::evaluator::program::{Node, Unary};
use crate::evaluator::symbols::TextId;
use crate::evaluator::value::{Field, Ip, Value, parse_datetime, parse_decimal, parse_duration};

impl Lowering {
    pub(super) fn literal(&mut self, literal: &Literal) -> Result<Node, Unlowered> {
        Ok(Node::Constant(match literal {
            Literal::Bool(value) => Value::Bool(*value),
            Literal::Long(value) => Value::Long(*value),
            Literal::String(text) => self.builder.text(text),
            Literal::EntityUID(named) => Value::Entity(uid(&mut self.builder.symbols, named)),
            _ => return Err(Unlowered::Unknown(format!("{literal:?}"))),
        }))
    }

    pub(super) fn unary(&mut self, op: Unary, argument: Node) -> Node {
        match self.constant(op, &argument) {
            Some(Some(value)) => Node::Constant(value),
            Some(None) => Node::Failure,
            None => Node::Unary(op, Box::new(argument)),
        }
    }

    pub(super) fn set(&mut self, elements: Vec<Node>) -> Node {
        let values: Option<_> = elements.iter().map(value).collect();
        match values {
            Some(values) => Node::Constant(self.builder.set(values)),
            None => Node::Set(elements.into()),
        }
    }

    pub(super) fn record(&mut self, fields: Vec<(TextId, Node)>) -> Node {
        let field = |(name, node): &(TextId, Node)| Some(Field { name: *name, value: value(node)? });
        match fields.iter().map(field).collect() {
            Some(fields) => Node::Constant(Value::Record(self.builder.fields(fields))),
            None => Node::Record(fields.into()),
        }
    }

    /// What a constructor makes of a constant text, if this is one; `Some(None)` if it fails.
    fn constant(&mut self, op: Unary, argument: &Node) -> Option<Option<Value>> {
        let Node::Constant(Value::Text(text)) = argument else { return None };
        let text = self.builder.symbols.text_of(*text).unwrap_or_default();
        match op {
            Unary::Ip => {
                let ip = Ip::parse(text);
                Some(ip.map(|ip| self.builder.ip(ip)))
            }
            Unary::Decimal => Some(parse_decimal(text).map(Value::Decimal)),
            Unary::Datetime => Some(parse_datetime(text).map(Value::Datetime)),
            Unary::Duration => Some(parse_duration(text).map(Value::Duration)),
            Unary::Not
            | Unary::Negate
            | Unary::IsEmpty
            | Unary::IsIpv4
            | Unary::IsIpv6
            | Unary::IsLoopback
            | Unary::IsMulticast
            | Unary::ToDate
            | Unary::ToTime
            | Unary::ToUnits(_) => None,
        }
    }
}

fn value(node: &Node) -> Option<Value> {
    if let Node::Constant(value) = node { Some(*value) } else { None }
}
