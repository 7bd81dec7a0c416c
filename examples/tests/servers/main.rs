//! The servers as their clients see them, on every model.
#![forbid(unsafe_code)]

mod http;
mod server;
mod websocket;
