//! The gateway behind a URL: one signed request for each attempt, and every answer read for what it says.
//!
//! No answer means nothing: the charge may have been made. So whatever is not an answer is `Transient`, and asked again
//! under the same key.

use std::time::Duration;

use domain::Fault;
use jiff::Timestamp;
use reqwest::{Method, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::contract::{
    CHARGES, ChargeAnswer, ChargeRequest, IDEMPOTENCY_KEY, LEDGER, LedgerEntry, LedgerPage,
    Problem, ProblemCode, REFUNDS, RefundAnswer, RefundRequest, SIGNATURE, VoidRequest,
    charge_path, refund_path, void_path,
};
use crate::{Answer, Charge, Gateway, Refund, Refunded, SigningKey, Voidable};

/// A gateway that needs longer is asked again: it answers at once then, for it knows the key.
const REQUEST: Duration = Duration::from_secs(3);
const CONNECT: Duration = Duration::from_secs(1);

/// Where the signing key comes from.
pub trait Keys {
    /// `fresh`: the one that was given before is not accepted, so look whether there is a new one.
    fn key(&self, fresh: bool) -> impl Future<Output = Result<SigningKey, Fault>>;
}

/// One that never changes.
impl Keys for SigningKey {
    async fn key(&self, _fresh: bool) -> Result<SigningKey, Fault> {
        Ok(self.clone())
    }
}

pub struct Http<K> {
    url: String,
    client: reqwest::Client,
    keys: K,
}

impl<K: Keys> Http<K> {
    pub fn new(url: &str, keys: K) -> Result<Http<K>, Fault> {
        // One that is there already is as good.
        let _installed = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder()
            .timeout(REQUEST)
            .connect_timeout(CONNECT)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|error| Fault::Corrupt(format!("no HTTP client: {error}")))?;
        Ok(Http {
            url: url.trim_end_matches('/').to_owned(),
            client,
            keys,
        })
    }

    /// Every movement of money there is, where the gateway shows it.
    pub async fn ledger(&self) -> Result<Option<Vec<LedgerEntry>>, Fault> {
        let mut entries = Vec::new();
        let mut after = Some(0);
        while let Some(number) = after {
            let path = format!("{LEDGER}?after={number}");
            match self
                .ask::<LedgerPage>(Method::GET, &path, "", None::<&()>)
                .await?
            {
                Ok(page) => {
                    entries.extend(page.entries);
                    after = page.next;
                }
                Err(problem) if problem.code == ProblemCode::NotFound => return Ok(None),
                Err(problem) => return Err(unexpected(problem)),
            }
        }
        Ok(Some(entries))
    }

    /// What the gateway answers, or what it says is wrong with the request.
    async fn ask<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        idempotency_key: &str,
        body: Option<&impl Serialize>,
    ) -> Result<Result<T, Problem>, Fault> {
        let body = body.map(serde_json::to_vec).transpose();
        let body = body.map_err(|error| Fault::Corrupt(error.to_string()))?;
        let body = body.unwrap_or_default();
        let mut fresh = false;
        loop {
            let key = self.keys.key(fresh).await?;
            let signature = key.sign(
                &[
                    method.as_str().as_bytes(),
                    path.as_bytes(),
                    idempotency_key.as_bytes(),
                    &body,
                ],
                Timestamp::now(),
            );
            let mut request = self
                .client
                .request(method.clone(), format!("{}{path}", self.url))
                .header(SIGNATURE, signature)
                .header("content-type", "application/json")
                .body(body.clone());
            if !idempotency_key.is_empty() {
                request = request.header(IDEMPOTENCY_KEY, header(idempotency_key));
            }
            let answer = request.send().await.map_err(no_answer)?;
            let status = answer.status();
            let text = answer.bytes().await.map_err(no_answer)?;
            // The key may have been changed since this process read it.
            if status == StatusCode::UNAUTHORIZED && !fresh {
                fresh = true;
                continue;
            }
            return read(status, &text);
        }
    }
}

/// A header holds visible ASCII only; keys may be anything.
fn header(key: &str) -> String {
    percent_encoding::utf8_percent_encode(key, percent_encoding::NON_ALPHANUMERIC).to_string()
}

fn no_answer(error: reqwest::Error) -> Fault {
    // Without the URL, that has the order's id in it.
    let error = error.without_url();
    let source = std::error::Error::source(&error).map(|source| format!(": {source}"));
    Fault::Transient(format!(
        "the gateway gave no answer: {error}{}",
        source.unwrap_or_default()
    ))
}

fn read<T: DeserializeOwned>(status: StatusCode, body: &[u8]) -> Result<Result<T, Problem>, Fault> {
    if status.is_success() {
        return serde_json::from_slice(body).map(Ok).map_err(|error| {
            Fault::Transient(format!("the gateway's answer cannot be read: {error}"))
        });
    }
    match serde_json::from_slice::<Problem>(body) {
        Ok(problem) if is_final(status) => Ok(Err(problem)),
        Ok(problem) => Err(Fault::Transient(format!(
            "the gateway answers {status}: {}",
            problem.message
        ))),
        // Somebody between us and the gateway said so, and not the gateway.
        Err(_) => Err(Fault::Transient(format!("the gateway answers {status}"))),
    }
}

/// Answers that will be the same next time.
fn is_final(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::BAD_REQUEST
            | StatusCode::NOT_FOUND
            | StatusCode::CONFLICT
            | StatusCode::UNPROCESSABLE_ENTITY
    )
}

fn unexpected(problem: Problem) -> Fault {
    Fault::Corrupt(format!(
        "the gateway refuses what it should take: {}",
        problem.message
    ))
}

impl<K: Keys> Gateway for Http<K> {
    async fn charge(&self, charge: &Charge<'_>) -> Result<Answer, Fault> {
        let request = ChargeRequest {
            amount: charge.amount.amount(),
            currency: charge.amount.currency(),
        };
        let answer: Result<ChargeAnswer, Problem> = self
            .ask(Method::POST, CHARGES, charge.key, Some(&request))
            .await?;
        let answer = answer.map_err(unexpected)?;
        Ok(answer.of(charge.key, charge.amount)?.answer())
    }

    async fn status(&self, charge: &Charge<'_>) -> Result<Option<Answer>, Fault> {
        let answer: Result<ChargeAnswer, Problem> = self
            .ask(Method::GET, &charge_path(charge.key), "", None::<&()>)
            .await?;
        match answer {
            Ok(answer) => Ok(Some(answer.of(charge.key, charge.amount)?.answer())),
            Err(problem) if problem.code == ProblemCode::NotFound => Ok(None),
            Err(problem) => Err(unexpected(problem)),
        }
    }

    async fn void(&self, key: &str, which: Voidable) -> Result<Answer, Fault> {
        let request = VoidRequest::from(which);
        let answer: Result<ChargeAnswer, Problem> = self
            .ask(Method::POST, &void_path(key), "", Some(&request))
            .await?;
        Ok(answer.map_err(unexpected)?.under(key)?.answer())
    }

    async fn refund(&self, refund: &Refund<'_>) -> Result<Refunded, Fault> {
        let request = RefundRequest {
            charge: refund.charge.to_owned(),
            amount: refund.amount.amount(),
            currency: refund.amount.currency(),
        };
        let answer: Result<RefundAnswer, Problem> = self
            .ask(Method::POST, REFUNDS, refund.key, Some(&request))
            .await?;
        match answer {
            Ok(answer) => answer.of(refund),
            Err(problem) if problem.code == ProblemCode::NotRefundable => Ok(Refunded::Refused {
                why: problem.message,
            }),
            Err(problem) => Err(unexpected(problem)),
        }
    }

    async fn refund_status(&self, refund: &Refund<'_>) -> Result<Option<Refunded>, Fault> {
        let answer: Result<RefundAnswer, Problem> = self
            .ask(Method::GET, &refund_path(refund.key), "", None::<&()>)
            .await?;
        match answer {
            Ok(answer) => answer.of(refund).map(Some),
            Err(problem) if problem.code == ProblemCode::NotFound => Ok(None),
            Err(problem) => Err(unexpected(problem)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_gateways_own_refusals_are_final() {
        let problem = br#"{"code":"not_found","message":"no such charge"}"#;
        let ask = |status: u16, body: &[u8]| {
            read::<ChargeAnswer>(StatusCode::from_u16(status).expect("a status"), body)
        };
        assert!(matches!(ask(404, problem), Ok(Err(_))));
        for (status, body) in [
            (401, &problem[..]),
            (403, problem),
            (429, problem),
            (500, problem),
            (503, problem),
            // A load balancer's page, and an answer that broke off.
            (404, b"<html>"),
            (200, b"{\"id\":"),
            (302, b""),
        ] {
            assert!(
                matches!(ask(status, body), Err(Fault::Transient(_))),
                "{status}"
            );
        }
    }
}
