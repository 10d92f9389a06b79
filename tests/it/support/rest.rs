//! What of a database can be read by whoever has the disk: every column of every row, as bytes.

use sqlx::{AssertSqlSafe, Connection, PgConnection, SqliteConnection};

use super::Database;

impl Database {
    /// All of it as text; what is no text is replaced, so that text within it can be looked for.
    pub async fn at_rest(&self) -> String {
        let bytes = match self.url().strip_prefix("sqlite://") {
            Some(file) => self.sqlite_at_rest(file).await,
            None => self.postgres_at_rest().await,
        };
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The columns, and the files themselves: a deleted row may still stand in those.
    async fn sqlite_at_rest(&self, file: &str) -> Vec<u8> {
        const COLUMNS: &str =
            "select t.name, c.name from sqlite_schema t, pragma_table_info(t.name) c where t.type = 'table'";
        let mut connection = SqliteConnection::connect(self.url()).await.expect("the file opens");
        let columns: Vec<(String, String)> = sqlx::query_as(COLUMNS)
            .fetch_all(&mut connection)
            .await
            .expect("the catalogue answers");
        assert!(columns.len() > 50, "{columns:?}");
        let mut bytes = Vec::new();
        for (table, column) in columns {
            let sql = format!("select cast(\"{column}\" as blob) from \"{table}\" where \"{column}\" is not null");
            let values: Vec<Vec<u8>> = sqlx::query_scalar(AssertSqlSafe(sql))
                .fetch_all(&mut connection)
                .await
                .expect("the table answers");
            bytes.extend(values.join(&b'\n'));
        }
        for suffix in ["", "-wal"] {
            bytes.extend(std::fs::read(format!("{file}{suffix}")).unwrap_or_default());
        }
        bytes
    }

    async fn postgres_at_rest(&self) -> Vec<u8> {
        const COLUMNS: &str = "select table_name::text, column_name::text, data_type::text
            from information_schema.columns where table_schema = 'public'";
        let mut connection = PgConnection::connect(self.url()).await.expect("the server answers");
        let columns: Vec<(String, String, String)> = sqlx::query_as(COLUMNS)
            .fetch_all(&mut connection)
            .await
            .expect("the catalogue answers");
        assert!(columns.len() > 50, "{columns:?}");
        let mut bytes = Vec::new();
        for (table, column, kind) in columns {
            let value = match kind.as_str() {
                "bytea" => format!("\"{column}\""),
                _ => format!("convert_to(\"{column}\"::text, 'UTF8')"),
            };
            let sql = format!("select {value} from \"{table}\" where \"{column}\" is not null");
            let values: Vec<Vec<u8>> = sqlx::query_scalar(AssertSqlSafe(sql))
                .fetch_all(&mut connection)
                .await
                .expect("the table answers");
            bytes.extend(values.join(&b'\n'));
        }
        bytes
    }
}
