//! Finds the templates: a folder for each language, and a language for each folder.

use std::path::Path;
use std::{env, fs};

fn main() {
    println!("cargo::rerun-if-changed=templates");
    let root = env::var("CARGO_MANIFEST_DIR").expect("a crate");
    let mut files = Vec::new();
    for folder in paths(&Path::new(&root).join("templates")) {
        if !folder.is_dir() {
            continue;
        }
        let language = name(&folder).replace('_', "-").to_ascii_lowercase();
        for file in paths(&folder) {
            files.push((format!("{language}/{}", name(&file)), file));
        }
    }
    files.sort();
    let files = files.iter();
    let files: String = files
        .map(|(name, path)| format!("({name:?}, include_str!({path:?})),\n"))
        .collect();
    let out = env::var("OUT_DIR").expect("a folder");
    let written = fs::write(
        Path::new(&out).join("templates.rs"),
        format!("[\n{files}]\n"),
    );
    written.expect("a list of templates");
}

fn paths(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder");
    entries
        .map(|entry| entry.expect("an entry").path())
        .collect()
}

fn name(path: &Path) -> String {
    let name = path.file_name().and_then(|name| name.to_str());
    name.expect("a name in Unicode").to_owned()
}
