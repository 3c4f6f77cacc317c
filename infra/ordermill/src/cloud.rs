//! A deployed stack, on AWS or on an emulator: its clients, its outputs, its store.

use std::collections::{BTreeMap, HashMap};

use anyhow::{Context, Result, bail};
use aws_sdk_cloudformation::error::ProvideErrorMetadata;
use aws_types::SdkConfig;
use edge::optout::{self, LinkKey, Links};
use edge::outbox::SqsOutbox;
use edge::resend::SqsSources;
use jiff::tz::TimeZone;
use payments::SigningKey;
use store::Store;
use store::dynamo::{DynamoEngine, Meter};
use store::schema::Table;

/// Where requests go, and with which credentials.
#[derive(Clone)]
pub struct Cloud {
    pub aws: SdkConfig,
    pub endpoint: Option<String>,
}

/// A stack that is deployed.
pub struct Stack {
    pub cloud: Cloud,
    pub name: String,
    arn: String,
    outputs: HashMap<String, String>,
}

impl Cloud {
    pub async fn on_aws() -> Cloud {
        let aws = aws_config::defaults(aws_config::BehaviorVersion::latest())
            .http_client(edge::aws::http_client())
            .load()
            .await;
        Cloud {
            aws,
            endpoint: None,
        }
    }

    /// An emulator. It takes any credentials, so missing ones are made up.
    pub async fn at(endpoint: &str) -> Cloud {
        let mut loader = aws_config::defaults(aws_config::BehaviorVersion::latest())
            .endpoint_url(endpoint)
            .http_client(edge::aws::http_client_for(Some(endpoint)));
        if std::env::var_os("AWS_ACCESS_KEY_ID").is_none() {
            loader = loader.credentials_provider(aws_credential_types::Credentials::new(
                "test",
                "test",
                None,
                None,
                "local stack",
            ));
        }
        if std::env::var_os("AWS_REGION").is_none()
            && std::env::var_os("AWS_DEFAULT_REGION").is_none()
        {
            loader = loader.region(aws_types::region::Region::from_static("us-east-1"));
        }
        Cloud {
            aws: loader.load().await,
            endpoint: Some(endpoint.to_owned()),
        }
    }

    pub fn s3(&self) -> aws_sdk_s3::Client {
        let path_style = self.endpoint.is_some();
        aws_sdk_s3::Client::from_conf(
            aws_sdk_s3::config::Builder::from(&self.aws)
                .force_path_style(path_style)
                .build(),
        )
    }

    pub fn cloudformation(&self) -> aws_sdk_cloudformation::Client {
        aws_sdk_cloudformation::Client::new(&self.aws)
    }

    pub fn sqs(&self) -> aws_sdk_sqs::Client {
        aws_sdk_sqs::Client::new(&self.aws)
    }

    pub fn secrets(&self) -> aws_sdk_secretsmanager::Client {
        aws_sdk_secretsmanager::Client::new(&self.aws)
    }

    pub async fn stack(&self, name: &str) -> Result<Stack> {
        let request = self.cloudformation().describe_stacks().stack_name(name);
        let described = match request.send().await {
            Ok(described) => described.stacks.unwrap_or_default(),
            // The service has no other code for it.
            Err(error) if error.code() == Some("ValidationError") => Vec::new(),
            Err(error) => {
                return Err(error).with_context(|| format!("looking for the stack {name}"));
            }
        };
        let stack = described.into_iter().next().with_context(|| {
            format!(
                "the stack {name} was not found: `ordermill up` starts it here, `sam deploy` on AWS"
            )
        })?;
        Ok(self.described(stack))
    }

    /// Every stack that is there.
    pub async fn stacks(&self) -> Result<Vec<Stack>> {
        let described = self.cloudformation().describe_stacks().send().await?;
        let stacks = described.stacks.unwrap_or_default().into_iter();
        Ok(stacks.map(|stack| self.described(stack)).collect())
    }

    fn described(&self, stack: aws_sdk_cloudformation::types::Stack) -> Stack {
        let outputs = stack.outputs.unwrap_or_default().into_iter();
        let outputs = outputs
            .filter_map(|output| Some((output.output_key?, output.output_value?)))
            .collect();
        Stack {
            cloud: self.clone(),
            name: stack.stack_name.unwrap_or_default(),
            arn: stack.stack_id.unwrap_or_default(),
            outputs,
        }
    }
}

impl Stack {
    pub fn output(&self, key: &str) -> Result<&str> {
        match self.find_output(key) {
            Some(value) => Ok(value),
            None => bail!(
                "the stack {} has no output {key}: is it of this version?",
                self.name
            ),
        }
    }

    /// The number of the account that it is in.
    pub fn account(&self) -> Option<&str> {
        self.arn.split(':').nth(4)
    }

    pub fn find_output(&self, key: &str) -> Option<&str> {
        self.outputs.get(key).map(String::as_str)
    }

    /// What requests to the payment gateway, and its webhooks, are signed with. Not to be shown to anybody.
    pub async fn payment_key(&self) -> Result<SigningKey> {
        let arn = self.output("PaymentSecretArn")?;
        let secret = self.cloud.secrets().get_secret_value().secret_id(arn);
        let secret = secret.send().await;
        let secret = secret.context("reading the key that is shared with the payment gateway")?;
        match secret.secret_string {
            Some(secret) if !secret.is_empty() => Ok(SigningKey::new(secret)),
            _ => bail!("the key that is shared with the payment gateway is empty"),
        }
    }

    /// The zone whose midnight ends the business day.
    pub fn time_zone(&self) -> Result<TimeZone> {
        let name = self.output("BusinessTimeZone")?;
        TimeZone::get(name).with_context(|| format!("the time zone {name} of the stack"))
    }

    /// Where the API answers.
    pub fn api_url(&self) -> Result<String> {
        self.url("ApiUrl")
    }

    fn url(&self, output: &str) -> Result<String> {
        let url = self.output(output)?;
        let endpoint = self.cloud.endpoint.as_deref();
        let there = endpoint.and_then(|endpoint| edge::aws::at_emulator(url, endpoint));
        Ok(there.unwrap_or_else(|| url.to_owned()))
    }

    /// What the links in mails are made with.
    pub async fn links(&self) -> Result<Links> {
        let name = self.output("OptOutSecretName")?.to_owned();
        let secret = optout::secret(self.cloud.secrets(), name);
        Ok(Links::known(
            LinkKey::of(&secret).await?,
            &self.url("PublicUrl")?,
        ))
    }

    /// Where the payment gateway says that a charge changed.
    pub fn webhook_url(&self) -> Result<String> {
        Ok(format!("{}/webhooks/payments", self.api_url()?))
    }

    /// The queue that an output names.
    pub fn outbox(&self, output: &str) -> Result<SqsOutbox> {
        Ok(SqsOutbox {
            client: self.cloud.sqs(),
            url: self.output(output)?.to_owned(),
        })
    }

    /// The queues that messages may be sent to again.
    pub fn sources(&self) -> SqsSources {
        SqsSources::new(self.cloud.sqs(), self.queues())
    }

    /// Their URLs, by their short names.
    pub fn queues(&self) -> BTreeMap<String, String> {
        let outputs = self.outputs.iter();
        let sources = outputs.filter_map(|(key, url)| Some((queue_of(key)?, url.clone())));
        sources.collect()
    }

    /// The name of a table of it.
    pub fn table(&self, table: Table) -> Option<&str> {
        self.find_output(&output_of(table))
    }

    pub fn store(&self) -> Result<Store<DynamoEngine>> {
        let mut names = HashMap::new();
        for table in Table::ALL {
            names.insert(table, self.output(&output_of(table))?.to_owned());
        }
        let client = aws_sdk_dynamodb::Client::new(&self.cloud.aws);
        Ok(Store::new(
            DynamoEngine::new(client, names, Meter::default()),
            fastrand::u64(..),
        ))
    }
}

/// The short name of the queue whose URL this output is: `BulkImportsQueueUrl` is that of `bulk_imports`. None for other
/// outputs, and for dead-letter queues.
pub fn queue_of(output: &str) -> Option<String> {
    let name = output.strip_suffix("QueueUrl")?;
    if name.ends_with("Dead") {
        return None;
    }
    let mut short = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !short.is_empty() {
            short.push('_');
        }
        short.push(letter.to_ascii_lowercase());
    }
    Some(short)
}

/// The output that names a table.
fn output_of(table: Table) -> String {
    let name = table.name();
    format!("{}{}Table", name[..1].to_ascii_uppercase(), &name[1..])
}
