//! Seeded chance: a schedule that failed can be played again.

/// A row of throws that is settled by its seed (SplitMix64).
pub struct Dice(u64);

impl Dice {
    /// The row of that seed.
    pub fn seeded(seed: u64) -> Self {
        Dice(seed)
    }

    /// A number from 0 to `sides - 1`.
    pub fn below(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % sides
    }
}
