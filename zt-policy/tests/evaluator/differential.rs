//! Random worlds: no difference to Cedar's authorizer, in decision, reasons and errors.
//!
//! `ZT_CASES=1000000 cargo test --release -p zt-policy --test evaluator differential` for more of them;
//! `ZT_SEED=7` for one world alone, which is what a failure asks for.

use std::collections::BTreeMap;

use cedar_policy::{Decision, PolicySet};
use zt_policy::{Answer, Evaluator};

use crate::compare::{check, expected};
use crate::generate::expression::Operators;
use crate::generate::policy::{Pool, pool, set};
use crate::generate::random::Random;
use crate::generate::schema::{World, world};
use crate::generate::value::{entities, request};

const POLICIES: usize = 60;
const SETS: usize = 20;
const STORES: usize = 2;
const REQUESTS: usize = 5;
const CASES: usize = SETS * STORES * REQUESTS;

#[test]
fn differential() {
    let number = |name| std::env::var(name).ok().map(|text: String| text.parse::<u64>().expect("a number"));
    let cases = number("ZT_CASES").unwrap_or(20_000);
    let seeds = match number("ZT_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..cases.div_ceil(u64::try_from(CASES).unwrap()),
    };
    let threads = u64::try_from(std::thread::available_parallelism().unwrap().get()).unwrap();
    let workers: Vec<_> = (0..threads)
        .map(|worker| {
            let seeds = seeds.clone().filter(move |seed| seed % threads == worker);
            // With room on the stack, without which Cedar would call policies failed.
            let thread = std::thread::Builder::new().stack_size(64 * 1024 * 1024);
            thread.spawn(move || seeds.map(run).fold(Counts::default(), Counts::add)).unwrap()
        })
        .collect();
    let counts = workers.into_iter().map(|worker| worker.join().expect("no difference"));
    let counts = counts.fold(Counts::default(), Counts::add);
    println!("{counts:#?}");
    if number("ZT_SEED").is_none() {
        counts.check();
    }
}

/// What the cases were like.
#[derive(Debug, Default)]
struct Counts {
    cases: usize,
    allows: usize,
    denials: usize,
    with_errors: usize,
    forbidden: usize,
    /// Allowed by Cedar, though a forbid failed.
    failed_open: usize,
    lowered: usize,
    policies: usize,
    unlowered: usize,
    operators: Operators,
}

impl Counts {
    fn add(mut self, other: Self) -> Self {
        self.cases += other.cases;
        self.allows += other.allows;
        self.denials += other.denials;
        self.with_errors += other.with_errors;
        self.forbidden += other.forbidden;
        self.failed_open += other.failed_open;
        self.lowered += other.lowered;
        self.policies += other.policies;
        self.unlowered += other.unlowered;
        for (operator, count) in other.operators {
            *self.operators.entry(operator).or_default() += count;
        }
        self
    }

    /// That the cases were worth it.
    fn check(&self) {
        let at_least = |count: usize, percent: usize, what: &str| {
            assert!(count * 100 >= self.cases * percent, "{what} in {count} of {} cases", self.cases);
        };
        at_least(self.allows, 10, "allowed");
        at_least(self.denials, 10, "denied");
        at_least(self.with_errors, 2, "an error");
        at_least(self.forbidden, 5, "forbidden");
        assert!(self.failed_open * 1000 >= self.cases, "{} allowed though a forbid failed", self.failed_open);
        assert!(self.unlowered * 20 <= self.policies, "{} of {} not lowered", self.unlowered, self.policies);
        for operator in OPERATORS {
            let count = self.operators.get(operator).copied().unwrap_or_default();
            assert!(count >= 20, "`{operator}` was written {count} times");
        }
    }
}

const OPERATORS: &[&str] = &[
    "!",
    "&&",
    "||",
    "if",
    "==",
    "!=",
    "<",
    "<=",
    ">",
    ">=",
    "+",
    "-",
    "*",
    "negate",
    "in",
    "is",
    "is in",
    "has",
    "has a.b",
    "like",
    "contains",
    "containsAll",
    "containsAny",
    "isEmpty",
    "hasTag",
    "getTag",
    "[..]",
    "{..}",
    "ip",
    "isIpv4",
    "isIpv6",
    "isLoopback",
    "isMulticast",
    "isInRange",
    "decimal",
    "lessThan",
    "lessThanOrEqual",
    "greaterThan",
    "greaterThanOrEqual",
    "datetime",
    "offset",
    "durationSince",
    "toDate",
    "toTime",
    "duration",
    "toMilliseconds",
    "toSeconds",
    "toMinutes",
    "toHours",
    "toDays",
];

/// All cases of one world.
fn run(seed: u64) -> Counts {
    let random = &mut Random::new(seed);
    let own = world(random);
    let policies = pool(random, &own, POLICIES);
    // Another schema with the same names, whose entities and requests do not fit the policies.
    let other = world(random);
    let mut counts = Counts { operators: policies.operators.clone(), ..Counts::default() };
    for index in 0..SETS {
        let set = choose(random, &policies, index % 4 == 3);
        let evaluator = Evaluator::new(set.clone()).unwrap();
        counts.policies += set.num_of_policies();
        counts.unlowered += evaluator.unlowered().count();
        for _ in 0..STORES {
            let world = if index % 5 == 4 { &other } else { &own };
            decide(random, world, (&evaluator, &set), &mut counts)
                .unwrap_or_else(|difference| panic!("ZT_SEED={seed} differs\n{difference}\n{set}"));
        }
    }
    counts
}

fn choose(random: &mut Random, policies: &Pool, with_invalid: bool) -> PolicySet {
    let mut sources = Vec::new();
    for _ in 0..1 + random.below(8) {
        sources.push(random.pick(&policies.valid));
    }
    if with_invalid && !policies.invalid.is_empty() {
        sources.extend((0..4).map(|_| random.pick(&policies.invalid)));
    }
    set(&sources)
}

fn decide(
    random: &mut Random,
    world: &World,
    (evaluator, set): (&Evaluator, &PolicySet),
    counts: &mut Counts,
) -> Result<(), String> {
    let entities = entities(random, world);
    let store = evaluator.store(entities.clone()).unwrap();
    let mut answer = Answer::new();
    for _ in 0..REQUESTS {
        let request = request(random, world);
        let expected = expected(set, &entities, &request);
        let prepared = store.prepare(request.clone()).unwrap();
        check(evaluator, &prepared, &expected, &mut answer)
            .map_err(|difference| format!("{difference}\n{request}"))?;
        let effects: BTreeMap<_, _> = set.policies().map(|policy| (policy.id(), policy.effect())).collect();
        let forbid = |id| effects[id] == cedar_policy::Effect::Forbid;
        let allowed = expected.decision == Decision::Allow;
        counts.cases += 1;
        counts.allows += usize::from(allowed);
        counts.denials += usize::from(!allowed);
        counts.with_errors += usize::from(!expected.errors.is_empty());
        counts.forbidden += usize::from(!allowed && !expected.reason.is_empty());
        counts.failed_open += usize::from(allowed && expected.errors.iter().any(forbid));
        counts.lowered += usize::from(answer.is_lowered());
    }
    Ok(())
}
