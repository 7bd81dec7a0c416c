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

/// The size of stacks, in bytes, where nobody says otherwise. Frames are larger where nothing is
/// optimized.
pub const DEFAULT_STACK: usize = if cfg!(debug_assertions) {
    MIB
} else {
    256 * KIB
};

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

/// How much address space the first slab of a class takes, where that makes 1 to 64 slots; each
/// further one takes twice as much,
const FIRST_SLAB_BYTES: usize = 16 * MIB;
/// up to this. So a million stacks need some hundred mappings, and a few stacks little address
/// space.
const LAST_SLAB_BYTES: usize = 256 * MIB;

/// How much address space the stacks have that one worker keeps for itself, where that makes 2 to
/// 64 of them.
const CACHE_BYTES: usize = 64 * MIB;

/// How much a class keeps in free stacks that have memory, counted by their full size, however long
/// they lie there.
const WATERMARK_BYTES: usize = 256 * MIB;

/// How much is given back to the kernel at a time, counted by the full size of the stacks: what
/// one page of each costs is less than a millisecond.
const PORTION_BYTES: usize = 128 * MIB;

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

    /// How many slots the next slab of this class is to have, after `slabs` others.
    pub(crate) fn slots_after(self, slabs: usize) -> u16 {
        let first = (FIRST_SLAB_BYTES / self.size()).clamp(1, 64);
        let last = (LAST_SLAB_BYTES / self.size()).max(1);
        let slots = first << slabs.min(8);
        u16::try_from(slots.min(last)).expect("at most 4096")
    }

    /// How many stacks a worker may keep for itself.
    pub(crate) fn cache_bound(self) -> usize {
        (CACHE_BYTES / self.size()).clamp(2, 64)
    }

    /// How many free stacks keep their memory however long they lie about.
    pub(crate) fn watermark(self) -> usize {
        (WATERMARK_BYTES / self.size()).clamp(1, 1024)
    }

    /// How many free stacks are given back to the kernel at a time.
    pub(crate) fn portion(self) -> usize {
        (PORTION_BYTES / self.size()).clamp(1, 512)
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
    fn slabs_grow_to_a_bound() {
        for class in Class::all() {
            let mut before = 0;
            for slabs in 0..20 {
                let slots = class.slots_after(slabs);
                assert!(slots >= before.max(1));
                assert!(slots == 1 || usize::from(slots) * class.size() <= LAST_SLAB_BYTES);
                before = slots;
            }
            assert!(class.watermark() >= 1 && class.portion() >= 1);
        }
        let small = Class::of(64 * KIB).unwrap();
        assert_eq!((small.slots_after(0), small.slots_after(9)), (64, 4096));
        assert_eq!(Class::of(MAX_STACK).unwrap().slots_after(9), 1);
    }
}
