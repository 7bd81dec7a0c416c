//! The servers as their clients see them, on every model.
#![forbid(unsafe_code)]

mod chat;
mod fetch;
mod foreign;
mod http;
mod kv;
mod nowhere;
mod proxy;
mod server;
mod tls;
mod websocket;
mod wrk;
