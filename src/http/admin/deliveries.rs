//! `/v1/deliveries`: what is on its way to whom; try it again, or set it aside.

use axum::Json;
use axum::extract::State;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::{Number, Value, json};

use super::ask::{Ask, Doing, TEXT_CHARS_MAX, Told, limit};
use super::problem::Problem;
use super::route::{Route, flag, get, namespace, paged, post, reason, text, value, word};
use super::v1::SharedApi;
use crate::domain::delivery::State as DeliveryState;
use crate::domain::id::{DeliveryId, EventId, Namespace, TokenReference};
use crate::store::Outbox as _;
use crate::store::ledger::Hand;
use crate::store::outbox::{DeliveryFilter, KeptDelivery};

/// Its paths.
pub(super) fn routes() -> Vec<Route> {
    vec![
        get("/deliveries", "listDeliveries", list)
            .says("What is on its way to whom, in the order in which it was made, by pages")
            .asks([
                value(
                    "id",
                    "This very one",
                    json!({ "type": "integer", "minimum": 0, "maximum": i64::MAX }),
                ),
                text("destination", "To this destination"),
                text("token", "About this token"),
                namespace(),
                value("event", "Of this event", json!({ "type": "string", "format": "uuid" })),
                word(
                    "state",
                    "In this state",
                    &["due", "leased", "parked", "delivered", "skipped"],
                ),
                flag("open", "Only those that are still open"),
            ])
            .asks(paged())
            .gives(200, "DeliveryPage")
            .problems(&[404]),
        post("/deliveries/retry", "retryDeliveries", retry)
            .says("Makes what is parked, or due later, due now")
            .asks([reason()])
            .takes("Retrying")
            .gives(200, "Counted"),
        post("/deliveries/skip", "skipDeliveries", skip)
            .says("Sets open deliveries aside for good; who did it and why is kept")
            .takes("Skipping")
            .gives(200, "Counted"),
    ]
}

/// Which deliveries are meant: every part that is given narrows.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Which {
    #[serde(deserialize_with = "whole")]
    id: Option<DeliveryId>,
    destination: Option<String>,
    token: Option<String>,
    namespace: Option<Namespace>,
    event: Option<EventId>,
    state: Option<DeliveryState>,
}

/// A whole number in JSON, which may be written as `7.0` too.
fn whole<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<DeliveryId>, D::Error> {
    let Some(number) = Option::<Number>::deserialize(deserializer)? else {
        return Ok(None);
    };
    let most = 9_007_199_254_740_992.0; // beyond it not every whole number is one of these
    let exact = |number: f64| (number.fract() == 0.0 && (0.0..=most).contains(&number)).then_some(number as u64);
    let id = number.as_u64().or_else(|| number.as_f64().and_then(exact));
    let id = id.ok_or_else(|| D::Error::custom("invalid value: must be a whole number, from 0"))?;
    Ok(Some(DeliveryId(id)))
}

impl Which {
    fn filter(self) -> Result<DeliveryFilter, Problem> {
        Ok(DeliveryFilter {
            id: self.id,
            destination: self.destination,
            token: token(self.namespace, self.token)?,
            event: self.event,
            state: self.state,
            open: false,
        })
    }
}

/// A text that is only compared: short enough, and without a NUL, which no database compares.
pub(super) fn compared(field: &str, text: Option<&str>) -> Result<(), Problem> {
    match text {
        Some(text) if text.contains('\0') || text.chars().count() > TEXT_CHARS_MAX => {
            let why = format!("must be a text of at most {TEXT_CHARS_MAX} characters, without NUL");
            Err(Problem::unfit(field, why))
        }
        _ => Ok(()),
    }
}

/// A namespace alone would narrow nothing, and mean all tokens to who meant a few.
pub(super) fn token(
    namespace: Option<Namespace>,
    reference: Option<String>,
) -> Result<Option<TokenReference>, Problem> {
    match (namespace, reference) {
        (Some(_), None) => Err(Problem::unfit("namespace", "says nothing without `token`")),
        (namespace, reference) => Ok(reference.map(|reference| TokenReference {
            namespace: namespace.unwrap_or(Namespace::Mdes),
            reference,
        })),
    }
}

/// The same of who only looks, where a namespace alone does no harm: it says nothing then.
pub(super) fn looked_for(namespace: Option<Namespace>, reference: Option<String>) -> Option<TokenReference> {
    let namespace = namespace.unwrap_or(Namespace::Mdes);
    reference.map(|reference| TokenReference { namespace, reference })
}

/// The same in a query, whose numbers are texts.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    id: Option<DeliveryId>,
    destination: Option<String>,
    token: Option<String>,
    namespace: Option<Namespace>,
    event: Option<EventId>,
    state: Option<DeliveryState>,
    #[serde(default)]
    open: bool,
    after: Option<String>,
    limit: Option<u32>,
}

/// `GET /v1/deliveries?destination=&token=&namespace=&event=&id=&state=&open=&after=&limit=`: in the order in which they
/// were made; `next` is null after the last.
pub(super) async fn list(State(api): State<SharedApi>, Ask(asked): Ask<Asked>) -> Result<Json<Value>, Problem> {
    let limit = limit(asked.limit)?;
    let after = asked.after.as_deref().map(str::parse::<DeliveryId>).transpose();
    let after = after.map_err(|_| Problem::unknown_cursor())?;
    let which = DeliveryFilter {
        id: asked.id,
        destination: asked.destination,
        token: looked_for(asked.namespace, asked.token),
        event: asked.event,
        state: asked.state,
        open: asked.open,
    };
    let deliveries = api.state.outbox.deliveries(&which, after, limit).await?;
    let last = deliveries.last().filter(|_| deliveries.len() >= limit as usize);
    let next = last.map(|last| last.id.to_string());
    let items: Vec<Value> = deliveries.iter().map(KeptDelivery::shown).collect();
    Ok(Json(json!({ "items": items, "next": next })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Acting {
    #[serde(default)]
    filter: Which,
    #[serde(default)]
    dry_run: bool,
    reason: Option<String>,
}

impl Acting {
    fn filter(&mut self) -> Result<DeliveryFilter, Problem> {
        for (field, text) in [
            ("filter.destination", &self.filter.destination),
            ("filter.token", &self.filter.token),
        ] {
            compared(field, text.as_deref())?;
        }
        let filter = std::mem::take(&mut self.filter).filter()?;
        if filter == DeliveryFilter::default() {
            let why = "says nothing: narrow it by id, destination, token, event or state";
            return Err(Problem::unfit("filter", why));
        }
        Ok(filter)
    }
}

/// `POST /v1/deliveries/retry`: makes what is parked or due later due now, page by page: after a crash it is asked again.
pub(super) async fn retry(
    State(api): State<SharedApi>,
    doing: Doing,
    Told(mut acting): Told<Acting>,
) -> Result<Json<Value>, Problem> {
    let which = acting.filter()?;
    let hand = doing.may_say(acting.reason.as_deref())?;
    let outbox = api.state.ledger.in_the_hand_of(hand);
    let deliveries = outbox.retry(&which, acting.dry_run).await?;
    tracing::info!(
        operator = doing.operator.name,
        deliveries,
        dry_run = acting.dry_run,
        "retry"
    );
    Ok(counted(deliveries, acting.dry_run))
}

/// `POST /v1/deliveries/skip`: sets them aside for good; who did it and why is kept. Page by page: after a crash it is asked again.
pub(super) async fn skip(
    State(api): State<SharedApi>,
    doing: Doing,
    Told(mut acting): Told<Acting>,
) -> Result<Json<Value>, Problem> {
    let which = acting.filter()?;
    let hand = doing.must_say(acting.reason.as_deref())?;
    let by = by(&hand);
    let outbox = api.state.ledger.in_the_hand_of(hand);
    let deliveries = outbox.skip(&which, &by, acting.dry_run).await?;
    tracing::info!(
        operator = doing.operator.name,
        deliveries,
        dry_run = acting.dry_run,
        "skip"
    );
    Ok(counted(deliveries, acting.dry_run))
}

/// Who it was, and why, as rows keep it.
pub(super) fn by(hand: &Hand) -> String {
    format!("{}: {}", hand.who, hand.why.as_deref().unwrap_or_default())
}

fn counted(deliveries: u64, dry_run: bool) -> Json<Value> {
    Json(json!({ "deliveries": deliveries, "dry_run": dry_run }))
}
