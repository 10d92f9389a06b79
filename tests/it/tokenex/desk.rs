//! A desk that keeps commands in memory and carries each out at once, through a service that plays its part.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use mdes_receiver::domain::command::{Command, Proof, Seen, Service, Stage, Target};
use mdes_receiver::domain::id::{CommandId, TokenReference};
use mdes_receiver::domain::status::Status;
use mdes_receiver::lifecycle::{Looked, Reply, Request, TokenService, Trouble};
use mdes_receiver::store::Error;
use mdes_receiver::store::desk::{
    Approved, Claims, CommandFilter, Desk, KeptCommand, Link, NewCommand, Ordered, Progress, Step,
};
use mdes_receiver::tokenex::wire;
use serde_json::{Value, json};
use time::OffsetDateTime;

/// Carries out what it keeps.
pub struct Carries {
    service: Arc<dyn TokenService>,
    pub links: Vec<Link>,
    /// It keeps nothing, and does not say so.
    pub hangs: AtomicBool,
    kept: Mutex<BTreeMap<CommandId, (KeptCommand, Vec<Step>)>>,
}

impl Carries {
    pub fn by(service: Arc<dyn TokenService>) -> Self {
        Carries {
            service,
            links: Vec::new(),
            hangs: AtomicBool::new(false),
            kept: Mutex::default(),
        }
    }

    /// Every command that was ordered.
    pub fn all(&self) -> Vec<KeptCommand> {
        let kept = self.kept.lock().expect("no panic");
        kept.values().map(|(command, _)| command.clone()).collect()
    }

    fn keep(&self, command: KeptCommand) {
        let step = Step {
            stage: command.command.stage,
            why: command.command.why.clone(),
            at: command.updated_at,
        };
        let mut kept = self.kept.lock().expect("no panic");
        let entry = kept.entry(command.command.id).or_insert((command.clone(), Vec::new()));
        entry.1.push(step);
        entry.0 = command;
    }

    async fn carry(&self, mut kept: KeptCommand) {
        let order = kept.command.order.clone();
        match self.service.look(&order.target).await {
            Err(trouble) if trouble.no_such_token => {
                kept.command.code = trouble.code;
                return self.stands(kept, Stage::Refused);
            }
            Ok(looked) if looked.seen.status == Status::Deactivated => return self.stands(kept, Stage::Refused),
            _ => {}
        }
        kept.command.sends = 1;
        self.stands(kept.clone(), Stage::Sent);
        let request = Request {
            command: kept.command.id,
            send: 1,
            action: order.action,
            target: &order.target,
            caused_by: order.caused_by,
            reason_code: &order.reason_code,
            reason: order.reason.as_deref(),
        };
        match self.service.change(&request).await {
            Reply::Accepted { words, .. } => {
                kept.answer = Some(words);
                self.stands(kept, Stage::Accepted);
            }
            Reply::Refused { code, words, .. } => {
                kept.command.code = code;
                kept.answer = Some(words);
                self.stands(kept, Stage::Refused);
            }
            Reply::Lost(_) | Reply::Unsent(_) => {
                self.stands(kept.clone(), Stage::Unknown);
                if self
                    .service
                    .look(&order.target)
                    .await
                    .is_ok_and(|looked| looked.seen.status == Status::Suspended)
                {
                    kept.command.proof = Some(Proof::Satisfied);
                    self.stands(kept, Stage::Confirmed);
                }
            }
        }
    }

    fn stands(&self, mut kept: KeptCommand, stage: Stage) {
        kept.command.stage = stage;
        self.keep(kept);
    }
}

#[async_trait]
impl Desk for Carries {
    async fn order(&self, new: &NewCommand) -> Result<Ordered, Error> {
        if self.hangs.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        let now = OffsetDateTime::UNIX_EPOCH;
        let kept = KeptCommand {
            command: Command::requested(new.id, new.order.clone(), ""),
            asked_by: new.asked_by.clone(),
            waits: false,
            approved_by: None,
            answer: None,
            created_at: now,
            updated_at: now,
            due_at: now,
        };
        self.keep(kept.clone());
        self.carry(kept.clone()).await;
        Ok(Ordered::New(kept))
    }

    async fn approve(&self, _: CommandId, _: &str) -> Result<Approved, Error> {
        Ok(Approved::NotWaiting)
    }

    async fn withdraw(&self, _: CommandId, _: &str) -> Result<bool, Error> {
        Ok(false)
    }

    async fn command(&self, id: CommandId) -> Result<Option<KeptCommand>, Error> {
        let kept = self.kept.lock().expect("no panic");
        Ok(kept.get(&id).map(|(command, _)| command.clone()))
    }

    async fn commands(&self, _: &CommandFilter, _: Option<CommandId>, _: u32) -> Result<Vec<KeptCommand>, Error> {
        Ok(self.all())
    }

    async fn open_of(&self, asked_by: &str, _: u32) -> Result<u32, Error> {
        let is_open = |kept: &&KeptCommand| kept.asked_by == asked_by && !kept.command.stage.is_final();
        let open = self.all().iter().filter(is_open).count();
        Ok(u32::try_from(open).expect("a few"))
    }

    async fn steps(&self, id: CommandId) -> Result<Vec<Step>, Error> {
        let kept = self.kept.lock().expect("no panic");
        Ok(kept.get(&id).map(|(_, steps)| steps.clone()).unwrap_or_default())
    }

    async fn claim(&self, _: Service, _: Duration, _: u32) -> Result<Claims, Error> {
        Ok(Claims::default())
    }

    async fn progress(&self, _: &Progress) -> Result<bool, Error> {
        Ok(false)
    }

    async fn link(&self, _: &[Link]) -> Result<u64, Error> {
        Ok(0)
    }

    async fn links_of(&self, token: &TokenReference) -> Result<Vec<Link>, Error> {
        let links = self.links.iter().filter(|link| link.tokenex_token == token.reference);
        Ok(links.cloned().collect())
    }

    async fn links(&self, _: Option<&Link>, _: u32) -> Result<Vec<Link>, Error> {
        Ok(self.links.clone())
    }

    async fn unlink(&self, _: &Link) -> Result<bool, Error> {
        Ok(false)
    }
}

/// A token service in memory.
pub struct Plays {
    service: Service,
    states: Mutex<BTreeMap<String, Status>>,
    pub mood: Mutex<Mood>,
    pub asked: Mutex<BTreeSet<Target>>,
}

/// How it answers.
#[derive(Clone, Default)]
pub enum Mood {
    /// As the state machine of the facts says.
    #[default]
    Well,
    /// With that code, to a change and to a question.
    Says(&'static str),
    /// It does it, and the answer is lost.
    LosesTheAnswer,
    /// The request is lost, and the question stays open.
    LosesTheRequest,
}

impl Plays {
    pub fn new(service: Service) -> Arc<Self> {
        Arc::new(Plays {
            service,
            states: Mutex::default(),
            mood: Mutex::default(),
            asked: Mutex::default(),
        })
    }

    pub fn with(self: Arc<Self>, token: &str, status: Status) -> Arc<Self> {
        self.states.lock().expect("no panic").insert(token.to_owned(), status);
        self
    }

    pub fn is(&self, mood: Mood) {
        *self.mood.lock().expect("no panic") = mood;
    }

    fn words(code: &str) -> Value {
        json!({"messageId": "m-1", "conversationId": "c-1", "statusCode": code, "referenceNumber": "21082510103957444322"})
    }

    fn trouble(code: &str) -> Trouble {
        Trouble {
            code: Some(code.to_owned()),
            why: "it says so".to_owned(),
            no_such_token: ["3000", "3024", "9006"].contains(&code),
            of_this_token: false,
            unasked: false,
            words: None,
        }
    }
}

#[async_trait]
impl TokenService for Plays {
    fn service(&self) -> Service {
        self.service
    }

    async fn look(&self, target: &Target) -> Result<Looked, Trouble> {
        self.asked.lock().expect("no panic").insert(target.clone());
        let mood = self.mood.lock().expect("no panic").clone();
        match mood {
            Mood::Says(code) => return Err(Plays::trouble(code)),
            Mood::LosesTheRequest => return Err(Plays::trouble("9004")),
            Mood::Well | Mood::LosesTheAnswer => {}
        }
        let states = self.states.lock().expect("no panic");
        let status = states
            .get(&target.token)
            .cloned()
            .ok_or_else(|| Plays::trouble("3000"))?;
        Ok(Looked {
            seen: Seen {
                status,
                suspended_by: None,
                at: None,
            },
            statement: None,
            words: Plays::words("0000"),
        })
    }

    async fn change(&self, request: &Request<'_>) -> Reply {
        let mood = self.mood.lock().expect("no panic").clone();
        let code = match mood {
            Mood::Says(code) => Some(code),
            Mood::LosesTheRequest => return Reply::Lost(Plays::trouble("9004")),
            Mood::Well | Mood::LosesTheAnswer => None,
        };
        let mut states = self.states.lock().expect("no panic");
        let state = states
            .get(&request.target.token)
            .map(|status| wire::state(status).to_owned());
        let next = match (code, state.as_deref(), wire::action_name(request.action)) {
            (Some(code), ..) => Err(code),
            (_, None, _) => Err("3000"),
            (_, Some("ACTIVE"), "SUSPEND_TOKEN") => Ok(Status::Suspended),
            (_, Some("SUSPENDED"), "RESUME_TOKEN") => Ok(Status::Active),
            (_, Some("ACTIVE" | "SUSPENDED"), "DELETE_TOKEN") => Ok(Status::Deactivated),
            _ => Err("9104"),
        };
        match next {
            Ok(status) => {
                states.insert(request.target.token.clone(), status);
                match mood {
                    Mood::LosesTheAnswer => Reply::Lost(Plays::trouble("9004")),
                    _ => Reply::Accepted {
                        seen: None,
                        statement: None,
                        words: Plays::words("0000"),
                    },
                }
            }
            Err(code) => Reply::Refused {
                code: Some(code.to_owned()),
                why: "it says so".to_owned(),
                wrong_state: code == "9104",
                words: Plays::words(code),
            },
        }
    }
}
