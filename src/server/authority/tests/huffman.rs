//! Our Huffman code against h2's.

use std::time::Duration;

use tokio::io::{AsyncWriteExt, duplex};
use tokio::time::timeout;

use super::super::huffman::{decode, encode};
use super::client::*;

/// h2 decodes, from our code, every byte that a field's value may have.
#[tokio::test]
async fn h2_reads_what_we_write() {
    let text: Vec<u8> = (0x20..=0xff).filter(|byte| *byte != 0x7f).collect();
    let sent = Connection::new().request(&Form::Indexing.named(&coded("x-text"), &coded(&text)));
    let (mut client, server) = duplex(1 << 16);
    client.write_all(&sent.bytes).await.unwrap();
    let accept = async {
        let mut connection = h2::server::handshake(server).await.unwrap();
        connection.accept().await.unwrap().unwrap().0
    };
    let request = timeout(Duration::from_secs(20), accept).await.unwrap();
    assert_eq!(request.headers()["x-text"].as_bytes(), text);
}

#[test]
fn every_byte_survives() {
    let all: Vec<u8> = (0..=255).collect();
    assert_eq!(decode(&encode(&all)), Some(all.clone()));
    for byte in all {
        for len in 1..9 {
            assert_eq!(decode(&encode(&vec![byte; len])), Some(vec![byte; len]));
        }
    }
}

#[test]
fn a_padding_must_be_short_and_all_ones() {
    assert_eq!(decode(&[]), Some(vec![]));
    assert_eq!(decode(&[0b0011_1111]), Some(b"o".to_vec()));
    assert_eq!(decode(&[0b0011_1110]), None);
    assert_eq!(decode(&[0b0011_1111, 0xff]), None);
    assert_eq!(decode(&[0xff; 4]), None);
}
