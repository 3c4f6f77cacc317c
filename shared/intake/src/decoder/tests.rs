use super::*;
use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;

fn decode(limit: u64, file: &[u8], size: usize) -> Result<Vec<u8>, FileCode> {
    let mut decoder = Decoder {
        limit,
        ..Decoder::new()
    };
    let mut text = Vec::new();
    let mut drain = |decoder: &mut Decoder| {
        while decoder.next(&mut text).map_err(|error| error.code)? {}
        Ok(())
    };
    for piece in file.chunks(size.max(1)) {
        decoder.push(piece);
        drain(&mut decoder)?;
    }
    decoder.end();
    drain(&mut decoder)?;
    Ok(text)
}

fn packed(text: &[u8]) -> Vec<u8> {
    let mut writer = GzEncoder::new(Vec::new(), Compression::fast());
    writer.write_all(text).expect("memory");
    writer.finish().expect("memory")
}

fn utf_16(text: &str, bytes_of: fn(u16) -> [u8; 2], mark: bool) -> Vec<u8> {
    let mark = if mark { "\u{feff}" } else { "" };
    let text = format!("{mark}{text}");
    text.encode_utf16().flat_map(bytes_of).collect()
}

#[test]
fn what_a_compressed_file_expands_to_has_a_limit() {
    let bomb = packed(&vec![b'a'; 1_000_000]);
    assert!(bomb.len() < 10_000);
    assert_eq!(decode(999_999, &bomb, 500), Err(FileCode::FileTooLarge));
    assert_eq!(
        decode(1_000_000, &bomb, 500).map(|text| text.len()),
        Ok(1_000_000)
    );
    assert_eq!(decode(3, b"abcd", 1), Err(FileCode::FileTooLarge));
}

#[test]
fn file_that_expands_like_no_orders_is_refused_early() {
    let bomb = packed(&vec![b'\n'; 3_000_000]);
    let mut decoder = Decoder {
        free: 100_000,
        ..Decoder::new()
    };
    decoder.push(&bomb);
    decoder.end();
    let mut text = Vec::new();
    let error = loop {
        match decoder.next(&mut text) {
            Ok(true) => {}
            Ok(false) => panic!("the file was read to its end"),
            Err(error) => break error,
        }
    };
    assert_eq!(error.code, FileCode::ExpandsTooMuch);
    // One piece may expand a thousandfold before it is looked at.
    assert!(text.len() < 100_000 + 1_100 * PACKED_PIECE_BYTES);
}

#[test]
fn orders_that_compress_well_are_read_to_their_end() {
    let row = |number: u32| {
        format!(
            "ORD-2026-{number:07},CUST-00017,Ada Lovelace,ada@shop.example,SKU-00001,1,19.99,USD\n"
        )
    };
    let text: String = (0..20_000).map(row).collect();
    let file = packed(text.as_bytes());
    assert!(file.len() * 10 < text.len());
    let mut decoder = Decoder {
        free: 100_000,
        ..Decoder::new()
    };
    decoder.push(&file);
    decoder.end();
    let mut read = Vec::new();
    while decoder.next(&mut read).expect("a file of orders") {}
    assert_eq!(read.len(), text.len());
}

#[test]
fn a_compressed_file_may_have_parts_but_not_lack_them() {
    let file = [packed(b"a,b\n"), packed(b""), packed(b"c,d\n")].concat();
    for size in [1, 7, 1_000] {
        assert_eq!(decode(100, &file, size), Ok(b"a,b\nc,d\n".to_vec()));
        for end in [3, 12, 18, file.len() - 1] {
            assert_eq!(
                decode(100, &file[..end], size),
                Err(FileCode::BrokenGzip),
                "cut at {end}"
            );
        }
        let mut damaged = packed(b"some more text, so that there is something to damage");
        damaged[20] ^= 0x55;
        assert_eq!(decode(100, &damaged, size), Err(FileCode::BrokenGzip));
    }
}

#[test]
fn a_damaged_file_has_the_same_text_before_the_damage_however_it_comes() {
    let mut random = fastrand::Rng::with_seed(3);
    let text: Vec<u8> = std::iter::repeat_with(|| random.alphanumeric() as u8)
        .take(60_000)
        .collect();
    let whole = packed(&text);
    let mut damaged = whole.clone();
    damaged[30_000] ^= 0xff;
    for file in [&whole[..whole.len() - 9], &whole[..25_000], &damaged[..]] {
        let seen = |size: usize| {
            let mut decoder = Decoder::new();
            let mut text = Vec::new();
            for piece in file.chunks(size) {
                decoder.push(piece);
                while decoder.next(&mut text).unwrap_or_default() {}
            }
            decoder.end();
            while decoder.next(&mut text).unwrap_or_default() {}
            assert!(decoder.next(&mut text).is_err());
            text
        };
        let expected = seen(file.len());
        assert!(expected.len() > 20_000 && text.starts_with(&expected[..20_000]));
        for size in [1, 999, 4_096, 10_000] {
            assert_eq!(seen(size), expected, "pieces of {size}");
        }
    }
}

#[test]
fn half_a_character_is_no_utf_8() {
    for (units, expected) in [
        (&[0x61_u16, 0xd83d, 0x62][..], &b"a\xed\xa0\xbdb"[..]),
        (
            &[0x61, 0xd83d, 0xd83d, 0xde00],
            b"a\xed\xa0\xbd\xf0\x9f\x98\x80",
        ),
        (&[0x61, 0xde00, 0x62], b"a\xed\xb8\x80b"),
        (&[0x61, 0xd83d], b"a\xed\xa0\xbd"),
    ] {
        let file: Vec<u8> = units.iter().flat_map(|unit| unit.to_le_bytes()).collect();
        let text = decode(100, &file, 3).expect("decoded");
        assert!(std::str::from_utf8(&text).is_err());
        assert_eq!(text, expected);
    }
    assert_eq!(decode(100, b"a\0b\0c", 2), Ok(b"ab\xff".to_vec()));
    assert_eq!(decode(100, b"a", 1), Ok(b"a".to_vec()));
    assert_eq!(decode(100, b"", 1), Ok(Vec::new()));
}

proptest! {
    #[test]
    fn every_text_comes_out_the_same(text in "[a-zé€😀,\n]{2,60}", size in 1usize..20, mark in any::<bool>()) {
        let text = format!("id{text}");
        let marked = if mark { format!("\u{feff}{text}") } else { text.clone() };
        let little = utf_16(&text, u16::to_le_bytes, mark);
        let big = utf_16(&text, u16::to_be_bytes, mark);
        for file in [marked.clone().into_bytes(), packed(marked.as_bytes()), packed(&little), packed(&big), little, big] {
            prop_assert_eq!(decode(1_000, &file, size), Ok(marked.clone().into_bytes()));
        }
    }

    #[test]
    fn the_pieces_make_no_difference(file in any::<Vec<u8>>(), size in 1usize..9) {
        let gzip = [&b"\x1f\x8b\x08\0"[..], &file].concat();
        for file in [&file, &gzip] {
            let whole = decode(1_000, file, file.len());
            prop_assert_eq!(whole.is_ok(), decode(1_000, file, size).is_ok());
            if let Ok(whole) = whole {
                prop_assert_eq!(decode(1_000, file, size), Ok(whole));
            }
        }
    }
}
