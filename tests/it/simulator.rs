//! The other side of the street: what it says, seals and sends, and what it makes of the answers.

use std::fs;
use std::path::Path;

use mdes_receiver::simulator::dev_files::{self, DevFiles};
use mdes_receiver::simulator::pki::Authority;
use mdes_receiver::simulator::play::Mastercard;
use mdes_receiver::simulator::seal::{Sealer, Style};
use mdes_receiver::simulator::sender::{Deadlines, Http, Identity, Sender};
use tempfile::TempDir;
use time::OffsetDateTime;

mod command;
mod files;
mod names;
mod playing;
mod receiver;
mod sealing;
mod sending;
mod services;
mod telling;

use receiver::Receiver;

const SEED: u64 = 7;

/// The files of `dev`, in a folder of their own.
struct Desk {
    _folder: TempDir,
    files: DevFiles,
    now: OffsetDateTime,
}

impl Desk {
    fn set_up() -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        // Certificates are checked against the machine's clock by the TLS library.
        let now = OffsetDateTime::now_utc();
        let files = dev_files::ensure(folder.path(), now).expect("a folder of our own can be written");
        Desk {
            _folder: folder,
            files,
            now,
        }
    }

    fn sender(&self, receiver: &Receiver) -> Sender {
        self.sender_of(receiver, Http::One, Deadlines::default())
    }

    fn sender_of(&self, receiver: &Receiver, http: Http, deadlines: Deadlines) -> Sender {
        let target = receiver.address.to_string().parse().expect("host and port");
        let identity = self.identity();
        let roots = read(&self.files.ca.certificate);
        Sender::new(target, Some(identity), &roots, http, deadlines).expect("the files are good")
    }

    fn identity(&self) -> Identity {
        let client = &self.files.client;
        Identity::from_pem(&read(&client.certificate), &read(&client.private_key)).expect("the files are good")
    }

    fn sealer(&self, style: Style) -> Sealer {
        Sealer::new(&read(&self.files.decryption.certificate), style).expect("an RSA certificate")
    }

    fn mastercard(&self, receiver: &Receiver) -> Mastercard {
        let ca = &self.files.client_ca;
        let (certificate, key) = (read(&ca.certificate), read(&ca.private_key));
        let ca = Authority::from_pem(&String::from_utf8_lossy(&certificate), &String::from_utf8_lossy(&key));
        Mastercard::new(self.sender(receiver), self.sealer(Style::default())).with_client_ca(ca.expect("it is ours"))
    }
}

fn read(path: &Path) -> Vec<u8> {
    fs::read(path).expect("dev_files made it")
}
