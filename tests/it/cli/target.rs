//! Where a command works: on a local stack, on the endpoint of the environment, or on AWS; and what it may do there.

use std::path::Path;

use super::fake_aws::FakeAws;
use super::{TOKEN, User, ended, process};

const ELSEWHERE: &str = "/another/checkout";

#[tokio::test]
async fn running_stack_is_found_outside_the_checkout() {
    let (user, stack, aws) = (
        User::new().await,
        FakeAws::start().await,
        FakeAws::start().await,
    );
    user.uses_aws_at(aws.port);
    let emulator = process(TOKEN).await;
    user.has_record(
        Path::new(ELSEWHERE),
        stack.port,
        emulator.id().expect("a process"),
    );

    let done = user.run("suppressions list").await;
    assert_eq!(
        (done.code, done.stdout.as_str()),
        (Some(0), "Every address gets mail.\n"),
        "{done:?}"
    );
    let place = format!(
        "(on the local stack at http://127.0.0.1:{}, of {ELSEWHERE})\n",
        stack.port
    );
    assert_eq!(done.stderr, place);
    // A change on a local stack needs no consent.
    let done = user.run("suppressions add ada@example.com").await;
    assert_eq!(done.code, Some(0), "{done:?}");
    assert_eq!(aws.asked(), Vec::<String>::new());

    let done = user.run("suppressions list --aws").await;
    assert_eq!(done.code, Some(0), "{done:?}");
    assert_eq!(
        aws.asked().first().map(String::as_str),
        Some("DescribeStacks")
    );
}

#[tokio::test]
async fn stack_that_died_is_not_replaced_by_aws() {
    let (user, aws) = (User::new().await, FakeAws::start().await);
    user.uses_aws_at(aws.port);
    let mut emulator = process(TOKEN).await;
    let pid = emulator.id().expect("a process");
    // Another program listens on its port by now.
    user.has_record(Path::new(ELSEWHERE), aws.port, pid);
    emulator.kill().await.expect("killed");
    for line in [
        "suppressions list",
        "suppressions add ada@example.com --yes",
    ] {
        let done = user.run(line).await;
        assert_eq!(done.code, Some(1), "{done:?}");
        assert!(
            done.stderr.contains("was running and does not answer"),
            "{done:?}"
        );
        assert!(done.stderr.contains("--aws works on AWS"), "{done:?}");
    }
    assert_eq!(aws.asked(), Vec::<String>::new());
    assert_eq!(user.run("suppressions list --aws").await.code, Some(0));
}

#[tokio::test]
async fn record_that_was_cut_off_is_not_taken_for_none() {
    let (user, aws) = (User::new().await, FakeAws::start().await);
    user.uses_aws_at(aws.port);
    user.write("state/half.json", "{\"endpoint\":");
    let done = user.run("suppressions list").await;
    assert_eq!(done.code, Some(1));
    assert!(
        done.stderr.contains("half.json should name a local stack"),
        "{done:?}"
    );
    assert_eq!(aws.asked(), Vec::<String>::new());
}

#[tokio::test]
async fn command_says_which_account_it_works_in() {
    let (user, aws) = (User::new().await, FakeAws::start().await);
    user.uses_aws_at(aws.port);
    let done = user.run("suppressions list").await;
    let said = format!(
        "(on AWS: account 123456789012, region eu-central-1, profile default, endpoint http://127.0.0.1:{})\n",
        aws.port
    );
    assert_eq!((done.code, done.stderr), (Some(0), said));
}

#[tokio::test]
async fn endpoint_of_the_environment_is_named() {
    let (user, aws) = (User::new().await, FakeAws::start().await);
    let endpoint = format!("http://127.0.0.1:{}", aws.port);
    let mut command = user.command(&["suppressions", "list"]);
    let done = ended(
        command
            .env("AWS_ENDPOINT_URL", &endpoint)
            .spawn()
            .expect("a command"),
    )
    .await;
    assert_eq!(
        done.stderr,
        format!("(on {endpoint}, which AWS_ENDPOINT_URL names)\n")
    );
}

#[tokio::test]
async fn change_on_aws_that_no_option_named_needs_consent() {
    let (user, aws) = (User::new().await, FakeAws::start().await);
    user.uses_aws_at(aws.port);
    user.write("orders.csv", "order_id\n");
    for line in [
        "suppressions add ada@example.com",
        "import orders.csv",
        "catalog load orders.csv",
        "order cancel O-1",
        "refund O-1 --full --reason x",
        "refunds retry re_1",
        "failures discard --all",
        "tally rebuild",
        "notifications test ada@example.com",
        "token create --name n --scope read",
    ] {
        let done = user.run(line).await;
        assert_eq!(
            (done.code, done.stdout.as_str()),
            (Some(2), ""),
            "{line}: {done:?}"
        );
        assert!(
            done.stderr
                .contains("This changes the stack ordermill on AWS: account 123456789012"),
            "{done:?}"
        );
        assert!(
            done.stderr
                .ends_with("Nobody can be asked here: --aws or --yes allows it.\n"),
            "{done:?}"
        );
    }
    assert!(
        aws.asked().iter().all(|asked| asked == "DescribeStacks"),
        "{:?}",
        aws.asked()
    );

    for line in [
        "suppressions add ada@example.com --yes",
        "suppressions add ada@example.com --aws",
    ] {
        let done = user.run(line).await;
        assert_eq!(done.code, Some(0), "{line}: {done:?}");
    }
    let mut command = user.command(&["suppressions", "add", "ada@example.com"]);
    let done = ended(
        command
            .env("ORDERMILL_YES", "1")
            .spawn()
            .expect("a command"),
    )
    .await;
    assert_eq!(done.code, Some(0), "{done:?}");
    let mut command = user.command(&["suppressions", "add", "ada@example.com"]);
    let done = ended(
        command
            .env("ORDERMILL_YES", "0")
            .spawn()
            .expect("a command"),
    )
    .await;
    assert_eq!(done.code, Some(2), "{done:?}");
}

#[tokio::test]
async fn stack_that_dies_during_a_command_is_named_in_a_sentence() {
    let (user, stack) = (User::new().await, FakeAws::dies_at(Some("Scan")).await);
    let emulator = process(TOKEN).await;
    user.has_record(
        Path::new(ELSEWHERE),
        stack.port,
        emulator.id().expect("a process"),
    );
    let done = user.run("catalog list").await;
    let last = done.stderr.lines().last().map(str::to_owned);
    let said = format!(
        "ordermill: the stack at http://127.0.0.1:{} does not answer: `ordermill up` starts it again",
        stack.port
    );
    assert_eq!((done.code, last), (Some(1), Some(said)), "{done:?}");
}
