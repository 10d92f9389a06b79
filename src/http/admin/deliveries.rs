//! `/v1/deliveries`: what is on its way to whom; try it again, or set it aside.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};

use super::ask::{Ask, Asker, Told, limit};
use super::problem::Problem;
use super::v1::SharedApi;
use super::wire;
use crate::domain::delivery::State as DeliveryState;
use crate::domain::id::{DeliveryId, EventId, Namespace, TokenReference};
use crate::store::outbox::DeliveryFilter;

/// Which deliveries are meant: every part that is given narrows.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Which {
    id: Option<DeliveryId>,
    destination: Option<String>,
    token: Option<String>,
    namespace: Option<Namespace>,
    event: Option<EventId>,
    state: Option<DeliveryState>,
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
    let which = Which {
        id: asked.id,
        destination: asked.destination,
        token: asked.token,
        namespace: asked.namespace,
        event: asked.event,
        state: asked.state,
    };
    let which = DeliveryFilter {
        open: asked.open,
        ..which.filter()?
    };
    let deliveries = api.state.outbox.deliveries(&which, after, limit).await?;
    let last = deliveries.last().filter(|_| deliveries.len() >= limit as usize);
    let next = last.map(|last| last.id.to_string());
    let items: Vec<Value> = deliveries.iter().map(wire::delivery).collect();
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
    Asker(operator): Asker,
    Told(mut acting): Told<Acting>,
) -> Result<Json<Value>, Problem> {
    let which = acting.filter()?;
    let deliveries = api.state.outbox.retry(&which, acting.dry_run).await?;
    tracing::info!(operator = operator.name, deliveries, dry_run = acting.dry_run, "retry");
    Ok(counted(deliveries, acting.dry_run))
}

/// `POST /v1/deliveries/skip`: sets them aside for good; who did it and why is kept. Page by page: after a crash it is asked again.
pub(super) async fn skip(
    State(api): State<SharedApi>,
    Asker(operator): Asker,
    Told(mut acting): Told<Acting>,
) -> Result<Json<Value>, Problem> {
    let which = acting.filter()?;
    let reason = reason(acting.reason.as_deref())?;
    let by = format!("{}: {reason}", operator.name);
    let deliveries = api.state.outbox.skip(&which, &by, acting.dry_run).await?;
    tracing::info!(operator = operator.name, deliveries, dry_run = acting.dry_run, "skip");
    Ok(counted(deliveries, acting.dry_run))
}

fn counted(deliveries: u64, dry_run: bool) -> Json<Value> {
    Json(json!({ "deliveries": deliveries, "dry_run": dry_run }))
}

/// Why, in a few words of a person.
pub(super) fn reason(given: Option<&str>) -> Result<&str, Problem> {
    const CHARS_MAX: usize = 500;
    let reason = given.map(str::trim).unwrap_or_default();
    if reason.is_empty() {
        return Err(Problem::unfit(
            "reason",
            "is missing: say why, for whoever looks at it next year",
        ));
    }
    if reason.chars().count() > CHARS_MAX || reason.chars().any(char::is_control) {
        return Err(Problem::unfit(
            "reason",
            format!("must be one line of at most {CHARS_MAX} characters"),
        ));
    }
    Ok(reason)
}
