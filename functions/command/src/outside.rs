//! What is done besides in the tables.

use domain::{Batch, Fault};
use edge::batches::Batches;
use edge::outbox::SqsOutbox;
use edge::payments::PaymentKey;
use edge::refunds::{RefundMessage, Refunds};
use futures::future::{BoxFuture, FutureExt};
use payments::{Keys, SigningKey};

pub trait Outside: Send + Sync + 'static {
    fn send_refunds(&self, refunds: Vec<RefundMessage>) -> BoxFuture<'_, Result<(), Fault>>;

    fn send_batches(&self, batches: Vec<Batch>) -> BoxFuture<'_, Result<(), Fault>>;

    fn payment_key(&self, fresh: bool) -> BoxFuture<'_, Result<SigningKey, Fault>>;
}

pub struct Aws {
    pub batches: SqsOutbox,
    pub refunds: SqsOutbox,
    pub payment_key: PaymentKey,
}

impl Outside for Aws {
    fn send_refunds(&self, refunds: Vec<RefundMessage>) -> BoxFuture<'_, Result<(), Fault>> {
        Refunds::send(&self.refunds, refunds).boxed()
    }

    fn send_batches(&self, batches: Vec<Batch>) -> BoxFuture<'_, Result<(), Fault>> {
        Batches::send(&self.batches, batches).boxed()
    }

    fn payment_key(&self, fresh: bool) -> BoxFuture<'_, Result<SigningKey, Fault>> {
        self.payment_key.key(fresh).boxed()
    }
}

// What the rest of the program asks of a queue or a keeper of keys, asked of whatever is outside.

impl Refunds for Box<dyn Outside + '_> {
    async fn send(&self, refunds: Vec<RefundMessage>) -> Result<(), Fault> {
        self.send_refunds(refunds).await
    }
}

impl Batches for Box<dyn Outside + '_> {
    async fn send(&self, batches: Vec<Batch>) -> Result<(), Fault> {
        self.send_batches(batches).await
    }
}

impl Keys for Box<dyn Outside + '_> {
    async fn key(&self, fresh: bool) -> Result<SigningKey, Fault> {
        self.payment_key(fresh).await
    }
}
