//! In place of `fiber.rs`, where no runtime of fibers is compiled in.
//! The functions are unsafe because those are; these here demand nothing.

use core::ptr::NonNull;

use super::header::Header;
use crate::overflow::Limit;
use crate::usage::Extent;

#[inline(always)]
pub(crate) fn is_one(_: &Header) -> bool {
    false
}

/// # Safety
///
/// None is needed where there are no fibers.
#[inline(always)]
pub(crate) unsafe fn park(_: &Header) -> bool {
    false
}

/// # Safety
///
/// None is needed where there are no fibers.
#[inline(always)]
pub(crate) unsafe fn yield_now(_: &Header) -> bool {
    false
}

pub(crate) fn remaining(_: &Header) -> usize {
    0
}

pub(crate) fn lend(_: &Header, _: &Header) {}

pub(crate) fn give_back(_: &Header) {}

pub(crate) fn limit(_: &Header) -> Option<Limit> {
    None
}

pub(crate) fn extent(_: &Header) -> Option<Extent> {
    None
}

#[inline(always)]
pub(crate) fn prefetch_header(_: NonNull<Header>) {}

#[inline(always)]
pub(crate) fn prefetch_block(_: *const Header) {}

#[inline(always)]
pub(crate) fn prefetch_stack(_: &Header) {}

#[inline(always)]
pub(crate) fn prefetch_page(_: &Header) {}
