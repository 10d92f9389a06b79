//! The eight sequences, the rules one sentence each, and what holds in any order of what is heard.

mod any;
mod chain;

use std::collections::BTreeSet;
use std::time::Duration;

use time::OffsetDateTime;
use time::macros::datetime;
use uuid::Uuid;

use super::pace::LOST;
use super::*;
use crate::domain::id::Namespace;

const RULES: Rules = Rules {
    confirm_within: Duration::from_secs(300),
    sends_max: 3,
};

/// That many seconds after noon, by the network's clock.
fn at(seconds: i64) -> OffsetDateTime {
    datetime!(2026-11-22 12:00:00.5 UTC) + time::Duration::seconds(seconds)
}

fn ordered(action: Action, through: Service) -> Command {
    let namespace = match through {
        Service::Mdes => Namespace::Mdes,
        Service::TokenEx => Namespace::TokenEx,
    };
    let order = Order {
        token: TokenReference {
            namespace,
            reference: "T".to_owned(),
        },
        action,
        through,
        target: Target {
            token: "T".to_owned(),
            reference_id: None,
        },
        caused_by: CausedBy::TokenRequestor,
        reason_code: "OTHER".to_owned(),
        reason: None,
        forced: false,
    };
    Command::requested(CommandId(Uuid::from_u128(1)), order, "")
}

fn forced(mut command: Command) -> Command {
    command.order.forced = true;
    command
}

/// `"ACTIVE"`, `"SUSPENDED ISSUER TOKEN_REQUESTOR"`, as MDES says it, since then.
fn mdes(words: &str, since: i64) -> Seen {
    let mut words = words.split(' ');
    Seen {
        status: Status::from(words.next().expect("a status").to_owned()),
        suspended_by: Some(words.map(str::to_owned).collect()),
        at: Some(at(since)),
    }
}

/// As TokenEx says it: no names, no instants.
fn tokenex(status: &str) -> Seen {
    Seen {
        status: Status::from(status.to_owned()),
        suspended_by: None,
        at: None,
    }
}

fn looked(seen: Seen) -> Heard {
    Heard::Looked {
        seen,
        newest: None,
        in_turn: true,
    }
}

/// The same where we hold a newest instant of the token already.
fn looked_holding(seen: Seen, newest: i64) -> Heard {
    Heard::Looked {
        seen,
        newest: Some(at(newest)),
        in_turn: true,
    }
}

fn because(why: &str) -> Because {
    Because {
        code: None,
        why: why.to_owned(),
    }
}

fn lost() -> Heard {
    Heard::Lost(because("no answer in time"))
}

fn unlooked() -> Heard {
    Heard::Unlooked {
        because: because("no answer in time"),
        no_such_token: false,
        in_turn: true,
    }
}

fn after(command: &Command, heard: &[Heard]) -> Next {
    let (last, first) = heard.split_last().expect("something is heard");
    let command = first
        .iter()
        .fold(command.clone(), |command, heard| command.after(heard, &RULES).command);
    command.after(last, &RULES)
}

/// Where it stands after all of it, and by which proof.
fn end(command: &Command, heard: &[Heard]) -> (Stage, Option<Proof>) {
    let command = after(command, heard).command;
    (command.stage, command.proof)
}

/// A suspension through TokenEx whose token is heard of at Mastercard too: accepted, and not seen yet.
fn accepted_by_tokenex(action: Action, before: &str) -> Command {
    let heard = [
        looked_holding(tokenex(before), 0),
        Heard::Accepted(None),
        looked(tokenex(before)),
    ];
    let next = after(&ordered(action, Service::TokenEx), &heard);
    assert_eq!(next.command.stage, Stage::Accepted);
    next.command
}

#[test]
fn sequence_1_the_networks_word_that_we_suspended_it_confirms() {
    let command = accepted_by_tokenex(Action::Suspend, "ACTIVE");
    let told = Heard::Told(mdes("SUSPENDED TOKEN_REQUESTOR", 10));
    assert_eq!(end(&command, &[told]), (Stage::Confirmed, Some(Proof::Ours)));
}

#[test]
fn sequence_2_so_does_one_that_names_others_too() {
    let command = accepted_by_tokenex(Action::Suspend, "ACTIVE");
    let told = Heard::Told(mdes("SUSPENDED ISSUER TOKEN_REQUESTOR", 10));
    assert_eq!(end(&command, &[told]), (Stage::Confirmed, Some(Proof::Ours)));
}

#[test]
fn sequence_3_an_issuers_hold_that_outlives_our_resume_is_no_contradiction() {
    let command = accepted_by_tokenex(Action::Resume, "SUSPENDED");
    let told = Heard::Told(mdes("SUSPENDED ISSUER", 10));
    assert_eq!(end(&command, &[told]), (Stage::Confirmed, Some(Proof::HeldByOthers)));
}

#[test]
fn sequence_4_a_state_from_before_the_command_says_nothing() {
    let command = accepted_by_tokenex(Action::Suspend, "ACTIVE");
    let next = command.after(&Heard::Told(mdes("ACTIVE", -60)), &RULES);
    assert_eq!(next.command, command);
    assert!(matches!(next.then, Then::Wait(_)));
}

#[test]
fn what_says_neither_when_nor_by_whom_ends_nothing_and_makes_us_ask() {
    for (action, before) in [
        (Action::Suspend, "ACTIVE"),
        (Action::Resume, "SUSPENDED"),
        (Action::Delete, "ACTIVE"),
    ] {
        let command = accepted_by_tokenex(action, before);
        let next = command.after(&Heard::Told(tokenex("DEACTIVATED")), &RULES);
        assert_eq!((&next.command, next.then), (&command, Then::Look));
        let unsent = ordered(action, Service::TokenEx);
        let next = unsent.after(&Heard::Told(tokenex("DEACTIVATED")), &RULES);
        assert_eq!((&next.command, next.then), (&unsent, Then::Look));
    }
}

#[test]
fn sequence_5_a_newer_resume_by_another_contradicts_once_the_service_agrees() {
    let command = accepted_by_tokenex(Action::Suspend, "ACTIVE");
    let told = Heard::Told(mdes("ACTIVE", 10));
    let asks = command.after(&told, &RULES);
    assert_eq!((asks.command.stage, asks.then), (Stage::Accepted, Then::Look));

    let agreed = [told, looked(tokenex("ACTIVE"))];
    assert_eq!(end(&command, &agreed), (Stage::Contradicted, None));
}

#[test]
fn sequence_6_a_deactivation_ends_it_at_any_time() {
    let gone = || Heard::Told(mdes("DEACTIVATED", -60));
    let suspend = ordered(Action::Suspend, Service::Mdes);
    let active = || looked(mdes("ACTIVE", 0));
    assert_eq!(end(&suspend, &[gone()]).0, Stage::Refused);
    assert_eq!(end(&suspend, &[active(), gone()]).0, Stage::Contradicted);
    assert_eq!(end(&suspend, &[active(), lost(), gone()]).0, Stage::Contradicted);
    let accepted = [active(), Heard::Accepted(None), gone()];
    assert_eq!(end(&suspend, &accepted).0, Stage::Contradicted);
    let delete = ordered(Action::Delete, Service::Mdes);
    assert_eq!(end(&delete, &[active(), lost(), gone()]).0, Stage::Confirmed);
}

#[test]
fn sequence_7_a_lost_command_that_landed_is_confirmed_and_not_sent_again() {
    let command = ordered(Action::Suspend, Service::Mdes);
    let landed = [
        looked(mdes("ACTIVE", 0)),
        lost(),
        looked(mdes("SUSPENDED TOKEN_REQUESTOR", 5)),
    ];
    assert_eq!(end(&command, &landed), (Stage::Confirmed, Some(Proof::Ours)));
    let told = [
        looked(mdes("ACTIVE", 0)),
        lost(),
        Heard::Told(mdes("SUSPENDED TOKEN_REQUESTOR", 5)),
    ];
    assert_eq!(end(&command, &told), (Stage::Confirmed, Some(Proof::Ours)));
}

#[test]
fn sequence_8_the_networks_word_may_overtake_the_services_answer() {
    let command = ordered(Action::Suspend, Service::Mdes);
    let told = Heard::Told(mdes("SUSPENDED TOKEN_REQUESTOR", 5));
    let heard = [looked(mdes("ACTIVE", 0)), told, Heard::Accepted(None)];
    assert_eq!(end(&command, &heard), (Stage::Confirmed, Some(Proof::Ours)));
}

#[test]
fn the_services_own_answer_may_confirm() {
    let command = ordered(Action::Suspend, Service::Mdes);
    let shown = Some(mdes("SUSPENDED TOKEN_REQUESTOR", 5));
    let next = after(&command, &[looked(mdes("ACTIVE", 0)), Heard::Accepted(shown)]);
    assert_eq!(next.command.proof, Some(Proof::Ours));
    assert_eq!(next.command.landed_at, Some(at(5)));
}

#[test]
fn what_is_lost_and_did_not_happen_is_sent_again_but_not_for_ever() {
    let mut command = ordered(Action::Suspend, Service::Mdes);
    for send in 1..=RULES.sends_max {
        let next = command.after(&looked(mdes("ACTIVE", 0)), &RULES);
        assert_eq!((next.then, next.command.sends), (Then::Send, send));
        command = after(&next.command, &[lost(), looked(mdes("ACTIVE", 0))]).command;
    }
    assert_eq!((command.stage, command.sends), (Stage::Overdue, RULES.sends_max));
    let next = command.after(&looked(mdes("ACTIVE", 0)), &RULES);
    assert_eq!(next.command.stage, Stage::Overdue, "and is asked after all the same");
}

#[test]
fn what_may_have_landed_and_been_undone_is_not_sent_again() {
    let command = ordered(Action::Suspend, Service::Mdes);
    let heard = [
        looked(mdes("ACTIVE", 0)),
        lost(),
        looked(mdes("ACTIVE", 20)),
        looked(mdes("ACTIVE", 20)),
    ];
    let next = after(&command, &heard);
    assert_eq!(next.command.stage, Stage::Unknown);
    assert!(matches!(next.then, Then::Wait(_)));
}

#[test]
fn a_tokenex_token_that_looks_like_a_card_is_printed_by_its_end_alone() {
    let mut command = ordered(Action::Suspend, Service::TokenEx);
    command.order.target.token = "5204730000001201".to_owned();
    command.order.token.reference = "5204730000001201".to_owned();
    let printed = format!("{command:?}");
    assert!(!printed.contains("520473") && printed.contains("····1201"), "{printed}");
}

#[test]
fn a_crash_in_mid_send_asks_before_anything_else_and_not_while_it_may_be_on_its_way() {
    let command = ordered(Action::Suspend, Service::Mdes);
    let next = after(&command, &[looked(mdes("ACTIVE", 0)), Heard::Crashed]);
    assert_eq!((next.command.stage, next.then), (Stage::Unknown, Then::Wait(LOST)));
    let next = after(&next.command, &[looked(mdes("ACTIVE", 0))]);
    assert_eq!(next.command.stage, Stage::Requested);
}

#[test]
fn what_is_overdue_and_did_not_happen_is_sent_once_the_service_can_be_asked_again() {
    let command = ordered(Action::Suspend, Service::TokenEx);
    let lost = Heard::Lost(because("no answer"));
    let mut next = after(&command, &[looked(tokenex("ACTIVE")), lost]);
    while next.command.stage != Stage::Overdue {
        next = after(&next.command, &[unlooked()]);
    }
    let next = after(&next.command, &[looked(tokenex("ACTIVE"))]);
    assert_eq!(next.command.stage, Stage::Requested);
    let next = after(&next.command, &[looked(tokenex("ACTIVE"))]);
    assert_eq!(next.then, Then::Send);
}

#[test]
fn what_was_accepted_and_is_overdue_is_never_sent_again() {
    let command = ordered(Action::Suspend, Service::TokenEx);
    let mut next = after(&command, &[looked(tokenex("ACTIVE")), Heard::Accepted(None)]);
    while next.command.stage != Stage::Overdue {
        next = after(&next.command, &[looked(tokenex("ACTIVE"))]);
    }
    for _ in 0..20 {
        next = after(&next.command, &[looked(tokenex("ACTIVE"))]);
        assert_ne!(next.then, Then::Send);
        assert_eq!(next.command.stage, Stage::Overdue);
    }
}

#[test]
fn what_never_left_is_sent_later() {
    let command = ordered(Action::Suspend, Service::Mdes);
    let unsent = Heard::Unsent(because("connection refused"));
    let next = after(
        &command,
        &[looked(mdes("ACTIVE", 0)), unsent, looked(mdes("ACTIVE", 0))],
    );
    assert_eq!((next.then, next.command.sends), (Then::Send, 1));
}

#[test]
fn what_is_so_already_is_confirmed_without_sending() {
    let suspended = looked(mdes("SUSPENDED TOKEN_REQUESTOR", 0));
    let next = ordered(Action::Suspend, Service::Mdes).after(&suspended, &RULES);
    assert_eq!((next.command.stage, next.command.sends), (Stage::Confirmed, 0));
    assert_eq!(next.event, Some(crate::domain::event::EventType::CommandConfirmed));
    let active = ordered(Action::Resume, Service::TokenEx).after(&looked(tokenex("ACTIVE")), &RULES);
    assert_eq!(active.command.proof, Some(Proof::Satisfied));
    let gone = ordered(Action::Delete, Service::TokenEx).after(&looked(tokenex("DEACTIVATED")), &RULES);
    assert_eq!(gone.command.proof, Some(Proof::Satisfied));
}

#[test]
fn a_hold_of_others_alone_is_no_suspension_of_ours_and_it_is_sent() {
    let by_issuer = looked(mdes("SUSPENDED ISSUER", 0));
    let next = ordered(Action::Suspend, Service::Mdes).after(&by_issuer, &RULES);
    assert_eq!(next.then, Then::Send);
    let unnamed = looked(tokenex("SUSPENDED"));
    let next = ordered(Action::Suspend, Service::TokenEx).after(&unnamed, &RULES);
    assert_eq!(next.then, Then::Send);
}

#[test]
fn a_resume_while_only_others_hold_is_refused_with_their_names() {
    let next = ordered(Action::Resume, Service::Mdes).after(&looked(mdes("SUSPENDED ISSUER", 0)), &RULES);
    assert_eq!(next.command.stage, Stage::Refused);
    assert_eq!(next.command.why, "we do not hold it: it is suspended by ISSUER");
    assert_eq!(next.event, None, "who asked is answered");
}

fn caused_by_the_cardholder(action: Action) -> Command {
    let mut command = ordered(action, Service::Mdes);
    command.order.caused_by = CausedBy::Cardholder;
    command
}

#[test]
fn we_are_whom_the_answer_to_our_suspension_adds_whatever_name_we_gave() {
    let suspend = caused_by_the_cardholder(Action::Suspend);
    let before = looked(mdes("SUSPENDED ISSUER", 0));
    let named = Heard::Accepted(Some(mdes("SUSPENDED CARDHOLDER ISSUER", 5)));
    assert_eq!(
        end(&suspend, &[before.clone(), named]),
        (Stage::Confirmed, Some(Proof::Ours))
    );
    let renamed = Heard::Accepted(Some(mdes("SUSPENDED ISSUER TOKEN_REQUESTOR", 5)));
    assert_eq!(
        end(&suspend, &[before.clone(), renamed]),
        (Stage::Confirmed, Some(Proof::Ours))
    );
    let not_added = Heard::Accepted(Some(mdes("SUSPENDED ISSUER", 5)));
    assert_eq!(after(&suspend, &[before, not_added]).command.stage, Stage::Accepted);
    let the_issuers = [
        looked(mdes("ACTIVE", 0)),
        Heard::Accepted(Some(mdes("SUSPENDED ISSUER", 5))),
    ];
    assert_eq!(
        after(&suspend, &the_issuers).command.stage,
        Stage::Accepted,
        "that is never we"
    );
}

#[test]
fn a_resume_lets_go_of_what_we_hold_whatever_name_it_gives() {
    let resume = caused_by_the_cardholder(Action::Resume);
    let before = looked(mdes("SUSPENDED ISSUER TOKEN_REQUESTOR", 0));
    assert_eq!(resume.after(&before, &RULES).then, Then::Send);
    let let_go = Heard::Accepted(Some(mdes("SUSPENDED ISSUER", 5)));
    let ended = end(&resume, &[before.clone(), let_go]);
    assert_eq!(ended, (Stage::Confirmed, Some(Proof::HeldByOthers)));
    let still = Heard::Accepted(Some(mdes("SUSPENDED ISSUER TOKEN_REQUESTOR", 5)));
    assert_eq!(
        after(&resume, &[before, still]).command.stage,
        Stage::Accepted,
        "we hold it still"
    );
}

#[test]
fn nothing_but_a_deletion_fits_a_deactivated_token() {
    for action in [Action::Suspend, Action::Resume] {
        let next = ordered(action, Service::Mdes).after(&looked(mdes("DEACTIVATED", 0)), &RULES);
        assert_eq!(next.command.stage, Stage::Refused);
    }
}

#[test]
fn forced_is_sent_all_the_same() {
    for seen in ["DEACTIVATED", "SUSPENDED ISSUER", "ACTIVE"] {
        let next = forced(ordered(Action::Resume, Service::Mdes)).after(&looked(mdes(seen, 0)), &RULES);
        assert_eq!(next.then, Then::Send, "{seen}");
    }
}

#[test]
fn a_token_that_the_service_does_not_know_is_refused_and_one_that_it_no_longer_knows_is_deleted() {
    let unknown = || Heard::Unlooked {
        because: because("3000 : Token does not exist"),
        no_such_token: true,
        in_turn: true,
    };
    let delete = ordered(Action::Delete, Service::TokenEx);
    assert_eq!(end(&delete, &[unknown()]), (Stage::Refused, None));
    let deleted = [looked(tokenex("ACTIVE")), Heard::Accepted(None), unknown()];
    assert_eq!(end(&delete, &deleted), (Stage::Confirmed, Some(Proof::Satisfied)));
}

#[test]
fn in_no_state_for_it_is_confirmed_where_the_state_is_there_and_refused_where_it_is_not() {
    let wrong = |seen| Heard::WrongState(because("9104 : not in a valid state"), Some(seen));
    let suspend = ordered(Action::Suspend, Service::TokenEx);
    let there = [looked(tokenex("ACTIVE")), wrong(tokenex("SUSPENDED"))];
    assert_eq!(end(&suspend, &there), (Stage::Confirmed, Some(Proof::Satisfied)));
    let not_there = [looked(tokenex("INACTIVE")), wrong(tokenex("INACTIVE"))];
    assert_eq!(end(&suspend, &not_there), (Stage::Refused, None));
}

#[test]
fn what_the_service_refuses_is_refused_with_its_code() {
    let refused = Heard::Refused(Because {
        code: Some("9006".to_owned()),
        why: "provided token cannot be found".to_owned(),
    });
    let next = after(
        &ordered(Action::Suspend, Service::TokenEx),
        &[looked(tokenex("ACTIVE")), refused],
    );
    assert_eq!(next.command.stage, Stage::Refused);
    assert_eq!(next.command.code.as_deref(), Some("9006"));
}

#[test]
fn a_confirmation_that_does_not_come_is_overdue_once_and_asked_after_daily() {
    let mut command = accepted_by_tokenex(Action::Suspend, "ACTIVE");
    let (mut waited, mut overdue) = (Duration::from_secs(1), 0);
    while command.stage == Stage::Accepted {
        let next = command.after(&looked(tokenex("ACTIVE")), &RULES);
        command = next.command;
        overdue += u32::from(next.event.is_some());
        if let (Stage::Accepted, Then::Wait(wait)) = (command.stage, next.then) {
            waited += wait;
        }
    }
    assert_eq!((command.stage, waited), (Stage::Overdue, RULES.confirm_within));
    for _ in 0..9 {
        let next = command.after(&looked(tokenex("ACTIVE")), &RULES);
        overdue += u32::from(next.event.is_some());
        command = next.command;
    }
    let last = command.after(&unlooked(), &RULES);
    assert_eq!((overdue, last.then), (1, Then::Wait(Duration::from_hours(24))));
    let seen = command.after(&looked(tokenex("SUSPENDED")), &RULES);
    assert_eq!(seen.command.stage, Stage::Confirmed, "late is not never");
}

#[test]
fn what_cannot_be_sent_in_time_is_overdue_too_and_sent_once_it_can_be() {
    let mut command = ordered(Action::Suspend, Service::Mdes);
    let mut overdue = 0;
    for _ in 0..20 {
        let next = command.after(&unlooked(), &RULES);
        overdue += u32::from(next.event.is_some());
        command = next.command;
    }
    assert_eq!((command.stage, overdue), (Stage::Overdue, 1));
    assert_eq!(command.after(&looked(mdes("ACTIVE", 0)), &RULES).then, Then::Send);
}

#[test]
fn a_question_out_of_turn_does_not_hasten_the_end() {
    let command = accepted_by_tokenex(Action::Suspend, "ACTIVE");
    let out_of_turn = Heard::Looked {
        seen: tokenex("ACTIVE"),
        newest: None,
        in_turn: false,
    };
    let asked = (0..100).fold(command.clone(), |command, _| {
        command.after(&out_of_turn, &RULES).command
    });
    assert_eq!((asked.stage, asked.asks), (Stage::Accepted, command.asks));
}

#[test]
fn an_instant_to_the_second_is_doubted_on_the_safe_side() {
    let mut command = accepted_by_tokenex(Action::Suspend, "ACTIVE");
    command.baseline = Some(at(0));
    let mut whole = mdes("SUSPENDED TOKEN_REQUESTOR", 0);
    whole.at = Some(datetime!(2026-11-22 12:00:00 UTC));
    assert_eq!(end(&command, &[Heard::Told(whole.clone())]).0, Stage::Confirmed);
    whole.status = Status::Active;
    let next = command.after(&Heard::Told(whole), &RULES);
    assert_eq!(next.command, command);
}

#[test]
fn words_of_stages_and_actions_are_read_back() {
    let stages: BTreeSet<_> = Stage::ALL.iter().map(|stage| Stage::parse(stage.as_str())).collect();
    assert_eq!(stages.len(), Stage::ALL.len());
    assert!(!stages.contains(&None));
}
