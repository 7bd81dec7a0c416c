//! Size classes: which sizes of stack there are, and how a wish is rounded to one.
//!
//! Few classes, so that a stack which comes back fits the next one who asks.

#![forbid(unsafe_code)]

use std::io;

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// The smallest stack, in bytes: smaller wishes are rounded up to it.
pub const MIN_STACK: usize = 64 * KIB;

/// The largest stack, in bytes: larger wishes are refused.
pub const MAX_STACK: usize = 1024 * MIB;

/// The sizes of the classes, rising.
const SIZES: [usize; Class::COUNT] = [
    64 * KIB,
    256 * KIB,
    MIB,
    8 * MIB,
    16 * MIB,
    32 * MIB,
    64 * MIB,
    128 * MIB,
    256 * MIB,
    512 * MIB,
    1024 * MIB,
];

/// How much address space a slab takes, where that makes 1 to 64 slots.
const SLAB_BYTES: usize = 16 * MIB;

/// How much a class may keep in dirty free stacks, counted by their full size, before slabs are
/// given back to the kernel.
const DIRTY_BYTES: usize = 256 * MIB;

/// Rounds `size`, in bytes, to the size of stack that [`StackPool::get`](crate::StackPool::get)
/// would give: the smallest of 64 KiB, 256 KiB, 1 MiB, 8 MiB, 16 MiB and so on in powers of two up
/// to 1 GiB that is not smaller.
///
/// # Errors
///
/// [`io::ErrorKind::InvalidInput`] if `size` is 0 or more than [`MAX_STACK`].
///
/// ```
/// use trefoil_fiber::check_size;
///
/// assert_eq!(check_size(1)?, 64 * 1024);
/// assert_eq!(check_size(65 * 1024)?, 256 * 1024);
/// assert!(check_size(0).is_err());
/// assert!(check_size(usize::MAX).is_err());
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn check_size(size: usize) -> io::Result<usize> {
    Class::of(size).map(Class::size)
}

/// One of the sizes that stacks have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Class(u8);

impl Class {
    /// How many classes there are.
    pub(crate) const COUNT: usize = 11;

    /// The smallest class that has room for `size` bytes.
    pub(crate) fn of(size: usize) -> io::Result<Class> {
        match SIZES.iter().position(|&class| size <= class) {
            Some(index) if size > 0 => Ok(Class(index as u8)),
            _ => Err(refused(size)),
        }
    }

    /// Every class, rising.
    pub(crate) fn all() -> impl Iterator<Item = Class> {
        (0..Class::COUNT as u8).map(Class)
    }

    /// Where this class stands among all.
    pub(crate) fn index(self) -> usize {
        usize::from(self.0)
    }

    /// Bytes that a stack of this class has at least.
    pub(crate) fn size(self) -> usize {
        SIZES[self.index()]
    }

    /// How many slots a slab of this class has: 1 to 64.
    pub(crate) fn slots(self) -> u8 {
        (SLAB_BYTES / self.size()).clamp(1, 64) as u8
    }

    /// How many dirty free stacks may lie about before slabs are trimmed.
    pub(crate) fn dirty_limit(self) -> usize {
        (DIRTY_BYTES / self.size()).clamp(1, 1024)
    }
}

#[cold]
fn refused(size: usize) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidInput,
        format!(
            "a stack of {size} bytes is not possible: the size must be 1 byte to 1 GiB, and less than 64 KiB is rounded up to 64 KiB"
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wishes_are_rounded_up_to_a_class() {
        let cases = [
            (1, 64 * KIB),
            (4 * KIB, 64 * KIB),
            (64 * KIB, 64 * KIB),
            (64 * KIB + 1, 256 * KIB),
            (256 * KIB, 256 * KIB),
            (257 * KIB, MIB),
            (MIB + 1, 8 * MIB),
            (8 * MIB + 1, 16 * MIB),
            (100 * MIB, 128 * MIB),
            (1024 * MIB, 1024 * MIB),
        ];
        for (wish, size) in cases {
            assert_eq!(check_size(wish).unwrap(), size, "{wish}");
        }
    }

    #[test]
    fn nothing_and_too_much_are_refused_with_the_limits() {
        for wish in [0, MAX_STACK + 1, usize::MAX] {
            let error = check_size(wish).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
            let text = error.to_string();
            assert!(text.contains("1 GiB") && text.contains("64 KiB"), "{text}");
        }
    }

    #[test]
    fn every_class_fits_the_masks_of_a_slab() {
        for class in Class::all() {
            assert!((1..=64).contains(&class.slots()));
            assert!(class.dirty_limit() >= 1);
        }
        assert_eq!(Class::of(256 * KIB).unwrap().slots(), 64);
    }
}
