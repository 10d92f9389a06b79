//! `lifecycle status`: how the service sees a token now, beside what we hold of it.

use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use serde_json::{Value, json};

use crate::cli::output::{self, rfc3339, table, time};
use crate::cli::{NOT_WELL, misuse};
use crate::clock::{Clock, SystemClock};
use crate::config::settings::Settings;
use crate::domain::command::{Seen, Service};
use crate::domain::masked::without_written_numbers;
use crate::domain::token::Token;
use crate::lifecycle::ordering::{self, Offered, Refused};
use crate::lifecycle::{Looked, TokenService};
use crate::mdes;
use crate::store::{Memory, Store as _};
use crate::tokenex;

/// Which token, by whom.
#[derive(Debug, Args)]
pub(super) struct Status {
    /// The token's reference.
    reference: String,
    /// tokenex or mdes.
    #[arg(long)]
    through: Option<String>,
    /// Whose reference it is: mdes or tokenex.
    #[arg(long)]
    namespace: Option<String>,
    /// Which network token of a TokenEx token.
    #[arg(long, value_name = "ID")]
    token_reference_id: Option<String>,
    /// For programs.
    #[arg(long)]
    json: bool,
}

/// Exit code 1 if the service does not say, or says otherwise than we hold. Nothing is written down.
pub(super) async fn run(args: &Status, settings: &Settings, memory: &Memory) -> anyhow::Result<ExitCode> {
    let offered = Offered::by(&settings.lifecycle);
    let unfit = |refused: Refused| match refused {
        Refused::Unfit(unfit) => Err(misuse(unfit)),
        Refused::Store(error) => Err(error.into()),
    };
    let meant = || -> Result<_, Refused> {
        let token = ordering::token(args.namespace.as_deref(), &args.reference)?;
        Ok((token, offered.service(args.through.as_deref())?))
    };
    let (token, through) = match meant() {
        Ok(meant) => meant,
        Err(refused) => return unfit(refused),
    };
    let target = match ordering::target(&token, through, args.token_reference_id.as_deref(), memory).await {
        Ok(target) => target,
        Err(refused) => return unfit(refused),
    };
    let held = memory.token(&token).await?.map(|kept| kept.token);
    match service(through, settings)?.look(&target).await {
        Ok(looked) => Ok(shown(args.json, through, &looked, held.as_ref())),
        Err(trouble) => {
            output::tell(output::escaped(&without_written_numbers(&trouble.why, false)));
            Ok(ExitCode::from(NOT_WELL))
        }
    }
}

fn service(through: Service, settings: &Settings) -> anyhow::Result<Box<dyn TokenService>> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let lifecycle = &settings.lifecycle;
    match (through, &lifecycle.tokenex, &lifecycle.mdes) {
        (Service::TokenEx, Some(tokenex), _) => Ok(Box::new(tokenex::client::TokenEx::load(tokenex, clock)?)),
        (Service::Mdes, _, Some(mdes)) => Ok(Box::new(mdes::client::Client::load(mdes, clock)?)),
        _ => anyhow::bail!("`{}` is not configured", through.as_str()),
    }
}

fn shown(as_json: bool, through: Service, looked: &Looked, held: Option<&Token>) -> ExitCode {
    let agrees = held.is_none_or(|held| held.status() == Some(&looked.seen.status));
    if as_json {
        output::print_json(&json!({
            "through": through,
            "service": of_service(&looked.seen),
            "held": held.map(of_us),
            "agrees": held.map(|_| agrees),
            "answer": looked.words,
        }));
    } else {
        output::print(&table(
            ["", "STATUS", "SUSPENDED BY", "SINCE"],
            &rows(through, &looked.seen, held),
        ));
        if !agrees {
            output::print("they differ\n");
        }
    }
    if agrees {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(NOT_WELL)
    }
}

fn rows(through: Service, seen: &Seen, held: Option<&Token>) -> Vec<[String; 4]> {
    let names = |names: Vec<String>| {
        if names.is_empty() {
            output::dash()
        } else {
            names.join(", ")
        }
    };
    let suspenders = seen.suspended_by.clone().map(|by| names(by.into_iter().collect()));
    let service = [
        format!("{} says", through.as_str()),
        seen.status.to_string(),
        suspenders.unwrap_or_else(|| "it does not say".to_owned()),
        time(seen.at),
    ];
    let held = match held {
        Some(held) => [
            "we hold".to_owned(),
            held.status().map_or_else(output::dash, ToString::to_string),
            names(held.suspended_by().map(ToString::to_string).collect()),
            time(held.status_at()),
        ],
        None => ["we hold", "nothing", "-", "-"].map(str::to_owned),
    };
    vec![service, held]
}

fn of_service(seen: &Seen) -> Value {
    json!({ "status": seen.status, "suspended_by": seen.suspended_by, "status_at": seen.at.map(rfc3339) })
}

fn of_us(held: &Token) -> Value {
    json!({
        "status": held.status(),
        "suspended_by": held.suspended_by().collect::<Vec<_>>(),
        "status_at": held.status_at().map(rfc3339),
        "provisional": held.is_provisional(),
    })
}
