//! `GET /v1/tokens/export`: how all tokens stand, one JSON object a line.
//!
//! The position of the newest event is read before the first token, and stands in the header `x-events-position`:
//! who takes all lines and then reads the events after it has missed nothing. What is committed meanwhile may show
//! in both; the higher `sequence` holds.

use axum::Extension;
use axum::extract::State;
use axum::http::HeaderName;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};

use tokio::select;

use super::cursor;
use super::flow::{Gone, Writer, flow};
use super::leave::Leave;
use super::problem::Problem;
use super::v1::SharedApi;
use super::wire;
use crate::store::outbox::Standing;

const POSITION: HeaderName = HeaderName::from_static("x-events-position");
/// Tokens in memory at once.
const PAGE: u32 = 500;

/// Answers at once; the pages follow as they are read. Trouble on the way cuts the body short, visibly.
pub(super) async fn export(
    State(api): State<SharedApi>,
    Extension(leave): Extension<Leave>,
) -> Result<Response, Problem> {
    let place = api.place()?;
    let position = cursor::newest(&*api.state.outbox).await?;
    let first = api.state.outbox.standing(None, PAGE).await?;
    let (writer, body) = flow();
    tokio::spawn(async move {
        let _place = place;
        select! {
            () = write(&api, first, writer) => {}
            () = leave.ended() => tracing::warn!("an export was cut short: its operator's token holds no longer"),
        }
    });
    let headers = [
        (CONTENT_TYPE, "application/x-ndjson".to_owned()),
        (POSITION, position.to_string()),
    ];
    Ok((headers, body).into_response())
}

async fn write(api: &SharedApi, mut page: Vec<Standing>, writer: Writer) {
    while let Some(last) = page.last().map(|last| last.token.reference.clone()) {
        if let Err(Gone) = writer.write(lines(&page)).await {
            return;
        }
        page = match api.state.outbox.standing(Some(&last), PAGE).await {
            Ok(page) => page,
            Err(error) => {
                tracing::warn!(%error, "an export was cut short");
                return;
            }
        };
    }
    writer.end().await;
}

fn lines(page: &[Standing]) -> String {
    page.iter().map(|one| format!("{}\n", wire::standing(one))).collect()
}
