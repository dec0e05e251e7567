//! The file of `--output`: the only way in which the command writes files.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, fchown};
use std::path::{Path, PathBuf};

/// How many symbolic links are followed; Linux follows as many.
const MAX_LINKS: usize = 40;
/// How many names are tried for the file beside the output.
const MAX_NAMES: u32 = 100;

/// Writes a document to `output`. A regular file gets all of it or stays as it was, and keeps its mode and owner.
/// Symbolic links are followed. Devices and pipes are written to, never replaced.
///
/// # Errors
/// When it cannot be written; the error names the file.
pub(in crate::cli) fn write(output: &Path, document: &[u8]) -> Result<(), String> {
    let failed = |error: io::Error| format!("cannot write {}: {error}", output.display());
    let there = match fs::metadata(output) {
        Ok(there) => Some(there),
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => return Err(failed(error)),
    };
    let (place, is_descriptor) = follow(output).map_err(failed)?;
    match there {
        Some(there) if there.is_dir() => Err(format!("cannot write {}: it is a folder", output.display())),
        Some(there) => match own_stream(&there) {
            Some(mut stream) => stream.write_all(document).map_err(failed),
            None if there.is_file() && !is_descriptor => replace(&place, Some(&there), document),
            None => {
                OpenOptions::new().write(true).open(output).and_then(|mut to| to.write_all(document)).map_err(failed)
            }
        },
        None => replace(&place, None, document),
    }
}

/// The target of symbolic links, which may be missing, and whether a link of `/proc`, such as `/dev/fd/3`, leads to it,
/// which means that another process has the file open.
fn follow(output: &Path) -> io::Result<(PathBuf, bool)> {
    let mut place = output.to_owned();
    for _ in 0..MAX_LINKS {
        let is_link = fs::symlink_metadata(&place).is_ok_and(|there| there.file_type().is_symlink());
        let folder = folder_of(&place);
        if !is_link {
            return Ok((place, false));
        }
        if fs::canonicalize(&folder)?.starts_with("/proc") {
            return Ok((place, true));
        }
        place = folder.join(fs::read_link(&place)?);
    }
    Err(io::Error::other("too many symbolic links"))
}

fn folder_of(place: &Path) -> PathBuf {
    match place.parent() {
        Some(folder) if folder != Path::new("") => folder.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// Standard output or error, if the file is one of them: what is printed would overwrite a new file.
fn own_stream(there: &Metadata) -> Option<File> {
    let (output, error) = (io::stdout(), io::stderr());
    [output.as_fd(), error.as_fd()].into_iter().find_map(|descriptor| {
        let stream = File::from(descriptor.try_clone_to_owned().ok()?);
        let same = stream.metadata().is_ok_and(|own| (own.dev(), own.ino()) == (there.dev(), there.ino()));
        same.then_some(stream)
    })
}

/// Writes a document beside its place first, and moves it there when it is complete, since a server must never serve
/// half of one.
fn replace(place: &Path, there: Option<&Metadata>, document: &[u8]) -> Result<(), String> {
    let failed = |what: &str, error: io::Error| {
        let kept = if there.is_some() { "; the file is as it was" } else { "" };
        format!("cannot write {}: {what}{error}{kept}", place.display())
    };
    let in_folder = format!("in the folder {}: ", folder_of(place).display());
    let (beside, file) = create_beside(place, there.is_some()).map_err(|error| failed(&in_folder, error))?;
    let written = fill(file, there, document).map_err(|(what, error)| failed(what, error));
    let written = written.and_then(|()| fs::rename(&beside, place).map_err(|error| failed("", error)));
    if written.is_err() {
        // A file that could not be moved is useless.
        let _ = fs::remove_file(&beside);
    }
    written
}

/// A new file beside `place`, never an existing one or the target of a link.
fn create_beside(place: &Path, is_there: bool) -> io::Result<(PathBuf, File)> {
    let name = place.file_name().ok_or(ErrorKind::InvalidInput)?;
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    if is_there {
        // Until it gets the mode of the existing file, only its owner may read it.
        options.mode(0o600);
    }
    for number in 0..MAX_NAMES {
        let mut name = name.to_owned();
        name.push(format!(".{}-{number}.new", std::process::id()));
        let beside = place.with_file_name(name);
        match options.open(&beside) {
            Ok(file) => return Ok((beside, file)),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(ErrorKind::AlreadyExists.into())
}

fn fill(mut file: File, there: Option<&Metadata>, document: &[u8]) -> Result<(), (&'static str, io::Error)> {
    file.write_all(document).map_err(|error| ("", error))?;
    if let Some(there) = there {
        let new = file.metadata().map_err(|error| ("", error))?;
        let changed = |old: u32, new: u32| (old != new).then_some(old);
        let (user, group) = (changed(there.uid(), new.uid()), changed(there.gid(), new.gid()));
        if user.is_some() || group.is_some() {
            fchown(&file, user, group).map_err(|error| ("its owner or group cannot be kept: ", error))?;
        }
        // After the owner, since a change of owner clears bits of the mode.
        file.set_permissions(there.permissions()).map_err(|error| ("its mode cannot be kept: ", error))?;
    }
    file.sync_all().map_err(|error| ("", error))
}
