//! Where a private code comes from: the keyboard without echo, a private file, an open descriptor. Never argv.

use super::fault::Fault;
use protocol::node::host::private_file;
use std::io::{self, IsTerminal, Read};
use std::path::PathBuf;
use zeroize::Zeroizing;

/// Bytes of the longest private code, and some for the line's end.
const READ_MAX: u64 = 260;

/// Where to read the private code.
#[derive(Clone, Debug, Default, PartialEq, Eq, clap::Args)]
pub(crate) struct CodeFrom {
    /// Read the private code from this file (mode 0600) instead of asking for it
    #[arg(long, value_name = "FILE")]
    pub(crate) code_file: Option<PathBuf>,
    /// Read the private code from this open file descriptor
    #[arg(long, value_name = "N", conflicts_with = "code_file")]
    pub(crate) code_fd: Option<u32>,
}

impl CodeFrom {
    /// Whether there is a way to get the code at all; asked before anything else is done.
    pub(crate) fn check(&self) -> Result<(), Fault> {
        if self.code_file.is_some() || self.code_fd.is_some() || io::stdin().is_terminal() {
            return Ok(());
        }
        Err(Fault::Usage(
            "the private code can't be asked for, because the input is no terminal: use --code-file or --code-fd"
                .to_owned(),
        ))
    }

    /// The private code.
    pub(crate) fn read(&self) -> Result<Zeroizing<String>, Fault> {
        self.read_or(|| prompt("Private code: "))
    }

    /// A new private code, typed twice.
    pub(crate) fn choose(&self) -> Result<Zeroizing<String>, Fault> {
        self.read_or(|| {
            let code = prompt("Choose a private code (6 characters or more): ")?;
            if *code != *prompt("The same again: ")? {
                return Err(Fault::Usage("the two private codes differ: try again".to_owned()));
            }
            Ok(code)
        })
    }

    fn read_or(
        &self,
        ask: impl FnOnce() -> Result<Zeroizing<String>, Fault>,
    ) -> Result<Zeroizing<String>, Fault> {
        match (&self.code_file, self.code_fd) {
            (Some(path), _) => line_of(private_file::read(path, READ_MAX)?),
            (None, Some(0)) => line_of(read_some(io::stdin().lock())?),
            (None, Some(fd)) => {
                let opened = std::fs::File::open(format!("/dev/fd/{fd}"));
                let file = opened.map_err(|why| Fault::Usage(format!("file descriptor {fd}: {why}")))?;
                line_of(read_some(file)?)
            }
            (None, None) => self.check().and_then(|()| ask()),
        }
    }
}

fn prompt(text: &str) -> Result<Zeroizing<String>, Fault> {
    Ok(Zeroizing::new(rpassword::prompt_password(text)?))
}

fn read_some(from: impl Read) -> Result<Vec<u8>, Fault> {
    let mut bytes = Vec::new();
    from.take(READ_MAX).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The text without the one line end that editors leave.
fn line_of(bytes: Vec<u8>) -> Result<Zeroizing<String>, Fault> {
    let bytes = Zeroizing::new(bytes);
    let text = std::str::from_utf8(&bytes)
        .map_err(|_| Fault::Usage("the private code is not UTF-8 text".to_owned()))?;
    let line = text.strip_suffix('\n').unwrap_or(text);
    let line = line.strip_suffix('\r').unwrap_or(line);
    if line.contains('\n') {
        return Err(Fault::Usage("the private code must stand alone, in one line".to_owned()));
    }
    Ok(Zeroizing::new(line.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_file_gives_its_one_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("code");
        private_file::write(&path, b" correct horse \n").unwrap();
        let from = CodeFrom { code_file: Some(path.clone()), code_fd: None };
        assert_eq!(*from.read().unwrap(), " correct horse ");
        private_file::write(&path, b"one\ntwo\n").unwrap();
        assert!(from.read().unwrap_err().to_string().contains("one line"));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(from.read().unwrap_err().to_string().contains("chmod 600"));
    }
}
