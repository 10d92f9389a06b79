//! Random schedules: wishes, faults, others' doings, notifications late and out of order, desks that die.

use std::sync::Arc;

use mdes_receiver::domain::command::{Action, Proof, Seen, Service, Stage};
use mdes_receiver::domain::id::CommandId;

use super::crash::{Frail, Thread};
use super::network::{Entry, Fault, Network};
use super::scene::{LONG, Scene};
use crate::support::{Database, Dice};

promises!(
    whatever_happens_mdes_is_never_sent_to_blindly_and_every_command_ends,
    whatever_happens_tokenex_is_never_sent_to_blindly_and_every_command_ends,
);

const SEEDS: u64 = 12;
const STEPS: usize = 60;
const TOKENS: [&str; 3] = ["A", "B", "C"];

async fn whatever_happens_mdes_is_never_sent_to_blindly_and_every_command_ends(database: Database) {
    whatever_happens(database, Service::Mdes).await;
}

async fn whatever_happens_tokenex_is_never_sent_to_blindly_and_every_command_ends(database: Database) {
    whatever_happens(database, Service::TokenEx).await;
}

async fn whatever_happens(database: Database, service: Service) {
    let thread = Thread::breaking_at(0);
    let scene = Scene::with(database, Network::new(service).on(&thread), service).await;
    for seed in 0..SEEDS {
        let mut run = Run {
            scene: &scene,
            thread: Arc::clone(&thread),
            dice: Dice::seeded(seed),
            seed,
            untold: Vec::new(),
            commands: Vec::new(),
        };
        for token in TOKENS {
            scene.token(&run.name(token), "ACTIVE").await;
        }
        for _ in 0..STEPS {
            run.step().await;
        }
        run.finish().await;
    }
}

struct Run<'a> {
    scene: &'a Scene,
    thread: Arc<Thread>,
    dice: Dice,
    seed: u64,
    /// What the network has not told of yet.
    untold: Vec<(String, Seen)>,
    /// In the order of asking.
    commands: Vec<(CommandId, String, Action)>,
}

impl Run<'_> {
    fn name(&self, token: &str) -> String {
        format!("{token}{}", self.seed)
    }

    fn any_token(&mut self) -> String {
        let token = *self.dice.one_of(&TOKENS);
        self.name(token)
    }

    async fn step(&mut self) {
        match self.dice.below(12) {
            0..2 => self.wish().await,
            2..4 => {
                let fault = *self.dice.one_of(&[Fault::LostAfter, Fault::LostBefore, Fault::Unsent]);
                self.scene.network.fail(&[fault]);
            }
            4 => {
                let questions = self.dice.below(3);
                self.scene.network.hush(u32::try_from(questions).expect("a few"));
            }
            5 => self.meddle(),
            6 => self.tell().await,
            7 => self.dies().await,
            8 => self.scene.wait(i64::try_from(self.dice.below(50)).expect("a minute")),
            _ => {
                self.scene.turn().await;
                self.scene.wait(1);
            }
        }
    }

    async fn wish(&mut self) {
        let token = self.any_token();
        let action = *self.dice.one_of(&[
            Action::Suspend,
            Action::Suspend,
            Action::Resume,
            Action::Resume,
            Action::Delete,
        ]);
        let id = self.scene.order(action, &token).await;
        self.commands.push((id, token, action));
    }

    /// The issuer does something.
    fn meddle(&mut self) {
        let token = self.any_token();
        let was = self.scene.network.truth(&token);
        let is_held = was
            .suspended_by
            .as_ref()
            .is_some_and(|by| by.contains("TOKEN_REQUESTOR"));
        let words = match (was.status.as_str(), is_held) {
            ("ACTIVE", _) => "SUSPENDED ISSUER",
            ("SUSPENDED", true) => "SUSPENDED ISSUER TOKEN_REQUESTOR",
            ("SUSPENDED", false) => "ACTIVE",
            _ => return,
        };
        let seen = self.scene.network.set(&token, words);
        self.untold.push((token, seen));
    }

    /// One of what is untold, in no order; or how a token stands now.
    async fn tell(&mut self) {
        let (token, seen) = match self.dice.below(2) {
            0 if !self.untold.is_empty() => {
                let one = self.dice.below(self.untold.len() as u64);
                self.untold.swap_remove(usize::try_from(one).expect("its place"))
            }
            _ => {
                let token = self.any_token();
                let seen = self.scene.network.truth(&token);
                (token, seen)
            }
        };
        self.scene.notice(&token, &seen).await;
    }

    /// A desk that dies at one of the next points, and all that it held with it.
    async fn dies(&mut self) {
        let point = usize::try_from(self.dice.below(12)).expect("a few");
        self.thread.breaks_at(point + 1);
        let office = self.scene.office_over(Frail::over(&self.scene.memory, &self.thread));
        tokio::select! {
            () = self.thread.is_broken() => {}
            turned = office.turn(10) => drop(turned.expect("the store answers")),
        }
        self.thread.mend();
    }

    async fn finish(&mut self) {
        self.scene.network.heal();
        self.scene.wait(LONG);
        self.scene.turns(4 * LONG).await;
        for token in TOKENS {
            self.keeps_its_promises(&self.name(token)).await;
        }
    }

    async fn keeps_its_promises(&self, token: &str) {
        let seed = self.seed;
        let log = self.scene.network.log(token);
        let place = |id: &CommandId| self.commands.iter().position(|(one, ..)| one == id);
        let mut newest: Option<usize> = None;
        let mut may_send = true;
        for entry in &log {
            match entry {
                Entry::Change { command, .. } => {
                    let command = place(command);
                    let again = newest == command;
                    assert!(!again || may_send, "seed {seed}: sent again without asking: {log:#?}");
                    assert!(newest <= command, "seed {seed}: superseded, and sent: {log:#?}");
                    (newest, may_send) = (command, false);
                }
                Entry::Look { seen: Some(seen), .. } => {
                    let wanted = newest.map(|command| self.commands[command].2);
                    may_send |= wanted.is_none_or(|wanted| !is_so(wanted, seen));
                }
                Entry::Look { seen: None, .. } => {}
            }
        }
        for (id, ..) in self.commands.iter().filter(|(_, of, _)| of == token) {
            self.ends(*id, &log).await;
        }
    }

    async fn ends(&self, id: CommandId, log: &[Entry]) {
        let seed = self.seed;
        let command = self.scene.kept(id).await.command;
        let steps = self.scene.stages(id).await;
        let is_at_rest = command.stage.is_final() || command.stage == Stage::Overdue;
        assert!(is_at_rest, "seed {seed}: {command:#?} by {steps:?}");
        // Where the service names nobody, what others do may be taken for ours.
        if self.scene.service == Service::TokenEx {
            return;
        }
        let landed = log
            .iter()
            .any(|entry| matches!(entry, Entry::Change { command, applied: true, .. } if *command == id));
        // Where one whose place it took may have landed, the state is ours by either.
        let by_itself = command.landed_at.is_some() || command.sends > 0 && !command.after_another;
        if command.proof == Some(Proof::Ours) && command.order.action == Action::Suspend && by_itself {
            assert!(landed, "seed {seed}: {command:#?} never happened: {log:#?}");
        }
        if command.stage == Stage::Refused {
            assert!(!landed, "seed {seed}: {command:#?} happened: {log:#?}");
        }
    }
}

fn is_so(wanted: Action, seen: &Seen) -> bool {
    let by_us = seen.suspended_by.as_ref().map(|by| by.contains("TOKEN_REQUESTOR"));
    match (wanted, seen.status.as_str()) {
        (Action::Delete, status) => status == "DEACTIVATED",
        (Action::Resume, status) => status == "ACTIVE" || by_us == Some(false),
        (Action::Suspend, status) => status == "SUSPENDED" && by_us.unwrap_or(true),
    }
}
