//! What holds whatever is heard, in whatever order.

use proptest::prelude::*;

use super::*;

fn any_seen() -> impl Strategy<Value = Seen> {
    let status = prop::sample::select(vec![
        "ACTIVE",
        "SUSPENDED",
        "SUSPENDED",
        "INACTIVE",
        "DEACTIVATED",
        "NEW_WORD",
    ]);
    (status, any_suspenders(), prop::option::of(-3..4_i64)).prop_map(|(status, by, since)| Seen {
        status: Status::from(status.to_owned()),
        suspended_by: by.filter(|by| by.is_empty() || status == "SUSPENDED"),
        at: since.map(at),
    })
}

fn any_suspenders() -> impl Strategy<Value = Option<BTreeSet<String>>> {
    let names = vec![
        "ISSUER".to_owned(),
        "TOKEN_REQUESTOR".to_owned(),
        "CARDHOLDER".to_owned(),
    ];
    prop::option::of(prop::sample::subsequence(names, 0..=2).prop_map(|names| names.into_iter().collect()))
}

fn any_heard() -> impl Strategy<Value = Heard> {
    prop_oneof![
        4 => (any_seen(), prop::option::of(-3..4_i64), any::<bool>()).prop_map(|(seen, newest, in_turn)| {
            Heard::Looked { seen, newest: newest.map(at), in_turn }
        }),
        2 => (any::<bool>(), any::<bool>()).prop_map(|(no_such_token, in_turn)| Heard::Unlooked {
            because: because("away"), no_such_token, in_turn
        }),
        2 => prop::option::of(any_seen()).prop_map(Heard::Accepted),
        1 => Just(Heard::Refused(because("no"))),
        1 => prop::option::of(any_seen()).prop_map(|seen| Heard::WrongState(because("9104"), seen)),
        2 => Just(lost()),
        1 => Just(Heard::Unsent(because("no connection"))),
        3 => any_seen().prop_map(Heard::Told),
        1 => Just(Heard::Crashed),
    ]
}

fn any_command() -> impl Strategy<Value = Command> {
    let actions = prop::sample::select(vec![Action::Suspend, Action::Resume, Action::Delete]);
    let services = prop::sample::select(vec![Service::Mdes, Service::TokenEx]);
    (actions, services, prop::bool::weighted(0.2)).prop_map(|(action, through, forced)| {
        let mut command = ordered(action, through);
        command.order.forced = forced;
        command
    })
}

/// Each word with the command before it and what is next.
fn each(command: &Command, heard: &[Heard]) -> Vec<(Command, Heard, Next)> {
    let mut command = command.clone();
    let mut all = Vec::new();
    for heard in heard {
        let next = command.after(heard, &RULES);
        let before = std::mem::replace(&mut command, next.command.clone());
        all.push((before, heard.clone(), next));
    }
    all
}

fn shown_by(heard: &Heard) -> Option<&Seen> {
    match heard {
        Heard::Looked { seen, .. } | Heard::Told(seen) => Some(seen),
        Heard::Accepted(seen) | Heard::WrongState(_, seen) => seen.as_ref(),
        _ => None,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn it_is_sent_again_only_after_a_look_that_shows_that_it_did_not_happen(
        command in any_command(), heard in prop::collection::vec(any_heard(), 1..25)
    ) {
        let mut may = true;
        for (before, heard, next) in each(&command, &heard) {
            match &heard {
                Heard::Unsent(_) if before.stage == Stage::Sent => may = true,
                Heard::Looked { seen, .. } if before.stage == Stage::Unknown => {
                    let moved = matches!((seen.at, before.baseline), (Some(at), Some(baseline)) if at != baseline);
                    may |= before.judge(seen) == judged::Judged::Other && !moved;
                }
                _ => {}
            }
            if next.then == Then::Send {
                prop_assert!(may, "{before:?} after {heard:?}");
                let by_look = matches!(heard, Heard::Looked { .. });
                prop_assert!(by_look || before.order.forced);
                prop_assert!(next.command.sends <= RULES.sends_max);
                may = false;
            }
        }
    }

    #[test]
    fn an_end_is_the_end(command in any_command(), heard in prop::collection::vec(any_heard(), 1..25)) {
        for (before, _, next) in each(&command, &heard) {
            if before.stage.is_final() {
                prop_assert_eq!(&next.command, &before);
                prop_assert_eq!((next.then, next.event), (Then::Rest, None));
            }
            prop_assert_eq!(next.then == Then::Rest, next.command.stage.is_final());
            prop_assert_eq!(next.then == Then::Send, next.command.stage == Stage::Sent && before.stage != Stage::Sent);
        }
    }

    #[test]
    fn no_suspension_is_ours_without_our_suspender(
        command in any_command(), heard in prop::collection::vec(any_heard(), 1..25)
    ) {
        for (before, heard, next) in each(&command, &heard) {
            let is_ours = next.command.proof == Some(Proof::Ours) && before.proof.is_none();
            if is_ours && command.order.action == Action::Suspend {
                let by = shown_by(&heard).and_then(|seen| seen.suspended_by.as_ref());
                let ours = next.command.suspender.as_deref().unwrap_or("TOKEN_REQUESTOR");
                prop_assert!(ours != "ISSUER" && by.is_some_and(|by| by.contains(ours)));
            }
        }
    }

    #[test]
    fn a_deactivation_ends_it(
        command in any_command(), heard in prop::collection::vec(any_heard(), 0..10), is_told in any::<bool>()
    ) {
        let before = heard.iter().fold(command, |command, heard| command.after(heard, &RULES).command);
        let may_be_sent = before.sends == 0 || before.stage == Stage::Requested;
        prop_assume!(!before.order.forced || !may_be_sent);
        let gone = mdes("DEACTIVATED", -100);
        let heard = if is_told { Heard::Told(gone) } else { looked(gone) };
        prop_assert!(before.after(&heard, &RULES).command.stage.is_final());
    }

    #[test]
    fn a_stale_word_changes_nothing(
        command in any_command(), heard in prop::collection::vec(any_heard(), 0..10), seen in any_seen()
    ) {
        let sent = forced(command).after(&looked(mdes("ACTIVE", 0)), &RULES).command;
        let before = heard.iter().fold(sent, |command, heard| command.after(heard, &RULES).command);
        prop_assume!(before.sends > 0 && seen.status != Status::Deactivated);
        let seen = Seen { at: Some(at(-10)), ..seen };
        let next = before.after(&Heard::Told(seen), &RULES);
        prop_assert_eq!((next.command, next.event), (before, None));
    }

    #[test]
    fn where_instants_decide_the_order_of_words_does_not(
        command in any_command(),
        told in prop::collection::vec(any_seen(), 1..6).prop_flat_map(|told| (Just(told.clone()), Just(told).prop_shuffle())),
        is_lost in any::<bool>(),
    ) {
        let answer = if is_lost { lost() } else { Heard::Accepted(None) };
        let sent = after(&forced(command), &[looked(mdes("ACTIVE", 0)), answer]).command;
        let (one, other) = told;
        let after_all = |told: &[Seen]| {
            let told = told.iter().filter(|seen| seen.at.is_some() && seen.status != Status::Deactivated);
            told.fold(sent.clone(), |command, seen| command.after(&Heard::Told(seen.clone()), &RULES).command)
        };
        let (one, other) = (after_all(&one), after_all(&other));
        prop_assert_eq!(one.stage, other.stage);
        if !one.stage.is_final() {
            prop_assert_eq!(one.otherwise.map(|seen| seen.at), other.otherwise.map(|seen| seen.at));
        }
    }
}
