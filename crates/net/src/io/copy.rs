//! From a reader to a writer.
#![forbid(unsafe_code)]

use std::io::{self, ErrorKind, Read, Write};

/// A call on a file goes to another OS thread and back, so pieces are larger than `std`'s. It lies on
/// the heap: a fiber's stack is small.
const PIECE: usize = 64 << 10;

/// Copies everything from a reader to a writer, and tells how many bytes that were, as
/// [`std::io::copy`]. It waits where they wait, and has their cancellation points.
///
/// It takes 64 KiB at a time. From one file to another [`fs::copy`](crate::fs::copy) is faster: there the
/// kernel copies.
///
/// # Errors
///
/// The reader's or the writer's. What was read before is written; an interruption is no error.
///
/// # Panics
///
/// If the reader says that it has read more than there was room for.
///
/// ```
/// use trefoil_net::io::{self, Cursor};
///
/// let mut reader = Cursor::new(b"hello");
/// let mut written = Vec::new();
/// assert_eq!(io::copy(&mut reader, &mut written)?, 5);
/// assert_eq!(written, b"hello");
/// # Ok::<(), io::Error>(())
/// ```
#[track_caller]
pub fn copy<R: Read + ?Sized, W: Write + ?Sized>(
    reader: &mut R,
    writer: &mut W,
) -> io::Result<u64> {
    let mut piece = vec![0; PIECE];
    let mut copied = 0;
    loop {
        match reader.read(&mut piece) {
            Ok(0) => return Ok(copied),
            Ok(taken) => {
                writer.write_all(&piece[..taken])?;
                copied += taken as u64;
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
