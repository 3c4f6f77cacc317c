//! All that a seed decides: what goes wrong, how often, and the draws themselves. Counts what happened.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::time::Duration;

use store::memory::Faults;

use super::queue::Unkindness;
use super::stream::Delivery;

pub type Counts = BTreeMap<&'static str, u64>;

/// What goes wrong, and how often: in per mille, of each occasion.
#[derive(Debug, Clone, Copy, Default)]
pub struct Plan {
    pub store: Faults,
    /// Transactions hold their items for up to so long, and conflict with others meanwhile.
    pub hold_ms: Option<u64>,
    pub queue: Unkindness,
    pub stream: Delivery,
    pub function: Mishaps,
    pub gateway: Moods,
    /// How often a message is received before the queue puts it aside.
    pub most_received: u32,
    /// The store, and the gateway, are away so many times.
    pub outages: u8,
    /// The clock of all functions jumps so many times, by up to two hours, forth and back.
    pub jumps: u8,
    /// Figures are built anew so many times.
    pub rebuilds: u8,
    /// So much of what was completed is given back.
    pub refunds: u8,
    /// So many times somebody ships, delivers or cancels an order.
    pub deeds: u8,
    /// Nothing goes wrong any more after this, and everything has to come to an end.
    pub trouble: Duration,
}

/// What happens to invocations.
#[derive(Debug, Clone, Copy, Default)]
pub struct Mishaps {
    /// The process dies between two awaits.
    pub dies: u16,
    /// It stands still for a while, as long as it may run or longer.
    pub stalls: u16,
    /// The service refuses to run it.
    pub throttled: u16,
    /// It is run to its end, and the answer is lost.
    pub unanswered: u16,
    /// Whoever waits gives up, and it runs on.
    pub abandoned: u16,
    /// It is run twice, at the same time.
    pub doubled: u16,
}

/// What the gateway does. The first ones are about charges, the others about requests.
#[derive(Debug, Clone, Copy, Default)]
pub struct Moods {
    pub declines: u16,
    pub pending: u16,
    /// Pending, and approved long after its time, whatever was voided.
    pub late: u16,
    pub refuses: u16,
    /// Of the refunds: the bank says no, while there is trouble.
    pub no_refund: u16,
    /// Does what it is asked, and the connection breaks.
    pub drops: u16,
    /// Of the charges: nothing comes of them while there is trouble.
    pub cursed: u16,
    pub webhook_lost: u16,
    pub webhook_twice: u16,
    /// Charges can be voided for so long; later they have to be refunded.
    pub settles_after: Duration,
}

pub struct Chance {
    random: RefCell<fastrand::Rng>,
    plan: Cell<Plan>,
    counts: RefCell<Counts>,
    /// The gateway is away.
    pub no_gateway: Cell<bool>,
}

impl Chance {
    /// Each kind of trouble is there in two of three seeds, so that some meet in pairs and some alone.
    pub fn new(seed: u64) -> Chance {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut some = |most: u16| match random.u8(..3) {
            0 => 0,
            _ => random.u16(..=most),
        };
        let store = Faults {
            conflict: some(200),
            throttle: some(150),
            lost_answer: some(250),
            stale: some(300),
        };
        let queue = Unkindness {
            twice: some(400),
            copied: some(300),
            late: some(300),
            unanswered: some(200),
            undeleted: some(200),
        };
        let function = Mishaps {
            dies: some(500),
            stalls: some(100),
            throttled: some(200),
            unanswered: some(250),
            abandoned: some(200),
            doubled: some(300),
        };
        let mut gateway = Moods {
            declines: some(200),
            pending: some(300),
            late: some(100),
            refuses: some(200),
            drops: some(200),
            cursed: some(40),
            webhook_lost: some(300),
            webhook_twice: some(300),
            settles_after: Duration::from_secs(u64::from(some(1_000)) * 10),
            ..Moods::default()
        };
        let hold_ms = Some(u64::from(some(40))).filter(|hold| *hold > 0);
        let most_received = 3 + u32::from(some(40));
        let outages = (some(500) / 100) as u8;
        let jumps = (some(400) / 100) as u8;
        let trouble = Duration::from_secs(u64::from(some(1_800)) + 30);
        let rebuilds = (some(300) / 75) as u8;
        let stream = Delivery {
            late: some(300),
            again: some(500),
            given_up: some(300),
        };
        let refunds = (some(800) / 100) as u8;
        let deeds = (some(1_600) / 100) as u8;
        gateway.no_refund = some(300);
        let plan = Plan {
            store,
            hold_ms,
            queue,
            stream,
            function,
            gateway,
            most_received,
            outages,
            jumps,
            rebuilds,
            refunds,
            deeds,
            trouble,
        };
        Chance {
            random: RefCell::new(random),
            plan: Cell::new(plan),
            counts: RefCell::default(),
            no_gateway: Cell::new(false),
        }
    }

    pub fn plan(&self) -> Plan {
        self.plan.get()
    }

    /// Clocks do not jump: the lease of a process that died before a jump lasts for hours.
    pub fn keep_clocks(&self) {
        let plan = self.plan.get();
        self.plan.set(Plan { jumps: 0, ..plan });
    }

    /// From now on nothing goes wrong. What the gateway does with charges is its nature, and stays.
    pub fn calm(&self) {
        let plan = self.plan.get();
        self.no_gateway.set(false);
        self.plan.set(Plan {
            gateway: Moods {
                refuses: 0,
                no_refund: 0,
                drops: 0,
                cursed: 0,
                webhook_lost: 0,
                ..plan.gateway
            },
            most_received: 100,
            ..Plan::default()
        });
    }

    pub fn hits(&self, per_thousand: u16, what: &'static str) -> bool {
        let hit = per_thousand > 0 && self.random.borrow_mut().u16(..1000) < per_thousand;
        if hit {
            self.count(what, 1);
        }
        hit
    }

    pub fn count(&self, what: &'static str, times: u64) {
        if times > 0 {
            *self.counts.borrow_mut().entry(what).or_default() += times;
        }
    }

    pub fn counts(&self) -> Counts {
        self.counts.borrow().clone()
    }

    pub fn half(&self) -> bool {
        self.random.borrow_mut().bool()
    }

    pub fn draw(&self) -> u64 {
        self.random.borrow_mut().u64(..)
    }

    pub fn below(&self, limit: u64) -> u64 {
        self.random.borrow_mut().u64(..limit.max(1))
    }

    pub fn up_to_ms(&self, milliseconds: u64) -> Duration {
        Duration::from_millis(self.below(milliseconds + 1))
    }

    pub fn shuffle<T>(&self, items: &mut [T]) {
        self.random.borrow_mut().shuffle(items);
    }
}
