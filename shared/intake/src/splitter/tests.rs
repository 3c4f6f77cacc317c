use super::*;
use proptest::prelude::*;

/// A record or a broken line: its place, its cells or what is wrong, its original bytes.
type Seen = (Place, Result<Vec<Vec<u8>>, Code>, Vec<u8>);

fn splitter(limit: usize) -> Splitter {
    Splitter {
        limit,
        ..Splitter::new(Parser::new(b',', None))
    }
}

fn split<'a>(limit: usize, pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<Seen> {
    seen(splitter(limit), pieces)
}

fn seen<'a>(mut splitter: Splitter, pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<Seen> {
    let mut seen = Vec::new();
    let mut drain = |splitter: &mut Splitter| {
        while let Some(found) = splitter.next() {
            seen.push(match found {
                Found::Record(record) => {
                    let starts = [0].into_iter().chain(record.ends.iter().copied());
                    let cells = starts.zip(record.ends);
                    let cells = cells.map(|(start, &end)| record.cells[start..end].to_vec());
                    (record.place, Ok(cells.collect()), record.original.to_vec())
                }
                Found::Broken {
                    place,
                    code,
                    original,
                } => (place, Err(code), original.to_vec()),
            });
        }
    };
    for piece in pieces {
        splitter.push(piece);
        drain(&mut splitter);
    }
    splitter.finish();
    drain(&mut splitter);
    seen
}

/// Each record as `line:cell|cell`, each broken line as `line!code`.
fn check(limit: usize, file: &str, expected: &[&str]) {
    let shown: Vec<String> = split(limit, [file.as_bytes()])
        .into_iter()
        .map(|(Place { line, .. }, cells, _)| match cells {
            Ok(cells) => {
                let cells: Vec<_> = cells
                    .iter()
                    .map(|cell| String::from_utf8_lossy(cell))
                    .collect();
                format!("{line}:{}", cells.join("|"))
            }
            Err(code) => format!("{line}!{}", code.as_str()),
        })
        .collect();
    assert_eq!(shown, expected, "{file:?}");
}

#[test]
fn records_are_found_where_they_are() {
    for (file, expected) in [
        ("", &[][..]),
        ("\n\r\n  \n\t\n", &[]),
        ("a,b\nc,d\n", &["1:a|b", "2:c|d"]),
        ("a,b\nc,d", &["1:a|b", "2:c|d"]),
        ("a,b\r\nc,d\r\n", &["1:a|b", "2:c|d"]),
        ("a,b\rc,d\r", &["1:a|b", "2:c|d"]),
        ("\n\na\n\n  \n\r\nb\n\n", &["3:a", "7:b"]),
        ("a,\n,\n", &["1:a|", "2:|"]),
        ("\"\"\n\" \"\n", &["1:", "2: "]),
        ("\"a\nb\",c\nd\n", &["1:a\nb|c", "3:d"]),
        ("\"a\r\nb\"\r\nd\n", &["1:a\r\nb", "3:d"]),
        ("\"a \"\"b\"\"\",c\n", &["1:a \"b\"|c"]),
        ("a \"b\",c\"\nd\n", &["1:a \"b\"|c\"", "2:d"]),
        ("\"a\"b\",c\nd\n", &["1!unclosed_quote", "2:d"]),
        // A quote that closes where another one was to open has swallowed lines. They are read after all.
        (
            "a,\"b\nc,d\ne,\"f\"\ng,\"h\ni\"\n",
            &["1!unclosed_quote", "2:c|d", "3:e|f", "4:g|h\ni"],
        ),
        (
            "a,\"b\"\"\nc,\"d\"\ne,f",
            &["1!unclosed_quote", "2:c|d", "3:e|f"],
        ),
        ("a,\"b\" ,c\n", &["1!unclosed_quote"]),
        ("a,\"b\"", &["1:a|b"]),
        ("\u{feff}a,b\nc\n", &["1:a|b", "2:c"]),
        ("\u{feff}\"a\",b\n", &["1:a|b"]),
        ("a\n\u{feff}b\n", &["1:a", "2:\u{feff}b"]),
        ("\u{feff}\u{feff}a\n", &["1:\u{feff}a"]),
    ] {
        check(ROW_BYTES, file, expected);
    }
}

#[test]
fn an_open_quote_costs_one_line() {
    let open = "!unclosed_quote";
    let long = "!record_too_long";
    for (file, expected) in [
        // At the end of the file.
        (
            "a\n\"b\nc\nd",
            vec![
                "1:a".to_owned(),
                format!("2{open}"),
                "3:c".into(),
                "4:d".into(),
            ],
        ),
        ("a\n\"b", vec!["1:a".into(), format!("2{open}")]),
        ("a\n\"b\n", vec!["1:a".into(), format!("2{open}")]),
        (
            "\"a\n\"b\r\n\"c\"\n",
            vec![format!("1{open}"), format!("2{open}"), "3:c".into()],
        ),
        // Beyond the limit of 16 bytes; then quotes hold again.
        (
            "\"b\ncccccc\ndddddd\n\"x\ny\"\nz\n",
            vec![
                format!("1{open}"),
                "2:cccccc".into(),
                "3:dddddd".into(),
                "4:x\ny".into(),
                "6:z".into(),
            ],
        ),
        // A line that never ends.
        (
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\nb\n",
            vec![format!("1{long}"), "2:b".into()],
        ),
        (
            "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"\nb\n",
            vec![format!("1{long}"), "2:b".into()],
        ),
        ("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", vec![format!("1{long}")]),
    ] {
        let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
        check(16, file, &expected);
    }
}

#[test]
fn a_file_of_open_quotes_is_read_in_one_go() {
    // From each of these lines a quote stays open to the end of the file.
    let file = "x\",\"y\n".repeat(100_000);
    let found = split(ROW_BYTES, file.as_bytes().chunks(60_000));
    assert_eq!(found.len(), 100_000);
    assert!(
        found
            .iter()
            .all(|(_, cells, _)| *cells == Err(Code::UnclosedQuote))
    );
}

/// Each record's cells, joined, of a file whose last column, with this index, may be the rest of the line.
fn with_rest(delimiter: u8, rest: usize, file: &str, size: usize) -> Vec<String> {
    let mut splitter = Splitter::new(Parser::new(delimiter, Some(rest)));
    let mut seen = Vec::new();
    let mut drain = |splitter: &mut Splitter| {
        while let Some(found) = splitter.next() {
            let Found::Record(record) = found else {
                seen.push("broken".to_owned());
                continue;
            };
            let mut start = 0;
            let cells = record.ends.iter().map(|&end| {
                let cell = String::from_utf8_lossy(&record.cells[start..end]).into_owned();
                start = end;
                cell
            });
            seen.push(cells.collect::<Vec<_>>().join("~"));
        }
    };
    for piece in file.as_bytes().chunks(size) {
        splitter.push(piece);
        drain(&mut splitter);
    }
    splitter.finish();
    drain(&mut splitter);
    seen
}

#[test]
fn the_last_column_may_be_the_rest_of_the_line() {
    for (delimiter, file, expected) in [
        (
            b',',
            "a,\"b,c\",[{\"x\":1,\"y\":\"z\"}]\nd,e,[]\n",
            &["a~b,c~[{\"x\":1,\"y\":\"z\"}]", "d~e~[]"][..],
        ),
        (
            b',',
            "a,b,\"[{\"\"x\"\":1,\"\"y\"\":2}]\"\r\nc,d,{x:1,y:2}\r\n\r\ne,f,g",
            &["a~b~[{\"x\":1,\"y\":2}]", "c~d~{x:1,y:2}", "e~f~g"],
        ),
        (
            b';',
            "a;b;[1;2]\nc;d;e;[3\n[4];f;g",
            &["a~b~[1;2]", "c~d~e~[3", "[4]~f~g"],
        ),
        // A quote that opens inside of the rest opens nothing.
        (
            b',',
            "a,b,[{\"n\":\"x,\"}]\nc,d,[1]",
            &["a~b~[{\"n\":\"x,\"}]", "c~d~[1]"],
        ),
        (b',', "a,b,\nc,d,\"e\nf\"\n", &["a~b~", "c~d~e\nf"]),
        (b',', "a,[b,c\n", &["a~[b~c"]),
    ] {
        for size in [1, 2, 3, 100] {
            assert_eq!(
                with_rest(delimiter, 2, file, size),
                expected,
                "{file:?} in {size}"
            );
        }
    }
}

#[test]
fn the_rest_of_a_line_may_stand_behind_many_cells() {
    let cells = "a,".repeat(40);
    let file = format!("{cells}[1,2]\n{cells}\"[1,2]\"\n{cells}1,2\n");
    let seen = "a~".repeat(40);
    for size in [1, 7, 1_000] {
        assert_eq!(
            with_rest(b',', 40, &file, size),
            [
                format!("{seen}[1,2]"),
                format!("{seen}[1,2]"),
                format!("{seen}1~2")
            ]
        );
    }
}

#[test]
fn line_ends_count_once_however_many_there_are() {
    for (end, expected) in [
        ("\n", 1_000),
        ("\r", 1_000),
        ("\r\n", 1_000),
        ("\n\r", 1_001),
    ] {
        let text = end.repeat(1_000);
        assert_eq!(line_ends(0, text.as_bytes()), expected, "{end:?}");
    }
}

fn text() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop::sample::select(b"\"\",,\n\n\r ab\xEF\xBB\xBF\0".to_vec());
    prop::collection::vec(byte, 0..80)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn the_pieces_make_no_difference(file in text(), limit in 4usize..40, size in 1usize..20) {
        let whole = split(limit, [&file[..]]);
        prop_assert_eq!(&whole, &split(limit, file.chunks(size)));
        prop_assert_eq!(&whole, &split(limit, file.chunks(1)));
    }

    #[test]
    fn it_goes_on_from_every_mark(file in text(), limit in 4usize..40, size in 1usize..20) {
        let whole = split(limit, [&file[..]]);
        let mut first = splitter(limit);
        for piece in file.chunks(size) {
            first.push(piece);
            while first.next().is_some() {}
            let mark = first.mark();
            let offset = usize::try_from(mark.place.offset)?;
            let second = Splitter { limit, ..Splitter::resumed(Parser::new(b',', None), mark) };
            let row = usize::try_from(mark.place.row)?;
            prop_assert_eq!(&seen(second, [&file[offset..]]), &whole[row..]);
        }
    }

    #[test]
    fn every_record_stands_where_its_place_says(file in text(), limit in 4usize..40) {
        let mut end = 0;
        for ((place, _, original), row) in split(limit, [&file[..]]).into_iter().zip(0..) {
            let offset = usize::try_from(place.offset)?;
            prop_assert!(end <= offset && !original.is_empty());
            prop_assert!(file[offset..].starts_with(&original));
            prop_assert_eq!(place.line, 1 + line_ends(0, &file[..offset]));
            prop_assert_eq!(place.row, row);
            end = offset + original.len();
        }
    }

    #[test]
    fn the_csv_crate_finds_the_same(file in text()) {
        let found = split(ROW_BYTES, [&file[..]]);
        if found.iter().any(|(_, cells, _)| cells.is_err()) {
            return Ok(()); // An open quote: here the two differ, and should.
        }
        let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(&file[..]);
        let expected: Vec<Vec<Vec<u8>>> = reader
            .byte_records()
            .map(|record| record.map(|record| record.iter().map(<[u8]>::to_vec).collect()))
            .collect::<Result<_, _>>()?;
        let blank = |cells: &Vec<Vec<u8>>| cells.len() == 1 && cells[0].iter().all(u8::is_ascii_whitespace);
        let expected: Vec<_> = expected.into_iter().filter(|cells| !blank(cells)).collect();
        let found: Vec<_> = found.into_iter().filter_map(|(_, cells, _)| cells.ok()).filter(|cells| !blank(cells)).collect();
        prop_assert_eq!(found, expected);
    }
}
