//! What goes wrong, on demand: `KIND[@CALLS]:TIMES`, such as `drop-answer:1`, `9004-applied@SUSPEND_TOKEN:2`,
//! `delay=1500ms@look:20%` or `reorder:1`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::codes;
use crate::simulator::dice::Dice;

const FAULTS_MAX: usize = 100;
const TIMES_MAX: u64 = 1_000_000;
const DELAY_MAX: Duration = Duration::from_mins(5);

/// One thing that is to go wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    kind: Kind,
    calls: Calls,
    times: Times,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    Delay(Duration),
    Answer(Spoiled),
    Notice(NoticeFault),
}

/// An answer that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spoiled {
    /// In which way.
    pub how: How,
    /// The call was carried out all the same.
    pub applied: bool,
}

/// The ways in which an answer goes wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum How {
    /// The connection is closed without an answer.
    Drop,
    /// There is never an answer.
    Hang,
    /// HTTP 500.
    Http500,
    /// That row of the error tables: four digits are TokenEx's, words are MDES's.
    Code(String),
}

/// The ways in which a notification goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoticeFault {
    /// It is sent twice.
    Duplicate,
    /// It is sent after the next one.
    Reorder,
    /// It is not sent.
    Silence,
    /// It arrives before the answer does.
    Overtake,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Calls {
    /// Suspend, resume, delete, of either service; also what a script does to a token.
    Changes,
    /// GetStatus, getToken, searchTokens.
    Looks,
    Any,
    Named(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Times {
    Next(u64),
    Percent(u64),
}

/// What kind of call it is that something may happen to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallKind {
    /// It changes a token.
    Change,
    /// It asks for a token's state.
    Look,
    /// Neither.
    Other,
}

/// A call, as the faults see it.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// Its method or action: `GetStatus`, `SUSPEND_TOKEN`, `suspend`.
    pub name: &'a str,
    /// What kind of call it is.
    pub kind: CallKind,
    /// TokenEx's, else MDES's: a code belongs to one of them.
    pub is_tokenex: bool,
}

/// What happens to one call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Drawn {
    /// It waits first.
    pub delay: Option<Duration>,
    /// Its answer.
    pub answer: Option<Spoiled>,
    /// The notifications of it.
    pub notice: Option<NoticeFault>,
}

/// Why that is no fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "fault `{0}`: {1}; write KIND[@CALLS]:TIMES, such as drop-answer:1, 9004@SUSPEND_TOKEN:2 or delay=1500ms@look:20%"
)]
pub struct BadFault(String, &'static str);

impl FromStr for Fault {
    type Err = BadFault;

    fn from_str(text: &str) -> Result<Self, BadFault> {
        let bad = |why| BadFault(text.chars().take(80).collect(), why);
        let (what, times) = text.rsplit_once(':').ok_or_else(|| bad("it does not say how often"))?;
        let (kind, calls) = what.split_once('@').unwrap_or((what, "change"));
        let times = times_of(times).ok_or_else(|| bad("how often is a number, or 1% to 100%"))?;
        let calls = match calls {
            "change" => Calls::Changes,
            "look" => Calls::Looks,
            "any" => Calls::Any,
            name if codes::is_call(name) => Calls::Named(name.to_owned()),
            _ => return Err(bad("the calls are `change`, `look`, `any`, or one by its name")),
        };
        let kind = Kind::of(kind).ok_or_else(|| {
            bad(
                "the kinds are delay=…, drop, drop-answer, timeout, timeout-applied, 500, 500-applied, a code of \
                 the error tables, duplicate, reorder, silence, overtake",
            )
        })?;
        Ok(Fault { kind, calls, times })
    }
}

fn times_of(text: &str) -> Option<Times> {
    let number = |text: &str, most| text.parse().ok().filter(|n| (1..=most).contains(n));
    match text.strip_suffix('%') {
        Some(percent) => number(percent, 100).map(Times::Percent),
        None => number(text, TIMES_MAX).map(Times::Next),
    }
}

impl Kind {
    fn of(word: &str) -> Option<Self> {
        if let Some(delay) = word.strip_prefix("delay=") {
            return delay_of(delay).map(Kind::Delay);
        }
        let notice = match word {
            "duplicate" => Some(NoticeFault::Duplicate),
            "reorder" => Some(NoticeFault::Reorder),
            "silence" => Some(NoticeFault::Silence),
            "overtake" => Some(NoticeFault::Overtake),
            _ => None,
        };
        if let Some(notice) = notice {
            return Some(Kind::Notice(notice));
        }
        let (word, applied) = match word {
            "drop-answer" => ("drop", true),
            word => match word.strip_suffix("-applied") {
                Some("drop") => return None,
                Some(word) => (word, true),
                None => (word, false),
            },
        };
        let how = match word {
            "drop" => How::Drop,
            "timeout" => How::Hang,
            "500" => How::Http500,
            code if codes::is_code(code) => How::Code(code.to_owned()),
            _ => return None,
        };
        Some(Kind::Answer(Spoiled { how, applied }))
    }
}

fn delay_of(text: &str) -> Option<Duration> {
    let millis = match text.strip_suffix("ms") {
        Some(millis) => millis.parse().ok()?,
        None => text.strip_suffix('s')?.parse::<u64>().ok()?.checked_mul(1_000)?,
    };
    Some(Duration::from_millis(millis)).filter(|delay| *delay <= DELAY_MAX)
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::Delay(delay) => write!(f, "delay={}ms", delay.as_millis())?,
            Kind::Notice(notice) => f.write_str(match notice {
                NoticeFault::Duplicate => "duplicate",
                NoticeFault::Reorder => "reorder",
                NoticeFault::Silence => "silence",
                NoticeFault::Overtake => "overtake",
            })?,
            Kind::Answer(Spoiled { how, applied }) => match (how, applied) {
                (How::Drop, true) => f.write_str("drop-answer")?,
                (how, applied) => {
                    f.write_str(match how {
                        How::Drop => "drop",
                        How::Hang => "timeout",
                        How::Http500 => "500",
                        How::Code(code) => code,
                    })?;
                    f.write_str(if *applied { "-applied" } else { "" })?;
                }
            },
        }
        match &self.calls {
            Calls::Changes => Ok(()),
            Calls::Looks => f.write_str("@look"),
            Calls::Any => f.write_str("@any"),
            Calls::Named(name) => write!(f, "@{name}"),
        }?;
        match self.times {
            Times::Next(times) => write!(f, ":{times}"),
            Times::Percent(percent) => write!(f, ":{percent}%"),
        }
    }
}

impl Fault {
    fn concerns(&self, call: &Call<'_>) -> bool {
        let is_its = match &self.calls {
            Calls::Any => true,
            Calls::Changes => call.kind == CallKind::Change,
            Calls::Looks => call.kind == CallKind::Look,
            Calls::Named(name) => call.name.eq_ignore_ascii_case(name),
        };
        is_its
            && match &self.kind {
                Kind::Answer(Spoiled {
                    how: How::Code(code), ..
                }) => codes::is_tokenex_code(code) == call.is_tokenex,
                _ => true,
            }
    }

    /// Whether it happens this time; a counted one is then counted down.
    fn happens(&mut self, dice: &mut Dice) -> bool {
        match &mut self.times {
            Times::Next(0) => false,
            Times::Next(left) => {
                *left -= 1;
                true
            }
            Times::Percent(percent) => dice.below(100) < *percent,
        }
    }
}

/// The faults that are set, in the order in which they were.
pub struct Faults {
    set: Vec<Fault>,
    dice: Dice,
}

/// There are enough.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there are {FAULTS_MAX} faults already; `DELETE /faults` takes them away")]
pub struct TooManyFaults;

impl Faults {
    /// None; what is left to chance is settled by the seed.
    pub fn new(seed: u64) -> Self {
        Faults {
            set: Vec::new(),
            dice: Dice::seeded(seed),
        }
    }

    /// One more, behind those that are set.
    pub fn add(&mut self, fault: Fault) -> Result<(), TooManyFaults> {
        if self.set.len() >= FAULTS_MAX {
            return Err(TooManyFaults);
        }
        self.set.push(fault);
        Ok(())
    }

    /// Takes all away.
    pub fn clear(&mut self) {
        self.set.clear();
    }

    /// Those that can still happen.
    pub fn shown(&self) -> Vec<String> {
        self.set.iter().map(ToString::to_string).collect()
    }

    /// What happens to the notifications of something that was no call: what a script did to a token.
    pub fn draw_notice(&mut self, call: &Call<'_>) -> Option<NoticeFault> {
        let Faults { set, dice } = self;
        let notice = set.iter_mut().find_map(|fault| {
            let Kind::Notice(notice) = fault.kind else { return None };
            (fault.concerns(call) && fault.happens(dice)).then_some(notice)
        });
        set.retain(|fault| fault.times != Times::Next(0));
        notice
    }

    /// What happens to this call: of each sort the first that concerns it and happens.
    pub fn draw(&mut self, call: &Call<'_>) -> Drawn {
        let mut drawn = Drawn::default();
        for fault in &mut self.set {
            let is_drawn = match &fault.kind {
                Kind::Delay(_) => drawn.delay.is_some(),
                Kind::Answer(_) => drawn.answer.is_some(),
                Kind::Notice(_) => drawn.notice.is_some(),
            };
            if is_drawn || !fault.concerns(call) || !fault.happens(&mut self.dice) {
                continue;
            }
            match &fault.kind {
                Kind::Delay(delay) => drawn.delay = Some(*delay),
                Kind::Answer(spoiled) => drawn.answer = Some(spoiled.clone()),
                Kind::Notice(notice) => drawn.notice = Some(*notice),
            }
        }
        self.set.retain(|fault| fault.times != Times::Next(0));
        drawn
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUSPEND: Call<'_> = Call {
        name: "SUSPEND_TOKEN",
        kind: CallKind::Change,
        is_tokenex: true,
    };
    const STATUS: Call<'_> = Call {
        name: "GetStatus",
        kind: CallKind::Look,
        is_tokenex: true,
    };

    #[test]
    fn what_is_written_is_read_and_written_again() {
        for text in [
            "drop-answer:1",
            "drop:3",
            "timeout-applied@any:2",
            "9004@SUSPEND_TOKEN:2",
            "9004-applied:1",
            "INVALID_TOKEN_STATUS@suspend:1",
            "delay=1500ms@look:20%",
            "500-applied:1",
            "reorder:1",
        ] {
            let fault: Fault = text.parse().expect(text);
            assert_eq!(fault.to_string(), text);
        }
    }

    #[test]
    fn what_is_no_fault_is_refused_with_the_form_to_write() {
        for text in [
            "drop",
            "drop:0",
            "drop:101%",
            "9005x:1",
            "drop@nothing:1",
            "delay=1h:1",
            "8999:1",
            "",
        ] {
            let said = text.parse::<Fault>().expect_err(text).to_string();
            assert!(said.contains("write KIND[@CALLS]:TIMES"), "{said}");
        }
    }

    #[test]
    fn a_counted_fault_happens_so_often_and_to_its_calls_alone() {
        let mut faults = Faults::new(1);
        faults.add("drop:2".parse().expect("a fault")).expect("room");
        assert_eq!(faults.draw(&STATUS), Drawn::default());
        let dropped = Some(Spoiled {
            how: How::Drop,
            applied: false,
        });
        assert_eq!(faults.draw(&SUSPEND).answer, dropped);
        assert_eq!(faults.draw(&SUSPEND).answer, dropped);
        assert_eq!(faults.draw(&SUSPEND), Drawn::default());
        assert!(faults.shown().is_empty());
    }

    #[test]
    fn chance_is_settled_by_the_seed() {
        let row = |seed| {
            let mut faults = Faults::new(seed);
            faults.add("drop:50%".parse().expect("a fault")).expect("room");
            (0..64)
                .map(|_| faults.draw(&SUSPEND).answer.is_some())
                .collect::<Vec<_>>()
        };
        assert_eq!(row(1), row(1));
        assert_ne!(row(1), row(2));
        assert!(row(1).contains(&true) && row(1).contains(&false));
    }
}
