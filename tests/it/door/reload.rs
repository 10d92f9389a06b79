//! New files under an open door: taken whole or not at all, and nobody falls out but who must.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use mdes_receiver::simulator::pki::{Authority, Leaf};

use super::street::{ALWAYS, NAME, NOW, PATIENCE, Setup, YEAR};
use super::visitor::{ask_again, closes, says_goodbye};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reload_under_traffic_drops_nothing() {
    let door = Arc::new(Setup::new().open().await);
    let (done, asked) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let traffic = (0..4).map(|_| {
        let (door, done, asked) = (door.clone(), done.clone(), asked.clone());
        tokio::spawn(async move {
            let config = door.config(Some(&door.client()));
            let mut stream = door.knock(config.clone()).await.expect("let in");
            while !done.load(Ordering::Relaxed) {
                ask_again(&mut stream).await.expect("an answer on the old connection");
                door.ask(config.clone()).await.expect("an answer on a new one");
                asked.fetch_add(2, Ordering::Relaxed);
            }
        })
    });
    let traffic: Vec<_> = traffic.collect();
    for round in 1..=20 {
        door.tls.reload().expect("the files are good");
        assert!(super::visitor::eventually(|| asked.load(Ordering::Relaxed) >= 8 * round).await);
    }
    done.store(true, Ordering::Relaxed);
    for task in traffic {
        tokio::time::timeout(PATIENCE, task)
            .await
            .expect("an end")
            .expect("nothing was dropped");
    }
}

#[tokio::test]
async fn a_bad_file_keeps_the_old_ones() {
    let door = Setup::new().open().await;
    let client = door.client();
    let other = Authority::new("Other Root", ALWAYS);
    door.write("roots.pem", &other.certificate_pem());
    door.write("server.pem", "half a cert");
    let told = door.tls.reload().expect_err("a bad file").to_string();
    assert!(told.starts_with("key `callback.tls.certificate`: "), "{told}");

    assert!(door.ask_as(&client).await.is_ok());
    assert!(
        door.ask_as(&other.issue(&Leaf::client(NAME, YEAR))).await.is_err(),
        "not even the good half"
    );
}

#[tokio::test]
async fn new_roots_count_from_the_reload_on() {
    let door = Setup::new().open().await;
    let other = Authority::new("Other Root", ALWAYS);
    let (old, new) = (door.client(), other.issue(&Leaf::client(NAME, YEAR)));
    assert!(door.ask_as(&old).await.is_ok() && door.ask_as(&new).await.is_err());

    door.write("roots.pem", &other.certificate_pem());
    door.tls.reload().expect("the files are good");
    assert!(door.ask_as(&new).await.is_ok() && door.ask_as(&old).await.is_err());

    door.write("roots.pem", &(other.certificate_pem() + &door.root.certificate_pem()));
    door.tls.reload().expect("the files are good");
    assert!(door.ask_as(&new).await.is_ok() && door.ask_as(&old).await.is_ok());
}

#[tokio::test]
async fn a_revocation_ends_the_open_connection_and_no_other() {
    let mut setup = Setup::new();
    setup.tls.crls = vec![setup.write("clients.crl", &setup.root.crl(&[], YEAR.0, YEAR.1))];
    let door = setup.open().await;
    let (revoked, other) = (door.client(), door.client());
    let mut ending = door.knock(door.config(Some(&revoked))).await.expect("let in");
    let mut staying = door.knock(door.config(Some(&other))).await.expect("let in");
    ask_again(&mut ending).await.expect("an answer");
    ask_again(&mut staying).await.expect("an answer");

    door.write("clients.crl", &door.root.crl(&[&revoked], YEAR.0, YEAR.1));
    door.tls.reload().expect("the files are good");
    says_goodbye(&mut ending).await;
    assert!(door.ask_as(&revoked).await.is_err());
    ask_again(&mut staying).await.expect("an answer");
}

#[tokio::test]
async fn roots_that_are_taken_away_end_their_connections() {
    let door = Setup::new().open().await;
    let mut stream = door.knock(door.config(Some(&door.client()))).await.expect("let in");
    ask_again(&mut stream).await.expect("an answer");
    door.write("roots.pem", &Authority::new("Other Root", ALWAYS).certificate_pem());
    door.tls.reload().expect("the files are good");
    assert!(closes(&mut stream).await);
}

#[tokio::test]
async fn every_file_says_when_it_expires_and_wants_to_be_watched() {
    let mut setup = Setup::new();
    let soon = NOW + time::Duration::days(3);
    setup.tls.crls = vec![setup.write("clients.crl", &setup.root.crl(&[], YEAR.0, soon))];
    let brief = Authority::new("Brief Root", YEAR);
    setup.write("roots.pem", &(setup.root.certificate_pem() + &brief.certificate_pem()));
    let files: Vec<_> = ["server.pem", "roots.pem", "clients.crl"].map(str::to_owned).to_vec();
    let door = setup.open().await;

    let mut expiries = door.tls.expiries();
    for (file, _) in &mut expiries {
        *file = file.rsplit('/').next().unwrap_or_default().to_owned();
    }
    for (file, end) in files.into_iter().zip([ALWAYS.1, YEAR.1, soon]) {
        assert!(expiries.contains(&(file.clone(), end)), "{file} in {expiries:?}");
    }
    assert_eq!((expiries.len(), door.tls.files().len()), (3, 4));
}
