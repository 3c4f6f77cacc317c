//! What the command prints, and how it ends when nobody can read that.

use std::fs::File;
use std::process::Stdio;

use super::{User, ended};

const FILE: &str = "order_id,customer_id,product_sku,product_name,quantity,unit_price\n\
                    O-1,C-1,DESK-1,Oak Desk,1,5\n\
                    O-2,C-1,LAMP-1,\"Lamp, brass\",1,5\n\
                    O-3,C-1,DESK-1,Another Name,1,5\n";

#[tokio::test]
async fn closed_pipe_ends_the_command_quietly() {
    let user = User::new().await;
    user.write("orders.csv", FILE);
    for line in [
        "import --dry-run orders.csv",
        "--help",
        "catalog derive orders.csv --stock 1",
    ] {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let arguments: Vec<&str> = line.split_whitespace().collect();
        let command = user.command(&arguments).stdout(writer).spawn();
        let ended = ended(command.expect("a command")).await;
        assert_eq!(
            (ended.code, ended.stderr.as_str()),
            (Some(141), ""),
            "{line}"
        );
    }
}

#[tokio::test]
async fn closed_stderr_ends_no_command() {
    let user = User::new().await;
    user.write("orders.csv", FILE.replace(",1,5", ",1,"));
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let derive = ["catalog", "derive", "orders.csv", "--stock", "1"];
    let ended = ended(
        user.command(&derive)
            .stderr(writer)
            .spawn()
            .expect("a command"),
    )
    .await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn full_disk_is_reported_in_a_sentence() {
    let user = User::new().await;
    user.write("orders.csv", FILE);
    for line in [
        "import --dry-run orders.csv",
        "--version",
        "catalog derive orders.csv --stock 1",
    ] {
        let full = File::options()
            .write(true)
            .open("/dev/full")
            .expect("a device");
        let arguments: Vec<&str> = line.split_whitespace().collect();
        let command = user.command(&arguments).stdout(Stdio::from(full)).spawn();
        let ended = ended(command.expect("a command")).await;
        let said =
            "ordermill: the output could not be written to stdout: No space left on device\n";
        assert_eq!(
            (ended.code, ended.stderr.as_str()),
            (Some(1), said),
            "{line}"
        );
    }
}

#[tokio::test]
async fn what_is_no_file_is_refused_in_words() {
    let user = User::new().await;
    std::fs::create_dir(user.path("folder")).expect("a folder");
    for (line, said) in [
        ("import folder", "folder is a folder: name a file in it"),
        (
            "import --dry-run folder",
            "folder is a folder: name a file in it",
        ),
        (
            "catalog load folder",
            "folder is a folder: name a file in it",
        ),
        (
            "catalog derive folder --stock 1",
            "folder is a folder: name a file in it",
        ),
        (
            "import /dev/null",
            "/dev/null is not a regular file, and only such a file can be uploaded",
        ),
        ("import none.csv", "there is no file none.csv"),
        ("import --dry-run none.csv", "there is no file none.csv"),
    ] {
        let ended = user.run(line).await;
        let said = format!("ordermill: {said}\n");
        assert_eq!((ended.code, ended.stderr), (Some(1), said), "{line}");
    }
}

#[tokio::test]
async fn derived_catalog_has_the_names_of_the_file() {
    let user = User::new().await;
    user.write("orders.csv", FILE);
    let ended = user.run("catalog derive orders.csv --stock 7").await;
    let expected = "sku,name,price,stock,currency\n\
                    DESK-1,Oak Desk,5.00,7,USD\n\
                    LAMP-1,\"Lamp, brass\",5.00,7,USD\n";
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), expected));

    let items = r#"[{""sku"":""DESK-1"",""name"":""Oak Desk"",""qty"":1},{""product"":""Lamp"",""qty"":1}]"#;
    user.write(
        "items.csv",
        format!("order_id,customer_id,items\nO-1,C-1,\"{items}\"\n"),
    );
    let ended = user.run("catalog derive items.csv --stock 7").await;
    let expected =
        "sku,name,price,stock,currency\nDESK-1,Oak Desk,10.00,7,USD\nLamp,Lamp,10.00,7,USD\n";
    assert_eq!(ended.stdout, expected);
}

#[tokio::test]
async fn help_names_every_queue() {
    let user = User::new().await;
    let help = user.run("failures list --help").await.stdout;
    for queue in edge::queues::NAMES {
        assert!(help.contains(queue), "{queue} is not in {help}");
    }
}
