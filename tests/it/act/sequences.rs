//! The eight sequences, end to end: a command, a service, and what the network says of itself.

use mdes_receiver::domain::command::{Action, Proof, Service, Stage};
use mdes_receiver::domain::id::{Namespace, TokenReference};
use mdes_receiver::store::Store as _;

use super::network::Fault;
use super::scene::{LONG, Scene};
use crate::support::Database;

promises!(
    sequence_1_a_notification_that_names_us_confirms,
    sequence_2_so_does_one_that_names_the_issuer_too,
    sequence_3_an_issuers_hold_outlives_our_resume,
    sequence_4_a_notification_from_before_is_ignored,
    sequence_5_a_resume_by_another_contradicts,
    sequence_6_a_deactivation_ends_it,
    sequence_7_a_lost_command_that_landed_is_confirmed_by_the_notification,
    sequence_8_a_notification_may_overtake_the_answer,
    each_step_is_on_disk_before_the_next,
    a_lost_request_that_did_not_happen_is_sent_again,
    what_is_refused_says_why_and_is_not_told,
    what_is_in_no_state_for_it_is_confirmed_if_it_is_so_already,
    a_resume_that_only_the_issuer_could_grant_is_not_sent,
    what_is_never_seen_is_overdue_and_confirmed_when_it_is_seen,
    a_newer_command_takes_the_place_of_one_that_nobody_knows_the_end_of,
    a_suspension_that_lands_late_does_not_undo_the_resume_that_took_its_place,
    the_services_answer_is_itself_a_statement,
    what_is_shown_of_one_network_token_is_said_of_no_other,
);

/// Mastercard's own name of the token is linked to TokenEx's, so that its notifications speak of it.
async fn through_tokenex(database: Database, words: &str) -> Scene {
    let scene = Scene::new(database, Service::TokenEx).await;
    scene.token("T", words).await;
    scene
}

async fn sequence_1_a_notification_that_names_us_confirms(database: Database) {
    let scene = through_tokenex(database, "ACTIVE").await;
    let id = scene.order(Action::Suspend, "T").await;
    scene.network.hush_after(1);
    scene.turn().await;
    assert_eq!(scene.stands(id).await, (Stage::Accepted, None));

    scene.notice("T", &scene.network.truth("T")).await;
    scene.turn().await;
    assert_eq!(scene.stands(id).await, (Stage::Confirmed, Some(Proof::Ours)));
    assert_eq!(scene.events().await, ["command.confirmed"]);
}

async fn sequence_2_so_does_one_that_names_the_issuer_too(database: Database) {
    let scene = through_tokenex(database, "ACTIVE").await;
    let id = scene.order(Action::Suspend, "T").await;
    scene.network.hush_after(1);
    scene.turn().await;

    let both = scene.network.set("T", "SUSPENDED ISSUER TOKEN_REQUESTOR");
    scene.notice("T", &both).await;
    scene.turn().await;
    assert_eq!(scene.stands(id).await, (Stage::Confirmed, Some(Proof::Ours)));
}

async fn sequence_3_an_issuers_hold_outlives_our_resume(database: Database) {
    let scene = through_tokenex(database, "SUSPENDED ISSUER TOKEN_REQUESTOR").await;
    let id = scene.order(Action::Resume, "T").await;
    scene.turn().await;
    assert_eq!(
        scene.stands(id).await,
        (Stage::Accepted, None),
        "TokenEx shows it suspended, by whom it does not say"
    );

    scene.notice("T", &scene.network.truth("T")).await;
    scene.turn().await;
    assert_eq!(scene.stands(id).await, (Stage::Confirmed, Some(Proof::HeldByOthers)));
}

async fn sequence_4_a_notification_from_before_is_ignored(database: Database) {
    let scene = Scene::new(database, Service::TokenEx).await;
    let old = scene.network.set("T", "ACTIVE");
    scene.token("T", "ACTIVE").await;
    let id = scene.order(Action::Suspend, "T").await;
    scene.network.hush_after(1);
    scene.turn().await;

    scene.notice("T", &old).await;
    scene.turn().await;
    assert_eq!(scene.stands(id).await, (Stage::Accepted, None));
    scene.turns(3).await;
    assert_eq!(scene.stands(id).await.0, Stage::Confirmed);
}

async fn sequence_5_a_resume_by_another_contradicts(database: Database) {
    let scene = through_tokenex(database, "ACTIVE").await;
    let id = scene.order(Action::Suspend, "T").await;
    scene.network.hush_after(1);
    scene.turn().await;

    let other = scene.network.set("T", "ACTIVE");
    let told = mdes_receiver::domain::command::Seen {
        suspended_by: Some(["ISSUER".to_owned()].into()),
        status: "SUSPENDED".to_owned().into(),
        at: other.at.map(|at| at - time::Duration::milliseconds(500)),
    };
    scene.notice("T", &told).await;
    scene.notice("T", &other).await;
    scene.turn().await;
    assert_eq!(scene.stands(id).await, (Stage::Contradicted, None));
    assert_eq!(scene.events().await, ["command.contradicted"]);
}

async fn sequence_6_a_deactivation_ends_it(database: Database) {
    let scene = through_tokenex(database, "ACTIVE").await;
    let suspend = scene.order(Action::Suspend, "T").await;
    scene.network.hush_after(1);
    scene.turn().await;

    let gone = scene.network.set("T", "DEACTIVATED");
    scene.notice("T", &gone).await;
    scene.turn().await;
    assert_eq!(scene.stands(suspend).await, (Stage::Contradicted, None));

    let resume = scene.order(Action::Resume, "T").await;
    let delete = scene.order(Action::Delete, "T").await;
    scene.turns(2).await;
    assert_eq!(scene.stands(resume).await.0, Stage::Superseded);
    assert_eq!(scene.stands(delete).await, (Stage::Confirmed, Some(Proof::Satisfied)));
    let again = scene.order(Action::Resume, "T").await;
    scene.turn().await;
    assert_eq!(scene.stands(again).await, (Stage::Refused, None));
    assert_eq!(scene.network.sends("T"), 1);
}

async fn sequence_7_a_lost_command_that_landed_is_confirmed_by_the_notification(database: Database) {
    let scene = through_tokenex(database, "ACTIVE").await;
    let id = scene.order(Action::Suspend, "T").await;
    scene.network.fail(&[Fault::LostAfter]);
    scene.turn().await;
    assert_eq!(scene.stands(id).await, (Stage::Unknown, None));

    scene.notice("T", &scene.network.truth("T")).await;
    scene.turn().await;
    assert_eq!(scene.stands(id).await, (Stage::Confirmed, Some(Proof::Ours)));
    assert_eq!(scene.network.sends("T"), 1);
}

async fn sequence_8_a_notification_may_overtake_the_answer(database: Database) {
    let mut scene = through_tokenex(database, "ACTIVE").await;
    scene.network_mut().takes = std::time::Duration::from_millis(300);
    let id = scene.order(Action::Suspend, "T").await;
    let office = scene.office();
    let turn = tokio::spawn(async move { office.turn(10).await });
    scene.until(id, Stage::Sent).await;
    let mut early = scene.network.truth("T");
    early.status = "SUSPENDED".to_owned().into();
    early.suspended_by = Some(["TOKEN_REQUESTOR".to_owned()].into());
    early.at = early.at.map(|at| at + time::Duration::seconds(1));
    scene.notice("T", &early).await;
    turn.await.expect("it does not panic").expect("the store answers");
    scene.turn().await;
    assert_eq!(scene.stands(id).await.0, Stage::Confirmed);
    assert_eq!((scene.network.sends("T"), scene.events().await.len()), (1, 1));
}

async fn each_step_is_on_disk_before_the_next(database: Database) {
    let scene = through_tokenex(database, "ACTIVE").await;
    let id = scene.order(Action::Suspend, "T").await;
    scene.turn().await;
    let stages = [Stage::Requested, Stage::Sent, Stage::Accepted, Stage::Confirmed];
    assert_eq!(scene.stages(id).await, stages);
    assert_eq!(scene.stands(id).await.1, Some(Proof::Satisfied), "TokenEx names nobody");
}

async fn a_lost_request_that_did_not_happen_is_sent_again(database: Database) {
    let scene = through_tokenex(database, "ACTIVE").await;
    let id = scene.order(Action::Suspend, "T").await;
    scene
        .network
        .fail(&[Fault::LostBefore, Fault::Unsent, Fault::LostBefore]);
    scene.turns(LONG).await;
    assert_eq!(scene.stands(id).await.0, Stage::Confirmed);
    assert_eq!(scene.network.sends("T"), 3, "what never left is not counted");
}

async fn what_is_refused_says_why_and_is_not_told(database: Database) {
    let scene = through_tokenex(database, "ACTIVE").await;
    let id = scene.order(Action::Suspend, "T").await;
    scene.network.fail(&[Fault::Refused]);
    scene.turn().await;
    let kept = scene.kept(id).await;
    assert_eq!(kept.command.stage, Stage::Refused);
    assert_eq!(kept.command.code.as_deref(), Some("9006"));
    assert_eq!(kept.command.why, "provided token cannot be found");
    assert_eq!(kept.answer, Some(serde_json::json!({"statusCode": "9006"})));
    assert!(scene.events().await.is_empty());
}

async fn what_is_in_no_state_for_it_is_confirmed_if_it_is_so_already(database: Database) {
    let scene = through_tokenex(database, "SUSPENDED TOKEN_REQUESTOR").await;
    let id = scene.order(Action::Suspend, "T").await;
    scene.turn().await;
    assert_eq!(scene.stands(id).await, (Stage::Confirmed, Some(Proof::Satisfied)));
    assert_eq!(
        scene.network.sends("T"),
        1,
        "TokenEx does not say whether it was we: it is sent all the same"
    );
}

async fn a_resume_that_only_the_issuer_could_grant_is_not_sent(database: Database) {
    let scene = Scene::new(database, Service::Mdes).await;
    scene.token("T", "SUSPENDED ISSUER").await;
    let id = scene.order(Action::Resume, "T").await;
    scene.turn().await;
    assert_eq!(scene.stands(id).await, (Stage::Refused, None));
    assert_eq!(
        scene.kept(id).await.command.why,
        "we do not hold it: it is suspended by ISSUER"
    );
    assert_eq!(scene.network.sends("T"), 0);
}

async fn what_is_never_seen_is_overdue_and_confirmed_when_it_is_seen(database: Database) {
    let scene = through_tokenex(database, "ACTIVE").await;
    let id = scene.order(Action::Suspend, "T").await;
    scene.network.hush_after(1);
    scene.network.hush(1_000);
    scene.turns(2 * LONG).await;
    assert_eq!(scene.stands(id).await, (Stage::Overdue, None));
    assert_eq!(scene.events().await, ["command.overdue"]);

    scene.network.heal();
    scene.wait(300);
    scene.turns(2).await;
    assert_eq!(scene.stands(id).await.0, Stage::Confirmed);
    assert_eq!(scene.events().await, ["command.overdue", "command.confirmed"]);
}

async fn a_newer_command_takes_the_place_of_one_that_nobody_knows_the_end_of(database: Database) {
    let scene = through_tokenex(database, "ACTIVE").await;
    let suspend = scene.order(Action::Suspend, "T").await;
    scene.network.fail(&[Fault::LostBefore]);
    scene.turn().await;
    assert_eq!(scene.stands(suspend).await.0, Stage::Unknown);

    let delete = scene.order(Action::Delete, "T").await;
    scene.turns(3).await;
    assert_eq!(scene.stands(suspend).await.0, Stage::Superseded);
    assert_eq!(scene.stands(delete).await.0, Stage::Confirmed);
    assert_eq!(scene.network.sends("T"), 2, "the suspension is never sent again");
}

async fn a_suspension_that_lands_late_does_not_undo_the_resume_that_took_its_place(database: Database) {
    let scene = through_tokenex(database, "ACTIVE").await;
    let suspend = scene.order(Action::Suspend, "T").await;
    scene.network.fail(&[Fault::Late]);
    scene.turn().await;
    assert_eq!(scene.stands(suspend).await.0, Stage::Unknown);

    let resume = scene.order(Action::Resume, "T").await;
    scene.turns(3).await;
    assert_eq!(scene.stands(suspend).await.0, Stage::Superseded);
    assert_eq!(scene.stands(resume).await.0, Stage::Confirmed);
    assert_eq!(scene.network.truth("T").status.as_str(), "ACTIVE");
    assert_eq!(
        scene.network.sends("T"),
        2,
        "it looked active before, and was sent all the same"
    );
}

async fn the_services_answer_is_itself_a_statement(database: Database) {
    let scene = Scene::new(database, Service::Mdes).await;
    scene.token("T", "SUSPENDED ISSUER").await;
    let id = scene.order(Action::Suspend, "T").await;
    scene.turn().await;
    assert_eq!(scene.stands(id).await, (Stage::Confirmed, Some(Proof::Ours)));
    assert_eq!(scene.suspended_by("T").await, ["ISSUER", "TOKEN_REQUESTOR"]);
}

async fn what_is_shown_of_one_network_token_is_said_of_no_other(database: Database) {
    let mut scene = Scene::new(database, Service::TokenEx).await;
    scene.network_mut().states = true;
    scene.network.set("ref-a", "ACTIVE");
    scene.network.set("ref-b", "DEACTIVATED");
    let delete = scene.order_of(Action::Delete, "T", Some("ref-a")).await;
    scene.network.fail(&[Fault::LostBefore]);
    scene.turn().await;
    assert_eq!(scene.stands(delete).await.0, Stage::Unknown);

    let suspend = scene.order_of(Action::Suspend, "T", Some("ref-b")).await;
    scene.turn().await;
    assert_eq!(scene.stands(suspend).await.0, Stage::Refused);
    assert_eq!(
        scene.stands(delete).await.0,
        Stage::Unknown,
        "it is the other that is gone"
    );
    let shared = TokenReference {
        namespace: Namespace::TokenEx,
        reference: "T".to_owned(),
    };
    let kept = scene.memory.token(&shared).await.expect("the store answers");
    assert!(kept.is_none(), "of which of them would it speak?");
    assert_eq!(scene.turn().await, 0, "neither wakes the other");

    scene.turns(5).await;
    assert_eq!(scene.stands(delete).await.0, Stage::Confirmed);
    assert_eq!(scene.network.sends("ref-a"), 2, "it was sent until it happened");
}
