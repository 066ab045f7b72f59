//! Random expressions of a wanted type.

use std::collections::BTreeMap;

use super::random::Random;
use super::schema::{Attribute, Type, World, any};
use super::value::{DATETIMES, DECIMALS, DURATIONS, IPS, LONGS, TEXTS, uid};

/// How often each operator was written.
pub(crate) type Operators = BTreeMap<&'static str, usize>;

/// Writes expressions that read a principal, a resource and a context of known types.
pub(crate) struct Writer<'a> {
    pub(crate) random: &'a mut Random,
    pub(crate) world: &'a World,
    /// Values at hand, as text and with their types.
    pub(crate) roots: Vec<(String, Type)>,
    /// Percent of operands that are of another type than they should be.
    pub(crate) confusion: usize,
    pub(crate) operators: Operators,
}

impl Writer<'_> {
    pub(crate) fn bool(&mut self, depth: usize) -> String {
        if depth == 0 {
            return self.leaf(&Type::Bool);
        }
        let depth = depth - 1;
        match self.random.below(32) {
            0 => self.leaf(&Type::Bool),
            1 => self.prefix("!", |writer| writer.bool(depth)),
            2 | 3 => self.infix("&&", |writer| writer.bool(depth)),
            4 | 5 => self.infix("||", |writer| writer.bool(depth)),
            6 => self.choice(&Type::Bool, depth),
            7..=9 => {
                let of = self.any();
                let op = *self.random.pick(&["==", "!="]);
                self.infix(op, |writer| writer.of(&of, depth))
            }
            10..=12 => {
                let of = self.random.pick(&[Type::Long, Type::Long, Type::Datetime, Type::Duration]).clone();
                let op = *self.random.pick(&["<", "<=", ">", ">="]);
                self.infix(op, |writer| writer.of(&of, depth))
            }
            13 | 14 => self.within(depth),
            15 => {
                let (of, _) = self.entity(depth);
                let name = self.type_name();
                self.count("is");
                format!("({of} is {name})")
            }
            16 => {
                let ((of, place), ancestor) = (self.entity(depth), self.random.below(self.world.types.len()));
                self.count("is in");
                let within = self.of(&Type::Entity(ancestor), 0);
                format!("({of} is {} in {within})", self.world.types[place].name)
            }
            17..=20 => self.guarded(depth),
            21 => {
                let pattern =
                    *self.random.pick(&["*", "", "a*", "*b", "a*b", "*a*", "a\\*b", "str*e", "**a"]);
                let text = self.of(&Type::Text, depth);
                self.count("like");
                format!("({text} like \"{pattern}\")")
            }
            22 | 23 => {
                let of = self.any();
                let set = self.of(&Type::Set(Box::new(of.clone())), depth);
                let method = *self.random.pick(&["contains", "containsAll", "containsAny", "isEmpty"]);
                let argument = match method {
                    "contains" => self.of(&of, depth),
                    "isEmpty" => String::new(),
                    _ => self.of(&Type::Set(Box::new(of)), depth),
                };
                self.method(&set, method, &argument)
            }
            24 | 25 => self.tag(depth),
            26 => {
                let ip = self.of(&Type::Ip, depth);
                let method = *self.random.pick(&["isIpv4", "isIpv6", "isLoopback", "isMulticast"]);
                self.method(&ip, method, "")
            }
            28 => self.constants(),
            29 => {
                let of = self.random.pick(&[Type::Duration, Type::Datetime]).clone();
                let method = if of == Type::Duration { "toTime" } else { "toDate" };
                let (at, other) = (self.leaf(&Type::Datetime), self.leaf(&of));
                self.count("<=");
                format!("({} <= {other})", self.method(&at, method, ""))
            }
            27 => {
                let (ip, range) = (self.of(&Type::Ip, depth), self.of(&Type::Ip, depth));
                self.method(&ip, "isInRange", &range)
            }
            _ => {
                let (a, b) = (self.of(&Type::Decimal, depth), self.of(&Type::Decimal, depth));
                let method =
                    *self.random.pick(&["lessThan", "lessThanOrEqual", "greaterThan", "greaterThanOrEqual"]);
                self.method(&a, method, &b)
            }
        }
    }

    pub(crate) fn of(&mut self, of: &Type, depth: usize) -> String {
        let other = self.any();
        let of = if self.random.percent(self.confusion) { &other } else { of };
        if depth == 0 || self.random.percent(20) {
            return self.leaf(of);
        }
        let depth = depth - 1;
        if self.random.percent(10) {
            return self.choice(of, depth);
        }
        if self.random.percent(8) {
            // A field of a record that is made for it.
            let (value, rest) = (self.of(of, depth), self.leaf(&Type::Long));
            self.count("{..}");
            return format!("{{\"x\": {value}, \"y\": {rest}}}.x");
        }
        match of {
            Type::Bool => self.bool(depth),
            Type::Long => match self.random.below(5) {
                0 => self.prefix("-", |writer| writer.of(&Type::Long, depth)),
                1 | 2 => {
                    let op = *self.random.pick(&["+", "-", "*"]);
                    self.infix(op, |writer| writer.of(&Type::Long, depth))
                }
                _ => {
                    let span = self.of(&Type::Duration, depth);
                    let units = ["toMilliseconds", "toSeconds", "toMinutes", "toHours", "toDays"];
                    let method = *self.random.pick(&units);
                    self.method(&span, method, "")
                }
            },
            Type::Datetime => {
                let at = self.of(&Type::Datetime, depth);
                if self.random.percent(50) {
                    self.method(&at, "toDate", "")
                } else {
                    let by = self.of(&Type::Duration, depth);
                    self.method(&at, "offset", &by)
                }
            }
            Type::Duration => {
                let at = self.of(&Type::Datetime, depth);
                if self.random.percent(40) {
                    self.method(&at, "toTime", "")
                } else {
                    let since = self.of(&Type::Datetime, depth);
                    self.method(&at, "durationSince", &since)
                }
            }
            Type::Set(of) => {
                let elements: Vec<_> = (0..1 + self.random.below(3)).map(|_| self.of(of, depth)).collect();
                self.set(elements)
            }
            Type::Record(fields) if self.random.percent(50) => self.record(fields, depth),
            Type::Text | Type::Ip | Type::Decimal | Type::Entity(_) | Type::Record(_) => self.leaf(of),
        }
    }

    /// A value at hand, or a constant.
    fn leaf(&mut self, of: &Type) -> String {
        let found: Vec<_> = self.reachable().into_iter().filter(|(_, here)| here == of).collect();
        if !found.is_empty() && self.random.percent(75) {
            return self.random.pick(&found).0.clone();
        }
        match of {
            Type::Bool => (*self.random.pick(&["true", "false"])).into(),
            Type::Long => self.random.pick(&LONGS).to_string(),
            Type::Text => format!("\"{}\"", self.random.pick(&TEXTS)),
            Type::Ip => self.call("ip", &IPS),
            Type::Decimal => self.call("decimal", &DECIMALS),
            Type::Datetime => self.call("datetime", &DATETIMES),
            Type::Duration => self.call("duration", &DURATIONS),
            Type::Entity(place) => uid(self.random, &self.world.types[*place].name),
            Type::Set(of) => {
                let elements = (0..1 + self.random.below(2)).map(|_| self.leaf(of)).collect();
                self.set(elements)
            }
            Type::Record(fields) => self.record(fields, 0),
        }
    }

    /// Some elements come twice.
    fn set(&mut self, mut elements: Vec<String>) -> String {
        if self.random.percent(30) {
            elements.push(self.random.pick(&elements).clone());
        }
        self.count("[..]");
        format!("[{}]", elements.join(", "))
    }

    fn call(&mut self, name: &'static str, texts: &[&str]) -> String {
        self.count(name);
        format!("{name}(\"{}\")", self.random.pick(texts))
    }

    fn record(&mut self, fields: &[Attribute], depth: usize) -> String {
        self.count("{..}");
        let mut found = Vec::new();
        for field in fields.iter().filter(|field| field.required) {
            found.push(format!("\"{}\": {}", field.name, self.of(&field.of, depth)));
        }
        format!("{{{}}}", found.join(", "))
    }

    /// What can be read of the roots without asking whether it is there.
    fn reachable(&self) -> Vec<(String, Type)> {
        let mut found = self.roots.clone();
        let (mut from, mut steps) = (0, 0);
        while steps < 3 && found.len() < 200 {
            let to = found.len();
            for index in from..to {
                let (text, of) = found[index].clone();
                for field in self.attributes(&of).iter().filter(|field| field.required) {
                    found.push((dot(&text, &field.name), field.of.clone()));
                }
            }
            (from, steps) = (to, steps + 1);
        }
        found
    }

    fn attributes<'t>(&'t self, of: &'t Type) -> &'t [Attribute] {
        match of {
            Type::Entity(place) => &self.world.types[*place].attributes,
            Type::Record(fields) => fields,
            _ => &[],
        }
    }

    /// Constants, which may be equal in different words.
    fn constants(&mut self) -> String {
        let roots = std::mem::take(&mut self.roots);
        let element = any(self.random, self.world.types.len(), 0);
        let of = if self.random.percent(50) { Type::Set(Box::new(element)) } else { element };
        let (a, b) = (self.leaf(&of), self.leaf(&of));
        self.roots = roots;
        self.count("==");
        format!("({a} == {b})")
    }

    /// `has`, and then what uses it.
    fn guarded(&mut self, depth: usize) -> String {
        let mut found = Vec::new();
        for (text, of) in self.reachable() {
            for field in self.attributes(&of).to_vec() {
                if !field.required || self.random.percent(20) {
                    found.push((text.clone(), field));
                }
            }
        }
        if found.is_empty() {
            return self.leaf(&Type::Bool);
        }
        let (text, field) = self.random.pick(&found).clone();
        self.count("has");
        let path = dot(&text, &field.name);
        let mut guard = format!("{text} has {}", quoted(&field.name));
        let mut inner = (path.clone(), field.of.clone());
        let next: Vec<_> =
            self.attributes(&field.of).iter().filter(|next| is_name(&next.name)).cloned().collect();
        if is_name(&field.name) && !next.is_empty() && self.random.percent(50) {
            let next = self.random.pick(&next).clone();
            self.count("has a.b");
            guard = format!("{text} has {}.{}", field.name, next.name);
            inner = (dot(&path, &next.name), next.of);
        }
        if self.random.percent(20) {
            return format!("({guard})");
        }
        self.roots.push(inner);
        let then = self.bool(depth);
        self.roots.pop();
        if self.random.percent(20) {
            let otherwise = self.bool(depth);
            self.count("if");
            return format!("(if {guard} then {then} else {otherwise})");
        }
        format!("({guard} && {then})")
    }

    fn tag(&mut self, depth: usize) -> String {
        let (of, place) = self.entity(0);
        let name = format!("\"{}\"", self.random.pick(&TEXTS));
        self.count("hasTag");
        let guard = format!("{of}.hasTag({name})");
        match self.world.types[place].tags.clone() {
            None => format!("({guard})"),
            Some(tags) => {
                self.count("getTag");
                self.roots.push((format!("{of}.getTag({name})"), tags));
                let then = self.bool(depth);
                self.roots.pop();
                format!("({guard} && {then})")
            }
        }
    }

    /// An entity and its type.
    fn entity(&mut self, depth: usize) -> (String, usize) {
        let entities = self.reachable().into_iter().filter_map(|(text, of)| match of {
            Type::Entity(place) => Some((text, place)),
            _ => None,
        });
        let found: Vec<_> = entities.collect();
        if depth == 0 || self.random.percent(80) {
            return self.random.pick(&found).clone();
        }
        let place = self.random.below(self.world.types.len());
        (self.of(&Type::Entity(place), depth - 1), place)
    }

    fn within(&mut self, depth: usize) -> String {
        let (of, place) = self.entity(depth);
        let parents = &self.world.types[place].parents;
        let above = if parents.is_empty() { place } else { *self.random.pick(parents) };
        self.count("in");
        if self.random.percent(40) {
            let count = 1 + self.random.below(3);
            let set: Vec<_> = (0..count).map(|_| self.of(&Type::Entity(above), depth.min(1))).collect();
            return format!("({of} in [{}])", set.join(", "));
        }
        let ancestor = self.of(&Type::Entity(above), depth);
        format!("({of} in {ancestor})")
    }

    fn choice(&mut self, of: &Type, depth: usize) -> String {
        let (condition, then, otherwise) = (self.bool(depth), self.of(of, depth), self.of(of, depth));
        self.count("if");
        format!("(if {condition} then {then} else {otherwise})")
    }

    fn infix(&mut self, op: &'static str, mut operand: impl FnMut(&mut Self) -> String) -> String {
        self.count(op);
        let (a, b) = (operand(self), operand(self));
        format!("({a} {op} {b})")
    }

    fn prefix(&mut self, op: &'static str, operand: impl FnOnce(&mut Self) -> String) -> String {
        self.count(if op == "-" { "negate" } else { op });
        format!("({op}({}))", operand(self))
    }

    fn method(&mut self, of: &str, name: &'static str, argument: &str) -> String {
        self.count(name);
        format!("({of}).{name}({argument})")
    }

    fn any(&mut self) -> Type {
        // Mostly of a type that something at hand has.
        let found = self.reachable();
        if self.random.percent(80) {
            return self.random.pick(&found).1.clone();
        }
        any(self.random, self.world.types.len(), 1)
    }

    fn type_name(&mut self) -> String {
        self.random.pick(&self.world.types).name.clone()
    }

    fn count(&mut self, operator: &'static str) {
        *self.operators.entry(operator).or_default() += 1;
    }
}

fn dot(text: &str, name: &str) -> String {
    if is_name(name) { format!("{text}.{name}") } else { format!("{text}[\"{name}\"]") }
}

fn quoted(name: &str) -> String {
    if is_name(name) { name.to_owned() } else { format!("\"{name}\"") }
}

fn is_name(name: &str) -> bool {
    name != "if" && name.chars().all(char::is_alphabetic)
}
