//! Log lines. Nothing of what a notification says ever stands in one.
//!
//! # The fields of a log line
//!
//! One event is one line on standard error: time (UTC), level, target, message, and fields. The same thing
//! has the same name everywhere; nothing else about a notification is ever logged, least of all what it says.
//!
//! | field | what it is |
//! |---|---|
//! | `outcome` | what became of it: `recorded`, `repeat`, `unavailable`, or the reason of the refusal |
//! | `status` | the HTTP status of the answer |
//! | `notification`, `quarantine` | our id |
//! | `request_id` | Mastercard's, escaped and cut |
//! | `peer`, `address` | the name that the certificate proved, and where the connection came from |
//! | `statements` | for each token its reference, its status and sequence after it, and the verdict |
//! | `unreadable` | how many of its tokens are in quarantine |
//! | `detail` | which step failed; never the data |
//! | `took_ms` | from the complete body to the answer |
//! | `error` | what went wrong, with the next step |

use tracing::Subscriber;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::{ParseError, Targets};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;

use crate::config::settings;

/// Sends log lines to standard error from now on, in colours if it is to be. A second call changes nothing.
pub fn init_logs(log: &settings::Log, colours: bool) {
    // An error only says that logs are set up already.
    let _ = tracing::subscriber::set_global_default(lines(log, std::io::stderr, colours));
}

fn lines<W>(log: &settings::Log, to: W, colours: bool) -> Box<dyn Subscriber + Send + Sync>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let filter = filter(&log.filter).unwrap_or_else(|_| Targets::new().with_default(LevelFilter::INFO));
    let lines = tracing_subscriber::fmt()
        .with_max_level(LevelFilter::TRACE)
        .with_writer(to)
        .with_ansi(colours && !log.json);
    if log.json {
        Box::new(
            lines
                .json()
                .flatten_event(true)
                .with_current_span(false)
                .with_span_list(false)
                .finish()
                .with(filter),
        )
    } else {
        Box::new(lines.finish().with(filter))
    }
}

/// `info`, or `info,mdes_receiver=debug`: a level, or a level for each target.
fn filter(text: &str) -> Result<Targets, ParseError> {
    // What Postgres remarks on (a table that is there already) is no news, unless someone asks for it.
    let quiet = match text.contains("sqlx") {
        true => text.to_owned(),
        false => format!("{text},sqlx=warn"),
    };
    quiet.parse()
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    /// What is logged while `act` runs, line by line.
    fn logged(json: bool, filter: &str, act: impl FnOnce()) -> Vec<String> {
        let log = settings::Log {
            json,
            filter: filter.to_owned(),
        };
        let written = Arc::new(Mutex::new(Vec::new()));
        let subscriber = lines(&log, Written(Arc::clone(&written)), false);
        tracing::subscriber::with_default(subscriber, act);
        let bytes = written.lock().expect("no one panics while holding it").clone();
        let text = String::from_utf8(bytes).expect("logs are UTF-8");
        text.lines().map(str::to_owned).collect()
    }

    #[derive(Clone)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl std::io::Write for Written {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().expect("no one panics while holding it").extend(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    impl MakeWriter<'_> for Written {
        type Writer = Written;

        fn make_writer(&self) -> Written {
            self.clone()
        }
    }

    #[test]
    fn an_event_is_one_json_object_with_its_fields_beside_the_message() {
        let lines = logged(true, "info", || {
            tracing::info!(outcome = "recorded", request_id = "a\nb", took_ms = 3, "notification");
        });
        let [line] = &lines[..] else {
            panic!("one line: {lines:?}")
        };
        let event: serde_json::Value = serde_json::from_str(line).expect("JSON");
        assert_eq!(event["message"], "notification");
        assert_eq!(
            (&event["outcome"], &event["request_id"]),
            (&"recorded".into(), &"a\nb".into())
        );
        assert_eq!((&event["level"], &event["took_ms"]), (&"INFO".into(), &3.into()));
    }

    #[test]
    fn an_event_is_one_line_for_people_whatever_a_field_holds() {
        let lines = logged(false, "info", || {
            tracing::info!(request_id = "a\nb\u{1b}[31m", "notification")
        });
        let [line] = &lines[..] else {
            panic!("one line: {lines:?}")
        };
        assert!(line.ends_with(r#"notification request_id="a\nb\u{1b}[31m""#), "{line}");
    }

    #[test]
    fn the_filter_decides() {
        let say = || {
            tracing::debug!("quiet");
            tracing::warn!("loud");
        };
        assert_eq!(logged(false, "info", say).len(), 1);
        assert_eq!(logged(false, "mdes_receiver=debug", say).len(), 2);
        assert_eq!(logged(false, "error", say).len(), 0);
    }
}
