//! The queues of the stack as operators see them: how much is in each, and whether it is worked on.

use aws_sdk_sqs::error::DisplayErrorContext;
use aws_sdk_sqs::types::QueueAttributeName;
use domain::Fault;
use futures::future::try_join_all;
use futures::try_join;

use crate::{Process, settings};

/// A queue by its short name, and where it is.
#[derive(Debug, Clone)]
pub struct Named {
    pub name: &'static str,
    pub url: String,
    pub dead_url: String,
}

pub struct Queues {
    pub client: aws_sdk_sqs::Client,
    pub queues: Vec<Named>,
}

/// How many messages there are: the queue itself knows it only about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Depth {
    pub name: &'static str,
    pub waiting: u64,
    /// Hidden: worked on, or tried again later.
    pub in_flight: u64,
    /// Put aside, and not taken on record yet.
    pub dead: u64,
}

impl Process {
    /// Queues by their short names; these variables hold the URLs of each, and of where its messages are put aside.
    pub fn queues(&self, named: &[(&'static str, &str, &str)]) -> Result<Queues, Fault> {
        let queues = named.iter().map(|(name, url, dead_url)| {
            Ok(Named {
                name,
                url: settings::required(url)?,
                dead_url: settings::required(dead_url)?,
            })
        });
        Ok(Queues {
            client: self.sqs(),
            queues: queues.collect::<Result<_, Fault>>()?,
        })
    }
}

impl Queues {
    pub async fn depths(&self) -> Result<Vec<Depth>, Fault> {
        try_join_all(self.queues.iter().map(|queue| self.depth(queue))).await
    }

    async fn depth(&self, queue: &Named) -> Result<Depth, Fault> {
        let counted = try_join!(self.count(&queue.url), self.count(&queue.dead_url));
        let ((waiting, in_flight), (dead, burying)) = counted?;
        Ok(Depth {
            name: queue.name,
            waiting,
            in_flight,
            dead: dead + burying,
        })
    }

    async fn count(&self, url: &str) -> Result<(u64, u64), Fault> {
        let waiting = QueueAttributeName::ApproximateNumberOfMessages;
        let in_flight = QueueAttributeName::ApproximateNumberOfMessagesNotVisible;
        let request = self.client.get_queue_attributes().queue_url(url);
        let request = request.attribute_names(waiting.clone());
        let answer = request.attribute_names(in_flight.clone()).send().await;
        let answer = answer.map_err(|error| {
            let error = DisplayErrorContext(error);
            Fault::Transient(format!("the depth of {url}: {error}"))
        })?;
        let attributes = answer.attributes.unwrap_or_default();
        let count = |name| attributes.get(&name).and_then(|count| count.parse().ok());
        count(waiting)
            .zip(count(in_flight))
            .ok_or_else(|| Fault::Transient(format!("{url} does not say how many messages it has")))
    }
}
