//! Header blocks in many frames.

use bytes::BytesMut;
use http::Response;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

use super::super::{AuthorityRepair, Excess, MAX_BLOCK, MAX_FRAME};
use super::client::*;
use super::splits::{assert_same_in_any_pieces, through, whole};

const PATH: &str = "/run/x.sock";
/// The frames of most clients.
const PIECE: usize = 16 << 10;

/// A request with metadata of this size, whose `:authority` and a field behind it go into the table.
fn large(size: usize) -> Vec<u8> {
    [
        Form::Indexing.indexed(1, &raw(PATH)),
        Form::WithoutIndexing.named(&raw("large"), &raw("x".repeat(size))),
        Form::Indexing.named(&raw("behind"), &raw("it")),
    ]
    .concat()
}

/// The two entries that `large` leaves in the table.
const AGAIN: [u8; 2] = [0x80 | 63, 0x80 | 62];

/// The kinds, flags and lengths of the frames behind the preface and SETTINGS.
fn frames(bytes: &[u8]) -> Vec<(u8, u8, usize)> {
    let (mut rest, mut frames) = (&bytes[33..], Vec::new());
    while let [l0, l1, l2, kind, flags, _, _, _, _, ..] = *rest {
        let len = u32::from_be_bytes([0, l0, l1, l2]) as usize;
        frames.push((kind, flags, len));
        rest = &rest[9 + len..];
    }
    frames
}

/// What a server that announces what ours does makes of it: the size of `large` on each stream.
async fn served(sent: &[u8], streams: usize) -> Vec<Option<usize>> {
    let (mut client, server) = duplex(1 << 16);
    let server = AuthorityRepair::new(server, BytesMut::new());
    let mut builder = h2::server::Builder::new();
    builder.max_frame_size(MAX_FRAME as u32).max_header_list_size(MAX_BLOCK as u32);
    let serving = async {
        let mut connection = builder.handshake::<_, bytes::Bytes>(server).await.unwrap();
        let mut seen = Vec::new();
        while seen.len() < streams {
            let (request, mut respond) = connection.accept().await.unwrap().unwrap();
            assert_eq!(request.headers()["behind"], "it");
            assert_eq!(request.uri().authority().unwrap(), "-run-x.sock");
            seen.push(request.headers().get("large").map(|value| value.len()));
            respond.send_response(Response::new(()), true).unwrap();
        }
        seen
    };
    tokio::select! {
        seen = serving => seen,
        never = async {
            client.write_all(sent).await.unwrap();
            tokio::io::copy(&mut client, &mut tokio::io::sink()).await
        } => panic!("the connection ended: {never:?}"),
    }
}

#[tokio::test]
async fn a_block_of_up_to_1_mib_reaches_h2_and_the_table_stays_right() {
    let sizes = [100 << 10, 300 << 10, 1 << 20];
    let mut sent = Connection::new();
    for size in sizes {
        sent = sent.request_in_pieces(&large(size), PIECE).request(&AGAIN);
    }
    let seen = served(&sent.bytes, 6).await;
    let expected: Vec<_> = sizes.iter().flat_map(|size| [Some(*size), None]).collect();
    assert_eq!(seen, expected);
}

#[test]
fn a_block_comes_in_as_few_frames_as_there_can_be() {
    let fields = large(300 << 10);
    let sent = Connection::new().request_in_pieces(&fields, PIECE);
    let came = whole(&sent.bytes);
    assert_eq!(came.len(), sent.bytes.len());
    let rest = 3 + fields.len() - MAX_FRAME;
    let (kinds, filler) = (frames(&came), 9 * (frames(&sent.bytes).len() - 3));
    assert_eq!(
        kinds,
        [(HEADERS, END_STREAM, MAX_FRAME), (CONTINUATION, END_HEADERS, rest), (0x0b, 0, filler)]
    );
    let one = Connection::new().request(&fields);
    assert_eq!(frames(&whole(&one.bytes)), frames(&one.bytes), "one frame stays one");
}

#[test]
fn padding_is_left_out_and_priority_stays() {
    let block = [&REST_OF_REQUEST[..], &Form::Indexing.indexed(1, &raw(PATH))].concat();
    let (first, second) = block.split_at(6);
    let padded = [&[4, 0, 0, 0, 0, 9][..], first, b"/%//"].concat();
    let sent = Connection::new()
        .frame(HEADERS, PADDED | PRIORITY | END_STREAM, &padded)
        .frame(CONTINUATION, 0, &[])
        .frame(CONTINUATION, END_HEADERS, second);
    let came = whole(&sent.bytes);
    let flags = PRIORITY | END_STREAM | END_HEADERS;
    assert_eq!(frames(&came), [(HEADERS, flags, 5 + block.len()), (0x0b, 0, 5 + 9)]);
    assert_eq!(came[42..47], [0, 0, 0, 0, 9]);
    assert_same_in_any_pieces(&sent.bytes);
}

#[test]
fn a_block_without_its_end_goes_out_as_it_came_when_the_client_leaves() {
    let sent = Connection::new().request_in_pieces(&large(9000), 1000).bytes;
    let repaired = whole(&Connection::new().request(&large(9000)).bytes)[..60].to_vec();
    for end in [sent.len() - 1, sent.len() - 1010, 5000, 1050, 50, 40] {
        let mut expected = sent[..end].to_vec();
        if end > 60 {
            // The value had its end; the lengths and flags of the head differ.
            expected[42..60].copy_from_slice(&repaired[42..]);
        }
        assert_eq!(whole(&sent[..end]), expected);
        assert_eq!(through(sent[..end].chunks(700), 90), expected);
    }
}

async fn excess(sent: &[u8]) -> Option<Excess> {
    let mut server = AuthorityRepair::new(sent, BytesMut::new());
    let error = server.read_to_end(&mut Vec::new()).await.err()?;
    error.get_ref().and_then(|error| error.downcast_ref()).copied()
}

#[tokio::test]
async fn a_block_that_does_not_end_is_an_error() {
    let most = Connection::new().request_in_pieces(&large(MAX_BLOCK - 1000), PIECE);
    assert_eq!(excess(&most.bytes).await, None);
    let more = Connection::new().request_in_pieces(&large(MAX_BLOCK), PIECE);
    assert_eq!(excess(&more.bytes).await, Some(Excess::Long));
    // A frame whose length alone says it.
    let head = Connection::new().frame(HEADERS, 0, &[]);
    let long = [&head.bytes[..], &[0x20, 0, 0, CONTINUATION, 0, 0, 0, 0, 1]].concat();
    assert_eq!(excess(&long).await, Some(Excess::Long));
    for piece in [&[][..], &[0x84]] {
        let few = (0..32).fold(head.clone(), |sent, _| sent.frame(CONTINUATION, 0, piece));
        assert_eq!(excess(&few.bytes).await, None);
        assert_eq!(excess(&few.frame(CONTINUATION, 0, piece).bytes).await, Some(Excess::Pieces));
    }
}

/// What a server keeps is known, and gone with the block.
#[tokio::test]
async fn what_is_kept_is_told() {
    let sent = Connection::new().request_in_pieces(&large(100 << 10), PIECE).bytes;
    let (mut client, server) = duplex(1 << 20);
    let mut server = AuthorityRepair::new(server, BytesMut::new());
    client.write_all(&sent[..80 << 10]).await.unwrap();
    let mut came = vec![0; 33];
    server.read_exact(&mut came).await.unwrap();
    assert!(
        futures_util::FutureExt::now_or_never(server.read_u8()).is_none(),
        "the block is not whole"
    );
    assert!((80 << 10..200 << 10).contains(&server.kept()), "{}", server.kept());
    client.write_all(&sent[80 << 10..]).await.unwrap();
    came.resize(sent.len(), 0);
    server.read_exact(&mut came[33..]).await.unwrap();
    assert_eq!(server.kept(), 0);
    assert_eq!(came, whole(&sent));
}
