//! The queues of the stack as operators see them: how much is in each, and whether it is worked on.

use std::collections::BTreeMap;

use aws_sdk_sqs::error::DisplayErrorContext;
use aws_sdk_sqs::types::QueueAttributeName;
use domain::Fault;
use futures::future::try_join_all;
use futures::try_join;

use crate::{Process, aws, settings};

/// A queue by its short name, and where it is.
#[derive(Debug, Clone)]
pub struct Named {
    pub name: &'static str,
    pub url: String,
    pub dead_url: String,
    /// The id of what hands its messages to the function that works on them.
    pub mapping: String,
}

pub struct Queues {
    pub sqs: aws_sdk_sqs::Client,
    pub lambda: aws_sdk_lambda::Client,
    pub queues: Vec<Named>,
}

/// Whether a queue is worked on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pulse {
    Working,
    Paused,
    /// From one to the other: that takes the service a minute.
    Changing,
}

impl Pulse {
    pub fn name(self) -> &'static str {
        match self {
            Pulse::Working => "working",
            Pulse::Paused => "paused",
            Pulse::Changing => "changing",
        }
    }

    /// By the service's own word for it.
    fn of(state: Option<&str>) -> Pulse {
        match state {
            Some("Enabled") => Pulse::Working,
            Some("Disabled") => Pulse::Paused,
            _ => Pulse::Changing,
        }
    }
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

/// Their short names, by which people call them. What retries a message and what pauses a queue know no other.
pub const NAMES: [&str; 8] = [
    "batches", "imports", "catalogs", "entries", "refunds", "notices", "mail", "feedback",
];

/// The variables that hold a queue's URL, that of where its messages are put aside, and the id of what hands them to a
/// function.
pub fn variables(name: &str) -> [String; 3] {
    let name = name.to_ascii_uppercase();
    ["QUEUE_URL", "DEAD_QUEUE_URL", "MAPPING"].map(|what| format!("{name}_{what}"))
}

impl Process {
    /// All of the stack.
    pub fn queues(&self) -> Result<Queues, Fault> {
        let queues = NAMES.into_iter().map(|name| {
            let [url, dead_url, mapping] = variables(name);
            Ok(Named {
                name,
                url: settings::required(&url)?,
                dead_url: settings::required(&dead_url)?,
                mapping: settings::required(&mapping)?,
            })
        });
        let lambda = aws_sdk_lambda::config::Builder::from(&self.aws)
            .interceptor(aws::CountCalls(self.meter.clone()))
            .build();
        Ok(Queues {
            sqs: self.sqs(),
            lambda: aws_sdk_lambda::Client::from_conf(lambda),
            queues: queues.collect::<Result<_, Fault>>()?,
        })
    }
}

impl Queues {
    pub fn names(&self) -> Vec<&'static str> {
        self.queues.iter().map(|queue| queue.name).collect()
    }

    /// The URLs by short name: where messages can be sent again.
    pub fn sources(&self) -> BTreeMap<String, String> {
        let sources = self.queues.iter();
        sources
            .map(|queue| (queue.name.to_owned(), queue.url.clone()))
            .collect()
    }

    /// All there is to know of each.
    pub async fn all(&self) -> Result<Vec<(Depth, Pulse)>, Fault> {
        let each = self
            .queues
            .iter()
            .map(async |queue| try_join!(self.depth(queue), self.pulse(queue)));
        try_join_all(each).await
    }

    async fn pulse(&self, queue: &Named) -> Result<Pulse, Fault> {
        let asked = self.lambda.get_event_source_mapping().uuid(&queue.mapping);
        let answer = asked
            .send()
            .await
            .map_err(|error| unanswered(queue, error))?;
        Ok(Pulse::of(answer.state()))
    }

    /// Has a queue worked on, or not. Nothing, where there is no such queue. What is being worked on is worked off.
    pub async fn set(&self, name: &str, works: bool) -> Result<Option<Pulse>, Fault> {
        let Some(queue) = self.queues.iter().find(|queue| queue.name == name) else {
            return Ok(None);
        };
        let pulse = self.pulse(queue).await?;
        let wanted = if works { Pulse::Working } else { Pulse::Paused };
        if pulse == wanted {
            return Ok(Some(pulse));
        }
        let asked = self.lambda.update_event_source_mapping();
        let asked = asked.uuid(&queue.mapping).enabled(works);
        let answer = asked
            .send()
            .await
            .map_err(|error| unanswered(queue, error))?;
        Ok(Some(Pulse::of(answer.state())))
    }

    pub async fn depths(&self) -> Result<Vec<Depth>, Fault> {
        try_join_all(self.queues.iter().map(|queue| self.depth(queue))).await
    }

    async fn depth(&self, queue: &Named) -> Result<Depth, Fault> {
        let here = count(&self.sqs, &queue.url);
        let ((waiting, in_flight), (dead, burying)) =
            try_join!(here, count(&self.sqs, &queue.dead_url))?;
        Ok(Depth {
            name: queue.name,
            waiting,
            in_flight,
            dead: dead + burying,
        })
    }
}

/// How many messages of a queue wait, and how many are hidden: about, as the queue says it.
pub async fn count(client: &aws_sdk_sqs::Client, url: &str) -> Result<(u64, u64), Fault> {
    let waiting = QueueAttributeName::ApproximateNumberOfMessages;
    let in_flight = QueueAttributeName::ApproximateNumberOfMessagesNotVisible;
    let request = client.get_queue_attributes().queue_url(url);
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

/// Also where the service says that it is changing the mapping already: then it is to be asked again.
fn unanswered<E: std::error::Error>(queue: &Named, error: E) -> Fault {
    let error = DisplayErrorContext(error);
    Fault::Transient(format!("what works on {}: {error}", queue.name))
}
