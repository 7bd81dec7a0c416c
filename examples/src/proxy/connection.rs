//! The life of a client's connection: each request goes to an upstream, and its answer comes back, before the next
//! one is looked at.

use std::io;
use std::net::{Shutdown, SocketAddr};
use std::time::{Duration, Instant};

use trefoil::net::TcpStream;
use trefoil::thread;

use super::back::{Answered, Back};
use super::limits::Limits;
use super::peer::{Fault, Peer};
use super::request::{Client, Request};
use super::transfer::{Failure, pass, transfer};
use super::upload::Upload;
use super::upstream::Upstreams;
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
pub(super) enum Failed {
    Client(Fault),
    Upstream(Fault),
    /// What the client says has no end that could be told.
    BadRequest,
    /// What the upstream says is no answer.
    NoAnswer,
    /// The answer has begun, and does not come to its end: the client sees that by the connection's.
    CutOff,
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
            let (mut client, idle) = (self.client.source(), self.limits.idle);
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
            match self.client.source().fill_until(until) {
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
                Ok(answered) => {
                    self.open.count_served();
                    if answered.keeps_upstream {
                        self.upstreams.give_back(upstream);
                    }
                    return Ok(answered.keeps_client);
                }
                // It ended the connection before it could know of the request. A fresh one was not kept: this
                // happens once.
                Err(Failed::Upstream(Fault::Ended | Fault::Broken(_)))
                    if upstream.was_kept && request.may_repeat =>
                {
                    drop(upstream);
                    lease = self.upstreams.lease(true, stall);
                }
                Err(failed) => return self.failed(&request, failed),
            }
        }
    }

    fn failed(&mut self, request: &Request, failed: Failed) -> Result<bool, End> {
        match failed {
            Failed::Upstream(Fault::Late) => self.fail(request, Status::GatewayTimeout),
            Failed::Upstream(_) | Failed::NoAnswer => self.fail(request, Status::BadGateway),
            Failed::Client(Fault::Late) => Err(End::Refused(Status::RequestTimeout)),
            Failed::Client(Fault::Ended) | Failed::BadRequest => {
                Err(End::Refused(Status::BadRequest))
            }
            Failed::Client(Fault::Broken(_)) | Failed::CutOff => Err(End::Silent),
        }
    }

    /// Sends the request, and its answer back. If its body has not come yet, both at the same time, by a thread
    /// for each direction: the upstream may answer before it has read all, or as it reads.
    fn ask(&mut self, upstream: &mut Peer, request: &mut Request) -> Result<Answered, Failed> {
        let stall = self.limits.stall;
        let (mut from_client, mut to_client) = self.client.halves();
        let (from_upstream, mut to_upstream) = upstream.halves();
        if !request.body.is_complete() && request.expects_continue && from_client.input.is_empty() {
            let go_on = b"HTTP/1.1 100 Continue\r\n\r\n";
            to_client.output.extend_from_slice(go_on);
            to_client.flush().map_err(Failed::Client)?;
        }
        let upload = Upload::default();
        let Request { body, sent, .. } = request;
        let back = Back {
            is_head: request.is_head,
            client: request.client,
            limits: self.limits,
            control: self.control,
            upload: &upload,
        };
        to_upstream.output.extend_from_slice(&request.head);
        let begun = pass(&mut from_client, body, &mut to_upstream, *sent);
        if body.is_complete() {
            upload.take();
        }
        let begun = begun.and_then(|()| to_upstream.flush().map_err(Failure::Sink));
        if body.is_complete() || begun.is_err() {
            upload.end();
            uploaded(begun)?;
            return back.answer(from_upstream, to_client);
        }
        let (sent, upload) = (*sent, &upload);
        thread::scope(|scope| {
            let uploading = scope.spawn(move || {
                let all = transfer(&mut from_client, body, &mut to_upstream, sent, stall);
                let all = all.and_then(|()| {
                    upload.take();
                    to_upstream.flush().map_err(Failure::Sink)
                });
                upload.end();
                uploaded(all).inspect_err(|_| to_upstream.hang_up())
            });
            let answered = back.answer(from_upstream, to_client);
            // What is answered need not be sent any further.
            uploading.cancel();
            match (uploading.join(), answered) {
                (_, Err(Failed::CutOff)) => Err(Failed::CutOff),
                // There is no answer because of that.
                (Ok(Err(failed)), Err(_)) => Err(failed),
                (Ok(Ok(())), answered) => answered,
                (_, answered) => answered.map(|answered| Answered {
                    keeps_upstream: false,
                    ..answered
                }),
            }
        })
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
        let mut client = self.client.sink();
        Response::failure(status).append(client.output, &Date::now(), with_body, keeps);
        client.flush().map_err(|fault| match fault {
            Fault::Broken(error) => error,
            Fault::Late | Fault::Ended => io::ErrorKind::TimedOut.into(),
        })
    }

    /// The client hears that nothing more comes. What it still sends is thrown away for a while: were the socket
    /// closed now, the kernel would reset the connection, and the client might never read the answer.
    fn end(mut self) -> io::Result<()> {
        self.client.stream.shutdown(Shutdown::Write)?;
        let until = Instant::now() + LINGER;
        while self.client.source().fill_until(until).is_ok() {
            self.client.input.take(self.client.input.bytes().len());
        }
        Ok(())
    }
}

/// How long a client is listened to that was told to end.
const LINGER: Duration = Duration::from_secs(1);

/// Who answers before it has read all may have hung up: what it said is there.
fn uploaded(all: Result<(), Failure>) -> Result<(), Failed> {
    match all {
        Ok(()) | Err(Failure::Sink(Fault::Broken(_))) => Ok(()),
        Err(Failure::Sink(fault)) => Err(Failed::Upstream(fault)),
        Err(Failure::Source(fault)) => Err(Failed::Client(fault)),
        Err(Failure::Malformed) => Err(Failed::BadRequest),
    }
}
