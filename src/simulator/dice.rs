//! Seeded chance: the same seed throws the same dice, so that a run can be played again.
//!
//! Good enough to make ids that look real; never used for keys.

use uuid::Builder;

/// A row of throws that is settled by its seed (SplitMix64).
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// The row of that seed.
    pub fn seeded(seed: u64) -> Self {
        Dice(seed)
    }

    /// The next throw.
    pub fn throw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number from 0 to `sides - 1`; `sides` must not be 0.
    pub fn below(&mut self, sides: u64) -> u64 {
        self.throw() % sides
    }

    /// One of these; there must be one.
    pub fn one_of<'a, T>(&mut self, among: &'a [T]) -> &'a T {
        &among[self.below(among.len() as u64) as usize]
    }

    /// Decimal digits.
    pub fn digits(&mut self, count: usize) -> String {
        (0..count).map(|_| char::from(b'0' + self.below(10) as u8)).collect()
    }

    /// Thirty-two lower-case hex digits.
    pub fn hex32(&mut self) -> String {
        format!("{:016x}{:016x}", self.throw(), self.throw())
    }

    /// A UUID in the form of version 4.
    pub fn uuid(&mut self) -> String {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&self.throw().to_be_bytes());
        bytes[8..].copy_from_slice(&self.throw().to_be_bytes());
        Builder::from_random_bytes(bytes).into_uuid().to_string()
    }
}
