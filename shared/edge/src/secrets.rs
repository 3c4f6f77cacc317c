//! What Secrets Manager keeps: read when it is first needed, kept in memory alone, and read again when it does not fit any
//! more.

use std::error::Error;
use std::time::Duration;

use aws_sdk_secretsmanager::error::DisplayErrorContext;
use domain::Fault;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::{Process, leave};

/// Whoever sends wrong signatures must not make us ask for the key each time.
const KEPT_AT_LEAST: Duration = Duration::from_secs(60);

pub struct Secret {
    client: aws_sdk_secretsmanager::Client,
    /// Its ARN, or its name.
    id: String,
    what: &'static str,
    known: Mutex<Option<(String, Instant)>>,
}

impl Process {
    pub(crate) fn secrets(&self) -> aws_sdk_secretsmanager::Client {
        let config = aws_sdk_secretsmanager::config::Builder::from(&self.aws)
            .interceptor(self.counted(leave::secrets))
            .build();
        aws_sdk_secretsmanager::Client::from_conf(config)
    }
}

impl Secret {
    /// `what` names it in complaints.
    pub fn new(client: aws_sdk_secretsmanager::Client, id: String, what: &'static str) -> Secret {
        Secret {
            client,
            id,
            what,
            known: Mutex::new(None),
        }
    }

    pub async fn value(&self, fresh: bool) -> Result<String, Fault> {
        // Held while it is asked for, so that those who need it at once ask once together.
        let mut known = self.known.lock().await;
        if let Some((value, since)) = known.as_ref()
            && (!fresh || since.elapsed() < KEPT_AT_LEAST)
        {
            return Ok(value.clone());
        }
        let answer = self.client.get_secret_value().secret_id(&self.id);
        let answer = answer.send().await.map_err(|error| self.unread(&error))?;
        let value = answer.secret_string.unwrap_or_default();
        if value.is_empty() {
            return Err(Fault::Corrupt(format!("{} is empty", self.what)));
        }
        *known = Some((value.clone(), Instant::now()));
        Ok(value)
    }

    /// What it is tagged with.
    pub async fn tag(&self, key: &str) -> Result<Option<String>, Fault> {
        let described = self.client.describe_secret().secret_id(&self.id);
        let described = described.send().await;
        let described = described.map_err(|error| self.unread(&error))?;
        let mut tags = described.tags.unwrap_or_default().into_iter();
        let tag = tags.find(|tag| tag.key.as_deref() == Some(key));
        Ok(tag.and_then(|tag| tag.value))
    }

    fn unread(&self, error: &dyn Error) -> Fault {
        let error = DisplayErrorContext(error);
        Fault::Transient(format!("{}: {error}", self.what))
    }
}
