//! Which stack a command works on: the endpoint that the environment names, a local stack, or AWS.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;

use crate::cli::Global;
use crate::cloud::{Cloud, Stack};
use crate::exit::Exit;
use crate::local::{Records, Running, Workspace};
use crate::output;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// `AWS_ENDPOINT_URL`.
    Endpoint(String),
    Local(Running),
    Aws,
}

/// How long an endpoint may take to accept a connection.
const CONNECT: Duration = Duration::from_secs(3);

impl Target {
    /// `AWS_ENDPOINT_URL` decides; without it, a local stack that runs, unless `--aws` is given; without both, AWS.
    /// A local stack that ran and does not answer is an error: AWS is not its replacement.
    pub fn find(aws: bool) -> Result<Target> {
        if let Some(endpoint) = edge::aws::endpoint() {
            return Ok(Target::Endpoint(endpoint));
        }
        if aws {
            return Ok(Target::Aws);
        }
        let here = Workspace::find().ok().map(|workspace| workspace.root);
        let local = choose(Records::read(), here.as_deref(), Running::answers)?;
        Ok(local.map_or(Target::Aws, Target::Local))
    }

    pub async fn cloud(&self) -> Cloud {
        match self {
            Target::Endpoint(endpoint) => Cloud::at(endpoint).await,
            Target::Local(running) => Cloud::at(&running.endpoint).await,
            Target::Aws => Cloud::on_aws().await,
        }
    }

    /// For people. `stack` is there once it was found, and says which account it is in.
    fn describe(&self, cloud: &Cloud, stack: Option<&Stack>) -> String {
        match self {
            Target::Endpoint(endpoint) => format!("{endpoint}, which AWS_ENDPOINT_URL names"),
            Target::Local(running) => {
                let here = Workspace::find().is_ok_and(|here| here.root == running.checkout);
                let checkout = match here {
                    true => String::new(),
                    false => format!(", of {}", running.checkout.display()),
                };
                format!("the local stack at {}{checkout}", running.endpoint)
            }
            Target::Aws => {
                let account = stack.and_then(Stack::account);
                let account = account.map_or(String::new(), |it| format!("account {it}, "));
                let region = cloud.aws.region().map_or("unknown", AsRef::as_ref);
                let profile = std::env::var("AWS_PROFILE").unwrap_or("default".to_owned());
                let endpoint = cloud.aws.endpoint_url();
                let endpoint = endpoint.map_or(String::new(), |url| format!(", endpoint {url}"));
                format!("AWS: {account}region {region}, profile {profile}{endpoint}")
            }
        }
    }

    /// The stack, after saying where it is.
    pub async fn stack(&self, name: &str) -> Result<Stack> {
        let cloud = self.cloud().await;
        let found = cloud.stack(name).await;
        let place = self.describe(&cloud, found.as_ref().ok());
        errln!("(on {})", output::plain(&place));
        found
    }

    /// Asks before a change on AWS that no option named.
    pub fn allow_change(&self, global: &Global, stack: &Stack) -> Result<()> {
        if *self != Target::Aws || global.aws || global.yes {
            return Ok(());
        }
        let place = output::plain(&self.describe(&stack.cloud, Some(stack)));
        output::ask(
            &format!("This changes the stack {} on {place}.", stack.name),
            "--aws or --yes allows it.",
        )
    }

    /// The error of a command. Where the endpoint has gone away meanwhile, that is the reason, and what the client
    /// library says of its connections helps nobody.
    pub async fn explain(&self, error: anyhow::Error) -> anyhow::Error {
        let (endpoint, advice) = match self {
            Target::Endpoint(endpoint) => (endpoint, "AWS_ENDPOINT_URL names it"),
            Target::Local(running) => (&running.endpoint, "`ordermill up` starts it again"),
            Target::Aws => return error,
        };
        if error.is::<Exit>() || accepts(endpoint).await {
            return error;
        }
        Exit::new(
            Exit::FAILURE,
            format!("the stack at {endpoint} does not answer: {advice}"),
        )
        .into()
    }
}

/// Whether something listens there.
async fn accepts(endpoint: &str) -> bool {
    let Ok(url) = reqwest::Url::parse(endpoint) else {
        return false;
    };
    let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else {
        return false;
    };
    let host = host.trim_matches(['[', ']']);
    let connect = tokio::net::TcpStream::connect((host, port));
    matches!(tokio::time::timeout(CONNECT, connect).await, Ok(Ok(_)))
}

/// The local stack to work on: that of this checkout, or else the only one that answers.
fn choose(
    records: Records,
    here: Option<&Path>,
    answers: impl Fn(&Running) -> bool,
) -> Result<Option<Running>> {
    let of_here = |running: &&Running| Some(running.checkout.as_path()) == here;
    if let Some(own) = records.running.iter().find(of_here) {
        return match answers(own) {
            true => Ok(Some(own.clone())),
            false => Err(silent(own).into()),
        };
    }
    let mut answering: Vec<&Running> = records.running.iter().filter(|one| answers(one)).collect();
    match (answering.pop(), answering.is_empty()) {
        (Some(only), true) => Ok(Some(only.clone())),
        (Some(_), false) => Err(several(&records.running).into()),
        (None, _) => match (records.running.first(), records.unreadable.first()) {
            (Some(stale), _) => Err(silent(stale).into()),
            (None, Some(path)) => Err(unreadable(path).into()),
            (None, None) => Ok(None),
        },
    }
}

fn silent(running: &Running) -> Exit {
    let (endpoint, checkout) = (&running.endpoint, running.checkout.display());
    Exit::new(
        Exit::FAILURE,
        format!(
            "the local stack at {endpoint} ({checkout}) was running and does not answer. `ordermill up` there starts it \
             again, `ordermill down` forgets it, and --aws works on AWS"
        ),
    )
}

fn several(running: &[Running]) -> Exit {
    let list: Vec<String> = running
        .iter()
        .map(|one| format!("{} ({})", one.endpoint, one.checkout.display()))
        .collect();
    Exit::new(
        Exit::FAILURE,
        format!(
            "several local stacks run: {}. Work in one of these folders, or let AWS_ENDPOINT_URL name one; --aws works \
             on AWS",
            list.join(", ")
        ),
    )
}

fn unreadable(path: &Path) -> Exit {
    Exit::new(
        Exit::FAILURE,
        format!(
            "{} should name a local stack and cannot be read. Remove it if no stack runs; --aws works on AWS",
            path.display()
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn running(port: u16, checkout: &str) -> Running {
        Running::new(port, 1, "token".to_owned(), Path::new(checkout))
    }

    /// The port of what is chosen, or nothing for AWS, or a part of the sentence.
    #[track_caller]
    fn check(
        records: &[(u16, &str)],
        here: Option<&str>,
        answering: &[u16],
        expected: Result<Option<u16>, &str>,
    ) {
        let records = Records {
            running: records
                .iter()
                .map(|(port, at)| running(*port, at))
                .collect(),
            unreadable: Vec::new(),
        };
        let answers = |running: &Running| answering.contains(&running.port);
        let chosen = choose(records, here.map(Path::new), answers);
        match (chosen, expected) {
            (Ok(chosen), Ok(port)) => assert_eq!(chosen.map(|chosen| chosen.port), port),
            (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{error}"),
            (chosen, expected) => panic!("{chosen:?} is not {expected:?}"),
        }
    }

    #[test]
    fn running_stack_is_found_from_any_folder() {
        let one = [(4566, "/one")];
        check(&one, Some("/one"), &[4566], Ok(Some(4566)));
        check(&one, Some("/two"), &[4566], Ok(Some(4566)));
        check(&one, None, &[4566], Ok(Some(4566)));
    }

    #[test]
    fn stack_of_this_checkout_comes_before_others() {
        let both = [(4566, "/one"), (4567, "/two")];
        check(&both, Some("/two"), &[4566, 4567], Ok(Some(4567)));
        check(&both, None, &[4566, 4567], Err("several local stacks"));
        check(&both, None, &[4567], Ok(Some(4567)));
    }

    #[test]
    fn dead_stack_is_never_replaced_by_aws() {
        let both = [(4566, "/one"), (4567, "/two")];
        check(
            &both,
            Some("/one"),
            &[4567],
            Err("127.0.0.1:4566 (/one) was running"),
        );
        check(&both, Some("/three"), &[], Err("does not answer"));
        check(&both, None, &[], Err("does not answer"));
    }

    #[test]
    fn without_a_record_it_is_aws() {
        check(&[], Some("/one"), &[], Ok(None));
        check(&[], None, &[], Ok(None));
    }

    #[test]
    fn unreadable_record_is_not_taken_for_none() {
        let records = || Records {
            running: Vec::new(),
            unreadable: vec!["/state/x.json".into()],
        };
        let error = choose(records(), None, |_| false).expect_err("refused");
        assert!(error.to_string().contains("/state/x.json"), "{error}");
        let found = Records {
            running: vec![running(4566, "/one")],
            ..records()
        };
        assert!(choose(found, None, |_| true).expect("a stack").is_some());
    }
}
