//! `operators`: who may ask the admin API. A token is shown once, when it is made; kept is its hash.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;
use time::OffsetDateTime;

use super::output::{self, rfc3339, table, time};
use super::{NOT_WELL, misuse, open_memory};
use crate::config::settings::Settings;
use crate::domain::bearer::Bearer;
use crate::store::Store;
use crate::store::roster::{NewOperator, Operator, Role, Roster};

const NAME_CHARS_MAX: usize = 64;
const DAYS_MAX: u64 = 3_660;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  mdes-receiver operators add alice --role operator > alice.token     # the token alone, once
  mdes-receiver operators add dashboard --role viewer --expires 365d
  mdes-receiver operators revoke alice                                # holds from the next request on
  curl -H \"Authorization: Bearer $(cat alice.token)\" http://127.0.0.1:9443/v1/destinations")]
pub(super) struct OperatorsArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make an operator, and print the token alone on standard output. It is never shown again.
    Add {
        /// By which the log and the audit call them.
        name: String,
        /// A charger asks what may be charged; a viewer looks; an operator acts too; a revealer looks, and has token
        /// numbers shown.
        #[arg(long)]
        role: RoleArg,
        /// For how long the token is good: 90d, 12h.
        #[arg(long, value_name = "TIME", default_value = "90d", value_parser = span)]
        expires: Duration,
    },
    /// Who there is, revoked and expired ones too; never their tokens.
    List {
        /// For programs.
        #[arg(long)]
        json: bool,
    },
    /// Take an operator's token away. The name stays taken, so that the audit stays true.
    Revoke {
        /// Whose.
        name: String,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum RoleArg {
    Charger,
    Viewer,
    Operator,
    Revealer,
}

pub(super) async fn run(args: &OperatorsArgs, settings: &Settings, now: OffsetDateTime) -> anyhow::Result<ExitCode> {
    let memory = open_memory(settings).await?;
    let done = match &args.command {
        Command::Add { name, role, expires } => add(&*memory, name, *role, now + *expires).await,
        Command::List { json } => list(&*memory, *json, now).await,
        Command::Revoke { name } => revoke(&*memory, name).await,
    };
    memory.close().await;
    done
}

/// A crash after the commit and before the print leaves an operator whose token nobody knows: revoke it.
async fn add(roster: &dyn Roster, name: &str, role: RoleArg, expires_at: OffsetDateTime) -> anyhow::Result<ExitCode> {
    let is_plain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | '@');
    if !(1..=NAME_CHARS_MAX).contains(&name.chars().count()) || !name.chars().all(is_plain) {
        return Err(misuse(format_args!(
            "a name has from 1 to {NAME_CHARS_MAX} letters, digits, `-`, `_`, `.` or `@`"
        )));
    }
    let mut random = zeroize::Zeroizing::new([0; 32]);
    aws_lc_rs::rand::fill(random.as_mut()).context("the machine has no random bytes")?;
    let bearer = Bearer::of(&random);
    let operator = NewOperator {
        name: name.to_owned(),
        role: match role {
            RoleArg::Charger => Role::Charger,
            RoleArg::Viewer => Role::Viewer,
            RoleArg::Operator => Role::Operator,
            RoleArg::Revealer => Role::Revealer,
        },
        token_hash: bearer.sha256(),
        expires_at,
    };
    if !roster.add_operator(&operator).await? {
        output::tell(format_args!(
            "there is or was an operator {name}: choose another name, since a name is never given twice"
        ));
        return Ok(ExitCode::from(NOT_WELL));
    }
    // If it cannot be shown it is lost, and the name with it: that must not look like success.
    let line = zeroize::Zeroizing::new(format!("{}\n", bearer.expose()));
    output::print_whole(&line).context("cannot print the token: revoke it")?;
    output::tell(format_args!(
        "this token of {name} is good until {}, and is not shown again",
        rfc3339(expires_at)
    ));
    Ok(ExitCode::SUCCESS)
}

async fn list(roster: &dyn Roster, as_json: bool, now: OffsetDateTime) -> anyhow::Result<ExitCode> {
    let operators = roster.operators().await?;
    if as_json {
        let shown = |one: &Operator| {
            json!({
                "name": one.name,
                "role": one.role,
                "created_at": rfc3339(one.created_at),
                "expires_at": rfc3339(one.expires_at),
                "revoked_at": one.revoked_at.map(rfc3339),
            })
        };
        output::print_json(&operators.iter().map(shown).collect());
        return Ok(ExitCode::SUCCESS);
    }
    let row = |one: &Operator| {
        [
            one.name.clone(),
            one.role.as_str().to_owned(),
            time(Some(one.created_at)),
            time(Some(one.expires_at)),
            match one.revoked_at {
                Some(at) => format!("revoked {}", time(Some(at))),
                None if one.expires_at <= now => "expired".to_owned(),
                None => String::new(),
            },
        ]
    };
    let rows: Vec<[String; 5]> = operators.iter().map(row).collect();
    output::print(&table(["NAME", "ROLE", "SINCE", "UNTIL", ""], &rows));
    Ok(ExitCode::SUCCESS)
}

async fn revoke(roster: &dyn Roster, name: &str) -> anyhow::Result<ExitCode> {
    if roster.revoke_operator(name).await? {
        output::print(&format!(
            "the token of {} is good for nothing now\n",
            output::escaped(name)
        ));
        return Ok(ExitCode::SUCCESS);
    }
    output::tell(format_args!(
        "no operator {} with a token to take away: `mdes-receiver operators list` shows who there is",
        output::escaped(name)
    ));
    Ok(ExitCode::from(NOT_WELL))
}

/// `90d`, `12h`, `30m`: one number and one unit.
fn span(text: &str) -> Result<Duration, String> {
    let what = "must be a number with d, h or m after it, at least 1m and at most ten years, such as 90d";
    let (number, secs) = match text.chars().last() {
        Some('d') => (&text[..text.len() - 1], 86_400),
        Some('h') => (&text[..text.len() - 1], 3_600),
        Some('m') => (&text[..text.len() - 1], 60),
        _ => return Err(what.to_owned()),
    };
    let span = number.parse::<u64>().ok().and_then(|number| number.checked_mul(secs));
    match span {
        Some(secs @ 1..) if secs <= DAYS_MAX * 86_400 => Ok(Duration::from_secs(secs)),
        _ => Err(what.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_a_number_and_a_unit() {
        assert_eq!(span("90d"), Ok(Duration::from_secs(90 * 86_400)));
        assert_eq!(span("1m"), Ok(Duration::from_secs(60)));
        for text in [
            "",
            "d",
            "0d",
            "90",
            "-1d",
            "1y",
            "99999d",
            "1.5h",
            "18446744073709551615d",
            "9é",
        ] {
            assert!(span(text).is_err(), "{text}");
        }
    }
}
