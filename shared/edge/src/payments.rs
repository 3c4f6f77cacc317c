//! The gateway that the environment names, and the key that is shared with it.
//!
//! The key is read when it is first needed, is kept in memory alone, and read again when it is not accepted any more.

use std::time::Duration;

use aws_sdk_secretsmanager::error::DisplayErrorContext;
use domain::Fault;
use payments::{
    Answer, Charge, Gateway, Http, Keys, Patient, Refund, Refunded, SigningKey, Simulated, Voidable,
};
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::{Process, aws, settings};

/// Whoever sends wrong signatures must not make us ask for the key each time.
const KEPT_AT_LEAST: Duration = Duration::from_secs(60);

pub enum PaymentGateway {
    Simulated(Simulated),
    Http(Patient<Http<PaymentKey>>),
}

pub struct PaymentKey {
    client: aws_sdk_secretsmanager::Client,
    arn: String,
    known: Mutex<Option<(SigningKey, Instant)>>,
}

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
        let config = aws_sdk_secretsmanager::config::Builder::from(&self.aws)
            .interceptor(aws::CountCalls(self.meter.clone()))
            .build();
        Ok(PaymentKey {
            client: aws_sdk_secretsmanager::Client::from_conf(config),
            arn: settings::required("PAYMENT_SECRET_ARN")?,
            known: Mutex::new(None),
        })
    }
}

impl Keys for PaymentKey {
    async fn key(&self, fresh: bool) -> Result<SigningKey, Fault> {
        // Held while it is asked for, so that the charges of a batch ask once together.
        let mut known = self.known.lock().await;
        if let Some((key, since)) = known.as_ref()
            && (!fresh || since.elapsed() < KEPT_AT_LEAST)
        {
            return Ok(key.clone());
        }
        let answer = self.client.get_secret_value().secret_id(&self.arn);
        let answer = answer.send().await.map_err(|error| {
            let error = DisplayErrorContext(error);
            Fault::Transient(format!("the key of the payment gateway: {error}"))
        })?;
        let secret = answer.secret_string.unwrap_or_default();
        if secret.is_empty() {
            return Err(Fault::Corrupt(
                "the key of the payment gateway is empty".to_owned(),
            ));
        }
        let key = SigningKey::new(secret);
        *known = Some((key.clone(), Instant::now()));
        Ok(key)
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
