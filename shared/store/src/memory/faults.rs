//! Faults on request: how often each kind happens, drawn from a seed, and how often it did. Knows no tables.

use domain::Fault;

use crate::ops::Verdict;

/// How often, in parts per thousand, of each attempt.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Faults {
    /// Another transaction has an item in hand: nothing is written.
    pub conflict: u16,
    /// The service says "not now", before anything is read or written.
    pub throttle: u16,
    /// The write is done, and its answer never arrives.
    pub lost_answer: u16,
    /// An eventually consistent read finds an item as it was before its last write. Drawn for each item.
    pub stale: u16,
}

/// How often each kind happened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Injected {
    pub conflicts: u64,
    pub throttles: u64,
    pub lost_answers: u64,
    pub stale_reads: u64,
}

#[derive(Debug)]
pub struct Dice {
    pub faults: Faults,
    pub injected: Injected,
    random: fastrand::Rng,
}

impl Dice {
    pub fn new(seed: u64, faults: Faults) -> Dice {
        Dice {
            faults,
            injected: Injected::default(),
            random: fastrand::Rng::with_seed(seed),
        }
    }

    pub fn throttle(&mut self) -> Result<(), Fault> {
        if !self.hit(self.faults.throttle) {
            return Ok(());
        }
        self.injected.throttles += 1;
        Err(Fault::Transient("throttled, on request".to_owned()))
    }

    pub fn conflict(&mut self) -> Result<(), Fault> {
        if !self.hit(self.faults.conflict) {
            return Ok(());
        }
        self.injected.conflicts += 1;
        Err(Fault::Transient(
            "a transaction has the item in hand, on request".to_owned(),
        ))
    }

    /// To be asked after the write.
    pub fn lose_answer(&mut self) -> Result<(), Fault> {
        if !self.hit(self.faults.lost_answer) {
            return Ok(());
        }
        self.injected.lost_answers += 1;
        Err(Fault::Transient(
            "the answer was lost, on request".to_owned(),
        ))
    }

    pub fn stale(&mut self) -> bool {
        let stale = self.hit(self.faults.stale);
        self.injected.stale_reads += u64::from(stale);
        stale
    }

    /// Which of a transaction's items stand in its way, if any, and why.
    pub fn obstacles(&mut self, items: usize) -> Vec<(usize, Verdict)> {
        let verdict = if self.hit(self.faults.conflict) {
            self.injected.conflicts += 1;
            Verdict::Conflict
        } else if self.hit(self.faults.throttle) {
            self.injected.throttles += 1;
            Verdict::Throttled
        } else {
            return Vec::new();
        };
        let drawn = self.random.usize(..items);
        let hit = |at: &usize, random: &mut fastrand::Rng| *at == drawn || random.u8(..4) == 0;
        let at: Vec<usize> = (0..items).filter(|at| hit(at, &mut self.random)).collect();
        at.into_iter().map(|at| (at, verdict.clone())).collect()
    }

    fn hit(&mut self, per_thousand: u16) -> bool {
        self.random.u16(..1000) < per_thousand
    }
}
