//! The queues of the stack as operators see them: how much is in each, and whether it is worked on.

use std::collections::BTreeMap;

use aws_sdk_sqs::error::DisplayErrorContext;
use aws_sdk_sqs::types::QueueAttributeName;
use domain::Fault;
use futures::future::try_join_all;
use futures::try_join;

use crate::{Process, leave, settings};

/// A queue by its short name, and where it is.
#[derive(Debug, Clone)]
pub struct Named {
    pub name: &'static str,
    pub url: String,
    /// The id of what hands its messages to the function that works on them.
    pub mapping: String,
}

pub struct Queues {
    pub lambda: aws_sdk_lambda::Client,
    pub queues: Vec<Named>,
}

/// The same, for who asks how much is in them.
pub struct Gauge {
    pub sqs: aws_sdk_sqs::Client,
    pub queues: Queues,
    /// The URLs of where messages are put aside, in the sequence of the queues.
    pub dead_urls: Vec<String>,
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
pub const NAMES: [&str; 10] = [
    "batches",
    BULK_BATCHES,
    "imports",
    "bulk_imports",
    "catalogs",
    "entries",
    "refunds",
    "notices",
    "mail",
    "feedback",
];

/// The batches of large files.
const BULK_BATCHES: &str = "bulk_batches";

/// The queues whose messages are batches of orders: those of small work, and those of large files.
pub const OF_BATCHES: [&str; 2] = ["batches", BULK_BATCHES];

/// The variables that hold a queue's URL, and the id of what hands its messages to a function.
pub fn variables(name: &str) -> [String; 2] {
    ["QUEUE_URL", "MAPPING"].map(|what| variable(name, what))
}

/// The one that holds the URL of where its messages are put aside.
pub fn dead_variable(name: &str) -> String {
    variable(name, "DEAD_QUEUE_URL")
}

fn variable(name: &str, what: &str) -> String {
    format!("{}_{what}", name.to_ascii_uppercase())
}

impl Process {
    /// All of the stack.
    pub fn queues(&self) -> Result<Queues, Fault> {
        let queues = NAMES.into_iter().map(|name| {
            let [url, mapping] = variables(name);
            Ok(Named {
                name,
                url: settings::required(&url)?,
                mapping: settings::required(&mapping)?,
            })
        });
        let lambda = aws_sdk_lambda::config::Builder::from(&self.aws)
            .interceptor(self.counted(leave::lambda))
            .build();
        Ok(Queues {
            lambda: aws_sdk_lambda::Client::from_conf(lambda),
            queues: queues.collect::<Result<_, Fault>>()?,
        })
    }

    pub fn gauge(&self) -> Result<Gauge, Fault> {
        let dead_urls = NAMES.map(|name| settings::required(&dead_variable(name)));
        Ok(Gauge {
            sqs: self.sqs(),
            queues: self.queues()?,
            dead_urls: dead_urls.into_iter().collect::<Result<_, Fault>>()?,
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
}

impl Gauge {
    /// All there is to know of each.
    pub async fn all(&self) -> Result<Vec<(Depth, Pulse)>, Fault> {
        let each = self.each();
        let each = each.map(async |(queue, dead)| {
            try_join!(self.depth(queue, dead), self.queues.pulse(queue))
        });
        try_join_all(each).await
    }

    pub async fn depths(&self) -> Result<Vec<Depth>, Fault> {
        try_join_all(self.each().map(|(queue, dead)| self.depth(queue, dead))).await
    }

    fn each(&self) -> impl Iterator<Item = (&Named, &String)> {
        self.queues.queues.iter().zip(&self.dead_urls)
    }

    async fn depth(&self, queue: &Named, dead_url: &str) -> Result<Depth, Fault> {
        let here = count(&self.sqs, &queue.url);
        let ((waiting, in_flight), (dead, burying)) = try_join!(here, count(&self.sqs, dead_url))?;
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
