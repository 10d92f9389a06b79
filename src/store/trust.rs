//! How much a Postgres must prove of itself before we tell it anything.
//!
//! On this machine nothing stands between. Beyond it, the driver's own default (`prefer`) goes on in clear if whoever
//! stands between says that there is no TLS: there, unless the operator says otherwise, the server proves its name by a
//! certificate of a known authority (`verify-full`).

use std::net::IpAddr;

use sqlx::postgres::{PgConnectOptions, PgSslMode};
use url::Url;

use crate::domain::masked::Secret;

/// What to do about a server that did not prove itself.
pub(super) const PROVE: &str = "TLS to the database failed: its certificate must be for the host in `store.url`, by a public authority or by the one \
     that `?sslrootcert=FILE` there names";

/// The same options, with `verify-full` where nobody said anything and the server is not on this machine.
pub(super) fn trusting(url: &Secret, options: PgConnectOptions) -> PgConnectOptions {
    // `prefer` is what the driver says if neither the URL nor `PGSSLMODE` does.
    let nobody_said = matches!(options.get_ssl_mode(), PgSslMode::Prefer) && !says_how(url);
    match nobody_said && !is_here(&options) {
        true => options.ssl_mode(PgSslMode::VerifyFull),
        false => options,
    }
}

/// The host of that URL, if it is beyond this machine and need not prove that it is the one: then whoever stands between
/// may read and change what we keep. `None` of a URL that is none of Postgres's.
pub fn unproven(url: &Secret) -> Option<String> {
    let options: PgConnectOptions = url.expose().parse().ok()?;
    let options = trusting(url, options);
    let proves = matches!(options.get_ssl_mode(), PgSslMode::VerifyFull);
    (!proves && !is_here(&options)).then(|| options.get_host().to_owned())
}

fn says_how(url: &Secret) -> bool {
    let url = Url::parse(url.expose());
    url.is_ok_and(|url| {
        url.query_pairs()
            .any(|(key, _)| matches!(&*key, "sslmode" | "ssl-mode"))
    })
}

fn is_here(options: &PgConnectOptions) -> bool {
    let host = options.get_host();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    options.get_socket().is_some()
        || host.starts_with('/')
        || host == "localhost"
        || address.is_ok_and(|address| address.to_canonical().is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(url: &str) -> String {
        let options: PgConnectOptions = url.parse().expect("a URL");
        format!("{:?}", trusting(&Secret::new(url), options).get_ssl_mode())
    }

    #[test]
    fn beyond_this_machine_a_server_proves_its_name_unless_the_url_says_otherwise() {
        assert_eq!(mode("postgres://receiver@db.internal/receiver"), "VerifyFull");
        assert_eq!(
            mode("postgres://receiver@10.0.0.7/receiver?application_name=a"),
            "VerifyFull"
        );
        assert_eq!(mode("postgres://receiver@localhost.example/receiver"), "VerifyFull");
        assert_eq!(
            mode("postgres://receiver@db.internal/receiver?sslmode=prefer"),
            "Prefer"
        );
        assert_eq!(
            mode("postgres://receiver@db.internal/receiver?ssl-mode=disable"),
            "Disable"
        );
        for here in ["localhost", "127.0.0.1", "[::1]", "%2Frun%2Fpostgresql"] {
            assert_eq!(
                mode(&format!("postgres://receiver@{here}/receiver")),
                "Prefer",
                "{here}"
            );
        }
    }

    /// The driver looks for one in the usual folders, and calls it the host.
    #[test]
    fn a_socket_that_the_driver_found_is_on_this_machine() {
        let found = PgConnectOptions::new_without_pgpass().host("/var/run/postgresql");
        let trusted = trusting(&Secret::new("postgres:///receiver"), found.ssl_mode(PgSslMode::Prefer));
        assert!(matches!(trusted.get_ssl_mode(), PgSslMode::Prefer));
    }

    #[test]
    fn who_need_not_prove_himself_beyond_this_machine_is_named() {
        let named = |url: &str| unproven(&Secret::new(url));
        assert_eq!(named("postgres://a:secret@db/x?sslmode=require").as_deref(), Some("db"));
        assert_eq!(
            named("postgres://a:secret@db/x?sslmode=verify-ca").as_deref(),
            Some("db")
        );
        assert_eq!(named("postgres://a:secret@db/x"), None);
        assert_eq!(named("postgres://a:secret@localhost/x?sslmode=disable"), None);
        assert_eq!(named("sqlite://data/receiver.db"), None);
    }
}
