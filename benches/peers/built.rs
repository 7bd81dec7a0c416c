//! Whether a program that is built beside this one is still that of its sources.
#![forbid(unsafe_code)]

use std::fs;
use std::io;
use std::path::Path;
use std::time::SystemTime;

/// Whether the program is there, and not older than any of its sources, which are in one folder.
pub(super) fn is_fresh(program: &Path, sources: &str) -> io::Result<bool> {
    let Ok(built) = fs::metadata(program).and_then(|metadata| metadata.modified()) else {
        return Ok(false);
    };
    let changed: io::Result<Vec<SystemTime>> = fs::read_dir(sources)?
        .map(|entry| entry?.metadata()?.modified())
        .collect();
    Ok(changed?.into_iter().all(|changed| changed <= built))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::time::Duration;

    /// A folder with one source and one program, which were last changed at these seconds.
    fn is_fresh_with(name: &str, source: u64, program: u64) -> bool {
        let own = format!("trefoil-bench-built-{name}-{}", std::process::id());
        let folder = std::env::temp_dir().join(own);
        let sources = folder.join("sources");
        fs::create_dir_all(&sources).unwrap();
        let changed = |path: &Path, seconds| {
            let time = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
            File::create(path).unwrap().set_modified(time).unwrap();
        };
        changed(&sources.join("source"), source);
        changed(&folder.join("program"), program);
        let fresh = is_fresh(&folder.join("program"), sources.to_str().unwrap());
        fs::remove_dir_all(folder).unwrap();
        fresh.unwrap()
    }

    #[test]
    fn what_is_older_than_a_source_is_not_fresh() {
        assert!(is_fresh_with("younger", 10, 20));
        assert!(!is_fresh_with("older", 20, 10));
    }

    #[test]
    fn what_is_not_there_is_not_fresh() {
        assert!(!is_fresh(Path::new("/no/such/program"), "/no/such/sources").unwrap());
    }
}
