//! `explain`: what was known of a token and when, from which notification, and who was told; to be read aloud.

mod state;
mod timeline;

use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};
use time::OffsetDateTime;

use self::state::State;
use super::output::{self, instant};
use super::token::never_heard_of;
use super::{NOT_WELL, misuse, open_memory};
use crate::config::settings::Settings;
use crate::domain::id::{Namespace, TokenReference};
use crate::store::asking::KeptQuestion;
use crate::store::outbox::Standing;
use crate::store::search::{Moment, Scene, Search as _};
use crate::store::{Asking as _, Memory, Store as _};

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  mdes-receiver explain DWSPMC000000000132d72d4fcb2f4136a0532d3093ff1a45
  mdes-receiver explain card-4711                                  # your own reference, if it names one token
  mdes-receiver explain --namespace tokenex 476120FDallZ7718
  mdes-receiver explain card-4711 --at 2026-11-22T10:00:00Z        # what was known then, and could it be charged?")]
pub(super) struct ExplainArgs {
    /// The token's reference, or your own.
    reference: String,
    /// Whose reference it is: mdes or tokenex.
    #[arg(long, default_value = "mdes", value_parser = namespace)]
    namespace: Namespace,
    /// What was known at that time, and would have been answered to who asked whether to charge.
    #[arg(long, value_name = "TIME", value_parser = instant)]
    at: Option<OffsetDateTime>,
    /// How many things that happened at most: the newest.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
    /// Go on where the page before ended.
    #[arg(long, value_name = "CURSOR")]
    after: Option<String>,
    /// Tell these from the oldest on.
    #[arg(long)]
    oldest_first: bool,
    /// For programs.
    #[arg(long)]
    json: bool,
}

/// Everything that is told.
struct Explained<'a> {
    standing: &'a Standing,
    state: State,
    /// As it is asked after now.
    question: Option<KeptQuestion>,
    scenes: Vec<Scene>,
    next: Option<String>,
}

pub(super) async fn run(args: &ExplainArgs, settings: &Settings) -> anyhow::Result<ExitCode> {
    let memory = open_memory(settings).await?;
    let done = explain(args, &memory).await;
    memory.close().await;
    done
}

async fn explain(args: &ExplainArgs, memory: &Memory) -> anyhow::Result<ExitCode> {
    let Some(before) = begin(args) else {
        return Err(misuse(
            "--after is no cursor of a story: take the one that the page before ended with",
        ));
    };
    let found = memory.called(args.namespace, &args.reference).await?;
    let standing = match &found[..] {
        [one] => one,
        [] => {
            never_heard_of(&wanted(args));
            return Ok(ExitCode::from(NOT_WELL));
        }
        several => {
            let reference = wanted(args).shown();
            output::tell(format_args!(
                "{} names several tokens: explain one of them",
                output::escaped(&reference)
            ));
            for one in several {
                let token = &one.token.reference;
                output::tell(format_args!(
                    "  {} of {}",
                    output::escaped(&token.shown()),
                    token.namespace.as_str()
                ));
            }
            return Ok(ExitCode::from(NOT_WELL));
        }
    };
    let mut scenes = memory.story(&standing.token.reference, &before, args.limit).await?;
    let next = (scenes.len() >= args.limit as usize).then(|| before.cursor(&scenes));
    if args.oldest_first {
        scenes.reverse();
    }
    let explained = Explained {
        state: State::at(args.at, standing, memory).await?,
        question: match args.at {
            None => memory.question_of(&standing.token.reference).await?,
            Some(_) => None,
        },
        standing,
        scenes,
        next: next.flatten(),
    };
    match args.json {
        true => output::print_json(&explained.shown()),
        false => output::print(&explained.told(args.oldest_first)),
    }
    Ok(ExitCode::SUCCESS)
}

/// Where the page begins: behind the one before, or else with the newest, or the newest of then.
fn begin(args: &ExplainArgs) -> Option<Moment> {
    match (&args.after, args.at) {
        (Some(cursor), _) => Moment::of_cursor(cursor),
        (None, Some(at)) => Some(Moment { at, shown: 0 }),
        (None, None) => Some(Moment::LATEST),
    }
}

fn wanted(args: &ExplainArgs) -> TokenReference {
    TokenReference {
        namespace: args.namespace,
        reference: args.reference.clone(),
    }
}

impl Explained<'_> {
    fn shown(&self) -> Value {
        json!({
            "token": self.standing.shown(),
            "as_of": self.state.shown(),
            "question": self.question,
            "story": self.scenes.iter().map(Scene::shown).collect::<Vec<_>>(),
            "next": self.next,
        })
    }

    fn told(&self, oldest_first: bool) -> String {
        let order = if oldest_first { "oldest" } else { "newest" };
        let more = match &self.next {
            Some(next) => format!("there may be more: --after {next}\n"),
            None => String::new(),
        };
        format!(
            "{}\nwhat happened, {order} first\n{}{more}",
            output::pairs(&self.head()),
            timeline::table(&self.scenes)
        )
    }

    fn head(&self) -> Vec<(&'static str, String)> {
        let token = &self.standing.token.reference;
        let mut head = vec![("token", format!("{} of {}", token.shown(), token.namespace.as_str()))];
        let registration = self.standing.registration.as_ref();
        if let Some(yours) = registration.and_then(|registration| registration.merchant_reference.as_ref()) {
            head.push(("yours", yours.clone()));
        }
        head.extend(self.state.told());
        if let Some(question) = &self.question {
            head.push(("asked after", asked(question)));
        }
        head
    }
}

fn asked(question: &KeptQuestion) -> String {
    let why = question
        .why
        .as_deref()
        .map_or_else(String::new, |why| format!(": {why}"));
    match question.given_up {
        true => format!("{} times in vain, it needs a person{why}", question.asks),
        false => format!(
            "{} times in vain, next at {}{why}",
            question.asks,
            output::time(Some(question.due_at))
        ),
    }
}

fn namespace(word: &str) -> Result<Namespace, String> {
    Namespace::parse(word).ok_or_else(|| "must be mdes or tokenex".to_owned())
}
