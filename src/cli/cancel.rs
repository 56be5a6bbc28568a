//! `dirtyd cancel`: an operator ends calls.

use std::process::ExitCode;

use dirtyd_client::proto::v1::{CallState, CancelCallRequest};

use super::{
    connect::{Target, block_on},
    for_a_person,
    operator::Operator,
    say,
};

/// `dirtyd cancel`.
#[derive(Debug, clap::Args)]
pub struct Cancel {
    /// The calls, by the arbiter's number for them, which `dirtyd calls` lists; a caller's request
    /// id is not one, because several calls can have it
    #[arg(value_name = "CALL", required = true, value_parser = call_id)]
    calls: Vec<u64>,
    #[command(flatten)]
    target: Target,
}

fn call_id(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| {
        format!(
            "`{text}` is not the number of a call; `dirtyd calls` lists them, in its first column"
        )
    })
}

impl Cancel {
    /// Ends the calls, one after another. It fails if one of them could not be ended.
    ///
    /// # Errors
    /// dirtyd is not there.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        block_on(async {
            let mut operator = Operator::at(&self.target).await?;
            let mut code = ExitCode::SUCCESS;
            for call_id in self.calls {
                match operator.admin().cancel_call(CancelCallRequest { call_id }).await {
                    Ok(answer) => {
                        let was = outcome(answer.into_inner().state());
                        say(format_args!("cancelled: call {call_id}, {was}"));
                    }
                    Err(status) => {
                        let error = operator.failed(status).to_string();
                        eprintln!("dirtyd: {}", for_a_person(&error));
                        code = ExitCode::FAILURE;
                    }
                }
            }
            Ok(code)
        })
    }
}

/// What the call was at, and so what happens now.
pub fn outcome(state: CallState) -> &'static str {
    match state {
        CallState::Unspecified => "which has ended",
        CallState::Queued => "which had not started",
        CallState::Running => "which was running; its worker is told to stop",
        CallState::Abandoned => "whose caller had left; its worker is told to stop",
    }
}
