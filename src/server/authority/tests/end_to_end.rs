//! Handcrafted connections against a real h2 server: every way to write `:authority` down.

use super::client::*;
use super::server::{PROTOCOL_ERROR, repaired, unrepaired};

const PATH: &str = "/run/dirtyd/x.sock";
const REPAIRED: &str = "-run-dirtyd-x.sock";

#[tokio::test]
async fn without_the_repair_h2_refuses_a_path() {
    let sent = Connection::new().request(&Form::Indexing.indexed(1, &raw(PATH)));
    assert_eq!(unrepaired(&sent.bytes, 1).await[&1], Err(PROTOCOL_ERROR));
}

#[tokio::test]
async fn a_path_is_served_in_every_form_of_literal() {
    let mut sent = Connection::new();
    let mut streams = 0;
    for form in FORMS {
        for value in [raw(PATH), coded(PATH)] {
            let name_raw = form.named(&raw(":authority"), &value);
            let name_coded = form.named(&coded(":authority"), &value);
            for field in [form.indexed(1, &value), name_raw, name_coded] {
                sent = sent.request(&field);
                streams += 1;
            }
        }
    }
    let outcomes = repaired(&sent.bytes, streams).await;
    assert_eq!(outcomes.len(), streams);
    for outcome in outcomes.into_values() {
        // Every byte that is replaced in the coded value has a code of its own length, so that "-"
        // stands there too.
        assert_eq!(outcome.as_deref(), Ok(REPAIRED));
    }
}

#[tokio::test]
async fn paths_as_clients_write_them() {
    let paths = [
        ("%2Frun%2Fx.sock", "-2Frun-2Fx.sock"),
        ("tmp%2Fa%20b.sock", "tmp-2Fa-20b.sock"),
        ("unix:/run/x.sock", "unix--run-x.sock"),
        ("/a:b:c/@/[x", "-a-b-c----x"),
        ("/?#\\\"<>|^`{}", "------------"),
        ("\0abstract", "-abstract"),
    ];
    for (path, expected) in paths {
        let sent = Connection::new().request(&Form::Indexing.indexed(1, &raw(path)));
        let outcome = repaired(&sent.bytes, 1).await[&1].clone();
        assert_eq!(outcome.as_deref(), Ok(expected), "{path}");
    }
}

#[tokio::test]
async fn bytes_with_long_codes_are_served_too() {
    for path in ["/home/josé/x.sock", "/a#b>c", "/a^b}c`d{e<f\\g", "/a\tb\nc/x.sock", "/[x]@y"] {
        let sent = Connection::new().request(&Form::Indexing.indexed(1, &coded(path)));
        let outcome = repaired(&sent.bytes, 1).await[&1].clone();
        assert_eq!(outcome.map(|authority| authority.len()), Ok(path.len()), "{path}");
    }
}

#[tokio::test]
async fn a_repaired_value_is_reused_by_its_index() {
    for value in [raw(PATH), coded(PATH)] {
        // The field goes into the table behind others, and is referred to from the place to which
        // later ones push it.
        let sent = Connection::new()
            .request(
                &[Form::Indexing.indexed(1, &value), Form::Indexing.named(&raw("a"), &raw("1"))]
                    .concat(),
            )
            .request(&[0x80 | 63])
            .request(&[&[0x80 | 63][..], &Form::Indexing.named(&raw("b"), &coded("2"))].concat())
            .request(&[0x80 | 64])
            .request(&Form::Indexing.indexed(1, &value));
        for (stream, outcome) in repaired(&sent.bytes, 5).await {
            assert_eq!(outcome.as_deref(), Ok(REPAIRED), "stream {stream}");
        }
    }
}

/// A name may be a reference to an entry that the client itself put into the table.
#[tokio::test]
async fn a_name_from_the_dynamic_table_is_recognised() {
    let sent = Connection::new()
        .request(
            &[
                Form::Indexing.named(&raw(":authority"), &raw("localhost")),
                Form::Indexing.named(&raw("a"), &raw("1")),
            ]
            .concat(),
        )
        .request(&Form::WithoutIndexing.indexed(63, &raw(PATH)))
        .request(&Form::Indexing.indexed(63, &coded(PATH)))
        // "a" is 63 now, and its value is not an authority: its slash stays, and h2 gets the field
        // as it was sent.
        .request(
            &[&[0x80 | 62][..], &Form::Indexing.indexed(63, &raw("/not/an/authority"))].concat(),
        )
        .request(&Form::NeverIndexed.indexed(63, &raw(PATH)))
        .request(&Form::NeverIndexed.indexed(65, &raw(PATH)));
    let outcomes = repaired(&sent.bytes, 6).await;
    assert_eq!(outcomes[&1].as_deref(), Ok("localhost"));
    for stream in [3, 5, 7, 9, 11] {
        assert_eq!(outcomes[&stream].as_deref(), Ok(REPAIRED), "stream {stream}");
    }
    assert!(contains(&super::splits::whole(&sent.bytes), b"/not/an/authority"));
}

/// The sizes of entries decide when old ones are evicted: if those differed, later references would
/// hit other fields.
#[tokio::test]
async fn the_tables_stay_in_step_when_entries_are_evicted() {
    let mut sent = Connection::new();
    let mut expected = Vec::new();
    for nth in 0..200 {
        let path = format!("/run/{nth:0width$}.sock", width = nth % 90 + 1);
        let value = if nth % 2 == 0 { raw(&path) } else { coded(&path) };
        sent = sent.request(&Form::Indexing.indexed(1, &value)).request(&[0x80 | 62]);
        // The oldest entry that is surely there: 4096 bytes hold 20 entries of 42 and up to 101
        // bytes.
        sent = if nth < 20 { sent.request(&[0x80 | 62]) } else { sent.request(&[0x80 | 81]) };
        expected.push(path.replace('/', "-"));
    }
    let outcomes = repaired(&sent.bytes, 600).await;
    for (nth, authority) in expected.iter().enumerate() {
        let old = if nth < 20 { authority } else { &expected[nth - 19] };
        for (request, authority) in [authority, authority, old].into_iter().enumerate() {
            let stream = 2 * (3 * nth + request) as u32 + 1;
            assert_eq!(outcomes[&stream].as_ref(), Ok(authority), "stream {stream}");
        }
    }
}

#[tokio::test]
async fn a_new_size_of_the_table_is_stepped_over() {
    let field = Form::Indexing.indexed(1, &raw(PATH));
    let mut sent = Connection::new();
    for size in [&[0x20][..], &[0x2f], &[0x3e], &[0x3f, 0], &[0x20, 0x3f, 0xe1, 0x1f]] {
        let block = [size, &REST_OF_REQUEST, &field].concat();
        sent = sent.frame(HEADERS, END_HEADERS | END_STREAM, &block);
    }
    for (stream, outcome) in repaired(&sent.bytes, 5).await {
        assert_eq!(outcome.as_deref(), Ok(REPAIRED), "stream {stream}");
    }
}

#[tokio::test]
async fn padding_and_priority_are_stepped_over() {
    let block = [&REST_OF_REQUEST[..], &Form::Indexing.indexed(1, &raw(PATH))].concat();
    let flags = END_HEADERS | END_STREAM;
    // The padding and the priority look like the field itself, and are not to be taken for it.
    let padding = Form::Indexing.indexed(1, &raw("/"));
    let padded = [&[padding.len() as u8][..], &block, &padding].concat();
    let priority = [&[0, 0, 0, 0, 0x41][..], &block].concat();
    let both = [&[padding.len() as u8, 0, 0, 0, 0, 0x41][..], &block, &padding].concat();
    let no_padding = [&[0][..], &block].concat();
    let sent = Connection::new()
        .frame(HEADERS, flags | PADDED, &padded)
        .frame(HEADERS, flags | PRIORITY, &priority)
        .frame(HEADERS, flags | PADDED | PRIORITY, &both)
        .frame(HEADERS, flags | PADDED, &no_padding);
    let outcomes = repaired(&sent.bytes, 4).await;
    for (stream, outcome) in outcomes {
        assert_eq!(outcome.as_deref(), Ok(REPAIRED), "stream {stream}");
    }
    assert!(contains(&super::splits::whole(&sent.bytes), &padding), "padding stays as it was");
}

#[tokio::test]
async fn a_block_may_be_cut_anywhere_by_continuation() {
    for value in [raw(PATH), coded(PATH)] {
        for piece in 6..30 {
            let sent = Connection::new()
                .request_in_pieces(&Form::Indexing.indexed(1, &value), piece)
                .request(&[0x80 | 62]);
            for (stream, outcome) in repaired(&sent.bytes, 2).await {
                assert_eq!(
                    outcome.as_deref(),
                    Ok(REPAIRED),
                    "stream {stream} in pieces of {piece}"
                );
            }
        }
    }
}

#[tokio::test]
async fn what_cannot_be_repaired_ends_its_stream_only() {
    let only_long_codes = coded("é".repeat(20));
    let too_long = raw("/".repeat(2000));
    for value in [raw(""), coded(""), only_long_codes, too_long] {
        let sent = Connection::new()
            .request(&Form::Indexing.indexed(1, &value))
            .request(&Form::Indexing.indexed(1, &raw(PATH)));
        let outcomes = repaired(&sent.bytes, 2).await;
        assert_eq!(outcomes[&1], Err(PROTOCOL_ERROR));
        assert_eq!(outcomes[&3].as_deref(), Ok(REPAIRED));
    }
}

#[test]
fn legal_authorities_and_other_fields_are_not_touched() {
    let mut sent = Connection::new();
    for authority in [
        "localhost",
        "localhost:50051",
        "[::1]:50051",
        "[fe80::1%25eth0]",
        "user:p%20w@host:80",
        "~x!",
        "A-1",
    ] {
        for form in FORMS {
            sent = sent
                .request(&form.indexed(1, &raw(authority)))
                .request(&form.named(&coded(":authority"), &coded(authority)));
        }
    }
    for (index, name) in
        [(4, ":path"), (38, "host"), (19, "x-authority"), (0, ":authoritx"), (0, "authority")]
    {
        let fields = if index > 0 {
            Form::Indexing.indexed(index, &raw("/a%b"))
        } else {
            Form::Indexing.named(&raw(name), &raw("/a%b"))
        };
        sent = sent.request(&fields).request(&Form::Indexing.named(&coded(name), &coded("/a%b")));
    }
    // A body that looks like a header block.
    sent = sent.frame(0, 0, &Form::Indexing.indexed(1, &raw(PATH)));
    assert_eq!(super::splits::whole(&sent.bytes), sent.bytes);
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}
