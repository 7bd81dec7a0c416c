//! Reading, writing and seeking in a file: `std`'s traits.
//!
//! What reads or writes everything is one call, not one for each piece of it.
#![forbid(unsafe_code)]

use std::fmt;
use std::io::{self, IoSlice, IoSliceMut, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;

use super::call::{call, point};
use super::file::File;

/// The traits for the file and for a shared reference to it.
macro_rules! bytes_of {
    ($($file:ty,)*) => {$(
        impl Read for $file {
            #[track_caller]
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                point(|| (&self.file).read(buffer))
            }

            #[track_caller]
            fn read_vectored(&mut self, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
                point(|| (&self.file).read_vectored(buffers))
            }

            #[track_caller]
            fn read_exact(&mut self, buffer: &mut [u8]) -> io::Result<()> {
                point(|| (&self.file).read_exact(buffer))
            }

            #[track_caller]
            fn read_to_end(&mut self, buffer: &mut Vec<u8>) -> io::Result<usize> {
                point(|| (&self.file).read_to_end(buffer))
            }

            #[track_caller]
            fn read_to_string(&mut self, text: &mut String) -> io::Result<usize> {
                point(|| (&self.file).read_to_string(text))
            }
        }

        impl Write for $file {
            #[track_caller]
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                point(|| (&self.file).write(bytes))
            }

            #[track_caller]
            fn write_vectored(&mut self, bytes: &[IoSlice<'_>]) -> io::Result<usize> {
                point(|| (&self.file).write_vectored(bytes))
            }

            #[track_caller]
            fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
                point(|| (&self.file).write_all(bytes))
            }

            #[track_caller]
            fn write_fmt(&mut self, text: fmt::Arguments<'_>) -> io::Result<()> {
                crate::text::with(text, |text| self.write_all(text.as_bytes()))
            }

            /// A file has no buffer of its own: does nothing.
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }

        /// No cancellation points. They may wait for a thread that reads or writes the same open file.
        impl Seek for $file {
            #[track_caller]
            fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
                call(|| (&self.file).seek(to))
            }

            #[track_caller]
            fn stream_position(&mut self) -> io::Result<u64> {
                self.seek(SeekFrom::Current(0))
            }

            #[track_caller]
            fn rewind(&mut self) -> io::Result<()> {
                self.seek(SeekFrom::Start(0)).map(drop)
            }
        }
    )*};
}

bytes_of! {
    File,
    &File,
}

impl FileExt for File {
    #[track_caller]
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        point(|| self.file.read_at(buffer, offset))
    }

    #[track_caller]
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        point(|| self.file.read_exact_at(buffer, offset))
    }

    #[track_caller]
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        point(|| self.file.write_at(bytes, offset))
    }

    #[track_caller]
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        point(|| self.file.write_all_at(bytes, offset))
    }
}
