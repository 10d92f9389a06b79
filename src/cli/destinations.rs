//! `destinations`: what the merchant's own systems need to hear of us.

mod secret;

use std::process::ExitCode;

use clap::{Args, Subcommand};

/// The merchant's own systems that are told
#[derive(Debug, Args)]
pub struct DestinationsArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Make a new secret for a webhook, and print it
    Secret(secret::SecretArgs),
}

/// Does it.
pub fn run(args: &DestinationsArgs) -> anyhow::Result<ExitCode> {
    match &args.action {
        Action::Secret(args) => secret::run(args),
    }
}
