//! `lifecycle commands` and `lifecycle show`.

use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};

use super::{shown, stage};
use crate::cli::NOT_WELL;
use crate::cli::output::{self, pairs, table, time};
use crate::domain::command::{Action, Stage};
use crate::domain::id::{CommandId, Namespace, TokenReference};
use crate::store::Memory;
use crate::store::desk::{CommandFilter, Desk as _, KeptCommand, Step};

/// Which commands.
#[derive(Debug, Args)]
pub(super) struct List {
    /// About this token.
    #[arg(long, value_name = "REFERENCE")]
    token: Option<String>,
    /// Whose reference that is.
    #[arg(long, default_value = "mdes", value_parser = namespace, requires = "token")]
    namespace: Namespace,
    /// requested, sent, accepted, unknown, overdue, confirmed, refused, contradicted or superseded.
    #[arg(long, value_parser = stage)]
    stage: Option<Stage>,
    /// suspend, resume or delete.
    #[arg(long, value_parser = action)]
    action: Option<Action>,
    /// Only those that are not at their end.
    #[arg(long)]
    open: bool,
    /// Go on after this one.
    #[arg(long, value_name = "ID")]
    after: Option<CommandId>,
    /// At most so many.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    limit: u32,
    /// For programs.
    #[arg(long)]
    json: bool,
}

pub(super) async fn list(args: &List, memory: &Memory) -> anyhow::Result<ExitCode> {
    let token = args.token.clone().map(|reference| TokenReference {
        namespace: args.namespace,
        reference,
    });
    let which = CommandFilter {
        token,
        stage: args.stage,
        action: args.action,
        open: args.open,
    };
    let commands = memory.commands(&which, args.after, args.limit).await?;
    if args.json {
        output::print_json(&commands.iter().map(KeptCommand::shown).collect());
        return Ok(ExitCode::SUCCESS);
    }
    let header = ["ID", "ACTION", "TOKEN", "THROUGH", "STAGE", "ASKED BY", "AT", "WHY"];
    let rows: Vec<[String; 8]> = commands.iter().map(row).collect();
    output::print(&table(header, &rows));
    if let Some(last) = commands.last().filter(|_| commands.len() >= args.limit as usize) {
        output::print(&format!("there may be more: --after {}\n", last.command.id));
    }
    Ok(ExitCode::SUCCESS)
}

fn row(kept: &KeptCommand) -> [String; 8] {
    let (command, order) = (&kept.command, &kept.command.order);
    [
        command.id.to_string(),
        order.action.as_str().to_owned(),
        shown(&order.token),
        order.through.as_str().to_owned(),
        command.stage.as_str().to_owned(),
        kept.asked_by.clone(),
        time(Some(kept.updated_at)),
        command.why.clone(),
    ]
}

pub(super) async fn one(id: CommandId, as_json: bool, memory: &Memory) -> anyhow::Result<ExitCode> {
    let Some(kept) = memory.command(id).await? else {
        output::tell(format_args!(
            "no command {id}: `mdes-receiver lifecycle commands` shows those that there are"
        ));
        return Ok(ExitCode::from(NOT_WELL));
    };
    let steps = memory.steps(id).await?;
    if as_json {
        let mut command = kept.shown();
        command["steps"] = json!(steps);
        output::print_json(&command);
        return Ok(ExitCode::SUCCESS);
    }
    output::print(&pairs(&told(&kept)));
    output::print("\n");
    let rows: Vec<[String; 3]> = steps.iter().map(step).collect();
    output::print(&table(["AT", "STAGE", "WHY"], &rows));
    Ok(ExitCode::SUCCESS)
}

fn step(step: &Step) -> [String; 3] {
    [time(Some(step.at)), step.stage.as_str().to_owned(), step.why.clone()]
}

fn told(kept: &KeptCommand) -> Vec<(&'static str, String)> {
    let (command, order) = (&kept.command, &kept.command.order);
    let text = |value: &Option<String>| value.clone().unwrap_or_else(output::dash);
    let proof = command.proof.map_or_else(output::dash, |proof| word(&json!(proof)));
    vec![
        ("id", command.id.to_string()),
        ("action", order.action.as_str().to_owned()),
        (
            "token",
            format!("{} ({})", shown(&order.token), order.token.namespace.as_str()),
        ),
        ("through", order.through.as_str().to_owned()),
        ("caused by", order.caused_by.as_str().to_owned()),
        ("reason code", order.reason_code.clone()),
        ("reason", text(&order.reason)),
        ("forced", order.forced.to_string()),
        ("stage", command.stage.as_str().to_owned()),
        ("proof", proof),
        ("code", text(&command.code)),
        ("why", command.why.clone()),
        ("sent", format!("{} times", command.sends)),
        ("landed at", time(command.landed_at)),
        ("asked by", kept.asked_by.clone()),
        ("approved by", approved(kept)),
        ("asked at", time(Some(kept.created_at))),
        (
            "answer",
            kept.answer.as_ref().map_or_else(output::dash, Value::to_string),
        ),
    ]
}

fn approved(kept: &KeptCommand) -> String {
    match (&kept.approved_by, kept.waits) {
        (Some(by), _) => by.clone(),
        (None, true) => format!("waits for another operator until {}", time(Some(kept.due_at))),
        (None, false) => output::dash(),
    }
}

fn word(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn namespace(word: &str) -> Result<Namespace, String> {
    Namespace::parse(word).ok_or_else(|| "must be mdes or tokenex".to_owned())
}

fn action(word: &str) -> Result<Action, String> {
    Action::parse(word).ok_or_else(|| "must be suspend, resume or delete".to_owned())
}
