//! Configuration of the AWS clients of a function, from the environment that Lambda gives every process.
//!
//! Nothing is looked up anywhere else, so a cold start waits for no provider chain. `AWS_ENDPOINT_URL` leads all
//! requests to a local emulator.

use aws_credential_types::Credentials;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_runtime_api::client::interceptors::context::{
    BeforeSerializationInterceptorContextRef, BeforeTransmitInterceptorContextMut,
    BeforeTransmitInterceptorContextRef, Input,
};
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::orchestrator::Metadata;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;
use aws_types::SdkConfig;
use aws_types::region::Region;
use domain::Fault;
use store::dynamo::Meter;

use crate::leave::Leave;
use crate::settings::required;

pub const ENDPOINT: &str = "AWS_ENDPOINT_URL";

pub fn from_environment() -> Result<SdkConfig, Fault> {
    let token = std::env::var("AWS_SESSION_TOKEN").ok();
    let credentials = Credentials::new(
        required("AWS_ACCESS_KEY_ID")?,
        required("AWS_SECRET_ACCESS_KEY")?,
        token,
        None,
        "environment",
    );
    let mut config = SdkConfig::builder()
        .behavior_version(aws_sdk_dynamodb::config::BehaviorVersion::latest())
        .region(Region::new(required("AWS_REGION")?))
        .credentials_provider(
            aws_credential_types::provider::SharedCredentialsProvider::new(credentials),
        )
        .http_client(http_client());
    config.set_endpoint_url(endpoint());
    Ok(config.build())
}

pub fn endpoint() -> Option<String> {
    url_in(ENDPOINT)
}

/// That of one service, where the environment says that it is elsewhere.
pub fn endpoint_of(service: &str) -> Option<String> {
    url_in(&format!("{ENDPOINT}_{service}"))
}

fn url_in(variable: &str) -> Option<String> {
    std::env::var(variable).ok().filter(|url| !url.is_empty())
}

/// Where an emulator has an API that is at this URL on AWS: its stage has a host of its own there, and a path of its own here.
pub fn at_emulator(url: &str, endpoint: &str) -> Option<String> {
    let (host, stage) = url.strip_prefix("https://")?.split_once('/')?;
    let (api, _) = host.split_once(".execute-api.")?;
    let endpoint = endpoint.trim_end_matches('/');
    Some(format!("{endpoint}/restapis/{api}/{stage}/_user_request_"))
}

/// A client for the endpoint that the environment names, or for AWS.
pub fn http_client() -> SharedHttpClient {
    http_client_for(endpoint().as_deref())
}

/// TLS needs the system's certificates, which take longer to read than everything else at start: not read in vain.
pub fn http_client_for(endpoint: Option<&str>) -> SharedHttpClient {
    let builder = aws_smithy_http_client::Builder::new();
    match endpoint {
        Some(url) if url.starts_with("http://") => builder.build_http(),
        _ => builder
            .tls_provider(Provider::Rustls(CryptoMode::Ring))
            .build_https(),
    }
}

/// Counts every request that goes out, each attempt by itself, and notes what leave it takes.
#[derive(Debug, Clone)]
pub struct CountCalls {
    meter: Meter,
    leave: Option<fn(&Input) -> Vec<Leave>>,
}

impl CountCalls {
    /// `leave` tells what leave a request to this service takes. None that this does not know is found in any role. It goes on
    /// record where nobody looks at roles: AWS does, and lines of its log are paid for.
    pub fn new(meter: &Meter, leave: fn(&Input) -> Vec<Leave>) -> CountCalls {
        CountCalls {
            meter: meter.clone(),
            leave: endpoint().map(|_| leave),
        }
    }
}

#[dyn_dispatch_hint]
impl Intercept for CountCalls {
    fn name(&self) -> &'static str {
        "CountCalls"
    }

    fn read_before_transmit(
        &self,
        _context: &BeforeTransmitInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Some(metadata) = config.load::<Metadata>() {
            self.meter.call(operation(metadata));
        }
        Ok(())
    }

    /// Also of what is only signed here, for others to send.
    fn read_before_serialization(
        &self,
        context: &BeforeSerializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let Some(leave) = self.leave else {
            return Ok(());
        };
        let leave = leave(context.input());
        if leave.is_empty()
            && let Some(metadata) = config.load::<Metadata>()
        {
            self.meter.leave(operation(metadata), "unknown".to_owned());
        }
        for (action, of) in leave {
            self.meter.leave(action.to_owned(), of);
        }
        Ok(())
    }
}

fn operation(metadata: &Metadata) -> String {
    format!("{}:{}", metadata.service(), metadata.name())
}

/// The SDK sends StartSyncExecution to a host of its own, named with a prefix that an emulator does not answer to.
#[derive(Debug, Clone)]
pub struct NoHostPrefix;

#[dyn_dispatch_hint]
impl Intercept for NoHostPrefix {
    fn name(&self) -> &'static str {
        "NoHostPrefix"
    }

    fn modify_before_signing(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if endpoint().is_some() {
            let request = context.request_mut();
            let uri = request.uri().replacen("://sync-", "://", 1);
            request.set_uri(uri)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_api_is_found_on_an_emulator() {
        let url = "https://a1b2.execute-api.us-east-1.amazonaws.com/api";
        assert_eq!(
            at_emulator(url, "http://127.0.0.1:4566/").as_deref(),
            Some("http://127.0.0.1:4566/restapis/a1b2/api/_user_request_")
        );
        assert_eq!(at_emulator("http://127.0.0.1:4566/x", "http://y"), None);
    }
}
