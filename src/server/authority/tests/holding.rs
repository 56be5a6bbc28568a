//! What is kept back: nothing but the beginning of a value, or of a frame's head.

use std::io::IoSlice;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt, duplex};

use super::super::AuthorityRepair;
use super::client::*;
use super::splits::{through, whole};

#[tokio::test]
async fn all_bytes_before_the_value_and_behind_it_go_out_at_once() {
    let field = Form::Indexing.indexed(1, &coded("/run/x.sock"));
    let sent = Connection::new().request(&field).bytes;
    // SETTINGS and HEADERS have heads of 9 bytes; before them is the preface.
    let kept = [24..33, 33..42, sent.len() - (field.len() - 2)..sent.len()];
    for cut in 1..=sent.len() {
        let (mut client, server) = duplex(4096);
        let mut server = AuthorityRepair::new(server, BytesMut::new());
        client.write_all(&sent[..cut]).await.unwrap();
        let free = kept.iter().find(|kept| kept.contains(&cut)).map_or(cut, |kept| kept.start);
        let mut came = vec![0; free];
        server.read_exact(&mut came).await.unwrap();
        client.write_all(&sent[cut..]).await.unwrap();
        client.shutdown().await.unwrap();
        server.read_to_end(&mut came).await.unwrap();
        assert_eq!(came, whole(&sent), "cut at {cut}");
    }
}

#[tokio::test]
async fn an_unfinished_value_goes_out_as_it_came_when_the_client_leaves() {
    let sent = Connection::new().request(&Form::Indexing.indexed(1, &raw("/run/x.sock"))).bytes;
    for cut in 0..10 {
        let sent = &sent[..sent.len() - 1 - cut];
        assert_eq!(whole(sent), sent);
        assert_eq!(through(sent.chunks(1), 5), sent);
    }
}

#[tokio::test]
async fn writes_pass_straight_through() {
    let (mut client, server) = duplex(64);
    let mut server = AuthorityRepair::new(server, BytesMut::new());
    assert!(server.is_write_vectored());
    server.write_all(b"/a%").await.unwrap();
    let parts = [IoSlice::new(b":autho"), IoSlice::new(b"rity")];
    assert_eq!(server.write_vectored(&parts).await.unwrap(), 10);
    server.flush().await.unwrap();
    server.shutdown().await.unwrap();
    let mut came = Vec::new();
    client.read_to_end(&mut came).await.unwrap();
    assert_eq!(came, b"/a%:authority");
}

#[tokio::test]
async fn what_was_read_before_is_read_again_and_repaired() {
    let sent = Connection::new().request(&Form::Indexing.indexed(1, &coded("/run/x.sock"))).bytes;
    for cut in 0..=sent.len() {
        let mut server = AuthorityRepair::new(&sent[cut..], BytesMut::from(&sent[..cut]));
        let mut came = Vec::new();
        server.read_to_end(&mut came).await.unwrap();
        assert_eq!(came, whole(&sent), "cut at {cut}");
    }
}
