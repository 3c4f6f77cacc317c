//! Says who calls the API: a bearer token to what it is called and what it allows.
//!
//! Knows no routes. What it answers is kept by the API for a while and used for every route, so the whole stage is opened,
//! and each route asks for its scope behind it. A no is a fault with the one message that the API answers 401 to; any other
//! fault is 500, and nothing is opened.

use aws_lambda_events::apigw::{
    ApiGatewayCustomAuthorizerPolicy, ApiGatewayCustomAuthorizerRequest,
    ApiGatewayCustomAuthorizerResponse,
};
use aws_lambda_events::iam::{IamPolicyEffect, IamPolicyStatement};
use domain::Fault;
use domain::access::Token;
use edge::Invocation;
use serde::{Deserialize, Serialize};
use store::tokens::{State, TokenRecord};
use store::{Engine, Store};

/// To the letter: anything else is an error of ours to the API.
const UNAUTHORIZED: &str = "Unauthorized";

/// What functions behind the API are told of the caller. The API hands on texts only.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Caller {
    pub token_id: String,
    pub name: String,
    /// As [`domain::Scopes`] are written.
    pub scopes: String,
}

pub type Answer = ApiGatewayCustomAuthorizerResponse<Caller>;

pub async fn handle<E: Engine>(
    store: &Store<E>,
    request: ApiGatewayCustomAuthorizerRequest,
    invocation: Invocation,
) -> Result<Answer, Fault> {
    let header = request.authorization_token.as_deref().unwrap_or_default();
    let token = Token::of_header(header).ok_or_else(unauthorized)?;
    let stage = whole_stage(request.method_arn.as_deref().unwrap_or_default())?;
    let known = store.token(&token.hash()).await?;
    let known = known.ok_or_else(unauthorized)?;
    match known.state(invocation.now) {
        State::Active => {}
        state @ (State::Expired | State::Revoked) => {
            tracing::info!(token.id = known.token_id, %state, "a token was refused");
            return Err(unauthorized());
        }
    }
    tracing::debug!(token.id = known.token_id, "a token was taken");
    Ok(allowed(known, stage))
}

fn unauthorized() -> Fault {
    Fault::Refused(UNAUTHORIZED.to_owned())
}

/// Every route of the stage that this one is of: `arn:aws:execute-api:region:account:api/stage/METHOD/path`.
fn whole_stage(method_arn: &str) -> Result<String, Fault> {
    let mut parts = method_arn.splitn(3, '/');
    match (parts.next(), parts.next(), parts.next()) {
        (Some(api), Some(stage), Some(_)) if !stage.is_empty() => Ok(format!("{api}/{stage}/*")),
        _ => Err(Fault::Malformed(
            "the request is for no method of an API".to_owned(),
        )),
    }
}

fn allowed(token: TokenRecord, resource: String) -> Answer {
    let mut statement = IamPolicyStatement::default();
    statement.action = vec!["execute-api:Invoke".to_owned()];
    statement.effect = IamPolicyEffect::Allow;
    statement.resource = vec![resource];
    let mut policy = ApiGatewayCustomAuthorizerPolicy::default();
    policy.version = Some("2012-10-17".to_owned());
    policy.statement = vec![statement];
    let mut answer = Answer::default();
    answer.principal_id = Some(format!("token:{}", token.token_id));
    answer.policy_document = policy;
    answer.context = Caller {
        scopes: token.scopes.to_string(),
        token_id: token.token_id,
        name: token.name,
    };
    answer
}
