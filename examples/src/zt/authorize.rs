//! `zt cedar authorize`: requests in, decisions out.

use std::fs;
use std::io::{self, BufWriter, IsTerminal as _, Write};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use serde::Serialize;
use zt_core::decide::PolicyIndex;
use zt_policy::{Answer, Engine, Evaluator, Prepared, read_entities, read_policies, read_schema};

use super::requests::read_requests;
use super::{Failure, RequestError};

const MAX_FILE_BYTES: u64 = 1024 * 1024 * 1024;
/// How many decisions there are between two reports of progress.
const REPORT_EVERY: usize = 10_000;

/// Decides Cedar requests, and prints one JSON object for each, in their order: `decision` ("allow" or "deny", as
/// Cedar decides: a policy that fails does not count), `reason` and `errors` (ids of policies, sorted), `fail_closed`
/// (the decision if a failure of any policy denies), and `lowered` (whether all policies in play are compiled).
///
/// The id of a policy is its annotation `@id`, or else `policyN`, N from 0, as in Cedar.
#[derive(Debug, Args)]
pub struct Authorize {
    /// The schema: JSON if the name ends in .json or the text begins with `{`, else Cedar's text format.
    #[arg(long, value_name = "FILE")]
    schema: PathBuf,
    /// The policies, in Cedar's text format.
    #[arg(long, value_name = "FILE")]
    policies: PathBuf,
    /// The entities, in Cedar's JSON format.
    #[arg(long, value_name = "FILE")]
    entities: PathBuf,
    /// The requests: a JSON array of objects with principal, action and resource, like `User::"alice"`, and context in
    /// Cedar's JSON format. All have to conform to the schema.
    #[arg(long, value_name = "FILE")]
    requests: PathBuf,
    /// Who decides; the answers are the same.
    #[arg(long, value_enum, default_value_t)]
    engine: EngineName,
}

/// The name of an [`Engine`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum EngineName {
    /// Cedar's authorizer.
    Stock,
    /// Cedar's authorizer, with the policies whose scopes hold.
    Indexed,
    /// The policies whose scopes hold, compiled.
    #[default]
    Lowered,
}

#[derive(Debug, Serialize)]
struct Line<'a> {
    decision: &'static str,
    reason: Vec<&'a str>,
    errors: Vec<&'a str>,
    fail_closed: &'static str,
    lowered: bool,
}

impl Authorize {
    /// Reads everything, then decides.
    ///
    /// # Errors
    /// If any input is not valid, before anything is printed; or if `out` cannot be written.
    pub fn run(&self, out: impl Write) -> Result<(), Failure> {
        let schema = read_schema(&name(&self.schema), &read(&self.schema)?)?;
        let policies = read_policies(&name(&self.policies), &read(&self.policies)?)?;
        let entities = read_entities(&name(&self.entities), &read(&self.entities)?, &schema)?;
        let requests = read_requests(&self.requests, &read(&self.requests)?, &schema)?;
        let evaluator = Evaluator::new(policies)
            .map_err(|problem| Failure::Compile { path: self.policies.clone(), problem })?;
        let store = evaluator
            .store(entities)
            .map_err(|problem| Failure::Store { path: self.entities.clone(), problem })?;
        let prepare = |(index, request)| {
            store.prepare(request).map_err(|problem| Failure::Request {
                path: self.requests.clone(),
                index,
                problem: RequestError::Prepare(problem),
            })
        };
        let prepared = requests.into_iter().enumerate().map(prepare).collect::<Result<Vec<_>, _>>()?;
        Ok(self.decide(&evaluator, &prepared, out)?)
    }

    fn decide(&self, evaluator: &Evaluator, requests: &[Prepared<'_>], out: impl Write) -> io::Result<()> {
        let mut out = BufWriter::new(out);
        let mut answer = Answer::new();
        let watched = io::stderr().is_terminal();
        for (done, request) in requests.iter().enumerate() {
            if watched && done > 0 && done.is_multiple_of(REPORT_EVERY) {
                write!(io::stderr(), "\r{done} of {} decided", requests.len())?;
            }
            request.evaluate_with(self.engine.into(), &mut answer);
            serde_json::to_writer(&mut out, &Line::new(evaluator, &answer))?;
            out.write_all(b"\n")?;
        }
        if watched && requests.len() > REPORT_EVERY {
            writeln!(io::stderr(), "\r{} decided       ", requests.len())?;
        }
        out.flush()
    }
}

impl<'a> Line<'a> {
    fn new(evaluator: &'a Evaluator, answer: &Answer) -> Self {
        let ids = |policies: &[PolicyIndex]| {
            let ids = policies.iter().filter_map(|policy| evaluator.id(*policy)).map(AsRef::as_ref);
            let mut ids: Vec<&str> = ids.collect();
            ids.sort_unstable();
            ids
        };
        let decision = |decision| match decision {
            cedar_policy::Decision::Allow => "allow",
            cedar_policy::Decision::Deny => "deny",
        };
        Self {
            decision: decision(answer.decision()),
            reason: ids(answer.reason()),
            errors: ids(answer.errors()),
            fail_closed: decision(answer.fail_closed()),
            lowered: answer.is_lowered(),
        }
    }
}

impl From<EngineName> for Engine {
    fn from(name: EngineName) -> Self {
        match name {
            EngineName::Stock => Self::Stock,
            EngineName::Indexed => Self::Indexed,
            EngineName::Lowered => Self::Lowered,
        }
    }
}

fn name(path: &Path) -> String {
    path.display().to_string()
}

fn read(path: &Path) -> Result<String, Failure> {
    let error = |problem| Failure::Read { path: path.to_owned(), problem };
    if fs::metadata(path).map_err(error)?.len() > MAX_FILE_BYTES {
        return Err(Failure::TooLarge { path: path.to_owned(), most: MAX_FILE_BYTES });
    }
    fs::read_to_string(path).map_err(error)
}
