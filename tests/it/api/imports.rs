//! Files by request: what is taken, what is told of it, and every row that was not taken.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use super::bench::{Bench, Call, call};
use super::mill::{read_in, settled};
use crate::support::{stock, tally};

const HEADER: &str = "order_id,customer_id,sku,quantity,unit_price\n";

fn put(file: &str) -> Call {
    typed("text/csv").body(file)
}

fn typed(kind: &str) -> Call {
    call("POST", "/orders/import").header("content-type", kind)
}

fn zipped(file: &str) -> Vec<u8> {
    let mut zip = GzEncoder::new(Vec::new(), Compression::default());
    zip.write_all(file.as_bytes()).expect("memory");
    zip.finish().expect("memory")
}

fn bytes(bench: &Bench, key: &str) -> Vec<u8> {
    bench.done.files.lock().expect("a lock")[key].0.clone()
}

#[tokio::test]
async fn a_file_is_put_as_it_came_and_read() {
    let bench = Bench::new();
    stock(&bench.store, &[("S", 100)]).await;
    let csv = |id: &str| format!("{HEADER}{id},C-1,S,2,9.99\n{id}-x,C-1,S,none,9.99\n");
    let zip = zipped(&csv("Z"));
    for (call, key, content) in [
        (
            put(&csv("A")),
            "imports/http/orders.csv",
            csv("A").into_bytes(),
        ),
        (
            typed("text/csv; charset=utf-8").bytes(csv("Bü").as_bytes()),
            "imports/http/orders.csv",
            csv("Bü").into_bytes(),
        ),
        (
            typed("application/gzip").bytes(&zip),
            "imports/http/orders.csv.gz",
            zip.clone(),
        ),
    ] {
        let answer = bench.ask(call).await;
        assert_eq!(answer.status, 202, "{answer:?}");
        assert_eq!(answer.data()["file"], key);
        assert_eq!(bytes(&bench, key), content);
        let url = answer.data()["url"].as_str().expect("a url");
        let early = bench.get(url).await;
        assert_eq!(early.problem(), (404, "not_found"));
        settled(&bench, key).await;
        tally(&bench.store).await;
        let import = bench.get(url).await;
        for (field, value) in [
            ("import_id", &answer.data()["import_id"]),
            ("file", &json!(key)),
            ("rows", &json!(2)),
            ("rejected", &json!(1)),
            ("completed", &json!(1)),
            ("pending", &json!(0)),
        ] {
            assert_eq!(&import.data()[field], value, "{field}");
        }
        let rejects = bench.get(&format!("{url}/rejects")).await;
        assert_eq!(rejects.data()[0]["code"], "bad_quantity");
        assert_eq!(rejects.body["next"], Value::Null);
    }
    let listed = bench.get("/imports").await;
    assert_eq!(listed.data().as_array().map(Vec::len), Some(3));
    let zips = bench.get("/imports?file=imports/http/orders.csv.gz").await;
    assert_eq!(zips.data().as_array().map(Vec::len), Some(1));
    assert_eq!(bench.get("/imports?source=order").await.data(), &json!([]));
    let (mut found, mut cursor) = (0, String::new());
    loop {
        let page = bench.get(&format!("/imports?limit=1{cursor}")).await;
        found += page.data().as_array().expect("rows").len();
        let Some(next) = page.body["next"].as_str() else {
            break;
        };
        cursor = format!("&cursor={next}");
        assert!(found <= 3);
    }
    assert_eq!(found, 3);
}

#[tokio::test]
async fn conflicts_show_what_the_row_states_and_what_the_order_has() {
    let bench = Bench::new();
    stock(&bench.store, &[("S", 100), ("T", 100)]).await;
    let first = format!("{HEADER}A,C-1,S,2,9.99\nB,C-1,S,1,9.99\nC,C-1,S,1,9.99\n");
    let second = format!("{HEADER}A,C-1,S,2,9.99\nB,C-2,S,1,9.99\nC,C-1,T,3,9.99\n");
    let mut urls = Vec::new();
    for file in [first, second] {
        let answer = bench.ask(put(&file)).await;
        settled(&bench, "imports/http/orders.csv").await;
        urls.push(answer.data()["url"].as_str().expect("a url").to_owned());
    }
    tally(&bench.store).await;
    let import = bench.get(&urls[1]).await;
    assert_eq!(import.data()["duplicates"], json!(1), "{import:?}");
    assert_eq!(import.data()["conflicts"], json!(2));
    assert_eq!(import.data()["pending"], json!(0));
    let url = format!("{}/conflicts", urls[1]);
    let page = bench.get(&format!("{url}?limit=1")).await;
    let lines = json!([{"sku": "S", "quantity": 1, "unit_price": "9.99"}]);
    let conflict = &page.data()[0];
    assert_eq!(
        (&conflict["row"], &conflict["order_id"]),
        (&json!(2), &json!("B"))
    );
    assert_eq!(conflict["differs"], json!(["customer_id"]));
    let stated = json!({"customer_id": "C-2", "currency": "USD", "total": "9.99", "lines": lines});
    assert_eq!(conflict["stated"], stated);
    let id = urls[0].trim_start_matches("/imports/");
    let existing = json!({
        "customer_id": "C-1", "currency": "USD", "total": "9.99", "lines": lines,
        "status": "COMPLETED", "import_id": id, "row": 2,
    });
    assert_eq!(conflict["existing"], existing);
    let next = page.body["next"].as_str().expect("a cursor");
    let rest = bench.get(&format!("{url}?cursor={next}")).await;
    assert_eq!(rest.data()[0]["differs"], json!(["total", "lines"]));
    assert_eq!(
        (rest.data()[1].clone(), &rest.body["next"]),
        (Value::Null, &Value::Null)
    );
    let nothing = bench.get("/imports/im_nothing/conflicts").await;
    assert_eq!(nothing.problem(), (404, "not_found"));
    let none = bench.get(&format!("{}/conflicts", urls[0])).await;
    assert_eq!(none.data(), &json!([]));
}

#[tokio::test]
async fn who_sends_nothing_is_told_where_to_upload() {
    let bench = Bench::new();
    let mut files = Vec::new();
    for call in [
        typed("text/csv"),
        call("POST", "/orders/import"),
        typed("text/csv").body(""),
    ] {
        let answer = bench.ask(call).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let file = answer.data()["file"].as_str().expect("a key").to_owned();
        assert!(
            file.starts_with("imports/uploads/") && file.ends_with("/orders.csv"),
            "{file}"
        );
        let expected = json!({
            "method": "PUT", "file": file, "upload_url": format!("https://files.example/{file}"),
            "imports_url": format!("/imports?file={file}"), "expires_at": "2026-03-01T12:15:00Z",
        });
        assert_eq!(answer.data(), &expected);
        let imports = bench.get(&format!("/imports?file={file}")).await;
        assert_eq!(imports.data(), &json!([]));
        files.push(file);
    }
    files.dedup();
    assert_eq!(files.len(), 3, "two uploads share a key: {files:?}");
    let named = bench
        .ask(call("POST", "/orders/import?name=March.csv.gz"))
        .await;
    let file = named.data()["file"].as_str().expect("a key");
    assert!(file.ends_with("/March.csv.gz"));
    assert!(bench.done.files.lock().expect("a lock").is_empty());
}

#[tokio::test]
async fn what_cannot_be_a_file_here_is_refused() {
    let bench = Bench::new();
    let file = format!("{HEADER}A,C-1,S,1,1\n");
    for name in [
        "../x.csv",
        "a/b.csv",
        ".csv",
        "-x",
        "",
        "a b",
        "ü.csv",
        "a%2Fb",
        "x\\y",
        "a\nb",
        &"x".repeat(101),
    ] {
        for body in ["", &file] {
            let named = call("POST", &format!("/orders/import?name={name}"));
            let answer = bench
                .ask(named.header("content-type", "text/csv").body(body))
                .await;
            assert_eq!(answer.problem(), (400, "invalid_parameter"), "{name:?}");
            assert_eq!(answer.body["field"], "name");
        }
    }
    let long = "x".repeat(100);
    let named = call("POST", &format!("/orders/import?name={long}"));
    let taken = bench
        .ask(named.header("content-type", "text/csv").body(&file))
        .await;
    assert_eq!(taken.data()["file"], format!("imports/http/{long}"));
    for kind in ["application/json", "text/plain", "application/zip", ""] {
        let answer = bench.ask(typed(kind).body(&file)).await;
        assert_eq!(answer.problem(), (415, "unsupported_media_type"), "{kind}");
    }
    let most = 5 * 1024 * 1024;
    let answer = bench.ask(put(&"x".repeat(most + 1))).await;
    assert_eq!(answer.problem(), (413, "body_too_large"));
    let answer = bench
        .ask(typed("application/gzip").bytes(&vec![7; most + 1]))
        .await;
    assert_eq!(answer.problem(), (413, "body_too_large"));
    // A file of orders as long as a request can be.
    let padded = format!("{file}{}", "\n".repeat(most - file.len()));
    assert_eq!(bench.ask(put(&padded)).await.status, 202);
    for nonsense in ["x", "a,b\n1,2\n", "\n\n"] {
        let answer = bench.ask(put(nonsense)).await;
        assert_eq!(answer.problem(), (422, "unprocessable"), "{nonsense:?}");
    }
    for call in [
        put("a,b\n\u{fffd},1\n"),
        typed("text/csv").bytes(b"a,b\n\xff,1\n"),
    ] {
        let answer = bench.ask(call).await;
        assert_eq!(answer.problem(), (422, "unprocessable"));
    }
}

/// Reads all pages, so many rows at a time at most.
async fn turned(bench: &Bench, import_id: &str, limit: u32) -> Vec<Value> {
    let (mut rows, mut cursor) = (Vec::new(), String::new());
    for _ in 0..10_000 {
        let path = format!("/imports/{import_id}/rejects?limit={limit}{cursor}");
        let page = bench.get(&path).await;
        rows.extend(page.data().as_array().expect("rows").iter().cloned());
        let Some(next) = page.body["next"].as_str() else {
            return rows;
        };
        let next = format!("&cursor={next}");
        assert_ne!(next, cursor, "a page leads to itself");
        cursor = next;
    }
    panic!("the pages have no end");
}

#[tokio::test]
async fn every_row_that_was_not_taken_is_there_once_whatever_is_in_it() {
    let bench = Bench::new();
    let mut random = fastrand::Rng::with_seed(5);
    let mut file = "order_id,customer_id,customer_name,sku,quantity,unit_price\n".to_owned();
    let mut originals = Vec::new();
    for row in 0..300 {
        let is_good = row % 3 == 0;
        let name = match random.u8(0..if is_good { 1 } else { 6 }) {
            0 => "Ada".to_owned(),
            1 => "=1+1".to_owned(),
            2 => format!("\"{}\"", "long ".repeat(random.usize(1..60))),
            3 => "\"\r\n\n\"".to_owned(),
            4 => "é😀".to_owned(),
            _ => "\"two\nlines, and a \"\"quote\"\"\"".to_owned(),
        };
        let quantity = if is_good { "1" } else { "none" };
        let line = format!("O-{row},C-1,{name},S,{quantity},9.99");
        file.push_str(&line);
        file.push('\n');
        if !is_good {
            originals.push(line);
        }
    }
    let answer = bench.ask(put(&file)).await;
    let import_id = answer.data()["import_id"]
        .as_str()
        .expect("an id")
        .to_owned();
    let key = answer.data()["file"].as_str().expect("a key").to_owned();
    read_in(&bench, &key).await;
    let length = bench.done.rejects.lock().expect("a lock").len() as u64;
    for (piece, limit) in [
        (1_000, 100),
        (1_000, 1),
        (1_500, 7),
        (length, 100),
        (length + 1, 3),
        (length - 1, 100),
    ] {
        *bench.done.piece.lock().expect("a lock") = piece;
        let rows = turned(&bench, &import_id, limit).await;
        let found: Vec<&str> = rows
            .iter()
            .filter_map(|row| row["original"].as_str())
            .collect();
        assert!(
            found == originals,
            "pieces of {piece}, {limit} rows at a time"
        );
        assert!(rows.is_sorted_by_key(|row| row["row"].as_u64()));
    }
    let unknown = bench.get("/imports/im_none/rejects").await;
    assert_eq!(unknown.problem(), (404, "not_found"));
}

#[tokio::test]
async fn a_cursor_into_the_middle_of_a_row_ends_somewhere() {
    use base64::Engine as _;
    use base64::prelude::BASE64_URL_SAFE_NO_PAD;
    let bench = Bench::new();
    let name = format!("\"{}\n{}\"", "x".repeat(2_000), "y".repeat(2_000));
    let file = format!(
        "order_id,customer_id,customer_name,sku,quantity,unit_price\nO-1,C-1,{name},S,x,1\n"
    );
    let answer = bench.ask(put(&file)).await;
    let import_id = answer.data()["import_id"]
        .as_str()
        .expect("an id")
        .to_owned();
    read_in(&bench, "imports/http/orders.csv").await;
    let length = bench.done.rejects.lock().expect("a lock").len() as u64;
    // As long as no piece on AWS is.
    let at_once = bench.get(&format!("/imports/{import_id}/rejects")).await;
    assert_eq!(at_once.problem(), (422, "invalid_cursor"));
    assert_eq!(at_once.body["field"], "cursor");
    *bench.done.piece.lock().expect("a lock") = 10_000;
    assert_eq!(turned(&bench, &import_id, 1).await.len(), 1);
    for piece in [50, 1_000, 10_000] {
        *bench.done.piece.lock().expect("a lock") = piece;
        for from in (0..length + 5).step_by(97).chain([u64::MAX - 1, u64::MAX]) {
            let mut cursor = Some(BASE64_URL_SAFE_NO_PAD.encode(from.to_string()));
            let mut pages = 0;
            while let Some(at) = cursor {
                let page = bench
                    .get(&format!("/imports/{import_id}/rejects?cursor={at}"))
                    .await;
                cursor = page.body["next"].as_str().map(str::to_owned);
                pages += 1;
                assert!(page.status == 200 || page.problem() == (422, "invalid_cursor"));
                assert!(pages < 200, "from {from} in pieces of {piece}");
            }
        }
    }
    for forged in ["x", "bnVsbA", "LTE", "MS41", "IjEi"] {
        let page = bench
            .get(&format!("/imports/{import_id}/rejects?cursor={forged}"))
            .await;
        assert_eq!(page.problem(), (422, "invalid_cursor"), "{forged}");
    }
}
