//! A command of this machine, as the agent's sessions have it.

use crate::engine::{Attached, AttachedControl, EngineError};
use container_runtime::{AttachedStream, Attachment};

struct Control {
    attachment: Attachment,
    terminal: AttachedStream,
}

pub(super) fn attached(mut attachment: Attachment) -> Result<Attached, EngineError> {
    let input = attachment.input.take();
    let input = input.ok_or_else(|| EngineError("the command has no input".to_owned()))?;
    Ok(Attached {
        input: Box::new(input),
        output: Box::new(attachment.output.clone()),
        error: attachment.error.take().map(|error| Box::new(error) as _),
        control: Box::new(Control { terminal: attachment.output.clone(), attachment }),
    })
}

#[async_trait::async_trait]
impl AttachedControl for Control {
    fn resize(&self, columns: u16, rows: u16) -> Result<(), EngineError> {
        self.terminal.resize(columns, rows).map_err(|error| EngineError(format!("resize: {error}")))
    }

    async fn ended(&mut self) -> Result<Option<i32>, EngineError> {
        self.attachment.ended().await.map_err(|error| EngineError(error.to_string()))
    }
}
