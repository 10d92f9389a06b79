//! Commands of one token, each in the place of the one before: what was lost may land late, and the newest wish stands.

use proptest::prelude::*;

use super::*;

/// What a service does with requests that come in the order in which they were sent, however late.
struct World {
    service: Service,
    status: &'static str,
    changes: i64,
    on_its_way: Vec<Action>,
}

impl World {
    fn new(service: Service) -> Self {
        World {
            service,
            status: "ACTIVE",
            changes: 0,
            on_its_way: Vec::new(),
        }
    }

    fn seen(&self) -> Seen {
        match (self.service, self.status) {
            (Service::TokenEx, status) => tokenex(status),
            (Service::Mdes, "SUSPENDED") => mdes("SUSPENDED TOKEN_REQUESTOR", self.changes),
            (Service::Mdes, status) => mdes(status, self.changes),
        }
    }

    /// Whatever is on its way arrives.
    fn lands(&mut self) {
        for action in std::mem::take(&mut self.on_its_way) {
            self.does(action);
        }
    }

    /// Whether the token is in a state for it.
    fn does(&mut self, action: Action) -> bool {
        let status = match (self.status, action) {
            ("DEACTIVATED", _) | ("ACTIVE", Action::Resume) => return false,
            ("SUSPENDED", Action::Suspend) => return self.service == Service::Mdes,
            (_, Action::Delete) => "DEACTIVATED",
            (_, Action::Suspend) => "SUSPENDED",
            (_, Action::Resume) => "ACTIVE",
        };
        self.status = status;
        self.changes += 1;
        true
    }

    fn sent(&mut self, action: Action, luck: Luck) -> Heard {
        if luck == Luck::Late {
            self.on_its_way.push(action);
            return lost();
        }
        self.lands();
        match (self.does(action), luck) {
            (_, Luck::LostAnswer) => lost(),
            (true, _) => Heard::Accepted((self.service == Service::Mdes).then(|| self.seen())),
            (false, _) => Heard::WrongState(because("9104"), Some(self.seen())),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Luck {
    Good,
    /// What is sent lands, and nobody hears of it; what is asked is not answered.
    LostAnswer,
    /// What is sent lands later.
    Late,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Ask(Action),
    Go(Luck),
    Land,
}

fn any_step() -> impl Strategy<Value = Step> {
    let actions = vec![
        Action::Suspend,
        Action::Resume,
        Action::Suspend,
        Action::Resume,
        Action::Delete,
    ];
    let lucks = vec![Luck::Good, Luck::LostAnswer, Luck::Late];
    prop_oneof![
        2 => prop::sample::select(actions).prop_map(Step::Ask),
        6 => prop::sample::select(lucks).prop_map(Step::Go),
        1 => Just(Step::Land),
    ]
}

/// The newest command, and what is to be done with it.
struct Newest {
    command: Command,
    then: Then,
}

impl Newest {
    /// In the place of that one, if it has not come to its end.
    fn asked(action: Action, world: &World, before: Option<&Newest>) -> Self {
        let mut command = ordered(action, world.service);
        let before = before.map(|before| &before.command);
        command.after_another = before.is_some_and(|before| !before.stage.is_final() && before.may_land_yet());
        Newest {
            command,
            then: Then::Look,
        }
    }

    fn goes(&mut self, world: &mut World, luck: Luck) {
        let heard = match self.then {
            Then::Rest => return,
            Then::Send => world.sent(self.command.order.action, luck),
            Then::Look | Then::Wait(_) if luck == Luck::LostAnswer => unlooked(),
            Then::Look | Then::Wait(_) => looked(world.seen()),
        };
        let next = self.command.after(&heard, &RULES);
        (self.command, self.then) = (next.command, next.then);
        if self.then == Then::Rest {
            // Nobody can wait for longer than for an end.
            world.lands();
        }
    }
}

/// It is as wanted; or gone, from where nothing that is sent later brings it back.
fn is_so(action: Action, status: &str) -> bool {
    let wanted = match action {
        Action::Suspend => "SUSPENDED",
        Action::Resume => "ACTIVE",
        Action::Delete => "DEACTIVATED",
    };
    status == wanted || status == "DEACTIVATED"
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_lands_late_does_not_undo_what_is_confirmed(
        service in prop::sample::select(vec![Service::Mdes, Service::TokenEx]),
        steps in prop::collection::vec(any_step(), 1..30),
    ) {
        let mut world = World::new(service);
        let mut newest: Option<Newest> = None;
        let in_the_end = std::iter::repeat_n(Step::Go(Luck::Good), 20);
        for step in steps.into_iter().chain(in_the_end) {
            match (step, newest.as_mut()) {
                (Step::Ask(action), before) => {
                    newest = Some(Newest::asked(action, &world, before.map(|before| &*before)));
                }
                (Step::Go(luck), Some(newest)) => {
                    let was_open = newest.then != Then::Rest;
                    newest.goes(&mut world, luck);
                    if was_open && newest.command.stage == Stage::Confirmed {
                        prop_assert!(is_so(newest.command.order.action, world.status), "{:?}", newest.command);
                    }
                }
                (Step::Go(_), None) => {}
                (Step::Land, _) => world.lands(),
            }
        }
    }
}

#[test]
fn a_resume_in_the_place_of_a_lost_suspension_is_sent_though_the_token_looks_active() {
    for service in [Service::Mdes, Service::TokenEx] {
        let mut resume = ordered(Action::Resume, service);
        resume.after_another = true;
        let shown = World::new(service).seen();
        let next = resume.after(&looked(shown.clone()), &RULES);
        assert_eq!(next.then, Then::Send);
        let refused = Heard::WrongState(because("9104"), Some(shown));
        assert_eq!(
            end(&next.command, &[refused]),
            (Stage::Confirmed, Some(Proof::Satisfied))
        );
    }
}

#[test]
fn a_deactivated_token_is_not_asked_again_to_go() {
    for (action, ends) in [(Action::Delete, Stage::Confirmed), (Action::Resume, Stage::Refused)] {
        let mut command = ordered(action, Service::TokenEx);
        command.after_another = true;
        let next = command.after(&looked(tokenex("DEACTIVATED")), &RULES);
        assert_eq!((next.command.stage, next.command.sends), (ends, 0));
    }
}
