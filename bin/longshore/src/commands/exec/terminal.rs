//! The terminal of this program.

use anyhow::{Context, Result};
use rustix::termios::{OptionalActions, Termios, isatty, tcgetattr, tcgetwinsize, tcsetattr};
use session_wire::Size;
use std::io::{stdin, stdout};

/// This program's terminal, in raw mode until it is dropped; or none, when input or output are something else.
pub(super) struct Terminal {
    before: Option<Termios>,
}

impl Terminal {
    /// Every key goes to the command from now on, if there are keys.
    pub(super) fn open() -> Result<Self> {
        if !isatty(stdin()) || !isatty(stdout()) {
            return Ok(Self { before: None });
        }
        let before = tcgetattr(stdin()).context("look at the terminal")?;
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(stdin(), OptionalActions::Now, &raw).context("change the terminal")?;
        Ok(Self { before: Some(before) })
    }

    /// Its size; none of a terminal that is none.
    pub(super) fn size(&self) -> Size {
        let size = self.before.as_ref().and_then(|_| tcgetwinsize(stdout()).ok());
        match size {
            Some(size) if size.ws_col > 0 && size.ws_row > 0 => {
                Size { cols: size.ws_col.into(), rows: size.ws_row.into() }
            }
            Some(_) => Size { cols: 80, rows: 24 },
            None => Size { cols: 0, rows: 0 },
        }
    }

    pub(super) fn is_one(&self) -> bool {
        self.before.is_some()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if let Some(before) = &self.before {
            // There is nothing to be done about a terminal that is gone.
            let _ = tcsetattr(stdin(), OptionalActions::Now, before);
        }
    }
}
