//! `/v1/events`: what merchants are told, for who reads it at their own pace; and past events once more.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::ask::{Ask, CURSOR_CHARS_MAX, Doing, Told, in_range, limit};
use super::deliveries::compared;
use super::problem::Problem;
use super::route::{Route, get, header, paged, post, reason, text, value};
use super::v1::SharedApi;
use super::{cursor, stream};
use crate::domain::event::{EventType, Pattern, Subscription};
use crate::domain::id::Namespace;
use crate::store::Outbox as _;
use crate::store::outbox::{KeptEvent, ReplayFilter};

/// Its paths.
pub(super) fn routes() -> Vec<Route> {
    let wanted = || {
        let words = EventType::ALL.iter().map(|kind| kind.as_str().replace('.', "[.]"));
        let words: Vec<String> = words
            .chain(["[*]", "token[.][*]", "card[.][*]", "command[.][*]", "ops[.][*]"].map(str::to_owned))
            .collect();
        let one = words.join("|");
        let list = format!("^({one})(,({one}))*$");
        [
            value(
                "types",
                "Only these types: `token.suspended,card.*`",
                json!({ "type": "string", "maxLength": CURSOR_CHARS_MAX, "pattern": list }),
            ),
            text(
                "token_requestor_id",
                "Only those of these requestors, with commas in between",
            ),
        ]
    };
    vec![
        get("/events", "listEvents", page)
            .says("What merchants are told, by pages, at your own pace")
            .asks(wanted())
            .asks(paged())
            .gives(200, "EventPage")
            .problems(&[404]),
        get("/events/stream", "followEvents", stream::follow)
            .says("The same as it comes (Server-Sent Events)")
            .asks(wanted())
            .asks([
                text(
                    "after",
                    "The cursor after which it begins; without one, with what happens from now on",
                ),
                header(
                    "Last-Event-ID",
                    "The same, as an SSE client says it",
                    json!({ "type": "string" }),
                ),
            ])
            .streams(200, "text/event-stream", "Frames")
            .problems(&[404]),
        post("/events/replay", "replayEvents", replay)
            .says("Sends past events once more to one destination")
            .asks([reason()])
            .takes("Replaying")
            .gives(200, "Replayed")
            .problems(&[404]),
    ]
}

/// So many pages are looked through for one in which something fits.
const PAGES_MAX: u32 = 10;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    after: Option<String>,
    limit: Option<u32>,
    types: Option<String>,
    token_requestor_id: Option<String>,
}

/// What is asked for: `types` is a list with commas in between.
pub(super) fn subscription(types: Option<&str>, requestors: Option<&str>) -> Result<Subscription, Problem> {
    let listed = |texts: Option<&str>| -> Vec<String> {
        let texts = texts.unwrap_or_default().split(',').map(str::trim);
        texts.filter(|text| !text.is_empty()).map(str::to_owned).collect()
    };
    let types = patterns(&listed(types))?;
    Ok(Subscription {
        types: if types.is_empty() {
            Subscription::all().types
        } else {
            types
        },
        requestors: listed(requestors).into_iter().collect(),
    })
}

fn patterns(texts: &[String]) -> Result<Vec<Pattern>, Problem> {
    let pattern = |text: &String| {
        let why = "names no event type; write some such as token.suspended or token.*";
        Pattern::parse(text).ok_or_else(|| Problem::unfit("types", why))
    };
    texts.iter().map(pattern).collect()
}

/// It was asked for.
pub(super) fn fits(subscription: &Subscription, kept: &KeptEvent) -> bool {
    let requestor = kept.event.data.token_requestor_id.as_deref();
    subscription.wants(kept.event.kind.as_str(), requestor)
}

/// `GET /v1/events?after=&limit=&types=&token_requestor_id=`: in the order of commits, from the oldest that is kept or
/// after a cursor, each with its token as it stands now. `next` goes on from there, whether or not anything fitted; `more` says that there is something.
pub(super) async fn page(State(api): State<SharedApi>, Ask(asked): Ask<Asked>) -> Result<Json<Value>, Problem> {
    let limit = limit(asked.limit)?;
    let wanted = subscription(asked.types.as_deref(), asked.token_requestor_id.as_deref())?;
    let mut after = asked.after.as_deref().map(cursor::parse).transpose()?;
    let mut pages = 0;
    loop {
        let mut page = cursor::page(&*api.state.outbox, after, limit).await?;
        page.items.retain(|kept| fits(&wanted, kept));
        pages += 1;
        let more = page.next < page.newest;
        if page.items.is_empty() && more && pages < PAGES_MAX {
            after = Some(page.next);
            continue;
        }
        let items: Vec<Value> = page.items.iter().map(KeptEvent::body).collect();
        return Ok(Json(
            json!({ "items": items, "next": page.next.to_string(), "more": more }),
        ));
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Replaying {
    destination: String,
    #[serde(default, with = "time::serde::rfc3339::option")]
    since: Option<OffsetDateTime>,
    #[serde(default, with = "time::serde::rfc3339::option")]
    until: Option<OffsetDateTime>,
    token: Option<String>,
    namespace: Option<Namespace>,
    #[serde(default)]
    types: Vec<String>,
    #[serde(default)]
    dry_run: bool,
    reason: Option<String>,
}

/// `POST /v1/events/replay`: makes past events due once more for one destination, or says how many it would.
/// A crash here leaves all of them due, or none; asked twice, they go out twice, under the same ids.
pub(super) async fn replay(
    State(api): State<SharedApi>,
    doing: Doing,
    Told(replaying): Told<Replaying>,
) -> Result<Json<Value>, Problem> {
    let dry_run = replaying.dry_run;
    let hand = doing.may_say(replaying.reason.as_deref())?;
    compared("token", replaying.token.as_deref())?;
    compared("destination", Some(&replaying.destination))?;
    if replaying.since.is_none() && replaying.token.is_none() {
        return Err(Problem::unfit(
            "since",
            "is missing, and `token` too: say which events are meant",
        ));
    }
    let Some(destination) = api.destination(&replaying.destination) else {
        return Err(Problem::unknown_destination());
    };
    let which = ReplayFilter {
        destination: destination.name.clone(),
        since: replaying.since.map(in_range),
        until: replaying.until.map(in_range),
        token: super::deliveries::token(replaying.namespace, replaying.token)?,
        types: patterns(&replaying.types)?,
        subscription: destination.subscription.clone(),
    };
    let outbox = api.state.ledger.in_the_hand_of(hand);
    let events = outbox.replay(&which, dry_run).await?;
    tracing::info!(
        operator = doing.operator.name,
        destination = which.destination,
        events,
        dry_run,
        "replay"
    );
    Ok(Json(json!({ "events": events, "dry_run": dry_run })))
}
