//! Which file a path means.

use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use percent_encoding::percent_decode_str;
use trefoil::thread;

use super::response::{Response, Status};

/// The files below one directory.
#[derive(Debug, Clone)]
pub struct Files {
    /// Without symbolic links, so that what lies below can be told.
    root: PathBuf,
    largest: u64,
}

impl Files {
    /// Those below `root`, of at most so many bytes each.
    ///
    /// # Errors
    ///
    /// There is no such directory.
    pub fn below(root: &Path, largest: u64) -> io::Result<Files> {
        let root = root.canonicalize()?;
        Ok(Files { root, largest })
    }

    /// The file that a path means, which begins behind the root: `/sub/file.txt`. What does not lie below the root,
    /// by whatever detour, is not found.
    #[must_use]
    pub fn response(&self, path: &str) -> Response {
        let Ok(path) = percent_decode_str(path).decode_utf8() else {
            return Response::failure(Status::BadRequest);
        };
        let relative = path.trim_start_matches('/');
        let content_type = content_type(relative);
        // A disk may be slow: the other threads of the worker run on.
        match thread::blocking(|| self.read(relative)) {
            Ok(Some(body)) => Response {
                content_type,
                ..Response::text(body)
            },
            Ok(None) => Response::failure(Status::NotFound),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Response::failure(Status::NotFound)
            }
            Err(_) => Response::failure(Status::InternalServerError),
        }
    }

    /// `None`: it is none of ours.
    fn read(&self, relative: &str) -> io::Result<Option<Vec<u8>>> {
        if relative.contains('\0') {
            return Ok(None);
        }
        let place = self.root.join(relative).canonicalize()?;
        if !place.starts_with(&self.root) {
            return Ok(None);
        }
        let metadata = place.metadata()?;
        if !metadata.is_file() || metadata.len() > self.largest {
            return Ok(None);
        }
        let mut body = Vec::new();
        // It may grow while it is read.
        std::fs::File::open(place)?
            .take(self.largest)
            .read_to_end(&mut body)?;
        Ok(Some(body))
    }
}

fn content_type(path: &str) -> &'static str {
    let extension = Path::new(path).extension().and_then(|it| it.to_str());
    match extension.unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "json" => "application/json",
        "md" | "txt" => "text/plain; charset=utf-8",
        "png" => "image/png",
        "svg" => "image/svg+xml",
        _ => "application/octet-stream",
    }
}
