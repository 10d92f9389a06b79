//! The PROXY protocol's header, before TLS begins.

use std::io::Cursor;
use std::sync::LazyLock;

use mdes_receiver::net::proxy::read_header;
use tokio::io::AsyncReadExt;
use tokio::runtime::{Builder, Runtime};

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Builder::new_current_thread().build().expect("a runtime"));

/// The longest header of either version.
const BYTES_MAX: u64 = 4_096;

/// - No more is read than the longest header has.
/// - How the bytes were cut into segments, and what follows the header, changes neither the answer nor its length.
pub fn enter(data: &[u8]) {
    RUNTIME.block_on(async {
        let mut whole = Cursor::new(data);
        let read = read_header(&mut whole).await;
        assert!(whole.position() <= BYTES_MAX, "a header is bounded");
        let Ok(source) = read else {
            return;
        };
        let length = whole.position() as usize;
        let (begin, end) = data[..length].split_at(length / 2);
        let mut pieces = begin.chain(end).chain(b"\x16\x03\x01".as_slice());
        assert_eq!(read_header(&mut pieces).await, Ok(source), "segments mean nothing");
        let mut rest = Vec::new();
        pieces.read_to_end(&mut rest).await.expect("memory does not fail");
        assert_eq!(rest, b"\x16\x03\x01", "what follows is left for TLS");
    });
}
