//! The connection to the gateway, broken or not.

use domain::Fault;
use payments::{Answer, Charge, Gateway, Refund, Refunded, Voidable};

use super::sabotage::Sabotage;

pub struct Wired<'a, G> {
    pub gateway: &'a G,
    pub sabotage: Option<Sabotage>,
    pub draw: u64,
}

impl<G: Gateway> Gateway for Wired<'_, G> {
    async fn charge(&self, charge: &Charge<'_>) -> Result<Answer, Fault> {
        let another = format!("{}#{}", charge.key, self.draw % 1000);
        let charge = match self.sabotage {
            Some(Sabotage::DrawsANewKey) => Charge {
                key: &another,
                ..*charge
            },
            _ => *charge,
        };
        let answer = self.gateway.charge(&charge).await;
        match (self.sabotage, answer) {
            (Some(Sabotage::TakesSilenceForNo), Err(Fault::Transient(_))) => Ok(Answer::Declined),
            (Some(Sabotage::TakesSilenceForYes), Err(Fault::Transient(_))) => {
                Ok(Answer::Approved {
                    payment: "?".to_owned(),
                })
            }
            (_, answer) => answer,
        }
    }

    async fn status(&self, charge: &Charge<'_>) -> Result<Option<Answer>, Fault> {
        self.gateway.status(charge).await
    }

    async fn void(&self, key: &str, which: Voidable) -> Result<Answer, Fault> {
        match (self.sabotage, which) {
            (Some(Sabotage::KeepsLatePayments), Voidable::Any) => Ok(Answer::Voided),
            (Some(Sabotage::VoidsApprovals), _) => self.gateway.void(key, Voidable::Any).await,
            _ => self.gateway.void(key, which).await,
        }
    }

    async fn refund(&self, refund: &Refund<'_>) -> Result<Refunded, Fault> {
        let answer = self.gateway.refund(refund).await;
        match self.sabotage {
            // Seldom told, so that it is asked again often.
            Some(Sabotage::RefundsUnasked) if !self.draw.is_multiple_of(8) => {
                Err(Fault::Transient("no answer".to_owned()))
            }
            _ => answer,
        }
    }

    async fn refund_status(&self, refund: &Refund<'_>) -> Result<Option<Refunded>, Fault> {
        match self.sabotage {
            Some(Sabotage::RefundsUnasked) => Ok(None),
            _ => self.gateway.refund_status(refund).await,
        }
    }
}
