//! What the programs in `src/bin` are made of. Each is plain blocking code, one thread for each connection,
//! and runs on every model: `TREFOIL_MODEL=green cargo run -p trefoil-examples --bin http_server`.
#![forbid(unsafe_code)]

pub mod chat;
pub mod fetch;
pub mod http;
pub mod kv;
pub mod proxy;
pub mod server;
pub mod tls;
