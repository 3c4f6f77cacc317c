//! The gateway that the environment names, and the key that is shared with it.

use domain::Fault;
use payments::{
    Answer, Charge, Gateway, Http, Keys, Patient, Refund, Refunded, SigningKey, Simulated, Voidable,
};

use crate::secrets::Secret;
use crate::{Process, settings};

pub enum PaymentGateway {
    Simulated(Simulated),
    Http(Patient<Http<PaymentKey>>),
}

pub struct PaymentKey(Secret);

impl Process {
    /// `simulated`, or the URL of a gateway that keeps the contract.
    pub fn payment_gateway(&self) -> Result<PaymentGateway, Fault> {
        let name = settings::required("PAYMENT_GATEWAY")?;
        Ok(if name == "simulated" {
            let rate = settings::parsed("PAYMENT_APPROVAL_RATE")?;
            PaymentGateway::Simulated(Simulated::new(rate))
        } else {
            PaymentGateway::Http(Patient(Http::new(&name, self.payment_key()?)?))
        })
    }

    pub fn payment_key(&self) -> Result<PaymentKey, Fault> {
        let arn = settings::required("PAYMENT_SECRET_ARN")?;
        let what = "the key of the payment gateway";
        Ok(PaymentKey(Secret::new(self.secrets(), arn, what)))
    }
}

impl Keys for PaymentKey {
    async fn key(&self, fresh: bool) -> Result<SigningKey, Fault> {
        Ok(SigningKey::new(self.0.value(fresh).await?))
    }
}

impl Gateway for PaymentGateway {
    async fn charge(&self, charge: &Charge<'_>) -> Result<Answer, Fault> {
        match self {
            PaymentGateway::Simulated(gateway) => gateway.charge(charge).await,
            PaymentGateway::Http(gateway) => gateway.charge(charge).await,
        }
    }

    async fn status(&self, charge: &Charge<'_>) -> Result<Option<Answer>, Fault> {
        match self {
            PaymentGateway::Simulated(gateway) => gateway.status(charge).await,
            PaymentGateway::Http(gateway) => gateway.status(charge).await,
        }
    }

    async fn void(&self, key: &str, which: Voidable) -> Result<Answer, Fault> {
        match self {
            PaymentGateway::Simulated(gateway) => gateway.void(key, which).await,
            PaymentGateway::Http(gateway) => gateway.void(key, which).await,
        }
    }

    async fn refund(&self, refund: &Refund<'_>) -> Result<Refunded, Fault> {
        match self {
            PaymentGateway::Simulated(gateway) => gateway.refund(refund).await,
            PaymentGateway::Http(gateway) => gateway.refund(refund).await,
        }
    }

    async fn refund_status(&self, refund: &Refund<'_>) -> Result<Option<Refunded>, Fault> {
        match self {
            PaymentGateway::Simulated(gateway) => gateway.refund_status(refund).await,
            PaymentGateway::Http(gateway) => gateway.refund_status(refund).await,
        }
    }
}
