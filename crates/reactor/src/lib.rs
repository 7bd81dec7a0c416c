//! Readiness of descriptors and timers.
