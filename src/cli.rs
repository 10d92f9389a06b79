//! The command line: parses, loads the configuration, runs one subcommand.
//!
//! Its exit code is 0 if it is done, 1 if the thing asked about is not well or not there,
//! 2 if the call or the configuration is wrong. Results go to standard output, logs to standard error.

mod alarms;
mod assets;
mod audit;
mod certificates;
mod charge;
mod check;
mod deliveries;
mod destinations;
mod dev;
mod endpoint;
mod events;
mod explain;
mod inspect;
mod keys;
mod lifecycle;
mod links;
mod listen;
mod migrate;
mod notifications;
mod operators;
mod output;
mod pages;
mod progress;
mod quarantine;
mod reconcile;
mod retention;
mod rows;
mod serve;
pub mod simulate;
mod token;
mod user;
mod verify;

use std::fmt::{self, Display, Formatter};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Parser, Subcommand};
use rlimit::Resource;

use crate::clock::{Clock, SystemClock};
use crate::config;
use crate::config::settings::Settings;
use crate::keys::KeyRing;
use crate::store::ledger::Hand;
use crate::store::{Ledger as _, Memory, SharedStore};

const NOT_WELL: u8 = 1;
const MISUSED: u8 = 2;

/// Receives Mastercard's MDES token notifications over mutual TLS, commits each state change, and answers
/// only when it is on disk.
#[derive(Debug, Parser)]
#[command(name = "mdes-receiver", version, max_term_width = 100, after_help = AFTER_HELP)]
pub struct Cli {
    /// The configuration file (TOML). Without one, only the environment and --setting are read.
    #[arg(long, global = true, value_name = "FILE", env = "MDES_RECEIVER_CONFIG")]
    config: Option<PathBuf>,

    /// Overrides one key, whatever the file and the environment say; may be repeated.
    /// Other users of this machine can see it: no secrets here.
    #[arg(long = "setting", global = true, value_name = "KEY=VALUE", value_parser = key_and_value)]
    settings: Vec<(String, String)>,

    /// Colours: on a terminal alone, always, or never. NO_COLOR and CLICOLOR_FORCE say it for all programs.
    #[arg(
        long,
        global = true,
        value_name = "WHEN",
        default_value = "auto",
        hide_possible_values = true
    )]
    color: output::Color,

    /// Say results and what is wrong, and nothing else: no progress, no notes.
    #[arg(long, short, global = true)]
    quiet: bool,

    #[command(subcommand)]
    command: Command,
}

const AFTER_HELP: &str = "\
Something is wrong, and it is three in the morning:
  mdes-receiver check                 what is wrong, and what to do about it, one line for each finding
  mdes-receiver quarantine list       what came in and could not be used: nothing is lost
  mdes-receiver explain DWSPMC…       what was known of one token and when, and who was told

Exit codes: 0 done · 1 what was asked about is not well, or not there · 2 the call or the configuration is wrong
(`charge` has two more: docs/cli.md)

Every key of the configuration: config/example.toml";

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the receiver until it is told to stop (SIGTERM finishes what it accepted; SIGHUP reloads files).
    Serve,
    /// See the whole walk on this machine: makes certificates and keys, runs the receiver, plays Mastercard.
    Dev(dev::DevArgs),
    /// Play Mastercard against any receiver: scenarios, a body of your own, or load.
    Simulate(Box<simulate::Args>),
    /// Bring the store's schema up to this version.
    Migrate,
    /// Look at everything that can be wrong: configuration, files, certificates, keys, store, ports.
    Check(check::CheckArgs),
    /// What needs a person, and the first thing to do about each.
    Alarms(alarms::AlarmsArgs),
    /// Show every fingerprint of the decryption keys; say what still needs which, and move it to the newest.
    Keys(keys::KeysArgs),
    /// Open a sealed body with the decryption keys, or say which step failed.
    Inspect(inspect::InspectArgs),
    /// What was known of a token and when, from which notification, and who was told: its whole story.
    Explain(explain::ExplainArgs),
    /// May this token be charged: yes, no or confirm.
    Charge(charge::ChargeArgs),
    /// What is known of a token, and how it came to be known; or register your own.
    #[command(visible_alias = "tokens")]
    Token(token::TokenArgs),
    /// What Mastercard sent, and what came of it.
    Notifications(notifications::NotificationsArgs),
    /// What came in and could not be used: look at it, read it again, or set it aside.
    Quarantine(quarantine::QuarantineArgs),
    /// What merchants are told, in the order in which it happened.
    Events(events::EventsArgs),
    /// What is on its way to your own systems: look at it, try it again, set it aside, send it once more.
    Deliveries(deliveries::DeliveriesArgs),
    /// Who is told, and how far they are; hold one, or let it go on.
    Destinations(destinations::DestinationsArgs),
    /// Suspend, resume or delete a token through its token service, and see what became of it.
    Lifecycle(Box<lifecycle::LifecycleArgs>),
    /// Compare what we hold with what the network says, and put right what was missed.
    Reconcile(reconcile::ReconcileArgs),
    /// Let go of what is old and needed by nobody, or say what would go.
    Retention(retention::RetentionArgs),
    /// Which names of MDES and of TokenEx are of one token.
    Links(links::LinksArgs),
    /// Card art that a token names, as a file.
    Assets(assets::AssetsArgs),
    /// The certificates and revocation lists of the configuration, with the days that are left.
    Certificates(certificates::CertificatesArgs),
    /// Who did what, when, from where and why.
    Audit(audit::AuditArgs),
    /// Who may ask the admin API: make a token, or take it away.
    Operators(operators::OperatorsArgs),
    /// Play your own endpoint: take what is told, show it, and measure.
    Endpoint(endpoint::EndpointArgs),
    /// Follow the events of a running receiver, on your own machine.
    Listen(listen::ListenArgs),
    /// Check a webhook's signature, or say what is wrong with it.
    Verify(verify::VerifyArgs),
    /// The completions of a shell, on standard output.
    Completions(pages::CompletionsArgs),
    /// Write the manual pages.
    Man(pages::ManArgs),
}

/// Runs the command and says how it went.
pub fn run(cli: Cli) -> ExitCode {
    output::begin(cli.color, cli.quiet);
    leave_no_core();
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return complain(&error.into()),
    };
    runtime.block_on(dispatch(cli)).unwrap_or_else(|error| complain(&error))
}

/// Whatever becomes of the process, what is in its memory (keys, what was opened) is not written to a core file.
fn leave_no_core() {
    if let Err(error) = Resource::CORE.set(0, 0) {
        output::tell(format_args!(
            "mdes-receiver: core files cannot be switched off ({error}): set `ulimit -Hc 0`"
        ));
    }
}

async fn dispatch(cli: Cli) -> anyhow::Result<ExitCode> {
    let now = SystemClock.now();
    match &cli.command {
        Command::Serve => {
            let (file, cli) = (cli.config.clone(), Arc::new(cli));
            serve::run(load(&cli)?, file, move || Ok(load(&cli)?.keys)).await
        }
        Command::Dev(args) => {
            let (beside, flags) = args.settings(&cli.settings, now).await?;
            dev::run(args, beside, load_with(&cli, &flags)?).await
        }
        Command::Simulate(args) => simulate::run(args, now).await,
        Command::Migrate => migrate::run(&load(&cli)?).await,
        Command::Check(args) => check::run(args, load(&cli), now).await,
        Command::Alarms(args) => alarms::run(args, &load(&cli)?, now).await,
        Command::Keys(args) => match &args.command {
            Some(command) => keys::retire::run(command, &load(&cli)?).await,
            None => keys::run(args, configured_keys(&cli, &args.key_files)?),
        },
        Command::Inspect(args) => inspect::run(args, configured_keys(&cli, &args.key_files)?),
        Command::Explain(args) => explain::run(args, &load(&cli)?).await,
        Command::Charge(args) => charge::run(args, &load(&cli)?).await,
        Command::Notifications(args) => notifications::run(args, &load(&cli)?).await,
        Command::Events(args) => events::run(args, &load(&cli)?).await,
        Command::Assets(args) => assets::run(args, &load(&cli)?).await,
        Command::Certificates(args) => Ok(certificates::run(args, &load(&cli)?, now)),
        Command::Audit(args) => audit::run(args, &load(&cli)?).await,
        Command::Completions(args) => pages::completions(args),
        Command::Man(args) => pages::man(args),
        Command::Token(args) => token::run(args, &load(&cli)?).await,
        Command::Quarantine(args) => quarantine::run(args, &load(&cli)?, now).await,
        Command::Deliveries(args) => deliveries::run(args, &load(&cli)?).await,
        Command::Destinations(args) => destinations::run(args, || load(&cli)).await,
        Command::Lifecycle(args) => lifecycle::run(args, &load(&cli)?).await,
        Command::Reconcile(args) => reconcile::run(args, &load(&cli)?, now).await,
        Command::Retention(args) => retention::run(args, &load(&cli)?).await,
        Command::Links(args) => links::run(args, &load(&cli)?).await,
        Command::Operators(args) => operators::run(args, &load(&cli)?, now).await,
        Command::Endpoint(args) => endpoint::run(args).await,
        Command::Listen(args) => listen::run(args).await,
        Command::Verify(args) => verify::run(args, now),
    }
}

fn load(cli: &Cli) -> Result<Settings, config::Error> {
    load_with(cli, &cli.settings)
}

fn load_with(cli: &Cli, flags: &[(String, String)]) -> Result<Settings, config::Error> {
    // A variable that is not UTF-8 is none of ours.
    let env =
        std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    config::load(cli.config.as_deref(), flags, env)
}

/// Not even looked at if keys were given by hand.
fn configured_keys(cli: &Cli, by_hand: &keys::KeyFiles) -> anyhow::Result<Option<KeyRing>> {
    if by_hand.keys.is_empty() {
        Ok(Some(KeyRing::load(&load(cli)?.keys)?))
    } else {
        Ok(None)
    }
}

/// What is wrong with the call itself, and what to say instead.
#[derive(Debug)]
struct Misuse(String);

impl Display for Misuse {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Misuse {}

fn misuse(why: impl Display) -> anyhow::Error {
    Misuse(why.to_string()).into()
}

/// One error, one line. What the operator wrote is told apart from what the world did.
fn complain(error: &anyhow::Error) -> ExitCode {
    output::tell(format_args!("mdes-receiver: {error:#}"));
    let is_misuse = error.is::<config::Error>() || error.is::<Misuse>();
    ExitCode::from(if is_misuse { MISUSED } else { NOT_WELL })
}

fn key_and_value(text: &str) -> Result<(String, String), String> {
    let parts = text
        .split_once('=')
        .ok_or("must be KEY=VALUE, such as store.url=sqlite://data/receiver.db")?;
    Ok((parts.0.trim().to_owned(), parts.1.to_owned()))
}

/// The memory that the settings name; whether it answers shows with the first question.
async fn open_memory(settings: &Settings) -> anyhow::Result<Arc<Memory>> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let memory = crate::store::open(&settings.store, clock).await?;
    Ok(because(&memory, None))
}

/// The same memory; what is done through it is done for that reason, by whoever sits here, and the audit has it.
fn because(memory: &Memory, why: Option<&str>) -> Arc<Memory> {
    memory.in_the_hand_of(hand(why))
}

/// Whoever sits here, as far as the machine knows.
fn hand(why: Option<&str>) -> Hand {
    Hand {
        who: "command line".to_owned(),
        role: None,
        came_from: user::here(),
        why: why.map(str::to_owned),
    }
}

/// The part of it that keeps what came.
async fn open_store(settings: &Settings) -> anyhow::Result<SharedStore> {
    Ok(open_memory(settings).await?)
}
