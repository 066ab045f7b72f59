//! Operators and functions of one argument.

use crate::evaluator::program::Unary;
use crate::evaluator::run::{Failed, Run};
use crate::evaluator::value::{
    Ip, Layer, Place, Value, parse_datetime, parse_decimal, parse_duration, to_date, to_time,
};

impl Run<'_> {
    pub(super) fn unary(&mut self, op: Unary, argument: Value) -> Result<Value, Failed> {
        match (op, argument) {
            (Unary::Not, Value::Bool(value)) => Ok(Value::Bool(!value)),
            (Unary::Negate, Value::Long(value)) => value.checked_neg().map(Value::Long).ok_or(Failed),
            (Unary::IsEmpty, Value::Set(set)) => Ok(Value::Bool(set.len == 0)),
            (Unary::Ip, Value::Text(text)) => {
                let ip = Ip::parse(self.text(text)?).ok_or(Failed)?;
                let ips = &mut self.scratch.pool.ips;
                let index = u32::try_from(ips.len()).map_err(|_| Failed)?;
                ips.push(ip);
                Ok(Value::Ip(Place { layer: Layer::Scratch, index }))
            }
            (Unary::Decimal, Value::Text(text)) => {
                parse_decimal(self.text(text)?).map(Value::Decimal).ok_or(Failed)
            }
            (Unary::Datetime, Value::Text(text)) => {
                parse_datetime(self.text(text)?).map(Value::Datetime).ok_or(Failed)
            }
            (Unary::Duration, Value::Text(text)) => {
                parse_duration(self.text(text)?).map(Value::Duration).ok_or(Failed)
            }
            (Unary::IsIpv4, ip) => Ok(Value::Bool(self.ip(ip)?.is_v4())),
            (Unary::IsIpv6, ip) => Ok(Value::Bool(!self.ip(ip)?.is_v4())),
            (Unary::IsLoopback, ip) => Ok(Value::Bool(self.ip(ip)?.is_loopback())),
            (Unary::IsMulticast, ip) => Ok(Value::Bool(self.ip(ip)?.is_multicast())),
            (Unary::ToDate, Value::Datetime(at)) => to_date(at).map(Value::Datetime).ok_or(Failed),
            (Unary::ToTime, Value::Datetime(at)) => Ok(Value::Duration(to_time(at))),
            (Unary::ToUnits(millis), Value::Duration(duration)) => {
                duration.checked_div(millis).map(Value::Long).ok_or(Failed)
            }
            (_, _) => Err(Failed),
        }
    }

    pub(super) fn ip(&self, value: Value) -> Result<Ip, Failed> {
        let Value::Ip(place) = value else { return Err(Failed) };
        self.pools().ip(place).copied().ok_or(Failed)
    }
}
