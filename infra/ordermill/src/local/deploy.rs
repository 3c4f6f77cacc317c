//! Deploys the template to an emulator: what `sam deploy` does on AWS, without its Python.

use std::io::{Cursor, Write};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use aws_sdk_cloudformation::error::ProvideErrorMetadata;
use aws_sdk_cloudformation::types::{Capability, Parameter};

use super::build::{Build, FUNCTIONS};
use super::{eventually, read};
use crate::cloud::{Cloud, Stack};

/// Holds the functions' code while the emulator runs.
const ARTIFACTS: &str = "ordermill-artifacts";

/// A deployment takes two seconds, and more than a minute on a machine that is busy with other things.
const LIMIT: Duration = Duration::from_secs(600);

pub async fn deploy(
    root: &Path,
    build: &Build,
    cloud: &Cloud,
    name: &str,
    parameters: &[(&str, String)],
) -> Result<Stack> {
    let template = read(&root.join("template.yaml"))?;
    let template = packaged(template, build, cloud, &FUNCTIONS).await?;
    let definition = "infra/order-saga.asl.json";
    let saga = std::fs::read(root.join(definition))?;
    let key = upload(&cloud.s3(), "order-saga", "asl.json", saga).await?;
    let mut template = replaced(
        &template,
        &format!("DefinitionUri: {definition}"),
        &format!("DefinitionUri: s3://{ARTIFACTS}/{key}"),
    )?;
    // The emulator hands a parameter on as text, and its poller wants these as numbers.
    for (key, concurrency) in parameters
        .iter()
        .filter(|(key, _)| key.ends_with("Concurrency"))
    {
        template = replaced(
            &template,
            &format!("MaximumConcurrency: !Ref {key}"),
            &format!("MaximumConcurrency: {concurrency}"),
        )?;
    }
    created(cloud, name, template, parameters).await
}

/// Another stack than ours, of functions that were built with ours.
pub async fn deploy_other(
    build: &Build,
    cloud: &Cloud,
    name: &str,
    template: &str,
    functions: &[&str],
) -> Result<Stack> {
    let template = packaged(template.to_owned(), build, cloud, functions).await?;
    created(cloud, name, template, &[]).await
}

/// Creates a stack, or brings it up to date.
async fn created(
    cloud: &Cloud,
    name: &str,
    template: String,
    parameters: &[(&str, String)],
) -> Result<Stack> {
    let mut parameters: Vec<Parameter> = parameters
        .iter()
        .map(|(key, value)| {
            Parameter::builder()
                .parameter_key(*key)
                .parameter_value(value)
                .build()
        })
        .collect();
    // A request has no room for it.
    let key = upload(&cloud.s3(), name, "yaml", template.clone().into_bytes()).await?;
    let endpoint = cloud.endpoint.as_deref().unwrap_or_default();
    let url = format!("{}/{ARTIFACTS}/{key}", endpoint.trim_end_matches('/'));
    let client = cloud.cloudformation();
    let capabilities = [Capability::CapabilityIam, Capability::CapabilityAutoExpand];
    let created = client
        .create_stack()
        .stack_name(name)
        .template_url(&url)
        .set_parameters(Some(parameters.clone()))
        .set_capabilities(Some(capabilities.to_vec()))
        .send()
        .await;
    match created {
        Ok(_) => {}
        Err(error) if error.code() == Some("AlreadyExistsException") => {
            parameters.extend(kept(cloud, name, &template, &parameters).await?);
            let updated = client
                .update_stack()
                .stack_name(name)
                .template_url(&url)
                .set_parameters(Some(parameters))
                .set_capabilities(Some(capabilities.to_vec()))
                .send()
                .await;
            match updated {
                Err(error)
                    if error
                        .message()
                        .is_some_and(|message| message.contains("No updates")) => {}
                updated => {
                    updated.context("updating the stack")?;
                }
            }
        }
        Err(error) => return Err(error).context("creating the stack"),
    }
    settled(cloud, name).await?;
    cloud.stack(name).await
}

/// What was deployed with a value that nobody gives now stays as it is: a stack does not change whom it charges because
/// it is brought up to date.
async fn kept(
    cloud: &Cloud,
    name: &str,
    template: &str,
    given: &[Parameter],
) -> Result<Vec<Parameter>> {
    let described = cloud.cloudformation().describe_stacks().stack_name(name);
    let stacks = described.send().await?.stacks.unwrap_or_default();
    let deployed = stacks.into_iter().filter_map(|stack| stack.parameters);
    let mut kept: Vec<Parameter> = deployed.flatten().collect();
    kept.retain(|parameter| {
        let key = parameter.parameter_key().unwrap_or_default();
        let known = template.contains(&format!("\n  {key}:\n    "));
        known && !given.iter().any(|given| given.parameter_key() == Some(key))
    });
    Ok(kept)
}

async fn settled(cloud: &Cloud, name: &str) -> Result<()> {
    eventually("the deployment", LIMIT, async || {
        let described = cloud
            .cloudformation()
            .describe_stacks()
            .stack_name(name)
            .send()
            .await?;
        let stack = described
            .stacks
            .unwrap_or_default()
            .into_iter()
            .next()
            .context("the stack is gone")?;
        match stack.stack_status.as_ref().map(|status| status.as_str()) {
            Some("CREATE_COMPLETE" | "UPDATE_COMPLETE") => Ok(true),
            Some(status) if status.contains("ROLLBACK") || status.contains("FAILED") => {
                bail!(
                    "the deployment ended in {status}: {}",
                    stack.stack_status_reason.unwrap_or_default()
                )
            }
            _ => Ok(false),
        }
    })
    .await
}

/// The template with the code of its functions put into a bucket, as packaging does.
async fn packaged(
    mut template: String,
    build: &Build,
    cloud: &Cloud,
    functions: &[&str],
) -> Result<String> {
    let s3 = cloud.s3();
    if let Err(error) = s3.create_bucket().bucket(ARTIFACTS).send().await
        && !matches!(
            error.code(),
            Some("BucketAlreadyOwnedByYou" | "BucketAlreadyExists")
        )
    {
        return Err(error).context("creating the bucket of the functions' code");
    }
    for function in functions {
        let path = build.binary(function);
        let binary = std::fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
        let key = upload(&s3, function, "zip", zipped(&binary)?).await?;
        template = replaced(
            &template,
            &format!("CodeUri: target/lambda/{function}/"),
            &format!("CodeUri: s3://{ARTIFACTS}/{key}"),
        )?;
    }
    Ok(template)
}

/// Under a name that changes with the content, so that an update sees what is new.
async fn upload(
    s3: &aws_sdk_s3::Client,
    name: &str,
    ending: &str,
    bytes: Vec<u8>,
) -> Result<String> {
    use sha2::{Digest, Sha256};
    let digest: String = Sha256::digest(&bytes)[..8]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let key = format!("{name}-{digest}.{ending}");
    if s3
        .head_object()
        .bucket(ARTIFACTS)
        .key(&key)
        .send()
        .await
        .is_ok()
    {
        return Ok(key);
    }
    s3.put_object()
        .bucket(ARTIFACTS)
        .key(&key)
        .body(bytes.into())
        .send()
        .await
        .with_context(|| format!("uploading {key}"))?;
    Ok(key)
}

fn replaced(template: &str, line: &str, with: &str) -> Result<String> {
    match template.matches(line).count() {
        1 => Ok(template.replace(line, with)),
        count => bail!("template.yaml holds {line:?} {count} times"),
    }
}

/// Not compressed: it stays on this machine.
fn zipped(binary: &[u8]) -> Result<Vec<u8>> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default()
        .compression_method(zip::CompressionMethod::Stored)
        .unix_permissions(0o755);
    zip.start_file("bootstrap", options)?;
    zip.write_all(binary)?;
    Ok(zip.finish()?.into_inner())
}
