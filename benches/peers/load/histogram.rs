//! Counts durations in slots whose width grows with the duration: every value is known to within 1.6 %.

use std::time::Duration;

/// Slots for each doubling, as a power of two.
const BITS: u32 = 6;
const SLOTS: usize = ((64 - BITS as usize) + 1) << BITS;

/// Durations, counted.
pub(crate) struct Histogram {
    slots: Box<[u64]>,
}

// === impl Histogram ===

impl Histogram {
    pub(crate) fn add(&mut self, duration: Duration) {
        let nanoseconds = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX).max(1 << BITS);
        let shift = nanoseconds.ilog2() - BITS;
        // The leading bit is always set: it adds one to the number of the doubling.
        let slot = ((shift as usize) << BITS) + usize::try_from(nanoseconds >> shift).unwrap_or(0);
        self.slots[slot] += 1;
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        for (slot, count) in self.slots.iter_mut().zip(&other.slots) {
            *slot += count;
        }
    }

    pub(crate) fn count(&self) -> u64 {
        self.slots.iter().sum()
    }

    /// The duration that this part of all does not exceed, in microseconds; zero if there is none.
    pub(crate) fn quantile(&self, part: f64) -> f64 {
        let wanted = part * self.count() as f64;
        let mut seen = 0.0;
        for (slot, count) in self.slots.iter().enumerate() {
            seen += *count as f64;
            if *count > 0 && seen >= wanted {
                let shift = (slot >> BITS) - 1;
                let mantissa = (slot & ((1 << BITS) - 1)) + (1 << BITS);
                return (mantissa as f64 + 0.5) * 2_f64.powi(i32::try_from(shift).unwrap_or(0)) / 1_000.0;
            }
        }
        0.0
    }
}

impl Default for Histogram {
    fn default() -> Self {
        Self { slots: vec![0; SLOTS].into_boxed_slice() }
    }
}
