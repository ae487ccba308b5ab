//! A message on the wire: its length in four bytes, big-endian, then as many bytes.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

use crate::peers::limits::{FRAME_SIZE_MAX, FRAME_WAIT, IDLE_WAIT};

/// How much of a frame is made room for at once: a length is a claim until its bytes are there.
const ROOM_SIZE: usize = 64 << 10;

/// Why a frame cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// The connection failed.
    #[error(transparent)]
    Connection(#[from] io::Error),
    /// It is too long.
    #[error("a message of {size} bytes, at most {FRAME_SIZE_MAX}")]
    TooLong {
        /// How long.
        size: usize,
    },
    /// It is empty.
    #[error("a message of no bytes")]
    Empty,
    /// It takes too long.
    #[error("{what} takes longer than {} s", wait.as_secs())]
    Slow {
        /// What.
        what: &'static str,
        /// The limit.
        wait: std::time::Duration,
    },
}

/// Reads one frame; `None` when the other side closed between two.
///
/// # Errors
/// [`FrameError`]: the connection is of no more use then.
pub async fn read<S: AsyncRead + Unpin>(stream: &mut S) -> Result<Option<Vec<u8>>, FrameError> {
    let mut first = [0; 1];
    let begun = timeout(IDLE_WAIT, stream.read(&mut first)).await;
    let begun = begun.map_err(|_| FrameError::Slow { what: "a silence", wait: IDLE_WAIT })?;
    match begun {
        Ok(0) => return Ok(None),
        // A peer that ends does not always say so.
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        other => other?,
    };
    let rest = timeout(FRAME_WAIT, rest(stream, first[0])).await;
    rest.map_err(|_| FrameError::Slow { what: "a message", wait: FRAME_WAIT })?.map(Some)
}

async fn rest<S: AsyncRead + Unpin>(stream: &mut S, first: u8) -> Result<Vec<u8>, FrameError> {
    let mut length = [first, 0, 0, 0];
    stream.read_exact(&mut length[1..]).await?;
    let size = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
    if size > FRAME_SIZE_MAX {
        return Err(FrameError::TooLong { size });
    }
    if size == 0 {
        return Err(FrameError::Empty);
    }
    let mut bytes = Vec::with_capacity(size.min(ROOM_SIZE));
    while bytes.len() < size {
        let held = bytes.len();
        bytes.resize(size.min(held + ROOM_SIZE), 0);
        stream.read_exact(&mut bytes[held..]).await?;
    }
    Ok(bytes)
}

/// Writes one frame, whole.
///
/// # Errors
/// [`FrameError`].
pub async fn write<S: AsyncWrite + Unpin>(stream: &mut S, bytes: &[u8]) -> Result<(), FrameError> {
    let size = u32::try_from(bytes.len()).ok().filter(|_| bytes.len() <= FRAME_SIZE_MAX);
    let size = size.ok_or(FrameError::TooLong { size: bytes.len() })?;
    let mut frame = Vec::with_capacity(bytes.len() + 4);
    frame.extend_from_slice(&size.to_be_bytes());
    frame.extend_from_slice(bytes);
    let write = async {
        stream.write_all(&frame).await?;
        stream.flush().await
    };
    let written = timeout(FRAME_WAIT, write).await;
    Ok(written.map_err(|_| FrameError::Slow { what: "to take a message", wait: FRAME_WAIT })??)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run<T>(work: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(work)
    }

    #[test]
    fn frames_and_what_is_none() {
        run(async {
            let mut bytes: Vec<u8> = Vec::new();
            write(&mut bytes, b"ab").await.expect("memory takes it");
            assert_eq!(bytes, [0, 0, 0, 2, b'a', b'b']);
            assert_eq!(read(&mut &bytes[..]).await.expect("it is whole").as_deref(), Some(&b"ab"[..]));
            assert!(read(&mut &[][..]).await.expect("closed").is_none());
            assert!(matches!(read(&mut &bytes[..5]).await, Err(FrameError::Connection(_))));
            assert!(matches!(read(&mut &[0, 0, 0, 0][..]).await, Err(FrameError::Empty)));
            let long = [255, 255, 255, 255, 0];
            assert!(matches!(read(&mut &long[..]).await, Err(FrameError::TooLong { .. })));
            let too_long = vec![0; FRAME_SIZE_MAX + 1];
            assert!(matches!(write(&mut Vec::new(), &too_long).await, Err(FrameError::TooLong { .. })));
        });
    }
}
