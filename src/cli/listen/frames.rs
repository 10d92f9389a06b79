//! Server-Sent Events out of the bytes of a stream.

/// One event at most; ours are far smaller.
const FRAME_BYTES_MAX: usize = 1 << 20;

/// One event as the stream told it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Told {
    /// A cursor.
    pub(super) id: String,
    /// Its type.
    pub(super) kind: String,
    /// Its body, JSON.
    pub(super) data: String,
}

/// What has come and is not told yet.
#[derive(Default)]
pub(super) struct Frames {
    bytes: Vec<u8>,
    /// The newest id, of an event or of a mere sign: everything up to it was told.
    pub(super) seen: Option<String>,
}

/// A frame is longer than any of ours.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooLong;

impl Frames {
    /// More of the stream.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<(), TooLong> {
        self.bytes.extend_from_slice(bytes);
        let has_end = self.bytes.windows(2).any(|two| two == b"\n\n");
        if !has_end && self.bytes.len() > FRAME_BYTES_MAX {
            return Err(TooLong);
        }
        Ok(())
    }

    /// The next whole event; signs and comments are passed over.
    pub(super) fn next(&mut self) -> Option<Told> {
        loop {
            let end = self.bytes.windows(2).position(|two| two == b"\n\n")?;
            let frame: Vec<u8> = self.bytes.drain(..end + 2).collect();
            let frame = String::from_utf8_lossy(&frame);
            let field = |name: &str| {
                frame
                    .lines()
                    .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
            };
            if let Some(id) = field("id") {
                self.seen = Some(id.to_owned());
            }
            if let (Some(id), Some(kind), Some(data)) = (field("id"), field("event"), field("data")) {
                return Some(Told {
                    id: id.to_owned(),
                    kind: kind.to_owned(),
                    data: data.to_owned(),
                });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_told_when_it_is_whole_however_it_was_cut() {
        let stream =
            b"retry: 1000\nid: 6\n\n: here\nid: 6\n\nid: 7\nevent: token.suspended\ndata: {\"id\":1}\n\nid: 8\n";
        let mut frames = Frames::default();
        let mut told = Vec::new();
        for byte in stream {
            frames.push(&[*byte]).expect("short");
            told.extend(frames.next());
        }
        let expected = Told {
            id: "7".to_owned(),
            kind: "token.suspended".to_owned(),
            data: "{\"id\":1}".to_owned(),
        };
        assert_eq!(told, [expected]);
        assert_eq!(frames.seen.as_deref(), Some("7"));
    }

    #[test]
    fn a_sign_moves_the_cursor_on() {
        let mut frames = Frames::default();
        frames.push(b": here\nid: 6\n\n").expect("short");
        assert_eq!((frames.next(), frames.seen.as_deref()), (None, Some("6")));
    }

    #[test]
    fn a_frame_without_an_end_is_not_kept_for_ever() {
        let mut frames = Frames::default();
        assert_eq!(frames.push(&vec![b'x'; FRAME_BYTES_MAX + 1]), Err(TooLong));
    }
}
