//! An operator's desk: a folder with a configuration and what it names, and the program to run on it.

use std::path::{Path, PathBuf};

use assert_cmd::Command;
use mdes_receiver::simulator::pki::{self, Authority, Leaf, Validity};
use tempfile::TempDir;
use time::{Duration, OffsetDateTime};

/// A folder in which everything is well, until a test spoils it.
pub struct Desk {
    folder: TempDir,
    pub authority: Authority,
}

/// What a command did.
pub struct Ran {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Desk {
    pub fn new() -> Self {
        let authority = Authority::new("test authority", from_now(-10, 3650));
        let desk = Desk {
            folder: TempDir::new().expect("a temporary folder"),
            authority,
        };
        let intermediate = desk.authority.intermediate("test intermediate");
        let server = intermediate.issue(&Leaf::localhost(from_now(-1, 365)));
        let chain = format!("{}{}", server.certificate_pem, intermediate.certificate_pem());
        desk.write("server.pem", &chain);
        desk.write_private("server.key", &server.private_key_pem);
        desk.write("mastercard-roots.pem", &desk.authority.certificate_pem());
        let key = pki::decryption_key(2048, "decrypt");
        desk.write("decrypt.pem", &key.certificate_pem);
        desk.write_private("decrypt.key", &key.private_key_pem);
        desk.configure("");
        desk
    }

    /// Writes the configuration: ports that are free (0), an SQLite store, and these lines more.
    pub fn configure(&self, more: &str) {
        let text = format!(
            r#"
[callback]
listen = "127.0.0.1:0"
response_host = "localhost"
[callback.tls]
certificate = "server.pem"
private_key = "server.key"
client_roots = ["mastercard-roots.pem"]
[[keys]]
private_key = "decrypt.key"
certificate = "decrypt.pem"
[admin]
listen = "127.0.0.1:0"
{more}
"#
        );
        self.write("receiver.toml", &text);
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).expect("the folder is writable");
    }

    pub fn write_private(&self, name: &str, text: &str) {
        self.write(name, text);
        self.permit(name, 0o600);
    }

    pub fn permit(&self, name: &str, mode: u32) {
        use std::os::unix::fs::PermissionsExt;
        let permissions = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(self.path(name), permissions).expect("the file is ours");
    }

    /// Runs the program on this desk's configuration.
    pub fn run(&self, args: &[&str]) -> Ran {
        run(&[&["--config", &self.path("receiver.toml").display().to_string()], args].concat())
    }

    /// What the program said, without this desk's folder in it.
    pub fn plain(&self, text: &str) -> String {
        text.replace(&format!("{}/", self.folder.path().display()), "")
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}

/// Runs the program, with nothing of ours in its environment.
pub fn run(args: &[&str]) -> Ran {
    let output = Command::cargo_bin("mdes-receiver")
        .expect("the program is built")
        .args(args)
        .env_remove("MDES_RECEIVER_CONFIG")
        .timeout(std::time::Duration::from_secs(30))
        .output()
        .expect("it runs");
    Ran {
        code: output.status.code().expect("it ends by itself"),
        out: String::from_utf8(output.stdout).expect("it writes UTF-8"),
        err: String::from_utf8(output.stderr).expect("it writes UTF-8"),
    }
}

pub fn from_now(from_days: i64, until_days: i64) -> Validity {
    let now = OffsetDateTime::now_utc();
    (now + Duration::days(from_days), now + Duration::days(until_days))
}
