//! What the store holds, read behind the receiver's back: each row as a JSON array, so that both databases say the same.

use std::collections::BTreeSet;

use anyhow::Context as _;
use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, SqliteConnection};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::load::sha256;
use crate::model::{Event, Kept, KeptToken, Transition};

/// A store, as whoever may read it reaches it.
pub struct Reader {
    pub url: String,
}

const EVENTS_OF_TOKENS: &str = "token_unique_reference is not null";

impl Reader {
    pub async fn kept(&self) -> anyhow::Result<Kept> {
        let postgres = self.url.starts_with("postgres");
        let (array, hex) = if postgres {
            ("json_build_array", "encode(body, 'hex')")
        } else {
            ("json_array", "hex(body)")
        };
        // A list or an object is jsonb or an array there, and text here.
        let list = if postgres {
            "to_json(suspended_by)"
        } else {
            "json(suspended_by)"
        };
        let at = if postgres {
            "to_char(status_at at time zone 'utc', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"
        } else {
            "status_at"
        };
        let field = |name: &str| match postgres {
            true => format!("body -> 'data' -> '{name}'"),
            false => format!("json_extract(body, '$.data.{name}')"),
        };
        let (index, of, changed) = (field("index"), field("of"), field("state_changed"));
        Ok(Kept {
            notifications: self.rows(&format!("{array}(id, request_id)"), "notifications order by id").await?
                .iter().filter_map(|row| Some((text(row, 0)?, text(row, 1)?))).collect(),
            tokens: self.rows(
                &format!("{array}(token_unique_reference, status, {list}, {at}, token_info ->> 'tokenExpiry', sequence)"),
                "tokens",
            ).await?.iter().map(token).collect::<Option<_>>().context("a row of tokens")?,
            transitions: self.rows(
                &format!("{array}(token_unique_reference, sequence, from_status, to_status, notification_id)"),
                "token_transitions order by token_unique_reference, sequence",
            ).await?.iter().map(transition).collect::<Option<_>>().context("a row of token_transitions")?,
            events: self.rows(
                &format!("{array}(position, id, type, token_unique_reference, sequence, {index}, {of}, {changed}, notification_id)"),
                &format!("events where {EVENTS_OF_TOKENS} order by position"),
            ).await?.iter().map(event).collect::<Option<_>>().context("a row of events")?,
            others: self.rows(&format!("{array}(position)"), &format!("events where not ({EVENTS_OF_TOKENS})")).await?
                .iter().filter_map(|row| number(row, 0)).collect(),
            quarantined: self.rows(&format!("{array}({hex})"), "quarantine where body is not null").await?
                .iter().filter_map(|row| Some(sha256(&hex::decode(text(row, 0)?).ok()?))).collect(),
        })
    }

    /// How many events there are for a merchant.
    pub async fn events(&self) -> anyhow::Result<usize> {
        let array = if self.url.starts_with("postgres") {
            "json_build_array"
        } else {
            "json_array"
        };
        let rows = self
            .rows(
                &format!("{array}(count(*))"),
                &format!("events where {EVENTS_OF_TOKENS}"),
            )
            .await?;
        Ok(rows.first().and_then(|row| number(row, 0)).context("a count")? as usize)
    }

    async fn rows(&self, row: &str, from: &str) -> anyhow::Result<Vec<Value>> {
        let sql = format!("select cast({row} as text) from {from}");
        let rows: Vec<String> = if self.url.starts_with("postgres") {
            let mut connection = PgConnection::connect(&self.url).await?;
            sqlx::query_scalar(AssertSqlSafe(sql))
                .fetch_all(&mut connection)
                .await?
        } else {
            let mut connection = SqliteConnection::connect(&self.url).await?;
            sqlx::query_scalar(AssertSqlSafe(sql))
                .fetch_all(&mut connection)
                .await?
        };
        rows.iter()
            .map(|row| serde_json::from_str(row).context("a row"))
            .collect()
    }
}

fn token(row: &Value) -> Option<KeptToken> {
    let suspended_by: Option<BTreeSet<String>> = row[2]
        .as_array()?
        .iter()
        .map(|one| Some(one.as_str()?.to_owned()))
        .collect();
    let at = text(row, 3).and_then(|at| OffsetDateTime::parse(&at, &Rfc3339).ok());
    Some(KeptToken {
        reference: text(row, 0)?,
        status: text(row, 1),
        suspended_by: suspended_by?,
        at: at.and_then(|at| i64::try_from(at.unix_timestamp_nanos() / 1_000).ok()),
        expiry: text(row, 4),
        sequence: number(row, 5)?,
    })
}

fn transition(row: &Value) -> Option<Transition> {
    Some(Transition {
        token: text(row, 0)?,
        sequence: number(row, 1)?,
        from: text(row, 2),
        to: text(row, 3),
        notification: text(row, 4)?,
    })
}

fn event(row: &Value) -> Option<Event> {
    Some(Event {
        position: number(row, 0)?,
        id: text(row, 1)?,
        kind: text(row, 2)?,
        token: text(row, 3)?,
        sequence: number(row, 4)?,
        index: number(row, 5)?,
        of: number(row, 6)?,
        // SQLite knows no other truth than a number.
        state_changed: row[7] == Value::Bool(true) || row[7] == 1,
        notification: text(row, 8).unwrap_or_default(),
    })
}

fn text(row: &Value, place: usize) -> Option<String> {
    row[place].as_str().map(str::to_owned)
}

fn number(row: &Value, place: usize) -> Option<u64> {
    row[place].as_u64()
}
