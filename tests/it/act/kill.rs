//! The program itself, killed between two durable steps of what it carries out, and started again: no command is lost,
//! each comes to its end, and none is sent twice unless the service had said that it did not happen.
//!
//! The services are played in this process, so that they outlive the program and remember all that ever reached them.

use std::net::SocketAddr;
use std::time::Duration;

use mdes_receiver::simulator::dev_files;
use mdes_receiver::simulator::services::tokens::NewToken;
use mdes_receiver::simulator::services::{Services, Settings};
use serde_json::{Value, json};
use time::OffsetDateTime;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use crate::program::process::{PATIENCE, Process, Program, config_file, text};
use crate::support::Database;
use crate::world::{Desk, eventually, read};

promises!(a_program_that_is_killed_loses_no_command_and_sends_none_blindly);

const TOKENEX: [&str; 2] = ["GetStatus", "SUSPEND_TOKEN"];
const MDES: [&str; 2] = ["getToken", "suspend"];

async fn a_program_that_is_killed_loses_no_command_and_sends_none_blindly(database: Database) {
    let mut street = Street::over(database).await;
    street.each_is_killed_where_it_is_held().await;
    street.it_is_killed_while_it_finds_out().await;
    street.it_is_killed_as_answers_come().await;
    street.all_end_well().await;
}

/// What was asked for, and of whom.
struct Asked {
    /// The last four of the token's names, which differ in nothing else.
    end: String,
    service: &'static str,
    id: String,
}

impl Asked {
    fn calls(&self) -> [&'static str; 2] {
        match self.service {
            "tokenex" => TOKENEX,
            _ => MDES,
        }
    }
}

struct Street {
    desk: Desk,
    services: Services,
    /// A line for each call that was answered or left unanswered, in order.
    heard: watch::Receiver<Vec<String>>,
    bearer: String,
    asked: Vec<Asked>,
    /// None is running between two kills.
    program: Option<Program>,
}

impl Street {
    async fn over(database: Database) -> Self {
        let desk = Desk::over(database);
        let (signing, _) = dev_files::signing(&desk.path("."), OffsetDateTime::now_utc()).expect("a key is made");
        let (told, heard) = watch::channel(Vec::new());
        let services = Services::start(Settings {
            signing_certificate: Some(read(&signing.certificate)),
            tell: Box::new(move |line| told.send_modify(|lines| lines.push(line.to_owned()))),
            ..Settings::default()
        });
        let services = services.await.expect("a free port on loopback");
        let desk = desk.with(&lifecycle(&services));
        let bearer = operator(&desk).await;
        Street {
            program: Some(Program::serve(&desk).await),
            desk,
            services,
            heard,
            bearer,
            asked: Vec::new(),
        }
    }

    fn admin(&self) -> SocketAddr {
        self.program.as_ref().expect("it runs").admin
    }

    /// Asks for the suspension of a new token.
    async fn asks(&mut self, service: &'static str) -> usize {
        let end = format!("{:04}", self.asked.len());
        let new = NewToken {
            token: Some(tokenex_token(&end)),
            token_unique_reference: Some(reference(&end)),
            ..NewToken::default()
        };
        self.services.make(&new).expect("a new token");
        let id = self.posts(service, &end).await;
        self.asked.push(Asked { end, service, id });
        self.asked.len() - 1
    }

    /// The order of that token, under the one key of it: its id.
    async fn posts(&self, service: &str, end: &str) -> String {
        let token = match service {
            "tokenex" => tokenex_token(end),
            _ => reference(end),
        };
        let order = json!({"action": "suspend", "through": service, "namespace": service}).to_string();
        let request = format!(
            "POST /v1/tokens/{token}/commands HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\
             authorization: Bearer {bearer}\r\nidempotency-key: suspend-{end}\r\n\
             content-type: application/json\r\ncontent-length: {length}\r\n\r\n{order}",
            host = self.admin(),
            bearer = self.bearer,
            length = order.len(),
        );
        let said = said(self.admin(), &request).await;
        said["id"].as_str().unwrap_or_else(|| panic!("{said}")).to_owned()
    }

    fn fault(&self, fault: &str) {
        let fault = fault.parse().expect("a fault");
        self.services.add_fault(fault).expect("room for it");
    }

    /// How often that call about that token came, or was carried out.
    fn calls(&self, end: &str, call: &str, what: &str) -> u64 {
        let shown = self.services.shown();
        let tokens = shown["tokens"].as_array().expect("a list");
        let one = tokens.iter().find(|one| one["token"] == tokenex_token(end));
        one.expect("it was made")["calls"][call][what].as_u64().unwrap_or(0)
    }

    /// Until that call of that command came so often.
    async fn came(&self, nth: usize, call: &str, times: u64) {
        let end = &self.asked[nth].end;
        let came = || async { self.calls(end, call, "came") >= times };
        eventually(&format!("{call} of {end} comes {times} times"), came).await;
    }

    /// One command of each service is held at each place; then the program is killed.
    async fn each_is_killed_where_it_is_held(&mut self) {
        for (service, [look, change]) in [("tokenex", TOKENEX), ("mdes", MDES)] {
            // It asks, and hears nothing.
            self.fault(&format!("timeout@{look}:1"));
            let nth = self.asks(service).await;
            self.came(nth, look, 1).await;
            // It sends, and it is not done.
            self.fault(&format!("timeout@{change}:1"));
            let nth = self.asks(service).await;
            self.came(nth, change, 1).await;
            // It sends, and it is done, and the answer does not come.
            self.fault(&format!("timeout-applied@{change}:1"));
            let nth = self.asks(service).await;
            self.came(nth, change, 1).await;
        }
        // TokenEx said yes, and it is asked for the proof.
        self.fault("delay=300ms@SUSPEND_TOKEN:1");
        let nth = self.asks("tokenex").await;
        self.came(nth, "SUSPEND_TOKEN", 1).await;
        self.fault("timeout@GetStatus:1");
        self.came(nth, "GetStatus", 2).await;
        assert_eq!(self.stages().await, "accepted requested sent");
        // And one is asked for that nothing is done about yet.
        self.asks("mdes").await;
        self.is_killed().await;
    }

    /// What was in mid-send is asked about now; that question too ends with the program.
    async fn it_is_killed_while_it_finds_out(&mut self) {
        self.starts().await;
        let unknown = 2;
        self.fault("timeout@GetStatus:100%");
        self.came(unknown, "GetStatus", 2).await;
        self.is_killed().await;
    }

    /// At other moments after an answer has left the service: before the program has read it, before it is on disk, after.
    async fn it_is_killed_as_answers_come(&mut self) {
        for (nth, service) in ["tokenex", "mdes", "tokenex", "mdes"].into_iter().enumerate() {
            self.starts().await;
            let nth_asked = self.asks(service).await;
            let Asked { end, .. } = &self.asked[nth_asked];
            let [_, change] = self.asked[nth_asked].calls();
            let answered = |lines: &Vec<String>| lines.iter().any(|line| is_about(line, change, end));
            let mut heard = self.heard.clone();
            let answered = timeout(PATIENCE, heard.wait_for(answered));
            answered
                .await
                .expect("it is sent in time")
                .expect("the services are there");
            sleep(Duration::from_millis(3 * nth as u64)).await;
            self.is_killed().await;
        }
    }

    async fn starts(&mut self) {
        self.program = Some(Program::serve(&self.desk).await);
    }

    /// SIGKILL, and so much time that the leases of who was killed run out.
    async fn is_killed(&mut self) {
        let mut program = self.program.take().expect("it runs");
        program.process.kill();
        self.services.clear_faults();
        let a_lease_later = match self.desk.database.url().starts_with("sqlite") {
            true => {
                "update commands set due_at = strftime('%Y-%m-%dT%H:%M:%f000Z', due_at, '-90 seconds')
                  where settled_at is null"
            }
            false => "update commands set due_at = due_at - interval '90 seconds' where settled_at is null",
        };
        self.desk.database.execute(a_lease_later).await;
    }

    /// Where the open commands stand, each stage once.
    async fn stages(&self) -> String {
        let sql = "select string_agg(stage, ' ') from (select distinct stage from commands order by stage) as stages";
        self.desk.database.text(sql).await.unwrap_or_default()
    }

    async fn all_end_well(&mut self) {
        self.starts().await;
        for asked in &self.asked {
            // Who asked and heard nothing asks again: it is the same command.
            assert_eq!(self.posts(asked.service, &asked.end).await, asked.id);
        }
        let all = || async { self.stages().await == "confirmed" };
        eventually("all commands are confirmed", all).await;
        for asked in &self.asked {
            self.sent_none_blindly(asked);
        }
        let sent = |nth: usize| self.calls(&self.asked[nth].end, self.asked[nth].calls()[1], "came");
        let sends: Vec<u64> = (0..self.asked.len()).map(sent).collect();
        // Those of the first round: not before the look, lost and not done, lost and done, proven, not begun.
        assert_eq!(sends[..8], [1, 2, 1, 1, 2, 1, 1, 1], "{:#?}", self.heard.borrow());
        assert!(sends[8..].iter().all(|sends| *sends == 1), "{sends:?}");
    }

    /// Between two requests stands an answer that shows it as it was.
    fn sent_none_blindly(&self, asked: &Asked) {
        let [look, change] = asked.calls();
        let heard = self.heard.borrow();
        let mut may = true;
        for line in heard.iter() {
            if is_about(line, change, &asked.end) {
                assert!(may, "{} was sent blindly: {heard:#?}", asked.end);
                may = false;
            }
            may |= is_about(line, look, &asked.end) && line.contains("HTTP 200") && line.contains(" ACTIVE");
        }
    }
}

fn is_about(line: &str, call: &str, end: &str) -> bool {
    line.contains(&format!(" {call} ····{end}: "))
}

fn tokenex_token(end: &str) -> String {
    format!("476120FDallZ{end}")
}

fn reference(end: &str) -> String {
    format!("DM4MMC00000000013f0c5b0e6d5a4c2f9b7e1a2d3c4b5{end}")
}

fn lifecycle(services: &Services) -> String {
    let Settings {
        tokenex_id,
        api_key,
        consumer_key,
        ..
    } = Settings::default();
    format!(
        "[lifecycle]\nthrough = \"tokenex\"\nallow_networks = [\"127.0.0.0/8\"]\n\
         calls_per_second = 1000\ntotal_secs = 20\n\
         [lifecycle.tokenex]\nurl = \"{}\"\ntokenex_id = \"{tokenex_id}\"\napi_key = \"{api_key}\"\n\
         [lifecycle.mdes]\nurl = \"{}\"\nconsumer_key = \"{consumer_key}\"\nsigning_key = \"signing.key\"\n",
        services.tokenex_url(),
        services.mdes_url(),
    )
}

/// One who may ask: the bearer token.
async fn operator(desk: &Desk) -> String {
    let config = config_file(desk);
    let args = [
        "--config",
        text(&config),
        "operators",
        "add",
        "ana",
        "--role",
        "operator",
    ];
    let mut process = Process::start(config.parent().expect("it is in a folder"), &args);
    assert!(process.ended().await.success(), "{:?}", process.log());
    process.output().trim().to_owned()
}

/// The JSON of an answer.
async fn said(admin: SocketAddr, request: &str) -> Value {
    let asked = async {
        let mut socket = TcpStream::connect(admin).await?;
        socket.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        socket.read_to_string(&mut answer).await?;
        std::io::Result::Ok(answer)
    };
    let answer = timeout(PATIENCE, asked).await.expect("in time").expect("an answer");
    let (_, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    serde_json::from_str(body).unwrap_or_else(|_| panic!("not JSON: {answer}"))
}
