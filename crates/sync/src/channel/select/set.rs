//! [`Select`]: a list of operations that is made while the program runs.
//!
//! What an operation gets lies in its arm, in a box; when it is chosen, the [`SelectedOperation`] takes the
//! box away and the list gets a new one. So the list may be used again, whatever becomes of the operation.

use std::fmt;
use std::future::poll_fn;
use std::marker::PhantomData;
use std::mem;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use trefoil_runtime::future::block_until;
use trefoil_runtime::thread::{self, deadline_after};
use trefoil_runtime::{Reason, ThreadId, Wait, spend};

use super::arm::Arm;
use super::choose::{Armed, Limit, Order, choose};
use super::handles::{RecvArm, SendArm};
use crate::channel::error::{
    ReadyTimeoutError, RecvError, SelectTimeoutError, SendError, TryReadyError, TrySelectError,
};
use crate::channel::state::Watch;
use crate::channel::{Receiver, Sender};

/// Waits for one of several operations on channels, whose number may change while the program runs. Where
/// it is known, [`select!`](crate::channel::select) is simpler.
///
/// Operations are added by [`send`](Select::send) and [`recv`](Select::recv), which give their numbers.
///
/// * [`select`](Select::select) and its kin choose an operation that can be done and begin it. The
///   [`SelectedOperation`] *must* then be completed.
/// * [`ready`](Select::ready) and its kin tell of an operation that can be done, and do nothing. Somebody
///   else may do it first: go on with `try_recv` or `try_send`, and ask again.
///
/// Of several operations that can be done one is chosen by chance; with
/// [`new_biased`](Select::new_biased), the first. It is `crossbeam_channel::Select`.
///
/// ```
/// use trefoil_sync::channel::{Receiver, Select, unbounded};
///
/// /// The first message of any of these, and whose it is.
/// fn first(receivers: &[Receiver<String>]) -> (usize, String) {
///     let mut select = Select::new();
///     for receiver in receivers {
///         select.recv(receiver);
///     }
///     let operation = select.select();
///     let index = operation.index();
///     (index, operation.recv(&receivers[index]).unwrap())
/// }
///
/// let (senders, receivers): (Vec<_>, Vec<_>) = (0..3).map(|_| unbounded()).unzip();
/// senders[1].send("hello".to_owned()).unwrap();
/// assert_eq!(first(&receivers), (1, "hello".to_owned()));
/// ```
pub struct Select<'a> {
    entries: Vec<Entry<'a>>,
    next: usize,
    order: Order,
}

struct Entry<'a> {
    index: usize,
    /// For its messages need not be `Send`.
    added_by: ThreadId,
    operation: Idle<'a>,
}

impl Armed for Entry<'_> {
    fn arm(&self) -> &dyn Arm {
        self.operation.get().arm()
    }
}

/// An operation for which nothing is done. Its type does not say how long its handle is borrowed, so that a
/// list may be dropped after the handles, as a list of references may.
struct Idle<'a>(Box<dyn Operation<'static>>, PhantomData<&'a ()>);

impl<'a> Idle<'a> {
    fn new(operation: Box<dyn Operation<'a> + 'a>) -> Idle<'a> {
        // SAFETY: only the lifetimes differ. It comes out with the right one by `get` and `take`. If it is
        // dropped here, it holds no message and stands in no queue: the drop looks at nothing that is borrowed.
        let operation = unsafe {
            mem::transmute::<Box<dyn Operation<'a> + 'a>, Box<dyn Operation<'static>>>(operation)
        };
        Idle(operation, PhantomData)
    }

    fn get(&self) -> &(dyn Operation<'a> + 'a) {
        let operation: &dyn Operation<'static> = &*self.0;
        // SAFETY: that is what it was made of.
        unsafe { mem::transmute::<&dyn Operation<'static>, &(dyn Operation<'a> + 'a)>(operation) }
    }

    fn take(self) -> Box<dyn Operation<'a> + 'a> {
        // SAFETY: that is what it was made of.
        unsafe {
            mem::transmute::<Box<dyn Operation<'static>>, Box<dyn Operation<'a> + 'a>>(self.0)
        }
    }
}

/// An arm, and whose it is.
trait Operation<'a> {
    fn arm(&self) -> &dyn Arm;

    /// Loses the message that it has received.
    fn lose_message(&self) {}

    /// One like this, with nothing done.
    fn renew(&self) -> Box<dyn Operation<'a> + 'a>;

    /// The address of its handle.
    fn handle(&self) -> *const ();
}

struct Receiving<'a, T> {
    receiver: &'a Receiver<T>,
    arm: RecvArm<'a, T>,
}

struct Sending<'a, T> {
    sender: &'a Sender<T>,
    arm: SendArm<'a, T>,
}

impl<'a, T> Receiving<'a, T> {
    fn new(receiver: &'a Receiver<T>) -> Box<Receiving<'a, T>> {
        Box::new(Receiving {
            receiver,
            arm: receiver.arm(),
        })
    }
}

impl<'a, T> Sending<'a, T> {
    fn new(sender: &'a Sender<T>) -> Box<Sending<'a, T>> {
        Box::new(Sending {
            sender,
            arm: sender.arm(),
        })
    }
}

impl<'a, T> Operation<'a> for Receiving<'a, T> {
    fn arm(&self) -> &dyn Arm {
        self.arm.arm()
    }

    fn lose_message(&self) {
        mem::forget(self.arm.take());
    }

    fn renew(&self) -> Box<dyn Operation<'a> + 'a> {
        Receiving::new(self.receiver)
    }

    fn handle(&self) -> *const () {
        (&raw const *self.receiver).cast()
    }
}

impl<'a, T> Operation<'a> for Sending<'a, T> {
    fn arm(&self) -> &dyn Arm {
        self.arm.arm()
    }

    fn renew(&self) -> Box<dyn Operation<'a> + 'a> {
        Sending::new(self.sender)
    }

    fn handle(&self) -> *const () {
        (&raw const *self.sender).cast()
    }
}

impl<'a> Select<'a> {
    /// An empty list. Does not wait.
    ///
    /// ```
    /// use trefoil_sync::channel::Select;
    ///
    /// assert!(Select::new().try_select().is_err());
    /// ```
    #[must_use]
    pub fn new() -> Select<'a> {
        Select::by(Order::Random)
    }

    /// An empty list, of which the first operation that can be done is chosen.
    ///
    /// ```
    /// use trefoil_sync::channel::{Select, unbounded};
    ///
    /// let (sender, receiver) = unbounded();
    /// sender.send(1).unwrap();
    /// let mut select = Select::new_biased();
    /// select.recv(&receiver);
    /// select.send(&sender);
    /// let operation = select.select();
    /// assert_eq!(operation.index(), 0);
    /// assert_eq!(operation.recv(&receiver), Ok(1));
    /// ```
    #[must_use]
    pub fn new_biased() -> Select<'a> {
        Select::by(Order::Given)
    }

    const fn by(order: Order) -> Select<'a> {
        Select {
            entries: Vec::new(),
            next: 0,
            order,
        }
    }

    /// Adds the sending of a message, and gives its number.
    ///
    /// ```
    /// use trefoil_sync::channel::{Select, unbounded};
    ///
    /// let (sender, _receiver) = unbounded::<u8>();
    /// let mut select = Select::new();
    /// assert_eq!((select.send(&sender), select.send(&sender)), (0, 1));
    /// ```
    pub fn send<T>(&mut self, sender: &'a Sender<T>) -> usize {
        self.add(Sending::new(sender))
    }

    /// Adds the receiving of a message, and gives its number.
    ///
    /// ```
    /// use trefoil_sync::channel::{Select, unbounded};
    ///
    /// let (_sender, receiver) = unbounded::<u8>();
    /// let mut select = Select::new();
    /// assert_eq!(select.recv(&receiver), 0);
    /// ```
    pub fn recv<T>(&mut self, receiver: &'a Receiver<T>) -> usize {
        self.add(Receiving::new(receiver))
    }

    fn add(&mut self, operation: Box<dyn Operation<'a> + 'a>) -> usize {
        let index = self.next;
        self.next += 1;
        self.entries.push(Entry {
            index,
            added_by: thread::current().id(),
            operation: Idle::new(operation),
        });
        index
    }

    /// Takes an operation out, that of a channel whose other side has gone for instance. The others keep
    /// their numbers, and this one is not used again.
    ///
    /// # Panics
    ///
    /// If there is no operation of this number.
    ///
    /// ```
    /// use trefoil_sync::channel::{Select, unbounded};
    ///
    /// let (_sender, receiver) = unbounded::<u8>();
    /// let mut select = Select::new();
    /// let index = select.recv(&receiver);
    /// select.remove(index);
    /// assert!(select.try_select().is_err());
    /// ```
    pub fn remove(&mut self, index: usize) {
        let place = self.entries.iter().position(|entry| entry.index == index);
        let place =
            place.unwrap_or_else(|| panic!("no operation of this `Select` has number {index}"));
        self.entries.remove(place);
    }

    /// Begins an operation that can be done now. Never waits, but for what
    /// [`try_recv`](Receiver::try_recv) says.
    ///
    /// # Errors
    ///
    /// If none can be done now.
    ///
    /// ```
    /// use trefoil_sync::channel::{Select, unbounded};
    ///
    /// let (sender, receiver) = unbounded();
    /// let mut select = Select::new();
    /// select.recv(&receiver);
    /// assert!(select.try_select().is_err());
    /// sender.send(1).unwrap();
    /// assert_eq!(select.try_select().unwrap().recv(&receiver), Ok(1));
    /// ```
    #[track_caller]
    pub fn try_select(&mut self) -> Result<SelectedOperation<'a>, TrySelectError> {
        self.choose(Limit::Now).ok_or(TrySelectError)
    }

    /// Waits until an operation can be done, and begins it. A cancellation point when it has to wait.
    ///
    /// # Panics
    ///
    /// If there is no operation: it would wait for ever.
    ///
    /// ```
    /// use trefoil_sync::channel::{Select, bounded};
    ///
    /// let (sender, receiver) = bounded(0);
    /// std::thread::spawn(move || sender.send("hello"));
    /// let mut select = Select::new();
    /// select.recv(&receiver);
    /// assert_eq!(select.select().recv(&receiver), Ok("hello"));
    /// ```
    #[track_caller]
    pub fn select(&mut self) -> SelectedOperation<'a> {
        self.refuse_empty("select");
        self.choose(Limit::Until(None))
            .expect("without a limit one is chosen")
    }

    /// As [`select`](Select::select), and gives up after this time. It tries at least once.
    ///
    /// # Errors
    ///
    /// If none could be done in time.
    ///
    /// ```
    /// use std::time::Duration;
    /// use trefoil_sync::channel::{Select, unbounded};
    ///
    /// let (_sender, receiver) = unbounded::<u8>();
    /// let mut select = Select::new();
    /// select.recv(&receiver);
    /// assert!(select.select_timeout(Duration::from_millis(1)).is_err());
    /// ```
    #[track_caller]
    pub fn select_timeout(
        &mut self,
        timeout: Duration,
    ) -> Result<SelectedOperation<'a>, SelectTimeoutError> {
        self.choose(Limit::Until(deadline_after(timeout)))
            .ok_or(SelectTimeoutError)
    }

    /// As [`select`](Select::select), and gives up at this time. It tries at least once.
    ///
    /// # Errors
    ///
    /// If none could be done in time.
    ///
    /// ```
    /// use std::time::Instant;
    /// use trefoil_sync::channel::{Select, unbounded};
    ///
    /// let (sender, receiver) = unbounded();
    /// sender.send(1).unwrap();
    /// let mut select = Select::new();
    /// select.recv(&receiver);
    /// let operation = select.select_deadline(Instant::now()).unwrap();
    /// assert_eq!(operation.recv(&receiver), Ok(1));
    /// ```
    #[track_caller]
    pub fn select_deadline(
        &mut self,
        deadline: Instant,
    ) -> Result<SelectedOperation<'a>, SelectTimeoutError> {
        self.choose(Limit::Until(Some(deadline)))
            .ok_or(SelectTimeoutError)
    }

    #[track_caller]
    fn choose(&mut self, limit: Limit) -> Option<SelectedOperation<'a>> {
        if self.order == Order::Given {
            // `remove` keeps the order, so this is what they were added in.
            debug_assert!(self.entries.is_sorted_by_key(|entry| entry.index));
        }
        let chosen = choose(&mut self.entries, self.order, limit)?;
        let entry = &mut self.entries[chosen];
        let renewed = Idle::new(entry.operation.get().renew());
        Some(SelectedOperation {
            index: entry.index,
            added_by: entry.added_by,
            operation: mem::replace(&mut entry.operation, renewed).take(),
            is_completed: false,
            _stays: PhantomData,
        })
    }

    #[track_caller]
    fn refuse_empty(&self, call: &str) {
        assert!(
            !self.entries.is_empty(),
            "`Select::{call}` without an operation would wait for ever: add one by `recv` or `send`"
        );
    }

    /// The number of an operation that can be done now. Does not wait.
    ///
    /// # Errors
    ///
    /// If none can be done now.
    ///
    /// ```
    /// use trefoil_sync::channel::{Select, unbounded};
    ///
    /// let (sender, receiver) = unbounded();
    /// sender.send(1).unwrap();
    /// let mut select = Select::new();
    /// let index = select.recv(&receiver);
    /// assert_eq!(select.try_ready(), Ok(index));
    /// assert_eq!(receiver.try_recv(), Ok(1));
    /// assert!(select.try_ready().is_err());
    /// ```
    pub fn try_ready(&mut self) -> Result<usize, TryReadyError> {
        self.find_ready().ok_or(TryReadyError)
    }

    /// Waits until an operation can be done, and gives its number. When it is then tried, it may be
    /// impossible again. A cancellation point when it has to wait.
    ///
    /// # Panics
    ///
    /// If there is no operation: it would wait for ever.
    ///
    /// ```
    /// use trefoil_sync::channel::{Select, unbounded};
    ///
    /// let (sender, receiver) = unbounded();
    /// std::thread::spawn(move || sender.send(1));
    /// let mut select = Select::new();
    /// let index = select.recv(&receiver);
    /// assert_eq!(select.ready(), index);
    /// assert_eq!(receiver.try_recv(), Ok(1));
    /// ```
    #[track_caller]
    pub fn ready(&mut self) -> usize {
        self.refuse_empty("ready");
        self.ready_until(None)
            .expect("without a limit one is ready")
    }

    /// As [`ready`](Select::ready), and gives up after this time.
    ///
    /// # Errors
    ///
    /// If none could be done in time.
    ///
    /// ```
    /// use std::time::Duration;
    /// use trefoil_sync::channel::{Select, unbounded};
    ///
    /// let (_sender, receiver) = unbounded::<u8>();
    /// let mut select = Select::new();
    /// select.recv(&receiver);
    /// assert!(select.ready_timeout(Duration::from_millis(1)).is_err());
    /// ```
    #[track_caller]
    pub fn ready_timeout(&mut self, timeout: Duration) -> Result<usize, ReadyTimeoutError> {
        self.ready_until(deadline_after(timeout))
            .ok_or(ReadyTimeoutError)
    }

    /// As [`ready`](Select::ready), and gives up at this time.
    ///
    /// # Errors
    ///
    /// If none could be done in time.
    ///
    /// ```
    /// use std::time::Instant;
    /// use trefoil_sync::channel::{Select, unbounded};
    ///
    /// let (sender, _receiver) = unbounded::<u8>();
    /// let mut select = Select::new();
    /// let index = select.send(&sender);
    /// assert_eq!(select.ready_deadline(Instant::now()), Ok(index));
    /// ```
    #[track_caller]
    pub fn ready_deadline(&mut self, deadline: Instant) -> Result<usize, ReadyTimeoutError> {
        self.ready_until(Some(deadline)).ok_or(ReadyTimeoutError)
    }

    #[track_caller]
    fn ready_until(&mut self, until: Option<Instant>) -> Option<usize> {
        let wait = Wait::new(Reason::Select).cancellable();
        loop {
            if let Some(index) = self.find_ready() {
                spend();
                return Some(index);
            }
            if until.is_some_and(|until| until <= Instant::now()) {
                return None;
            }
            let due = self.entries.iter().filter_map(|entry| entry.arm().due());
            let _ = self.wait_ready(&wait.until(due.chain(until).min()));
        }
    }

    /// Waits until something may have become ready, or until the time of `wait`.
    fn wait_ready(&self, wait: &Wait) -> Option<()> {
        let mut watching = Watching {
            entries: &self.entries,
            watch: None,
        };
        block_until(wait, poll_fn(|context| watching.poll(context)))
    }

    /// A ready one, by the order of this list.
    fn find_ready(&mut self) -> Option<usize> {
        if self.order == Order::Random {
            super::order::shuffle(&mut self.entries);
        }
        let mut ready = self.entries.iter().filter(|entry| entry.arm().is_ready());
        ready.next().map(|entry| entry.index)
    }
}

/// Waker in all channels, until it goes.
struct Watching<'s, 'a> {
    entries: &'s [Entry<'a>],
    watch: Option<Watch>,
}

impl Watching<'_, '_> {
    /// The first time it has itself told; the second time it was.
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if self.watch.is_some() {
            return Poll::Ready(());
        }
        let watch = *self.watch.insert(Watch::new());
        let mut arms = self.entries.iter().map(Entry::arm);
        if arms.all(|arm| arm.watch(watch, context.waker())) {
            Poll::Pending
        } else {
            Poll::Ready(())
        }
    }
}

impl Drop for Watching<'_, '_> {
    fn drop(&mut self) {
        if let Some(watch) = self.watch {
            self.entries
                .iter()
                .for_each(|entry| entry.arm().unwatch(watch));
        }
    }
}

impl Clone for Select<'_> {
    fn clone(&self) -> Self {
        Select {
            entries: self
                .entries
                .iter()
                .map(|entry| Entry {
                    index: entry.index,
                    added_by: entry.added_by,
                    operation: Idle::new(entry.operation.get().renew()),
                })
                .collect(),
            ..*self
        }
    }
}

impl Default for Select<'_> {
    fn default() -> Self {
        Select::new()
    }
}

impl fmt::Debug for Select<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad("Select { .. }")
    }
}

// SAFETY: an operation in the list holds no message and stands in no queue, and channels may be used from any
// thread, whatever their messages. A message that is received where the list has gone to is handed out only
// against the receiver, which is there only if messages may be; else it is lost (`SelectedOperation::drop`).
unsafe impl Send for Select<'_> {}
// SAFETY: with a shared list one can only make another one.
unsafe impl Sync for Select<'_> {}

// As for the channels' handles.
impl UnwindSafe for Select<'_> {}
impl RefUnwindSafe for Select<'_> {}

/// An operation that was begun and must be completed: by [`send`](SelectedOperation::send) or
/// [`recv`](SelectedOperation::recv), whichever it is, with the handle that was added to the list.
///
/// ```
/// use trefoil_sync::channel::{Select, unbounded};
///
/// let (sender, receiver) = unbounded();
/// let mut select = Select::new();
/// let index = select.send(&sender);
/// let operation = select.select();
/// assert_eq!(operation.index(), index);
/// operation.send(&sender, 1).unwrap();
/// assert_eq!(receiver.recv(), Ok(1));
/// ```
///
/// # Panics
///
/// When it is dropped without that, unless the thread unwinds. What it had begun is taken back: others may
/// send in its place. A message that it has received is dropped; on another thread than the one that has added
/// the operation it is leaked, for it may be no other thread's.
#[must_use = "an operation that was begun must be completed"]
pub struct SelectedOperation<'a> {
    index: usize,
    added_by: ThreadId,
    operation: Box<dyn Operation<'a> + 'a>,
    is_completed: bool,
    /// It may hold a message that must not leave the thread.
    _stays: PhantomData<*mut ()>,
}

impl SelectedOperation<'_> {
    /// The number of the operation. Does not wait.
    ///
    /// ```
    /// use trefoil_sync::channel::{Select, unbounded};
    ///
    /// let (sender, _receiver) = unbounded();
    /// let mut select = Select::new();
    /// let index = select.send(&sender);
    /// let operation = select.select();
    /// assert_eq!(operation.index(), index);
    /// operation.send(&sender, 1).unwrap();
    /// ```
    #[must_use]
    pub fn index(&self) -> usize {
        self.index
    }

    /// Sends the message. Does not wait.
    ///
    /// # Errors
    ///
    /// Gives the message back if the last receiver has gone.
    ///
    /// # Panics
    ///
    /// If this sender was not the operation's.
    ///
    /// ```
    /// use trefoil_sync::channel::{Select, SendError, bounded};
    ///
    /// let (sender, receiver) = bounded(0);
    /// drop(receiver);
    /// let mut select = Select::new();
    /// select.send(&sender);
    /// assert_eq!(select.select().send(&sender, 1), Err(SendError(1)));
    /// ```
    #[track_caller]
    pub fn send<T>(mut self, sender: &Sender<T>, message: T) -> Result<(), SendError<T>> {
        self.complete((&raw const *sender).cast(), "sender");
        // SAFETY: the operation is that of this very sender, so it is a `Sending` with the sender's `T`.
        let operation = unsafe { &*(&raw const *self.operation).cast::<Sending<'_, T>>() };
        operation.arm.put(message)
    }

    /// Receives the message. Does not wait.
    ///
    /// # Errors
    ///
    /// If there was none, and the last sender has gone.
    ///
    /// # Panics
    ///
    /// If this receiver was not the operation's.
    ///
    /// ```
    /// use trefoil_sync::channel::{RecvError, Select, bounded};
    ///
    /// let (sender, receiver) = bounded::<u8>(0);
    /// drop(sender);
    /// let mut select = Select::new();
    /// select.recv(&receiver);
    /// assert_eq!(select.select().recv(&receiver), Err(RecvError));
    /// ```
    #[track_caller]
    pub fn recv<T>(mut self, receiver: &Receiver<T>) -> Result<T, RecvError> {
        self.complete((&raw const *receiver).cast(), "receiver");
        // SAFETY: the operation is that of this very receiver, so it is a `Receiving` with its `T`.
        let operation = unsafe { &*(&raw const *self.operation).cast::<Receiving<'_, T>>() };
        operation.arm.take().expect("the operation was chosen")
    }

    /// Asks whether the handle is the operation's. Handles are not moved while the list has them, and no
    /// two objects lie at one address: the same address is the same handle, and the same type.
    #[track_caller]
    fn complete(&mut self, handle: *const (), name: &str) {
        assert!(
            self.operation.handle() == handle,
            "operation {} of the `Select` was chosen, and is not that of the {name} that was passed",
            self.index
        );
        self.is_completed = true;
    }
}

impl Drop for SelectedOperation<'_> {
    #[track_caller]
    fn drop(&mut self) {
        if self.is_completed {
            return;
        }
        if thread::current().id() != self.added_by {
            self.operation.lose_message();
        }
        if !thread::panicking() {
            panic!("dropped `SelectedOperation` without completing the operation");
        }
    }
}

impl fmt::Debug for SelectedOperation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad("SelectedOperation { .. }")
    }
}
