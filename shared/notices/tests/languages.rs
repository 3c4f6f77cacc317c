//! A language is a folder: what is in it is used, and what is missing in it is in English.

use std::path::PathBuf;

use domain::notification::Told;
use notices::{Notice, Notices};

macro_rules! german {
    ($($file:literal),+ $(,)?) => {
        &[$((concat!("de/", $file), include_str!(concat!("languages/de/", $file)))),+]
    };
}

/// Some texts, and neither a page's layout nor the reasons in it.
const GERMAN: &[(&str, &str)] = german![
    "layout.txt",
    "confirmation.subject",
    "confirmation.txt",
    "failed.txt",
    "reason.txt",
    "refund.html",
];

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn told(text: &str) -> Told {
    let path = folder().join(format!("tests/told/{text}.json"));
    let json = std::fs::read_to_string(path).expect("a file");
    serde_json::from_str(&json).expect("what is told")
}

fn written(language: &str, text: &str) -> Notice {
    let notices = Notices::with(GERMAN).expect("texts");
    let notice = notices.told(language, &told(text), Some("Ada Byron"), None);
    notice.expect("a notice")
}

#[test]
fn a_text_has_the_layout_and_the_reasons_of_its_language() {
    for language in ["de", "de-AT", "de_AT", "DE"] {
        let notice = written(language, "confirmation");
        assert_eq!(notice.subject, "Ihre Bestellung A-1 ist bestätigt");
        assert!(notice.text.starts_with("Guten Tag Ada Byron,\n\nDanke"));
        assert!(notice.text.contains("Bestellung A-1, 29.97 USD\n"));
        let failed = written(language, "failed-out_of_stock");
        assert!(failed.text.contains("daraus: etwas davon ist ausverkauft."));
        assert!(!failed.text.contains("Hello"), "{}", failed.text);
    }
}

#[test]
fn what_a_language_lacks_is_in_english_and_says_so() {
    let english = written("en", "confirmation");
    let notice = written("de", "confirmation");
    // Its title is the subject, which is there.
    let page = english.html.replace(&english.subject, &notice.subject);
    assert_eq!(notice.html, page);
    assert!(notice.html.contains("<html lang=\"en\">"));
    // An English text has English reasons, whatever others there are.
    let failed = written("de", "failed-out_of_stock");
    assert_eq!(failed.html, written("en", "failed-out_of_stock").html);
    assert!(failed.html.contains("something you ordered is sold out"));
    assert_eq!(written("fr", "confirmation"), english);
}

#[test]
fn a_page_without_a_layout_of_its_language_stands_in_the_english_one() {
    let html = written("de-AT", "refund-by-lines").html;
    assert!(html.contains("<html lang=\"de\">"), "{html}");
    assert!(html.contains("9.99 USD gehen an Sie zurück."), "{html}");
    assert!(html.contains("Das kam zurück:"), "{html}");
    assert!(html.contains("Hello Ada Byron,"), "{html}");
}

/// Each folder of the templates is a language, without anybody saying so.
#[test]
fn every_folder_is_built_in() {
    let built_in: Vec<&str> = Notices::new().expect("texts").files().collect();
    let folders = std::fs::read_dir(folder().join("templates")).expect("templates");
    let folders = folders.map(|entry| entry.expect("an entry").path());
    let mut files = 0;
    for folder in folders.filter(|path| path.is_dir()) {
        let language = folder.file_name().and_then(|name| name.to_str());
        let language = language.expect("a name").replace('_', "-");
        let language = language.to_ascii_lowercase();
        for file in std::fs::read_dir(&folder).expect("a folder") {
            let name = file.expect("an entry").file_name();
            let name = format!("{language}/{}", name.to_str().expect("a name"));
            assert!(built_in.contains(&name.as_str()), "{name}");
            files += 1;
        }
    }
    assert_eq!(files, built_in.len());
}
