//! Tokens, imported from a file.

use super::desk::Desk;

/// A desk whose store is there, and a file on it.
fn desk(csv: &str) -> (Desk, String) {
    let desk = Desk::new();
    assert_eq!(desk.run(&["migrate"]).code, 0);
    desk.write("tokens.csv", csv);
    let file = desk.path("tokens.csv").display().to_string();
    (desk, file)
}

#[test]
fn a_file_is_imported_and_again_without_harm() {
    let (desk, file) = desk("reference,merchant_reference,status\nDM4MMC1,card-1,ACTIVE\nDM4MMC2,\"card, 2\",\n");
    let dry = desk.run(&["tokens", "import", &file, "--dry-run"]);
    assert_eq!(
        (dry.code, dry.out.as_str()),
        (0, "2 lines would be registered\n"),
        "{}",
        dry.err
    );
    let first = desk.run(&["tokens", "import", &file]);
    let said = "2 registered: 2 new, 0 that the network had spoken of already, 0 registered before\n";
    assert_eq!((first.code, first.out.as_str()), (0, said), "{}", first.err);
    let again = desk.run(&["token", "import", &file]);
    assert!(again.out.contains("2 registered before"), "{}", again.out);
}

#[test]
fn wrong_lines_are_named_by_their_number_and_the_others_are_registered() {
    let (desk, file) = desk(
        "namespace,reference,status\n,DM4MMC1,ACTIVE\n,,ACTIVE\nvisa,DM4MMC2,\n,DM4MMC3\nmdes,\"DM4MMC\n4\",\n,DM4MMC5,\n,DM4MMC5,\n",
    );
    let ran = desk.run(&["tokens", "import", &file]);
    assert_eq!(ran.code, 1);
    let lines: Vec<&str> = ran.err.lines().collect();
    assert_eq!(
        lines,
        [
            "line 3: `reference` is missing",
            "line 4: `namespace` must be mdes or tokenex",
            "line 5: does not have as many fields as the header line",
            "line 6: `reference` has a control character in it",
        ]
    );
    assert!(ran.out.starts_with("3 registered: 2 new, 0 that"), "{}", ran.out);
    assert!(
        ran.out
            .ends_with("1 registered before; 4 lines are wrong and were left out\n"),
        "{}",
        ran.out
    );
}

#[test]
fn a_file_longer_than_a_chunk_is_imported_whole() {
    let lines: String = (0..2_001).map(|n| format!("DM4MMC{n}\n")).collect();
    let (desk, file) = desk(&format!("reference\n{lines}"));
    let ran = desk.run(&["tokens", "import", &file]);
    assert!(
        ran.out.starts_with("2001 registered: 2001 new"),
        "{} {}",
        ran.out,
        ran.err
    );
}

#[test]
fn a_column_that_nobody_knows_stops_it_before_anything_is_registered() {
    for header in [
        "reference,merchant_ref",
        "merchant_reference",
        "reference,reference",
        "",
    ] {
        let (desk, file) = desk(&format!("{header}\nDM4MMC1,x\n"));
        let ran = desk.run(&["tokens", "import", &file]);
        assert_eq!((ran.code, ran.out.as_str()), (1, ""), "{header}");
        assert!(ran.err.contains("line 1: "), "{}", ran.err);
    }
}
