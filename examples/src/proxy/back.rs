//! How an answer gets from the upstream to the client.

use super::connection::Failed;
use super::limits::Limits;
use super::peer::{Fault, Sink, Source};
use super::request::Client;
use super::response::{self, Answer, Said};
use super::transfer::transfer;
use super::upload::Upload;
use crate::http::Control;

/// What has to be known of the request.
#[derive(Clone, Copy)]
pub(super) struct Back<'a> {
    pub(super) is_head: bool,
    pub(super) client: Client,
    pub(super) limits: &'a Limits,
    pub(super) control: &'a Control,
    pub(super) upload: &'a Upload,
}

/// The client has the whole answer.
pub(super) struct Answered {
    /// Another request may follow.
    pub(super) keeps_client: bool,
    /// The upstream can be asked again.
    pub(super) keeps_upstream: bool,
}

impl Back<'_> {
    pub(super) fn answer(
        &self,
        mut upstream: Source<'_>,
        mut client: Sink<'_>,
    ) -> Result<Answered, Failed> {
        let mut answer = self.head(&mut upstream)?;
        let keeps_client =
            answer.keeps_client && self.upload.is_taken() && !self.control.is_closing();
        answer.append_head(client.output, self.client, keeps_client);
        let sent = transfer(
            &mut upstream,
            &mut answer.body,
            &mut client,
            answer.sent,
            self.limits.stall,
        );
        if sent.is_err() || client.flush().is_err() {
            return Err(Failed::CutOff);
        }
        Ok(Answered {
            keeps_client,
            // Nobody has asked for more.
            keeps_upstream: answer.is_kept && upstream.input.is_empty() && self.upload.is_taken(),
        })
    }

    fn head(&self, upstream: &mut Source<'_>) -> Result<Answer, Failed> {
        loop {
            let come = upstream.input.bytes();
            let parsed = response::parse(come, self.is_head, self.client, self.limits);
            match parsed.map_err(|_| Failed::NoAnswer)? {
                Some((Said::Answer(answer), length)) => {
                    upstream.input.take(length);
                    return Ok(answer);
                }
                Some((Said::Interim, length)) => upstream.input.take(length),
                None => self.wait(upstream)?,
            }
        }
    }

    fn wait(&self, upstream: &mut Source<'_>) -> Result<(), Failed> {
        let left = || self.upload.left(self.limits.answer);
        match upstream.fill(left()) {
            Ok(()) => Ok(()),
            // The request was still under way.
            Err(Fault::Late) if !left().is_zero() => Ok(()),
            // It has begun: the request was not in vain, and is not sent again.
            Err(Fault::Ended | Fault::Broken(_)) if !upstream.input.is_empty() => {
                Err(Failed::NoAnswer)
            }
            Err(fault) => Err(Failed::Upstream(fault)),
        }
    }
}
