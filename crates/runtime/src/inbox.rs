//! A worker's inbox: wake-ups from other OS threads, and whether the worker sleeps.
//!
//! One word answers both "is there a message?" and "must I wake the owner?", so a
//! wake-up from elsewhere is one exchange, and a system call only when the owner sleeps.
//!
//! | word      | meaning                                   | owner may               | others may |
//! |-----------|-------------------------------------------|-------------------------|------------|
//! | EMPTY     | nothing is here, the owner is awake       | -> ASLEEP, -> CLOSED     | -> a node  |
//! | a node    | a stack of messages, the owner is awake   | -> EMPTY (take all)      | push       |
//! | ASLEEP    | nothing is here, the owner sleeps or is about to | -> EMPTY          | -> a node or -> EMPTY; who does it must wake the owner |
//! | CLOSED    | the owner has gone                        | -                       | - (messages are given back) |
//!
//! No wake-up is lost: the owner can only fall asleep by exchanging EMPTY for ASLEEP,
//! which fails when a message is there; and whoever replaces ASLEEP is told to wake the
//! owner. Only one caller can replace it, so the owner is woken once. All transitions
//! are on one word, so no fence is needed.
//!
//! Messages are linked through a field of the message itself ([`Message`]), so that
//! posting allocates nothing. A message is in at most one inbox, at most once: for
//! threads, `State::mail_post` sees to that.

use core::marker::PhantomData;
use core::ptr;

use crate::atomic::{AtomicPtr, Ordering};

/// A value that can be linked into an [`Inbox`].
///
/// # Safety
///
/// `link` must give the same field for the same pointer, and that field must be used
/// by nobody else from `into_raw` to `from_raw`.
pub unsafe trait Message: Sized {
    /// What the pointer points at.
    type Target;
    /// Gives up the value for a pointer to it, at least 4-aligned and not null.
    fn into_raw(self) -> *mut Self::Target;
    /// Takes the value back.
    ///
    /// # Safety
    ///
    /// `raw` comes from `into_raw` and is taken back once.
    unsafe fn from_raw(raw: *mut Self::Target) -> Self;
    /// The link field of the value behind `raw`.
    ///
    /// # Safety
    ///
    /// `raw` comes from `into_raw` and has not been taken back.
    unsafe fn link(raw: *mut Self::Target) -> *const Link<Self::Target>;
}

/// The field by which a message is linked.
#[derive(Debug)]
pub struct Link<T>(AtomicPtr<T>);

impl<T> Link<T> {
    /// An unused link.
    #[must_use]
    pub fn new() -> Link<T> {
        Link(AtomicPtr::new(ptr::null_mut()))
    }
}

impl<T> Default for Link<T> {
    fn default() -> Link<T> {
        Link::new()
    }
}

/// What a sender has to do after [`Inbox::push`].
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub enum Posted<M> {
    /// Nothing: the owner is awake and will see it.
    Awake,
    /// The owner sleeps, and it is on the caller to wake it.
    WakeOwner,
    /// The owner has gone; here is the message.
    Closed(M),
}

/// A queue of messages from many OS threads to one.
#[derive(Debug)]
pub struct Inbox<M: Message> {
    head: AtomicPtr<M::Target>,
    _messages: PhantomData<fn(M) -> M>,
}

// SAFETY: the inbox holds nothing but pointers to messages, which are given up on one
// OS thread and taken back on another: `M: Send` allows exactly that.
unsafe impl<M: Message + Send> Send for Inbox<M> {}
// SAFETY: as above; all shared access goes through the atomic head.
unsafe impl<M: Message + Send> Sync for Inbox<M> {}

const ASLEEP: usize = 1;
const CLOSED: usize = 2;

fn mark<T>(value: usize) -> *mut T {
    ptr::without_provenance_mut(value)
}

impl<M: Message> Inbox<M> {
    /// An empty inbox whose owner is awake.
    #[must_use]
    pub fn new() -> Inbox<M> {
        Inbox {
            head: AtomicPtr::new(ptr::null_mut()),
            _messages: PhantomData,
        }
    }

    /// Posts a message. Any OS thread may call it.
    pub fn push(&self, message: M) -> Posted<M> {
        let node = message.into_raw();
        let mut head = self.head.load(Ordering::Relaxed);
        loop {
            if head.addr() == CLOSED {
                // SAFETY: the node was given up above and linked nowhere.
                return Posted::Closed(unsafe { M::from_raw(node) });
            }
            let asleep = head.addr() == ASLEEP;
            let next = if asleep { ptr::null_mut() } else { head };
            // SAFETY: the node is ours until the exchange below publishes it.
            unsafe { (*M::link(node)).0.store(next, Ordering::Relaxed) };
            // Release: pairs with `take`; the message and what was done before it.
            match self
                .head
                .compare_exchange_weak(head, node, Ordering::Release, Ordering::Relaxed)
            {
                Ok(_) if asleep => return Posted::WakeOwner,
                Ok(_) => return Posted::Awake,
                Err(now) => head = now,
            }
        }
    }

    /// Claims the right to wake a sleeping owner without a message. `true` says that the
    /// owner sleeps and that it is on the caller to wake it.
    #[must_use]
    pub fn rouse(&self) -> bool {
        // AcqRel: Release pairs with the owner's `take` (what the caller did before is
        // seen by the owner when it wakes); Acquire pairs with `fall_asleep`.
        self.head
            .compare_exchange(
                mark(ASLEEP),
                ptr::null_mut(),
                Ordering::AcqRel,
                Ordering::Relaxed,
            )
            .is_ok()
    }

    /// Whether a message waits. The owner asks this while it spins.
    #[inline]
    pub fn has_messages(&self) -> bool {
        self.head.load(Ordering::Relaxed).addr() > CLOSED
    }

    /// The owner is about to sleep. `false` says that messages are here: do not.
    #[must_use]
    pub fn fall_asleep(&self) -> bool {
        // Release: pairs with `rouse`. On failure `take` acquires.
        self.head
            .compare_exchange(
                ptr::null_mut(),
                mark(ASLEEP),
                Ordering::Release,
                Ordering::Relaxed,
            )
            .is_ok()
    }

    /// The owner is awake and takes all messages, oldest first.
    pub fn take(&self) -> Messages<M> {
        // A look first: the exchange is for when there is something. Acquire: pairs with
        // `rouse`, which leaves nothing to take.
        if self.head.load(Ordering::Acquire).is_null() {
            return Messages::none();
        }
        // Acquire: pairs with `push`.
        Messages::reversed(self.head.swap(ptr::null_mut(), Ordering::Acquire))
    }

    /// The owner goes for good. Messages that are here are returned; later ones are
    /// given back to their senders.
    pub fn close(&self) -> Messages<M> {
        // Acquire: pairs with `push`.
        Messages::reversed(self.head.swap(mark(CLOSED), Ordering::Acquire))
    }
}

impl<M: Message> Default for Inbox<M> {
    fn default() -> Inbox<M> {
        Inbox::new()
    }
}

impl<M: Message> Drop for Inbox<M> {
    fn drop(&mut self) {
        drop(self.close());
    }
}

/// Messages taken from an [`Inbox`], oldest first. What is not read is dropped.
#[derive(Debug)]
pub struct Messages<M: Message> {
    next: *mut M::Target,
    _messages: PhantomData<M>,
}

impl<M: Message> Messages<M> {
    fn none() -> Messages<M> {
        Messages {
            next: ptr::null_mut(),
            _messages: PhantomData,
        }
    }

    /// Turns the stack that the senders built into a queue.
    fn reversed(mut node: *mut M::Target) -> Messages<M> {
        let mut messages = Messages::none();
        while node.addr() > CLOSED {
            // SAFETY: the node came out of the head with an exchange: it is ours alone.
            let link = unsafe { &*M::link(node) };
            let older = link.0.load(Ordering::Relaxed);
            link.0.store(messages.next, Ordering::Relaxed);
            messages.next = node;
            node = older;
        }
        messages
    }
}

impl<M: Message> Iterator for Messages<M> {
    type Item = M;

    fn next(&mut self) -> Option<M> {
        if self.next.is_null() {
            return None;
        }
        let node = self.next;
        // SAFETY: the node is ours (see `reversed`); its link is read before the value
        // is taken back.
        unsafe {
            self.next = (*M::link(node)).0.load(Ordering::Relaxed);
            Some(M::from_raw(node))
        }
    }
}

impl<M: Message> Drop for Messages<M> {
    fn drop(&mut self) {
        for message in self.by_ref() {
            drop(message);
        }
    }
}

#[cfg(test)]
pub(crate) mod testing {
    use super::*;

    /// A message of its own allocation, for tests and models.
    #[derive(Debug, PartialEq, Eq)]
    pub(crate) struct Note(pub(crate) Box<NoteBody>);

    #[derive(Debug)]
    pub(crate) struct NoteBody {
        pub(crate) value: usize,
        link: Link<NoteBody>,
    }

    impl PartialEq for NoteBody {
        fn eq(&self, other: &NoteBody) -> bool {
            self.value == other.value
        }
    }

    impl Eq for NoteBody {}

    impl Note {
        pub(crate) fn new(value: usize) -> Note {
            Note(Box::new(NoteBody {
                value,
                link: Link::new(),
            }))
        }
    }

    // SAFETY: the link is a field of the box and used by the inbox only.
    unsafe impl Message for Note {
        type Target = NoteBody;
        fn into_raw(self) -> *mut NoteBody {
            Box::into_raw(self.0)
        }
        unsafe fn from_raw(raw: *mut NoteBody) -> Note {
            // SAFETY: by the trait's contract `raw` is a box given up by `into_raw`.
            Note(unsafe { Box::from_raw(raw) })
        }
        unsafe fn link(raw: *mut NoteBody) -> *const Link<NoteBody> {
            // SAFETY: by the trait's contract `raw` points at a live body.
            unsafe { &raw const (*raw).link }
        }
    }
}

#[cfg(all(test, not(trefoil_loom)))]
mod tests {
    use super::testing::Note;
    use super::*;

    fn values(messages: Messages<Note>) -> Vec<usize> {
        messages.map(|note| note.0.value).collect()
    }

    #[test]
    fn oldest_first() {
        let inbox = Inbox::new();
        for value in 0..3 {
            assert!(matches!(inbox.push(Note::new(value)), Posted::Awake));
        }
        assert!(inbox.has_messages());
        assert_eq!(values(inbox.take()), [0, 1, 2]);
        assert!(!inbox.has_messages());
        assert_eq!(values(inbox.take()), []);
    }

    #[test]
    fn only_one_wakes_a_sleeper() {
        let inbox = Inbox::new();
        assert!(inbox.fall_asleep());
        assert!(matches!(inbox.push(Note::new(1)), Posted::WakeOwner));
        assert!(matches!(inbox.push(Note::new(2)), Posted::Awake));
        assert!(!inbox.rouse());
        assert_eq!(values(inbox.take()), [1, 2]);
        assert!(inbox.fall_asleep());
        assert!(inbox.rouse());
        assert!(!inbox.rouse());
        assert_eq!(values(inbox.take()), []);
    }

    #[test]
    fn no_sleep_over_a_message() {
        let inbox = Inbox::new();
        assert!(matches!(inbox.push(Note::new(7)), Posted::Awake));
        assert!(!inbox.fall_asleep());
        assert_eq!(values(inbox.take()), [7]);
    }

    #[test]
    fn a_closed_inbox_gives_messages_back() {
        let inbox = Inbox::new();
        assert!(matches!(inbox.push(Note::new(1)), Posted::Awake));
        assert_eq!(values(inbox.close()), [1]);
        let Posted::Closed(note) = inbox.push(Note::new(2)) else {
            panic!("it was accepted")
        };
        assert_eq!(note.0.value, 2);
    }
}

/// The owner sleeps in loom's `park`, and whoever is told to wakes it by `unpark`: a lost
/// wake-up is a deadlock, which loom reports.
#[cfg(all(test, trefoil_loom))]
mod loom_models {
    use super::testing::Note;
    use super::*;
    use loom::sync::Arc;
    use loom::thread;

    fn post(inbox: &Inbox<Note>, owner: &thread::Thread, value: usize) {
        match inbox.push(Note::new(value)) {
            Posted::WakeOwner => owner.unpark(),
            Posted::Awake => {}
            Posted::Closed(_) => unreachable!("nobody closes it here"),
        }
    }

    fn sleep_once(inbox: &Inbox<Note>) {
        if inbox.fall_asleep() {
            thread::park();
        }
    }

    #[test]
    fn every_message_arrives_at_an_owner_that_sleeps_between() {
        loom::model(|| {
            let inbox = Arc::new(Inbox::new());
            let owner = thread::current();
            let posters = [1, 2].map(|value| {
                let (inbox, owner) = (Arc::clone(&inbox), owner.clone());
                thread::spawn(move || post(&inbox, &owner, value))
            });
            let mut sum = 0;
            while sum != 3 {
                sum += inbox.take().map(|note| note.0.value).sum::<usize>();
                if sum != 3 {
                    sleep_once(&inbox);
                }
            }
            for poster in posters {
                poster.join().unwrap();
            }
        });
    }

    #[test]
    fn a_sleeper_is_roused_without_a_message_or_sees_the_reason() {
        loom::model(|| {
            let inbox = Arc::new(Inbox::<Note>::new());
            let reason = Arc::new(crate::atomic::AtomicU32::new(0));
            let owner = thread::current();
            let rouser = {
                let (inbox, reason) = (Arc::clone(&inbox), Arc::clone(&reason));
                thread::spawn(move || {
                    reason.store(1, Ordering::Relaxed);
                    // As `Idle`: whoever writes first and looks second.
                    crate::atomic::fence(Ordering::SeqCst);
                    if inbox.rouse() {
                        owner.unpark();
                    }
                })
            };
            while reason.load(Ordering::Relaxed) == 0 {
                if inbox.fall_asleep() {
                    crate::atomic::fence(Ordering::SeqCst);
                    if reason.load(Ordering::Relaxed) == 0 {
                        thread::park();
                    }
                    let _ = inbox.take();
                }
            }
            rouser.join().unwrap();
        });
    }

    #[test]
    fn a_message_is_taken_or_given_back() {
        loom::model(|| {
            let inbox = Arc::new(Inbox::new());
            let poster = {
                let inbox = Arc::clone(&inbox);
                thread::spawn(move || match inbox.push(Note::new(1)) {
                    Posted::Closed(note) => note.0.value,
                    _ => 0,
                })
            };
            let taken: usize = inbox.close().map(|note| note.0.value).sum();
            assert_eq!(poster.join().unwrap() + taken, 1);
        });
    }
}
