//! The life of a client's connection: each request goes to an upstream, and its answer comes back, before the next
//! one is looked at.

use std::io;
use std::net::{Shutdown, SocketAddr};
use std::time::{Duration, Instant};

use trefoil::net::TcpStream;

use super::body::{Body, Sent};
use super::limits::Limits;
use super::peer::{Fault, Peer};
use super::request::{Client, Request};
use super::response::{self, Answer, Said};
use super::upstream::{Lease, Upstreams};
use crate::http::{Control, Date, Opened, Response, Status};

/// Serves a connection until the client has said all, the proxy is asked to end, or something else ends it.
///
/// # Errors
///
/// The socket's: the client has gone, or did not read its answers in time.
pub fn serve(
    stream: TcpStream,
    from: SocketAddr,
    limits: &Limits,
    upstreams: &Upstreams,
    control: &Control,
) -> io::Result<()> {
    let mut connection = Connection {
        open: control.connection(),
        client: Peer::new(stream, limits.stall)?,
        from,
        limits,
        upstreams,
        control,
    };
    loop {
        let goes_on = match connection.request() {
            Ok(request) => connection.exchange(request),
            Err(end) => Err(end),
        };
        match goes_on {
            Ok(true) => {}
            Ok(false) => return connection.end(),
            Err(End::Silent) => return Ok(()),
            Err(End::Refused(status)) => {
                connection.refuse(status, true, false)?;
                return connection.end();
            }
        }
    }
}

/// Why no further request is looked at.
enum End {
    /// There is nobody to whom anything could be said, or the answer is cut off and nothing else may follow.
    Silent,
    Refused(Status),
}

/// What ended a step between both sides.
enum Failed {
    Client(Fault),
    Upstream(Fault),
    /// What the client says has no end that could be told.
    BadRequest,
    /// What the upstream says is no answer.
    NoAnswer,
}

struct Connection<'a> {
    open: Opened<'a>,
    client: Peer,
    from: SocketAddr,
    limits: &'a Limits,
    upstreams: &'a Upstreams,
    control: &'a Control,
}

impl Connection<'_> {
    /// The next request, but for its body.
    fn request(&mut self) -> Result<Request, End> {
        if self.client.input.is_empty() {
            let (client, idle) = (&mut self.client, self.limits.idle);
            match self.open.while_idle(|| client.fill(idle)) {
                Some(Ok(())) => {}
                None | Some(Err(_)) => return Err(End::Silent),
            }
        }
        let until = Instant::now() + self.limits.request;
        loop {
            let come = self.client.input.bytes();
            let parsed = Request::parse(come, self.from.ip(), self.limits);
            if let Some((request, length)) = parsed.map_err(End::Refused)? {
                self.client.input.take(length);
                return Ok(request);
            }
            match self.client.fill_until(until) {
                Ok(()) => {}
                Err(Fault::Late) => return Err(End::Refused(Status::RequestTimeout)),
                Err(Fault::Ended) => return Err(End::Refused(Status::BadRequest)),
                Err(Fault::Broken(_)) => return Err(End::Silent),
            }
        }
    }

    /// Has the request answered. Whether another one may follow.
    fn exchange(&mut self, mut request: Request) -> Result<bool, End> {
        let stall = self.limits.stall;
        let mut lease = self.upstreams.lease(false, stall);
        loop {
            let mut upstream = match lease {
                Ok(upstream) => upstream,
                Err(status) => return self.fail(&request, status),
            };
            match self.ask(&mut upstream.peer, &mut request) {
                Ok(answer) => return self.answer(upstream, &request, answer),
                // It ended the connection before it could know of the request. A fresh one was not kept: this
                // happens once.
                Err(Failed::Upstream(Fault::Ended | Fault::Broken(_)))
                    if upstream.was_kept && request.may_repeat =>
                {
                    drop(upstream);
                    lease = self.upstreams.lease(true, stall);
                }
                Err(Failed::Upstream(Fault::Late)) => {
                    return self.fail(&request, Status::GatewayTimeout);
                }
                Err(Failed::Upstream(_) | Failed::NoAnswer) => {
                    return self.fail(&request, Status::BadGateway);
                }
                Err(Failed::Client(Fault::Late)) => {
                    return Err(End::Refused(Status::RequestTimeout));
                }
                Err(Failed::Client(Fault::Ended) | Failed::BadRequest) => {
                    return Err(End::Refused(Status::BadRequest));
                }
                Err(Failed::Client(Fault::Broken(_))) => return Err(End::Silent),
            }
        }
    }

    /// Sends the request, and waits for the head of its answer.
    fn ask(&mut self, upstream: &mut Peer, request: &mut Request) -> Result<Answer, Failed> {
        upstream.output().extend_from_slice(&request.head);
        if !request.body.is_complete() && request.expects_continue && self.client.input.is_empty() {
            let go_on = b"HTTP/1.1 100 Continue\r\n\r\n";
            self.client.output().extend_from_slice(go_on);
            self.client.flush().map_err(Failed::Client)?;
        }
        let sent = transfer(
            &mut self.client,
            &mut request.body,
            upstream,
            request.sent,
            self.limits.stall,
        );
        match sent {
            // Who answers before it has read all may have hung up: what it said is there.
            Ok(()) | Err(Transfer::Sink(Fault::Broken(_))) => {}
            Err(Transfer::Sink(fault)) => return Err(Failed::Upstream(fault)),
            Err(Transfer::Source(fault)) => return Err(Failed::Client(fault)),
            Err(Transfer::Malformed) => return Err(Failed::BadRequest),
        }
        self.answer_head(upstream, request)
    }

    fn answer_head(&self, upstream: &mut Peer, request: &Request) -> Result<Answer, Failed> {
        let until = Instant::now() + self.limits.answer;
        loop {
            let come = upstream.input.bytes();
            let parsed = response::parse(come, request.is_head, request.client, self.limits);
            match parsed.map_err(|_| Failed::NoAnswer)? {
                Some((said, length)) => {
                    upstream.input.take(length);
                    if let Said::Answer(answer) = said {
                        return Ok(answer);
                    }
                }
                None => match upstream.fill_until(until) {
                    Ok(()) => {}
                    // It has begun: the request was not in vain, and is not sent again.
                    Err(Fault::Ended | Fault::Broken(_)) if !upstream.input.is_empty() => {
                        return Err(Failed::NoAnswer);
                    }
                    Err(fault) => return Err(Failed::Upstream(fault)),
                },
            }
        }
    }

    /// Sends the answer back. Whether another request may follow.
    fn answer(
        &mut self,
        mut upstream: Lease,
        request: &Request,
        mut answer: Answer,
    ) -> Result<bool, End> {
        let keeps = answer.keeps_client && request.body.is_complete() && !self.control.is_closing();
        answer.append_head(self.client.output(), request.client, keeps);
        let sent = transfer(
            &mut upstream.peer,
            &mut answer.body,
            &mut self.client,
            answer.sent,
            self.limits.stall,
        );
        // Its head is under way. That the rest does not come, the client sees by the end of the connection.
        if sent.is_err() || self.client.flush().is_err() {
            return Err(End::Silent);
        }
        self.open.count_served();
        let is_whole = request.body.is_complete() && upstream.peer.input.is_empty();
        if answer.is_kept && is_whole {
            self.upstreams.give_back(upstream);
        }
        Ok(keeps)
    }

    /// There is no answer. The next request can be found if this one was read to its end.
    fn fail(&mut self, request: &Request, status: Status) -> Result<bool, End> {
        let Client { keeps_alive, .. } = request.client;
        let keeps = keeps_alive && request.body.is_complete() && !self.control.is_closing();
        self.open.count_served();
        let refused = self.refuse(status, !request.is_head, keeps);
        refused.map_err(|_| End::Silent)?;
        Ok(keeps)
    }

    fn refuse(&mut self, status: Status, with_body: bool, keeps: bool) -> io::Result<()> {
        let out = self.client.output();
        Response::failure(status).append(out, &Date::now(), with_body, keeps);
        self.client.flush().map_err(|fault| match fault {
            Fault::Broken(error) => error,
            Fault::Late | Fault::Ended => io::ErrorKind::TimedOut.into(),
        })
    }

    /// The client hears that nothing more comes. What it still sends is thrown away for a while: were the socket
    /// closed now, the kernel would reset the connection, and the client might never read the answer.
    fn end(mut self) -> io::Result<()> {
        self.client.stream.shutdown(Shutdown::Write)?;
        let until = Instant::now() + LINGER;
        while self.client.fill_until(until).is_ok() {
            self.client.input.take(self.client.input.bytes().len());
        }
        Ok(())
    }
}

/// How long a client is listened to that was told to end.
const LINGER: Duration = Duration::from_secs(1);

/// Why a body did not get through.
enum Transfer {
    Source(Fault),
    Sink(Fault),
    Malformed,
}

/// Sends a body on, as it comes, with what was to be sent before it.
fn transfer(
    from: &mut Peer,
    body: &mut Body,
    to: &mut Peer,
    sent: Sent,
    stall: Duration,
) -> Result<(), Transfer> {
    while !body.is_complete() {
        let taken = body.take(from.input.bytes());
        let taken = taken.map_err(|_| Transfer::Malformed)?;
        sent.append(to.output(), taken.data);
        let count = taken.count;
        from.input.take(count);
        to.flush_if_much().map_err(Transfer::Sink)?;
        if count == 0 {
            // All that has come is sent, before anything is waited for.
            to.flush().map_err(Transfer::Sink)?;
            match from.fill(stall) {
                Ok(()) => {}
                Err(Fault::Ended) if matches!(body, Body::UntilEnd) => break,
                Err(fault) => return Err(Transfer::Source(fault)),
            }
        }
    }
    sent.append_end(to.output());
    to.flush().map_err(Transfer::Sink)
}
