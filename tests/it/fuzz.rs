//! Whatever a stranger sends: the seeds of every door, and some seconds of changes of them.
//!
//! The doors are those of the fuzzer (`fuzz/doors/mod.rs`), which walks them guided by coverage and for much longer; here
//! they are walked blind, so that a promise that breaks at once breaks here. The dice are seeded by the day's run and
//! the seed is printed: `MDES_RECEIVER_TEST_FUZZ_SEED` plays it again.

#[path = "../../fuzz/doors/mod.rs"]
mod doors;

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use crate::support::Dice;

const SPELL: Duration = Duration::from_secs(5);
const BYTES_MAX: usize = 64 * 1024;

fn seeds_of(name: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(name);
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    paths.iter().map(|path| fs::read(path).expect("a seed")).collect()
}

/// A walk through one door: every seed as it stands, then changes of seeds until the time is over.
fn walk(name: &str) {
    let door = doors::door(name);
    let seeds = seeds_of(name);
    assert!(!seeds.is_empty(), "fuzz/seeds/{name} is empty");
    seeds.iter().for_each(|seed| enter(door, seed));

    let seed =
        std::env::var("MDES_RECEIVER_TEST_FUZZ_SEED").map_or_else(|_| now(), |text| text.parse().expect("a seed"));
    println!("MDES_RECEIVER_TEST_FUZZ_SEED={seed}");
    let mut dice = Dice::seeded(seed);
    let end = Instant::now() + SPELL;
    let mut walked = 0_u64;
    while Instant::now() < end {
        enter(door, &changed(&seeds, &mut dice));
        walked += 1;
    }
    println!("{name}: {walked} bodies");
    assert!(walked > 0);
}

fn now() -> u64 {
    let since = SystemTime::UNIX_EPOCH.elapsed().expect("after 1970");
    since.as_secs()
}

/// What broke a promise is shown so that it can be made a seed.
fn enter(door: doors::Door, data: &[u8]) {
    if catch_unwind(AssertUnwindSafe(|| door(data))).is_err() {
        panic!("a promise broke over these bytes: {}", data.escape_ascii());
    }
}

fn changed(seeds: &[Vec<u8>], dice: &mut Dice) -> Vec<u8> {
    let mut data = dice.one_of(seeds).clone();
    for _ in 0..=dice.below(4) {
        let other: &Vec<u8> = dice.one_of(seeds);
        change(&mut data, other, dice);
    }
    data.truncate(BYTES_MAX);
    data
}

fn change(data: &mut Vec<u8>, other: &[u8], dice: &mut Dice) {
    const ODD: [&[u8]; 12] = [
        b"\0",
        b"\xff\xfe",
        b"\xef\xbb\xbf",
        b"\"",
        b"}",
        b"[[[[[[[[",
        b"\\u0000",
        b"1e999",
        b"-1",
        b"5204730000001201",
        b"\r\n",
        b"9223372036854775808",
    ];
    let (from, to) = span(data.len(), dice);
    match dice.below(6) {
        0 if !data.is_empty() => data[from.min(to.saturating_sub(1))] ^= 1 << dice.below(8),
        1 => drop(data.drain(from..to)),
        2 => data.truncate(from),
        3 => {
            let (begin, end) = span(other.len(), dice);
            data.splice(from..to, other[begin..end].iter().copied());
        }
        4 => {
            let again = data[from..to].repeat(1 + dice.below(3) as usize);
            data.splice(from..from, again);
        }
        _ => {
            data.splice(from..from, dice.one_of(&ODD).iter().copied());
        }
    }
}

fn span(length: usize, dice: &mut Dice) -> (usize, usize) {
    let place = |dice: &mut Dice| dice.below(length as u64 + 1) as usize;
    let (one, other) = (place(dice), place(dice));
    (one.min(other), one.max(other))
}

macro_rules! doors {
    ($($name:ident),* $(,)?) => {
        $(#[test]
        fn $name() {
            walk(stringify!($name));
        })*

        #[test]
        fn every_door_is_walked_and_has_a_target_for_the_fuzzer() {
            let names: Vec<&str> = doors::DOORS.iter().map(|(name, _)| *name).collect();
            assert_eq!(names, [$(stringify!($name)),*]);
            for name in names {
                let target = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("fuzz/targets/{name}.rs"));
                assert!(target.exists(), "{}", target.display());
            }
        }
    };
}

doors!(
    envelope,
    message,
    tokenex_request,
    tokenex_reply,
    tokenex_notice,
    proxy_header,
    forwarded_certificate,
    configuration,
    cursor,
    signature,
);
