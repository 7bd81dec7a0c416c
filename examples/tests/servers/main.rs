//! The servers as their clients see them, on every model.
#![forbid(unsafe_code)]

mod foreign;
mod http;
mod server;
mod websocket;
mod wrk;
