//! `tokens list`: all that were heard of, or those that fit what is known of them.

use std::process::ExitCode;

use clap::Args;
use serde_json::Value;
use time::OffsetDateTime;

use super::{json, namespace, told};
use crate::cli::{NOT_WELL, output};
use crate::domain::id::{Namespace, TokenReference};
use crate::domain::status::Status;
use crate::store::outbox::Standing;
use crate::store::search::{Place, Search as _, Sought};
use crate::store::{KeptToken, Memory, Store as _};

#[derive(Debug, Args)]
pub(super) struct List {
    /// Whose number, or whose card's number, ends so.
    #[arg(long, value_name = "DIGITS")]
    suffix: Option<String>,
    /// Standing so: ACTIVE, SUSPENDED, DEACTIVATED, INACTIVE, or a word of MDES's that we do not know.
    #[arg(long, value_name = "STATUS")]
    status: Option<String>,
    /// Of this requestor (TRID).
    #[arg(long, value_name = "TRID")]
    requestor: Option<String>,
    /// Registered under this reference of yours.
    #[arg(long, value_name = "REFERENCE")]
    merchant_reference: Option<String>,
    /// Whose status became what it is then or later.
    #[arg(long, value_name = "TIME", value_parser = output::instant)]
    since: Option<OffsetDateTime>,
    /// Whose status became what it is before.
    #[arg(long, value_name = "TIME", value_parser = output::instant)]
    until: Option<OffsetDateTime>,
    /// What is held of it may not be the truth.
    #[arg(long)]
    provisional: bool,
    /// Begin after this reference.
    #[arg(long, value_name = "REFERENCE")]
    after: Option<String>,
    /// Whose reference that is.
    #[arg(long, default_value = "mdes", value_parser = namespace, requires = "after")]
    namespace: Namespace,
    /// How many at most.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
    /// For programs.
    #[arg(long)]
    json: bool,
}

impl List {
    fn sought(&self) -> Sought {
        Sought {
            suffix: self.suffix.clone(),
            status: self.status.clone().map(Status::from),
            requestor: self.requestor.clone(),
            merchant_reference: self.merchant_reference.clone(),
            since: self.since,
            until: self.until,
            provisional: self.provisional,
        }
    }

    fn after(&self) -> Option<TokenReference> {
        let reference = self.after.clone()?;
        let namespace = self.namespace;
        Some(TokenReference { namespace, reference })
    }
}

pub(super) async fn run(args: &List, memory: &Memory) -> anyhow::Result<ExitCode> {
    let sought = args.sought();
    let (tokens, values): (Vec<KeptToken>, Vec<Value>) = if sought == Sought::default() {
        let tokens = memory.tokens(args.after().as_ref(), args.limit).await?;
        let values = tokens.iter().map(json::token).collect();
        (tokens, values)
    } else {
        let Some(after) = place(args, memory).await? else {
            output::tell("the token after which to begin is not there: begin anew, without --after");
            return Ok(ExitCode::from(NOT_WELL));
        };
        let found = found(&sought, after, args.limit, memory).await?;
        let values = found.iter().map(Standing::shown).collect();
        (found.into_iter().map(kept).collect(), values)
    };
    match args.json {
        true => output::print_json(&values.into()),
        false => output::print(&told::list(&tokens, args.limit)),
    }
    Ok(ExitCode::SUCCESS)
}

/// As many as are wanted: where no index serves, a page may hold fewer and go on all the same.
async fn found(
    sought: &Sought,
    mut after: Option<Place>,
    limit: u32,
    memory: &Memory,
) -> anyhow::Result<Vec<Standing>> {
    let mut all = Vec::new();
    loop {
        let left = limit - all.len() as u32;
        let page = memory.found(sought, after.as_ref(), left).await?;
        all.extend(page.tokens);
        after = page.next;
        if after.is_none() || all.len() >= limit as usize {
            return Ok(all);
        }
    }
}

/// Where the page before ended; `None` if the token that it ended with is not there.
async fn place(args: &List, memory: &Memory) -> anyhow::Result<Option<Option<Place>>> {
    let Some(token) = args.after() else {
        return Ok(Some(None));
    };
    let called = memory.called(token.namespace, &token.reference).await?;
    let found = called.into_iter().find(|one| one.token.reference == token);
    Ok(found.map(|one| {
        let at = one.token.status_at();
        Some(Place { at, token })
    }))
}

fn kept(standing: Standing) -> KeptToken {
    KeptToken {
        token: standing.token,
        updated_at: standing.updated_at,
    }
}
