//! `deliveries`: what is on its way to whom; try it again, set it aside, or send past events once more.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use time::OffsetDateTime;

use super::output::{self, table, time};
use super::{NOT_WELL, because, misuse, open_memory};
use crate::config::settings::Settings;
use crate::domain::delivery::State;
use crate::domain::event::Pattern;
use crate::domain::id::{DeliveryId, EventId, Namespace, TokenReference};
use crate::store::outbox::{DeliveryFilter, KeptDelivery, Outbox, ReplayFilter};
use crate::store::{Memory, Store, written};

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  mdes-receiver deliveries list --state parked
  mdes-receiver deliveries retry --destination orders --state parked --dry-run
  mdes-receiver deliveries skip --id 4711 --reason \"the shop deleted this card\"
  mdes-receiver deliveries replay --destination orders --since 2026-11-22T10:00:00Z --types token.suspended --dry-run")]
pub(super) struct DeliveriesArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// What is open (due, being sent, parked), in the order in which it was made.
    List {
        #[command(flatten)]
        which: Which,
        /// What was delivered or skipped, too.
        #[arg(long)]
        all: bool,
        /// Begin after this delivery.
        #[arg(long, value_name = "ID")]
        after: Option<DeliveryId>,
        /// How many at most.
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1000))]
        limit: u32,
        /// For programs.
        #[arg(long)]
        json: bool,
    },
    /// Make what is parked, or due later, due now.
    Retry {
        #[command(flatten)]
        which: Which,
        /// Only say how many it would be.
        #[arg(long)]
        dry_run: bool,
    },
    /// Set open deliveries aside for good; those behind them in their token's queue go on.
    Skip {
        #[command(flatten)]
        which: Which,
        /// Why, for whoever looks at it next year.
        #[arg(long, value_name = "TEXT", value_parser = reason)]
        reason: String,
        /// Only say how many it would be.
        #[arg(long)]
        dry_run: bool,
    },
    /// Send past events once more to one destination, under the same ids, marked as replayed.
    Replay(Replay),
}

/// Which deliveries: every part that is given narrows.
#[derive(Debug, Args)]
struct Which {
    /// To this destination.
    #[arg(long, value_name = "NAME")]
    destination: Option<String>,
    /// About this token.
    #[arg(long, value_name = "REFERENCE")]
    token: Option<String>,
    /// Whose reference that is.
    #[arg(long, default_value = "mdes", value_parser = namespace, requires = "token")]
    namespace: Namespace,
    /// Of this event.
    #[arg(long, value_name = "ID")]
    event: Option<EventId>,
    /// This very one.
    #[arg(long, value_name = "ID")]
    id: Option<DeliveryId>,
    /// due, leased, parked, delivered or skipped.
    #[arg(long, value_parser = state)]
    state: Option<State>,
}

#[derive(Debug, Args)]
struct Replay {
    /// To whom, by its name in the configuration.
    #[arg(long, value_name = "NAME")]
    destination: String,
    /// Recorded then or later: 2026-11-22T10:00:00Z.
    #[arg(long, value_name = "TIME", value_parser = output::instant, required_unless_present = "token")]
    since: Option<OffsetDateTime>,
    /// Recorded before.
    #[arg(long, value_name = "TIME", value_parser = output::instant)]
    until: Option<OffsetDateTime>,
    /// About this token.
    #[arg(long, value_name = "REFERENCE")]
    token: Option<String>,
    /// Whose reference that is.
    #[arg(long, default_value = "mdes", value_parser = namespace, requires = "token")]
    namespace: Namespace,
    /// Of these types: token.suspended,card.*
    #[arg(long, value_delimiter = ',', value_parser = pattern)]
    types: Vec<Pattern>,
    /// Only say how many it would be.
    #[arg(long)]
    dry_run: bool,
}

impl Which {
    fn filter(&self) -> DeliveryFilter {
        DeliveryFilter {
            id: self.id,
            destination: self.destination.clone(),
            token: token(self.namespace, self.token.as_deref()),
            event: self.event,
            state: self.state,
            open: false,
        }
    }

    /// Something narrows it: all there is, is too easily said.
    fn narrowed(&self) -> anyhow::Result<DeliveryFilter> {
        let filter = self.filter();
        match filter == DeliveryFilter::default() {
            true => Err(misuse("say which: --destination, --token, --event, --id or --state")),
            false => Ok(filter),
        }
    }
}

pub(super) async fn run(args: &DeliveriesArgs, settings: &Settings) -> anyhow::Result<ExitCode> {
    let memory = open_memory(settings).await?;
    let done = match &args.command {
        Command::List {
            which,
            all,
            after,
            limit,
            json,
        } => {
            let which = DeliveryFilter {
                open: !all && which.state.is_none(),
                ..which.filter()
            };
            list(&memory, &which, *after, *limit, *json).await
        }
        Command::Retry { which, dry_run } => retry(&memory, which, *dry_run).await,
        Command::Skip { which, reason, dry_run } => skip(&memory, which, reason, *dry_run).await,
        Command::Replay(args) => replay(&memory, settings, args).await,
    };
    memory.close().await;
    done
}

async fn list(
    memory: &Memory,
    which: &DeliveryFilter,
    after: Option<DeliveryId>,
    limit: u32,
    as_json: bool,
) -> anyhow::Result<ExitCode> {
    let deliveries = memory.deliveries(which, after, limit).await?;
    if as_json {
        output::print_json(&deliveries.iter().map(KeptDelivery::shown).collect());
        return Ok(ExitCode::SUCCESS);
    }
    let header = ["ID", "DESTINATION", "TYPE", "TOKEN", "STATE", "TRIES", "DUE", "ANSWER"];
    let rows: Vec<[String; 8]> = deliveries.iter().map(row).collect();
    output::print(&table(header, &rows));
    if let Some(last) = deliveries.last().filter(|_| deliveries.len() >= limit as usize) {
        output::print(&format!("there may be more: --after {}\n", last.id));
    }
    Ok(ExitCode::SUCCESS)
}

fn row(delivery: &KeptDelivery) -> [String; 8] {
    let answer = match (delivery.answer_status, &delivery.answer) {
        (Some(status), Some(answer)) => format!("{status} {answer}"),
        (Some(status), None) => status.to_string(),
        (None, answer) => answer.clone().unwrap_or_default(),
    };
    [
        delivery.id.to_string(),
        delivery.destination.clone(),
        delivery.kind.clone(),
        delivery.token.as_ref().map_or_else(output::dash, ToString::to_string),
        delivery.state.as_str().to_owned(),
        delivery.attempts.to_string(),
        match delivery.state {
            State::Due | State::Leased => time(Some(delivery.due_at)),
            State::Parked | State::Delivered | State::Skipped => output::dash(),
        },
        answer,
    ]
}

/// Page by page: a crash leaves some pages done and the others as they were; the same call again does the rest.
async fn retry(memory: &Memory, which: &Which, dry_run: bool) -> anyhow::Result<ExitCode> {
    let deliveries = memory.retry(&which.narrowed()?, dry_run).await?;
    say(deliveries, ["delivery", "deliveries"], "due now", dry_run);
    Ok(ExitCode::SUCCESS)
}

/// Page by page: a crash leaves some pages done and the others as they were; the same call again does the rest.
async fn skip(memory: &Memory, which: &Which, reason: &str, dry_run: bool) -> anyhow::Result<ExitCode> {
    let memory = because(memory, Some(reason));
    let deliveries = memory.skip(&which.narrowed()?, &by(reason), dry_run).await?;
    say(deliveries, ["delivery", "deliveries"], "set aside for good", dry_run);
    Ok(ExitCode::SUCCESS)
}

/// Page by page: a crash leaves some pages due; the same call again does the rest, and leaves out what is still open of
/// the first. Asked for again after that, they go out again, under the same ids.
async fn replay(memory: &Memory, settings: &Settings, args: &Replay) -> anyhow::Result<ExitCode> {
    let configured = settings.destinations.iter();
    let Some(destination) = configured.clone().find(|one| one.name == args.destination) else {
        let names: Vec<&str> = configured.map(|one| one.name.as_str()).collect();
        output::tell(format_args!(
            "no destination {} in the configuration: there are {names:?}",
            output::escaped(&args.destination)
        ));
        return Ok(ExitCode::from(NOT_WELL));
    };
    let which = ReplayFilter {
        destination: args.destination.clone(),
        since: args.since,
        until: args.until,
        token: token(args.namespace, args.token.as_deref()),
        types: args.types.clone(),
        subscription: destination.subscription.clone(),
    };
    let events = memory.replay(&which, args.dry_run).await?;
    say(events, ["event", "events"], "due once more", args.dry_run);
    Ok(ExitCode::SUCCESS)
}

/// Why something is done, as it is written on the command line.
pub(super) fn reason(text: &str) -> Result<String, String> {
    written::reason(text).map(str::to_owned).map_err(|unfit| unfit.why)
}

/// Who it was, and why.
pub(super) fn by(reason: &str) -> String {
    format!("command line: {reason}")
}

fn say(count: u64, [one, many]: [&str; 2], what: &str, dry_run: bool) {
    let things = if count == 1 { one } else { many };
    let would = if dry_run { " would be" } else { "" };
    output::print(&format!("{count} {things}{would} {what}\n"));
}

fn token(namespace: Namespace, reference: Option<&str>) -> Option<TokenReference> {
    let reference = reference?.to_owned();
    Some(TokenReference { namespace, reference })
}

fn namespace(word: &str) -> Result<Namespace, String> {
    Namespace::parse(word).ok_or_else(|| "must be mdes or tokenex".to_owned())
}

fn state(word: &str) -> Result<State, String> {
    State::parse(word).ok_or_else(|| "must be due, leased, parked, delivered or skipped".to_owned())
}

pub(super) fn pattern(text: &str) -> Result<Pattern, String> {
    Pattern::parse(text).ok_or_else(|| "names no event type; write one such as token.suspended or token.*".to_owned())
}
