//! In place of `fiber.rs`, where no runtime of fibers is compiled in.
#![forbid(unsafe_code)]

use super::header::Header;
use crate::overflow::Limit;

#[inline(always)]
pub(crate) fn park(_: &Header) -> bool {
    false
}

#[inline(always)]
pub(crate) fn yield_now(_: &Header) -> bool {
    false
}

pub(crate) fn limit(_: &Header) -> Option<Limit> {
    None
}
