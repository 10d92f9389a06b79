//! Rows that either database can give: a struct whose fields are columns by name.
//!
//! sqlx has a derive for it; that derive would compile both drivers, TLS and SQLite's C a second time,
//! for the compiler's own use.

/// Defines a struct and reads it from a row of either database; `with` takes in another such struct's columns.
macro_rules! row {
    (
        $(#[$meta:meta])*
        $vis:vis struct $name:ident { $($field:ident: $type:ty),* $(,)? }
        $(with $part:ident: $part_type:ty)?
    ) => {
        $(#[$meta])*
        $vis struct $name {
            $($field: $type,)*
            $($part: $part_type,)?
        }

        impl<'r, R> sqlx::FromRow<'r, R> for $name
        where
            R: sqlx::Row,
            &'static str: sqlx::ColumnIndex<R>,
            $($type: sqlx::Decode<'r, R::Database> + sqlx::Type<R::Database>,)*
            $($part_type: sqlx::FromRow<'r, R>,)?
        {
            fn from_row(row: &'r R) -> Result<Self, sqlx::Error> {
                Ok($name {
                    $($field: sqlx::Row::try_get(row, stringify!($field))?,)*
                    $($part: sqlx::FromRow::from_row(row)?,)?
                })
            }
        }
    };
}

pub(super) use row;
