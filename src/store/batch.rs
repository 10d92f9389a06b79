//! A batch as parameters: on Postgres one array per column, on SQLite one JSON text of all rows.
//!
//! Why not JSON for both: taking a JSON batch apart cost Postgres three times what arrays do.

use serde::Serialize;
use sqlx::error::BoxDynError;
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::sqlite::SqliteRow;
use sqlx::{FromRow, Postgres, Sqlite};

use super::Error;
use super::session::{Session, Sql};

/// A row of a batch.
pub(super) trait BatchRow: Serialize + Sized {
    /// Adds one array per field, in the order of the fields: `$1`, `$2` …
    fn add_columns(rows: &[Self], arguments: &mut PgArguments) -> Result<(), BoxDynError>;
}

/// A row that a statement gives back, from either database.
pub(super) trait Answer: for<'r> FromRow<'r, PgRow> + for<'r> FromRow<'r, SqliteRow> + Send + Unpin {}

impl<T: for<'r> FromRow<'r, PgRow> + for<'r> FromRow<'r, SqliteRow> + Send + Unpin> Answer for T {}

/// Declares a [`BatchRow`]; the order of the fields is the order of the parameters.
macro_rules! batch_row {
    (
        $(#[$meta:meta])*
        $visibility:vis struct $name:ident $(<$life:lifetime>)? { $($field:ident: $type:ty,)* }
    ) => {
        $(#[$meta])*
        #[derive(serde::Serialize)]
        $visibility struct $name $(<$life>)? { $(pub $field: $type,)* }

        impl $(<$life>)? $crate::store::batch::BatchRow for $name $(<$life>)? {
            fn add_columns(
                rows: &[Self],
                arguments: &mut sqlx::postgres::PgArguments,
            ) -> Result<(), sqlx::error::BoxDynError> {
                use sqlx::Arguments;
                $(arguments.add(rows.iter().map(|row| &row.$field).collect::<Vec<_>>())?;)*
                Ok(())
            }
        }
    };
}

pub(super) use batch_row;

impl Session {
    /// Runs a statement over a batch.
    pub(super) async fn execute_batch<R: BatchRow>(&mut self, sql: Sql, rows: &[R]) -> Result<(), Error> {
        self.count_batch(sql, rows).await.map(drop)
    }

    /// Runs a statement over a batch and says how many rows it touched.
    pub(super) async fn count_batch<R: BatchRow>(&mut self, sql: Sql, rows: &[R]) -> Result<u64, Error> {
        let touched = match self {
            Session::Postgres(connection) => {
                let query = sqlx::query_with::<Postgres, _>(sql.postgres, columns(rows)?);
                query.execute(connection).await?.rows_affected()
            }
            Session::Sqlite(connection) => {
                let query = sqlx::query::<Sqlite>(sql.sqlite).bind(json(rows)?);
                query.execute(connection).await?.rows_affected()
            }
        };
        Ok(touched)
    }

    /// Runs a statement over a batch and gives its rows.
    pub(super) async fn fetch_batch<R: BatchRow, T: Answer>(&mut self, sql: Sql, rows: &[R]) -> Result<Vec<T>, Error> {
        let found = match self {
            Session::Postgres(connection) => {
                let query = sqlx::query_as_with::<Postgres, T, _>(sql.postgres, columns(rows)?);
                query.fetch_all(connection).await?
            }
            Session::Sqlite(connection) => {
                let query = sqlx::query_as::<Sqlite, T>(sql.sqlite).bind(json(rows)?);
                query.fetch_all(connection).await?
            }
        };
        Ok(found)
    }
}

fn columns<R: BatchRow>(rows: &[R]) -> Result<PgArguments, Error> {
    let mut arguments = PgArguments::default();
    R::add_columns(rows, &mut arguments).map_err(sqlx::Error::Encode)?;
    Ok(arguments)
}

fn json<R: BatchRow>(rows: &[R]) -> Result<String, Error> {
    serde_json::to_string(rows).map_err(|error| sqlx::Error::Encode(error.into()).into())
}
