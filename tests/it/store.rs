//! What a store promises. Each promise is a function, and is kept on both databases.

/// Stamps promises for both databases.
macro_rules! promises {
    ($($name:ident),* $(,)?) => {
        mod on_sqlite {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    super::$name($crate::support::Database::sqlite().await).await;
                }
            )*
        }

        mod on_postgres {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    super::$name($crate::support::Database::postgres().await).await;
                }
            )*
        }
    };
}

mod history;
mod primary;
mod quarantine;
mod recording;
mod repeats;
mod replicas;
mod scene;
mod schema;
mod trouble;
