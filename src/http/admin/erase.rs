//! `POST /v1/tokens/{reference}/erase`: everything that is held of a token goes, or nothing.

use std::collections::BTreeSet;

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::ask::{Ask, Doing, Named, Told};
use super::problem::Problem;
use super::tokens::Whose;
use super::v1::SharedApi;
use crate::domain::id::TokenReference;
use crate::lifecycle::ordering;
use crate::store::erasing::{Erased, Erasing as _, Erasure};
use crate::store::written::Unfit;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Erase {
    reason: Option<String>,
    confirm: Option<String>,
    #[serde(default)]
    force: bool,
    #[serde(default)]
    dry_run: bool,
}

/// The entry of the audit is in the erasure's own transaction: a crash leaves both or neither.
pub(super) async fn erase(
    State(api): State<SharedApi>,
    doing: Doing,
    Named(reference): Named,
    Ask(whose): Ask<Whose>,
    Told(erase): Told<Erase>,
) -> Result<Json<Value>, Problem> {
    let hand = doing.must_say(erase.reason.as_deref())?;
    let token = TokenReference {
        namespace: whose.namespace,
        reference,
    };
    if !erase.dry_run && erase.confirm.as_deref() != Some(ordering::confirmation(&token)) {
        return Err(Problem::not_orderable(Unfit {
            field: "confirm",
            why: "must be the last four characters of the reference: what is erased does not come back".to_owned(),
        }));
    }
    let erasure = Erasure {
        tokens: BTreeSet::from([token]),
        force: erase.force,
        dry_run: erase.dry_run,
    };
    let memory = api.state.ledger.in_the_hand_of(hand);
    match memory.erase(&erasure).await? {
        Erased::Unknown => Err(Problem::unknown_token()),
        Erased::Held(held) => Err(Problem::still_needed(&held)),
        Erased::Gone { rows, shared } => {
            if !erase.dry_run {
                tracing::info!(operator = doing.operator.name, "a token was erased");
            }
            let rows: Map<String, Value> = rows
                .iter()
                .map(|(table, many)| ((*table).to_owned(), json!(many)))
                .collect();
            Ok(Json(
                json!({ "rows": rows, "shared_notifications": shared, "dry_run": erase.dry_run }),
            ))
        }
    }
}
