//! Channels: messages from thread to thread.
