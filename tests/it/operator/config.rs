//! A configuration means what it says, or an error says which key, where, and what to write instead.

use std::path::Path;

use mdes_receiver::config::settings::{ForwardedProof, Payload, Settings};
use mdes_receiver::config::{self, Error};
use mdes_receiver::domain::command::{Action, Service};
use tempfile::TempDir;

const SMALLEST: &str = r#"
[callback]
response_host = "tokens.merchant.example"
[callback.tls]
certificate = "server.pem"
private_key = "server.key"
client_roots = ["mastercard-roots.pem"]
[[keys]]
private_key = "decrypt.key"
"#;

/// An operator with a file, an environment and a command line.
#[derive(Default)]
struct Operator {
    file: String,
    env: Vec<(String, String)>,
    flags: Vec<(String, String)>,
}

fn operator(file: &str) -> Operator {
    Operator {
        file: file.to_owned(),
        ..Operator::default()
    }
}

impl Operator {
    fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    fn flag(mut self, key: &str, value: &str) -> Self {
        self.flags.push((key.to_owned(), value.to_owned()));
        self
    }

    fn loads(self) -> Result<Settings, Error> {
        let folder = TempDir::new().expect("a temporary folder");
        let path = folder.path().join("receiver.toml");
        std::fs::write(&path, &self.file).expect("the folder is writable");
        config::load(Some(&path), &self.flags, self.env)
    }

    fn settings(self) -> Settings {
        self.loads().expect("a good configuration")
    }

    /// The sentence, without the temporary folder's name.
    fn refusal(self) -> String {
        let folder = TempDir::new().expect("a temporary folder");
        let path = folder.path().join("receiver.toml");
        std::fs::write(&path, &self.file).expect("the folder is writable");
        let error = config::load(Some(&path), &self.flags, self.env).expect_err("a bad configuration");
        assert!(!format!("{error:?}").contains("hunter2"), "no secret in {error:?}");
        error.to_string().replace(&format!("{}/", folder.path().display()), "")
    }
}

/// The smallest file with one line changed or added after `[table]`.
fn with(table: &str, lines: &str) -> String {
    let header = format!("{table}\n");
    if SMALLEST.contains(&header) {
        SMALLEST.replace(&header, &format!("{header}{lines}\n"))
    } else {
        format!("{SMALLEST}{header}{lines}\n")
    }
}

#[test]
fn the_smallest_file_means_the_defaults_of_the_example() {
    let example = include_str!("../../../config/example.toml");
    let (example, smallest) = (operator(example).settings(), operator(SMALLEST).settings());
    let without_folder = |settings: &Settings| {
        let text = format!("{settings:?}").replace(&settings.store.urls[0].expose().to_owned(), "");
        let folder = settings.keys[0].private_key.parent().expect("it stands in a folder");
        text.replace(&folder.display().to_string(), "")
    };
    assert_eq!(without_folder(&example), without_folder(&smallest));
    let database = |settings: &Settings| settings.store.urls[0].expose().rsplit('/').take(2).collect::<String>();
    assert_eq!(database(&example), database(&smallest));
}

#[test]
fn the_contract_of_the_issue_is_understood() {
    let settings = operator(
        r#"
[callback]
listen = "127.0.0.1:8443"
context_root = ""
response_host = "tokens.merchant.example"
[callback.tls]
certificate = "server.pem"
private_key = "server.key"
client_roots = ["mastercard-roots.pem"]
client_names = ["ws.mastercard.com"]
[[keys]]
private_key = "decrypt.key"
certificate = "decrypt.pem"
fingerprints = []
[store]
url = "sqlite://data/receiver.db"
[admin]
listen = "127.0.0.1:9443"
"#,
    )
    .settings();
    assert_eq!(settings.callback.listen.to_string(), "127.0.0.1:8443");
    assert_eq!(settings.callback.tls.peers[0].names, ["ws.mastercard.com"]);
    assert_eq!(settings.callback.payload, Payload::Encrypted);
    assert_eq!(settings.callback.limits.handshake.as_secs(), 10);
    assert_eq!(settings.callback.limits.connections_max, 12_000);
    assert!(settings.envelope.try_all && settings.store.migrate_on_start);
}

#[test]
fn the_file_for_dev_names_what_dev_makes() {
    let settings = config::load(Some(Path::new("config/dev.toml")), &[], []).expect("a good configuration");
    assert_eq!(
        settings.callback.tls.certificate,
        Path::new("config/../certs/dev/server.pem")
    );
    assert_eq!(settings.store.urls[0].expose(), "sqlite://config/../data/receiver.db");
}

#[test]
fn relative_paths_stand_against_the_folder_of_the_file() {
    let folder = TempDir::new().expect("a temporary folder");
    let path = folder.path().join("receiver.toml");
    std::fs::write(&path, with("[callback.tls]", "crls = [\"/abs/list.crl\"]")).expect("the folder is writable");
    let flags = [("keys".to_owned(), r#"[{ private_key = "other.key" }]"#.to_owned())];
    let settings = config::load(Some(&path), &flags, []).expect("a good configuration");
    assert_eq!(settings.callback.tls.certificate, folder.path().join("server.pem"));
    assert_eq!(settings.callback.tls.crls, [Path::new("/abs/list.crl")]);
    assert_eq!(settings.keys[0].private_key, folder.path().join("other.key"));
    let url = format!("sqlite://{}/data/receiver.db", folder.path().display());
    assert_eq!(settings.store.urls[0].expose(), url);
}

#[test]
fn the_environment_overrides_the_file_and_flags_override_both() {
    let file = with("[admin]", "listen = \"127.0.0.1:1\"");
    let by_environment = || operator(&file).env("MDES_RECEIVER__ADMIN__LISTEN", "127.0.0.1:2");
    assert_eq!(operator(&file).settings().admin.listen.port(), 1);
    assert_eq!(by_environment().settings().admin.listen.port(), 2);
    let by_flag = by_environment().flag("admin.listen", "127.0.0.1:3");
    assert_eq!(by_flag.settings().admin.listen.port(), 3);
}

#[test]
fn the_environment_alone_is_enough() {
    let env = [
        ("CALLBACK__RESPONSE_HOST", "tokens.merchant.example"),
        ("CALLBACK__TLS__CERTIFICATE", "/etc/server.pem"),
        ("CALLBACK__TLS__PRIVATE_KEY", "/etc/server.key"),
        ("CALLBACK__TLS__CLIENT_ROOTS", "/etc/old.pem, /etc/new.pem"),
        (
            "CALLBACK__TLS__CLIENT_NAMES",
            r#"["ws.mastercard.com", "WS2.mastercard.com"]"#,
        ),
        ("CALLBACK__TLS__CLIENT_EKU_REQUIRED", "false"),
        ("CALLBACK__LIMITS__BODY_SECS", "3"),
        (
            "KEYS",
            r#"[{ private_key = "/etc/a.p12", password = "hunter2" }, { private_key = "/etc/b.key" }]"#,
        ),
        ("STORE__URL", "postgres://one/db,postgres://two/db"),
    ];
    let env = env.map(|(name, value)| (format!("MDES_RECEIVER__{name}"), value.to_owned()));
    let settings = config::load(None, &[], env).expect("a good configuration");
    let rule = &settings.callback.tls.peers[0];
    assert_eq!(rule.roots, [Path::new("/etc/old.pem"), Path::new("/etc/new.pem")]);
    assert_eq!(rule.names, ["ws.mastercard.com", "ws2.mastercard.com"]);
    assert!(!settings.callback.tls.client_eku_required);
    assert_eq!(settings.callback.limits.body.as_secs(), 3);
    assert_eq!(settings.keys.len(), 2);
    assert_eq!(settings.store.urls.len(), 2);
}

#[test]
fn a_comma_in_the_options_of_one_url_makes_no_list() {
    let url = "postgres://host/db?options=-csearch_path=a,b";
    let settings = operator(SMALLEST).env("MDES_RECEIVER__STORE__URL", url).settings();
    assert_eq!(
        settings.store.urls.iter().map(|url| url.expose()).collect::<Vec<_>>(),
        [url]
    );
}

#[test]
fn a_value_reads_the_environment_where_it_says_so() {
    let file = with("[store]", r#"url = "postgres://app:${DB_PASSWORD}@db/tokens?x=$${y}""#);
    let settings = operator(&file).env("DB_PASSWORD", "hunter2").settings();
    let url = settings.store.urls[0].expose().to_owned();
    assert_eq!(url, "postgres://app:hunter2@db/tokens?x=${y}");

    let file = with("[callback.limits]", r#"body_secs = "${BODY_SECS}""#);
    assert_eq!(
        operator(&file)
            .env("BODY_SECS", "7")
            .settings()
            .callback
            .limits
            .body
            .as_secs(),
        7
    );

    let file = with("[store]", r#"url = "${URL}""#);
    let twice = operator(&file)
        .env("URL", "postgres://${HOST}/db")
        .env("HOST", "db")
        .settings();
    assert_eq!(
        twice.store.urls[0].expose(),
        "postgres://${HOST}/db",
        "what was read is not read again"
    );
}

#[test]
fn secrets_never_show_in_debug() {
    let file = with("[store]", r#"url = "postgres://app:hunter2@db/tokens""#).replace(
        "private_key = \"decrypt.key\"",
        "private_key = \"decrypt.p12\"\npassword = \"hunter2\"",
    );
    let settings = operator(&file).settings();
    assert_eq!(
        settings.keys[0].password.as_ref().expect("it was given").expose(),
        "hunter2"
    );
    assert!(!format!("{settings:?}").contains("hunter2"));
}

#[test]
fn an_unknown_key_is_refused_with_the_nearest_known_one() {
    let refusals = [
        (
            with("[callback.tls]", "certficate = \"x\""),
            "unknown key `callback.tls.certficate`: did you mean `callback.tls.certificate`?",
        ),
        (
            with("[callback]", "connections_max = 5"),
            "unknown key `callback.connections_max`: did you mean `callback.limits.connections_max`?",
        ),
        (
            with("[stroe]", "url = \"x\""),
            "unknown key `stroe`: did you mean `store`?",
        ),
        (
            with("[[keys]]", "privat_key = \"x\""),
            "unknown key `keys[0].privat_key`: did you mean `keys[0].private_key`?",
        ),
        (
            with("[callback.tls]", "kafka_brokers = 1"),
            "unknown key `callback.tls.kafka_brokers`: see config/example.toml for all keys",
        ),
    ];
    for (file, sentence) in refusals {
        assert_eq!(operator(&file).refusal(), sentence);
    }
    assert_eq!(
        operator(SMALLEST).env("MDES_RECEIVER__STORE__URI", "x").refusal(),
        "unknown environment variable `MDES_RECEIVER__STORE__URI`: did you mean `MDES_RECEIVER__STORE__URL`?"
    );
    assert_eq!(
        operator(SMALLEST).flag("store.uri", "x").refusal(),
        "unknown key `store.uri`: did you mean `store.url`?"
    );
}

#[test]
fn a_wrong_type_is_named_with_its_key_and_where_it_was_given() {
    let refusals = [
        (
            operator(&with("[callback.limits]", "body_secs = \"hunter2\"")),
            "key `callback.limits.body_secs` in receiver.toml: expected a whole number, found text",
        ),
        (
            operator(&with("[callback.limits]", "body_secs = -1")),
            "key `callback.limits.body_secs` in receiver.toml: expected a whole number, found a negative number",
        ),
        (
            operator(&with("[callback.tls]", "crls = \"a.crl\"")),
            "key `callback.tls.crls` in receiver.toml: expected a list, found text",
        ),
        (
            operator(&with("[[keys]]", "password = 12345")),
            "key `keys[0].password` in receiver.toml: expected text, found a number",
        ),
        (
            operator(&with("[callback]", "payload = \"sealed\"")),
            "key `callback.payload` in receiver.toml: expected one of `encrypted`, `plain`, `either`, found \"sealed\"",
        ),
        (
            operator(SMALLEST).env("MDES_RECEIVER__STORE__MIGRATE_ON_START", "maybe"),
            "key `store.migrate_on_start` in environment variable `MDES_RECEIVER__STORE__MIGRATE_ON_START`: \
          expected true or false, found text",
        ),
        (
            operator(SMALLEST).flag("keys", "hunter2"),
            "key `keys` in `--setting keys`: expected an array of tables, found text",
        ),
    ];
    for (operator, sentence) in refusals {
        assert_eq!(operator.refusal(), sentence);
    }
}

#[test]
fn a_missing_key_is_named_with_the_file() {
    assert_eq!(
        operator(&SMALLEST.replace("response_host = \"tokens.merchant.example\"", "")).refusal(),
        "key `callback.response_host` is missing in receiver.toml"
    );
    assert_eq!(
        operator(&SMALLEST.replace("private_key = \"decrypt.key\"", "")).refusal(),
        "key `keys[0].private_key` is missing in receiver.toml"
    );
    assert_eq!(
        config::load(None, &[], []).expect_err("nothing is given").to_string(),
        "key `callback.response_host` is missing and no configuration file is named (`--config FILE`)"
    );
}

#[test]
fn an_unset_variable_is_named_with_its_key() {
    let file = with("[store]", r#"url = "postgres://app:${DB_PASSWORD}@db/tokens""#);
    assert_eq!(
        operator(&file).refusal(),
        "key `store.url` in receiver.toml: environment variable `DB_PASSWORD` is not set"
    );
    let file = with("[store]", r#"url = "postgres://app:${DB PASSWORD@db/tokens""#);
    assert_eq!(
        operator(&file).refusal(),
        "key `store.url` in receiver.toml: `${` must be followed by a variable's name and `}`; \
         write `$${` for these two characters"
    );
}

#[test]
fn a_file_that_is_not_toml_is_named_with_the_place_and_not_with_the_line() {
    let refusal = operator("[store]\nurl = \"postgres://app:hunter2@db\nx = 1").refusal();
    assert!(
        refusal.starts_with("configuration file receiver.toml: line 2, column "),
        "{refusal}"
    );
    assert!(!refusal.contains("hunter2"), "{refusal}");
    let refusal = operator("[admin]\n[admin]").refusal();
    assert_eq!(
        refusal,
        "configuration file receiver.toml: line 2, column 2: duplicate key"
    );
    let missing = config::load(Some(Path::new("/nowhere/x.toml")), &[], []).expect_err("there is no such file");
    assert_eq!(
        missing.to_string(),
        "configuration file /nowhere/x.toml: No such file or directory (os error 2)"
    );
}

#[test]
fn a_destination_that_cannot_be_right_is_refused_with_the_key_that_is_wrong() {
    let good = "name = 'a'\nurl = 'https://a.example/h'\nsecrets = ['whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw']";
    let nats = "name = 'a'\nkind = 'nats'\nurl = 'nats://a.example'";
    let wrong = [
        (good.replace("'a'", "'a b'"), "name"),
        (good.replace("https:", "http:"), "url"),
        (good.replace("https:", "ftp:"), "url"),
        ("name = 'a'\nurl = 'https://a.example/h'".to_owned(), "secrets"),
        (format!("{good}\nevents = ['token.suspendet']"), "events[0]"),
        (format!("{good}\nevents = []"), "events"),
        (format!("{good}\nretry_schedule = ['5s', '5x']"), "retry_schedule[1]"),
        (format!("{good}\nconcurrency = 0"), "concurrency"),
        (format!("{good}\ntotal_secs = 25"), "total_secs"),
        (format!("{good}\nallow_networks = ['10/8']"), "allow_networks[0]"),
        (format!("{good}\nclient_key = 'a.key'"), "client_certificate"),
        (format!("{nats}\ninclude_token_number = true"), "include_token_number"),
        (
            format!(
                "{}\nallow_networks = ['10.0.0.0/8']\ninclude_token_number = true",
                good.replace("https:", "http:")
            ),
            "include_token_number",
        ),
    ];
    for (lines, key) in wrong {
        let refusal = operator(&with("[[destinations]]", &lines)).refusal();
        let start = format!("key `destinations[0].{key}` in receiver.toml: ");
        assert!(refusal.starts_with(&start), "{lines}: {refusal}");
    }
    let twice = format!("{good}\n[[destinations]]\n{good}");
    let refusal = operator(&with("[[destinations]]", &twice)).refusal();
    assert!(refusal.starts_with("key `destinations[1].name`"), "{refusal}");
}

#[test]
fn a_probe_that_cannot_be_right_is_refused_with_the_key_that_is_wrong() {
    let admitted = "[callback.probe]\nroots = ['probe-ca.pem']\nnames = ['probe.example']\n";
    let probing = "url = 'https://tokens.example'\nclient_certificate = 'probe.pem'\nclient_key = 'probe.key'\n";
    let good = format!("{admitted}[probe]\n{probing}");
    let settings = operator(&with("[log]", &format!("filter = 'info'\n{good}"))).settings();
    let probe = settings.probe.expect("it probes");
    assert_eq!(
        (probe.url.as_str(), probe.every.as_secs()),
        ("https://tokens.example/probe", 60)
    );
    let wrong = [
        (good.replace("https:", "http:"), "probe.url"),
        (good.replace("tokens.example", "tokens.example/mdes"), "probe.url"),
        (good.replace(admitted, ""), "probe.url"),
        (
            good.replace("client_certificate = 'probe.pem'", ""),
            "probe.client_certificate",
        ),
        (format!("{good}every = '1s'"), "probe.every"),
        (
            good.replace("probe.example", "WS.mastercard.com"),
            "callback.probe.names",
        ),
        (good.replace("['probe.example']", "[]"), "callback.probe.names"),
    ];
    for (lines, key) in wrong {
        let refusal = operator(&with("[log]", &format!("filter = 'info'\n{lines}"))).refusal();
        assert!(refusal.starts_with(&format!("key `{key}` ")), "{lines}: {refusal}");
    }
    let neither = good.replace("client_certificate = 'probe.pem'\nclient_key = 'probe.key'", "");
    let refusal = operator(&with("[log]", &format!("filter = 'info'\n{neither}"))).refusal();
    assert_eq!(refusal, "key `probe.client_certificate` is missing in receiver.toml");
}

#[test]
fn what_cannot_be_right_is_refused() {
    let wrong = [
        ("[callback]", "context_root = 'mdes/'", "callback.context_root"),
        ("[callback]", "context_root = '/a//b'", "callback.context_root"),
        ("[callback]", "listen = 'localhost'", "callback.listen"),
        ("[callback]", "refusal_status = 302", "callback.refusal_status"),
        (
            "[callback]",
            "proxy_protocol_from = ['10.0.0']",
            "callback.proxy_protocol_from[0]",
        ),
        ("[callback.limits]", "idle_secs = 0", "callback.limits.idle_secs"),
        (
            "[callback.tls]",
            "client_pins = ['abcd']",
            "callback.tls.client_pins[0]",
        ),
        (
            "[callback.tls]",
            "client_names = ['*.mastercard.com']",
            "callback.tls.client_names[0]",
        ),
        ("[callback.tls]", "client_names = []", "callback.tls.client_names"),
        (
            "[callback.tls]",
            "crl_expiry_enforced = true",
            "callback.tls.crl_expiry_enforced",
        ),
        (
            "[callback.tls]",
            "client_auth = 'forwarded'",
            "callback.tls.client_auth",
        ),
        ("[callback.forwarded]", "form = 'aws'", "callback.forwarded"),
        ("[[keys]]", "fingerprints = ['']", "keys[0].fingerprints[0]"),
        ("[store]", "url = 'mysql://app:hunter2@db'", "store.url"),
        ("[store]", "url = ['postgres://a/b', 'sqlite://c']", "store.url"),
        ("[store]", "url = ['sqlite://b', 'sqlite://c']", "store.url"),
        ("[store]", "url = 'sqlite://:memory:'", "store.url"),
        ("[store]", "deadline_secs = 10", "store.deadline_secs"),
        ("[inbox]", "batch_max = 5000", "inbox.batch_max"),
        ("[admin]", "listen = '0.0.0.0:9443'", "admin.listen"),
        ("[admin]", "listen = '127.0.0.1:8443'", "admin.listen"),
        ("[log]", "filter = 'a=b=c'", "log.filter"),
        ("[watch]", "silence = 'sometimes'", "watch.silence"),
        ("[watch]", "silence = '0s'", "watch.silence"),
        ("[watch]", "first_within = 'auto'", "watch.first_within"),
    ];
    for (table, lines, key) in wrong {
        let refusal = operator(&with(table, lines)).refusal();
        assert!(
            refusal.starts_with(&format!("key `{key}` in receiver.toml: ")),
            "{refusal}"
        );
    }
    let with_scheme = SMALLEST.replace("tokens.merchant", "https://tokens.merchant");
    assert!(operator(&with_scheme).refusal().contains("without `https://`"));
    let without_keys = SMALLEST.split("[[keys]]").next().expect("a first part");
    assert!(operator(without_keys).refusal().contains("at least one decryption key"));
}

#[test]
fn a_balancer_without_exactly_one_good_proof_is_refused() {
    let from = "from = ['10.0.0.0/8']";
    let secret = "shared_secret = '0123456789abcdef0123456789abcdef'\nshared_secret_header = 'x-s'";
    let mutual_tls = "[callback.forwarded.mutual_tls]\nroots = ['a']\nnames = ['b']";
    let wrong = [
        (secret.to_owned(), "callback.forwarded.from"),
        (from.to_owned(), "callback.forwarded"),
        (
            format!("{from}\nshared_secret_header = 'x-s'\n{mutual_tls}"),
            "callback.forwarded",
        ),
        (format!("{from}\n{secret}\n{mutual_tls}"), "callback.forwarded"),
        (
            format!("{from}\nshared_secret = 'hunter2'\nshared_secret_header = 'x-s'"),
            "callback.forwarded.shared_secret",
        ),
        (
            format!("{from}\nheader = 'x-s'\n{secret}"),
            "callback.forwarded.shared_secret_header",
        ),
    ];
    for (lines, key) in wrong {
        let file = with("[callback.tls]", "client_auth = 'forwarded'");
        let file = format!("{file}[callback.forwarded]\nform = 'aws'\n{lines}\n");
        let refusal = operator(&file).refusal();
        assert!(
            refusal.starts_with(&format!("key `{key}` in receiver.toml: ")),
            "{refusal}"
        );
    }
}

#[test]
fn the_admin_listener_may_stand_beyond_loopback_only_with_tls() {
    assert_eq!(
        operator(&with("[admin]", "listen = \"0.0.0.0:9443\"")).refusal(),
        "key `admin.listen` in receiver.toml: is beyond loopback: set `[admin.tls]`, or listen on 127.0.0.1"
    );
    let tls = "listen = \"0.0.0.0:9443\"\n[admin.tls]\ncertificate = \"a.pem\"\nprivate_key = \"a.key\"";
    assert!(operator(&with("[admin]", tls)).settings().admin.tls.is_some());
}

#[test]
fn peers_bind_names_to_their_roots() {
    let peer = "roots = [\"digicert.pem\"]\nnames = [\"WS.mastercard.com\"]\norganization = \"Mastercard\"";
    let rules = operator(&with("[[callback.tls.peers]]", peer))
        .settings()
        .callback
        .tls
        .peers;
    assert_eq!(rules.len(), 2);
    assert_eq!(rules[1].names, ["ws.mastercard.com"]);
    let alone = with("[[callback.tls.peers]]", peer).replace("client_roots = [\"mastercard-roots.pem\"]", "");
    assert_eq!(operator(&alone).settings().callback.tls.peers.len(), 1);
}

#[test]
fn a_balancer_may_prove_itself_by_certificate_or_by_secret() {
    let file = with("[callback.tls]", "client_auth = \"forwarded\"");
    let secret = "[callback.forwarded]\nfrom = [\"10.0.0.7\"]\nform = \"nginx\"\n\
                  shared_secret = \"0123456789abcdef0123456789abcdef\"\nshared_secret_header = \"X-Secret\"\n";
    let forwarded = operator(&format!("{file}{secret}"))
        .settings()
        .callback
        .forwarded
        .expect("it is set");
    assert_eq!(forwarded.header, "ssl-client-cert");
    assert!(matches!(forwarded.proof, ForwardedProof::SharedSecret { header, .. } if header == "x-secret"));

    let mutual = "[callback.forwarded]\nfrom = [\"10.0.0.0/8\"]\nform = \"envoy\"\n\
                  [callback.forwarded.mutual_tls]\nroots = [\"ca.pem\"]\nnames = [\"balancer.internal\"]\n";
    let forwarded = operator(&format!("{file}{mutual}"))
        .settings()
        .callback
        .forwarded
        .expect("it is set");
    assert!(matches!(forwarded.proof, ForwardedProof::MutualTls(rule) if rule.names == ["balancer.internal"]));
}

/// One destination, of this kind.
#[cfg(any(feature = "kafka", feature = "rabbitmq"))]
fn told_by(kind: &str, keys: &str) -> Operator {
    operator(&format!(
        "{SMALLEST}[[destinations]]\nname = \"broker\"\nkind = \"{kind}\"\n{keys}\n"
    ))
}

#[cfg(feature = "kafka")]
#[test]
fn a_kafka_destination_is_read_and_what_it_cannot_be_is_named() {
    told_by("kafka", "url = \"kafkas://k1.internal\"\nsasl = \"scram-sha-256\"").settings();
    for (keys, named) in [
        ("url = \"https://k1.internal\"", "`destinations[0].url`"),
        ("url = \"kafka://k1\"\ntopic = \"a/b\"", "`destinations[0].topic`"),
        (
            "url = \"kafka://k1\"\ninclude_token_number = true",
            "`destinations[0].include_token_number`",
        ),
    ] {
        let refusal = told_by("kafka", keys).refusal();
        assert!(refusal.contains(named), "{refusal}");
    }
}

#[cfg(feature = "rabbitmq")]
#[test]
fn a_rabbitmq_destination_is_read_and_what_it_cannot_be_is_named() {
    told_by("rabbitmq", "url = \"amqps://r1.internal\"\nexchange = \"tokens\"").settings();
    for (keys, named) in [
        (
            "url = \"https://r1.internal\"\nexchange = \"x\"",
            "`destinations[0].url`",
        ),
        ("url = \"amqp://r1\"", "`destinations[0].exchange`"),
        (
            "url = \"amqp://r1\"\nexchange = \"x\"\nrouting_key = \"a.*\"",
            "`destinations[0].routing_key`",
        ),
    ] {
        let refusal = told_by("rabbitmq", keys).refusal();
        assert!(refusal.contains(named), "{refusal}");
    }
}

/// The smallest file, and this below it.
fn and(more: &str) -> Operator {
    operator(&format!("{SMALLEST}{more}\n"))
}

const TOKENEX: &str = "[lifecycle.tokenex]\nurl = 'https://test-api.tokenex.com/'\ntokenex_id = '1234567890123456'\n\
                       api_key = '${TOKENEX_API_KEY}'\n";
const MDES: &str = "[lifecycle.mdes]\nurl = 'https://sandbox.api.mastercard.com/mdes'\nconsumer_key = 'abc!def'\n\
                    signing_key = 'signing.p12'\nsigning_key_password = 'hunter2'\n";

#[test]
fn the_contract_of_changing_tokens_is_understood() {
    let hash = "9F86D081884C7D659A2FEAA0C55AD015A3BF4F1B2B0B822CD15D6C15B0F00A08";
    let clients = format!(
        "[[lifecycle.clients]]\ntokenex_id = '1234567890123456'\napi_key_sha256 = '{hash}'\n\
         [[lifecycle.clients]]\ntokenex_id = '1234567890123456'\napi_key_sha256 = '{}'\n\
         actions = ['DELETE_TOKEN', 'SUSPEND_TOKEN']\n",
        "ab".repeat(32)
    );
    let settings = and(&format!(
        "[lifecycle]\nthrough = 'tokenex'\nallow_networks = ['10.0.0.0/8']\n{clients}{TOKENEX}{MDES}"
    ))
    .env("TOKENEX_API_KEY", "hunter2")
    .settings();
    assert!(!format!("{settings:?}").contains("hunter2"));
    let lifecycle = settings.lifecycle;
    assert_eq!(lifecycle.through, Some(Service::TokenEx));
    assert_eq!(lifecycle.clients[0].api_key_sha256[..2], [0x9f, 0x86]);
    assert_eq!(lifecycle.clients[0].actions, [Action::Suspend, Action::Resume]);
    assert_eq!(lifecycle.clients[1].actions, [Action::Delete, Action::Suspend]);
    let tokenex = lifecycle.tokenex.expect("it is configured");
    assert_eq!(tokenex.url.expose(), "https://test-api.tokenex.com");
    assert_eq!(tokenex.api_key.expose(), "hunter2");
    assert_eq!(
        tokenex.egress.allow_networks,
        ["10.0.0.0/8".parse().expect("a network")]
    );
    let mdes = lifecycle.mdes.expect("it is configured");
    assert!(mdes.signing_key.ends_with("signing.p12") && mdes.egress.total.as_secs() == 15);
}

#[test]
fn a_lone_service_needs_no_word_about_who_carries_commands_out() {
    let lifecycle = and(MDES).settings().lifecycle;
    assert!(lifecycle.through.is_none() && lifecycle.tokenex.is_none() && lifecycle.mdes.is_some());
}

#[test]
fn what_changing_tokens_cannot_mean_is_refused_by_its_key() {
    let client = |lines: &str| format!("{MDES}[[lifecycle.clients]]\ntokenex_id = '1'\n{lines}\n");
    let hash = format!("api_key_sha256 = '{}'", "ab".repeat(32));
    let wrong = [
        ("[lifecycle]\nthrough = 'mdes'".to_owned(), "lifecycle.through"),
        (
            format!("{TOKENEX}{MDES}").replace("${TOKENEX_API_KEY}", "hunter2"),
            "lifecycle.through",
        ),
        (
            client("api_key_sha256 = 'hunter2'"),
            "lifecycle.clients[0].api_key_sha256",
        ),
        (
            client(&format!("api_key_sha256 = '{}'", "ab".repeat(31))),
            "lifecycle.clients[0].api_key_sha256",
        ),
        (
            client("api_key_sha256 = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'"),
            "lifecycle.clients[0].api_key_sha256",
        ),
        (
            client(&format!("{hash}\n[[lifecycle.clients]]\ntokenex_id = '1'\n{hash}")),
            "lifecycle.clients[1]",
        ),
        (client(&hash).replace(MDES, ""), "lifecycle.clients"),
        (MDES.replace("https:", "http:"), "lifecycle.mdes.url"),
        (MDES.replace("https:", "ftp:"), "lifecycle.mdes.url"),
        (MDES.replace("com/mdes", "com/mdes?key=hunter2"), "lifecycle.mdes.url"),
        (MDES.replace("abc!def", "abc def"), "lifecycle.mdes.consumer_key"),
        (
            TOKENEX
                .replace("${TOKENEX_API_KEY}", "hunter2\\n")
                .replace("api_key = 'hunter2\\n'", "api_key = \"hunter2\\n\""),
            "lifecycle.tokenex.api_key",
        ),
        (
            "[lifecycle]\nconfirm_within = '0s'".to_owned(),
            "lifecycle.confirm_within",
        ),
        ("[lifecycle]\nsends_max = 0".to_owned(), "lifecycle.sends_max"),
        ("[lifecycle]\ntotal_secs = 21".to_owned(), "lifecycle.total_secs"),
        (
            format!("[callback.limits]\nstop_secs = 15\n{MDES}"),
            "lifecycle.total_secs",
        ),
        (
            "[lifecycle]\napprove_within = '0h'".to_owned(),
            "lifecycle.approve_within",
        ),
        (
            "[lifecycle.contract]\nmalformed = 99".to_owned(),
            "lifecycle.contract.malformed",
        ),
        (
            format!(
                "[lifecycle]\ndelete_needs_two = true\n{}",
                client(&format!("{hash}\nactions = ['DELETE_TOKEN']"))
            ),
            "lifecycle.clients[0].actions",
        ),
        (
            "[lifecycle.contract]\nwait_secs = 61".to_owned(),
            "lifecycle.contract.wait_secs",
        ),
    ];
    for (lines, key) in wrong {
        let refusal = and(&lines).refusal();
        assert!(
            refusal.starts_with(&format!("key `{key}` in receiver.toml: ")),
            "{lines}: {refusal}"
        );
    }
    let delete = client(&format!("{hash}\nactions = ['DELETE']"));
    assert!(
        and(&delete)
            .refusal()
            .contains("expected one of `SUSPEND_TOKEN`, `RESUME_TOKEN`, `DELETE_TOKEN`")
    );
    let near = and("[lifecycle.tokenex]\napikey = 'hunter2'").refusal();
    assert_eq!(
        near,
        "unknown key `lifecycle.tokenex.apikey`: did you mean `lifecycle.tokenex.api_key`?"
    );
}

/// A second ear as it should be, with that in place of one of its lines.
fn ear(from: &str, to: &str) -> Operator {
    let lifecycle =
        "[lifecycle.tokenex]\nurl = \"https://test-api.tokenex.com\"\ntokenex_id = \"1\"\napi_key = \"k\"\n";
    let table = format!(
        "[tokenex_callbacks]\nlisten = \"0.0.0.0:8543\"\ncertificate = \"callbacks.pem\"\nprivate_key = \"callbacks.key\"\n\
         path_secret = \"{}\"\nallow_from = [\"20.37.143.181\"]\n",
        "hunter2-".repeat(5)
    );
    let file = format!("{SMALLEST}{lifecycle}{table}");
    assert!(file.contains(from), "{from}");
    operator(&file.replace(from, to))
}

#[test]
fn the_second_ear_is_off_until_it_is_said_where_it_listens() {
    assert!(operator(SMALLEST).settings().tokenex_callbacks.is_none());
    let callbacks = ear("", "").settings().tokenex_callbacks.expect("it listens");
    assert!(!callbacks.at_once, "nothing is believed by default");
    assert_eq!((callbacks.answer_status, callbacks.refusal_status), (200, 400));
    assert!(callbacks.allow_from[0].contains(&"20.37.143.181".parse::<std::net::IpAddr>().expect("an address")));
    assert!(!format!("{callbacks:?}").contains("hunter2"));
}

#[test]
fn a_second_ear_that_anybody_could_talk_into_is_refused() {
    let secret = "hunter2-".repeat(5);
    for (from, to, why) in [
        (
            "[\"20.37.143.181\"]",
            "[]",
            "key `tokenex_callbacks.allow_from` in receiver.toml: names no network: write the addresses",
        ),
        (
            "allow_from = [\"20.37.143.181\"]\n",
            "",
            "key `tokenex_callbacks.allow_from` in receiver.toml: names no network",
        ),
        (
            secret.as_str(),
            "hunter2",
            "key `tokenex_callbacks.path_secret` in receiver.toml: must have 32 to 256 letters",
        ),
        (
            secret.as_str(),
            "hunter2/hunter2/hunter2/hunter2/hunter2",
            "key `tokenex_callbacks.path_secret` in receiver.toml: must have",
        ),
        (
            "listen = \"0.0.0.0:8543\"\n",
            "",
            "key `tokenex_callbacks.listen` is missing",
        ),
        (
            "0.0.0.0:8543",
            "127.0.0.1:9443",
            "key `tokenex_callbacks.listen` in receiver.toml: is also `admin.listen`",
        ),
        (
            "[lifecycle.tokenex]\nurl = \"https://test-api.tokenex.com\"\ntokenex_id = \"1\"\napi_key = \"k\"\n",
            "",
            "key `tokenex_callbacks.apply` in receiver.toml: is `confirmed`, and nobody could be asked: add `[lifecycle.tokenex]`",
        ),
    ] {
        let refusal = ear(from, to).refusal();
        assert!(refusal.starts_with(why), "{refusal}");
    }
}
