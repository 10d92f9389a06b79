//! Operators, as the command line makes them.

use super::desk::{Desk, run};

/// A desk whose store is there.
fn desk() -> Desk {
    let desk = Desk::new();
    assert_eq!(desk.run(&["migrate"]).code, 0);
    desk
}

#[test]
fn a_token_is_printed_alone_and_kept_only_as_its_hash() {
    let desk = desk();
    let ran = desk.run(&["operators", "add", "alice", "--role", "operator"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let token = ran.out.strip_suffix('\n').expect("one line");
    assert!(
        token.starts_with("mdr_") && token.len() == 47 && !token.contains('\n'),
        "{token}"
    );
    assert!(!ran.err.contains(token), "{}", ran.err);

    let mut kept = Vec::new();
    for file in std::fs::read_dir(desk.path("data")).expect("the store's folder") {
        kept.extend(std::fs::read(file.expect("a file").path()).expect("it reads"));
    }
    let holds = |bytes: &[u8]| kept.windows(bytes.len()).any(|window| window == bytes);
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, token.as_bytes());
    assert!(holds(b"alice") && holds(hash.as_ref()), "the store is elsewhere");
    assert!(!holds(&token.as_bytes()[4..]));
    let list = desk.run(&["operators", "list", "--json"]);
    assert!(
        list.out.contains("alice") && !list.out.contains(&token[4..]),
        "{}",
        list.out
    );
}

#[test]
fn a_name_is_given_once() {
    let desk = desk();
    let add = ["operators", "add", "alice", "--role", "viewer"];
    assert_eq!(desk.run(&add).code, 0);
    assert_eq!(desk.run(&["operators", "revoke", "alice"]).code, 0);
    let again = desk.run(&add);
    assert_eq!((again.code, again.out.as_str()), (1, ""));
    let twice = desk.run(&["operators", "revoke", "alice"]);
    assert_eq!(twice.code, 1);
    assert!(twice.err.contains("operators list"), "{}", twice.err);
    assert!(desk.run(&["operators", "list"]).out.contains("revoked 20"));
}

#[test]
fn a_role_and_a_sensible_time_are_demanded() {
    for args in [
        &["operators", "add", "alice"] as &[&str],
        &["operators", "add", "alice", "--role", "king"],
        &["operators", "add", "alice", "--role", "viewer", "--expires", "0d"],
        &["operators", "add", "alice", "--role", "viewer", "--expires", "soon"],
    ] {
        assert_eq!(run(args).code, 2, "{args:?}");
    }
}
