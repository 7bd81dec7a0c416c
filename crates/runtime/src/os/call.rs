//! How a kernel thread waits inside a system call, and how a wake-up ends the call.
//!
//! Elsewhere a kernel thread tries, polls and tries again: three system calls where a plain
//! `std::thread` makes one. Of a descriptor whose calls may wait, it makes that one too. It is
//! PARKED meanwhile, as in the poll, and whoever wakes it finds in its control block on which OS
//! thread, and sends that one a signal.
//!
//! A signal that comes just before the system call would not end it, for then nothing is there to
//! be ended. So the call is made by a few instructions of its own, the *window*: the first looks
//! at the state word, the last is the system call. The handler moves a thread that it finds in the
//! window to behind it, as if the call had been interrupted.
//!
//! | the signal finds the thread            | what happens                                             |
//! |----------------------------------------|----------------------------------------------------------|
//! | before the window                      | the window's look finds that it is not PARKED any more   |
//! | in the window, or waiting in the call  | the handler moves it on: the kernel names the call itself, for it is to be made again after the handler (`SA_RESTART`) |
//! | behind the window                      | the call is over anyway                                  |
//! | in another handler, under which is one of these | it is put off until that handler has returned, by its mask |
//!
//! The word is written before the signal is sent, so one of the first two applies, or the call has
//! ended. A signal too many does nothing: an OS thread may have gone on, or have ended, and its
//! number may be another's of this process by now. It is sent to this process and to no other.
//!
//! The signal is SIGURG, as in Go's runtime: it is ignored where nobody asks for it, and no
//! library counts it. A program's own handler is called for the signals that are not ours.

use core::cell::Cell;
use core::ffi::{c_int, c_void};
use core::marker::PhantomData;
use core::sync::atomic::{AtomicPtr, Ordering, compiler_fence};
use std::io;
use std::sync::OnceLock;

use crate::current;
use crate::stretch;
use crate::thread::Header;
use crate::wait::Wait;

const SIGNAL: c_int = libc::SIGURG;

/// A system call that may wait and is interrupted by signals, with what it borrows.
pub struct Call<'a> {
    number: usize,
    arguments: [usize; 6],
    borrowed: PhantomData<&'a mut [u8]>,
}

impl<'a> Call<'a> {
    /// `recv(2)` without flags.
    #[must_use]
    pub fn recv(fd: std::os::fd::BorrowedFd<'a>, buffer: &'a mut [u8]) -> Call<'a> {
        use std::os::fd::AsRawFd as _;
        let fd = usize::try_from(fd.as_raw_fd()).expect("an open descriptor is not negative");
        Call {
            number: libc::SYS_recvfrom as usize,
            arguments: [fd, buffer.as_mut_ptr() as usize, buffer.len(), 0, 0, 0],
            borrowed: PhantomData,
        }
    }
}

thread_local! {
    /// This OS thread's number, once it may be sent our signal.
    static NUMBER: Cell<c_int> = const { Cell::new(0) };
    /// It is about to make a call, or in it, or just behind it.
    static CALLING: Cell<bool> = const { Cell::new(false) };
    /// A signal came at a moment at which nothing could be done, and is masked and pending.
    static PUT_OFF: Cell<bool> = const { Cell::new(false) };
}

/// Makes a call that may wait until a wake-up. `None`: it was not made, or was interrupted, or
/// came to the time limit of its socket.
pub(crate) fn make(wait: &Wait, call: &Call<'_>) -> Option<io::Result<usize>> {
    let number = number()?;
    current::note_wait(wait, || stretch::pause(|| made(wait, call, number)))
}

fn made(wait: &Wait, call: &Call<'_>, number: c_int) -> Option<io::Result<usize>> {
    if current::interruption(wait).is_some() {
        return None;
    }
    let me = current::thread_ref();
    // SAFETY: the current thread is alive while it runs.
    let header = unsafe { me.0.as_ref() };
    CALLING.set(true);
    // The handler on this OS thread sees it from here on.
    compiler_fence(Ordering::SeqCst);
    // Relaxed: who finds the thread PARKED sees it.
    header.calling.store(number, Ordering::Relaxed);
    let result = if header.state.shared_prepare_park() {
        let (word, parked) = header.state.futex();
        // SAFETY: the call's arguments are alive, as it borrows them.
        let result = unsafe { imp::enter(word, parked, call.number, &call.arguments) };
        header.state.shared_finish_park();
        result
    } else {
        -(libc::EINTR as isize)
    };
    header.calling.store(0, Ordering::Relaxed);
    CALLING.set(false);
    // From here on the handler puts nothing off: what it has, we see.
    compiler_fence(Ordering::SeqCst);
    if PUT_OFF.take() {
        mask(libc::SIG_UNBLOCK);
    }
    match usize::try_from(result) {
        Ok(value) => Some(Ok(value)),
        Err(_) => failed(io::Error::from_raw_os_error(
            c_int::try_from(-result).unwrap_or(libc::EIO),
        )),
    }
}

#[cold]
fn failed(error: io::Error) -> Option<io::Result<usize>> {
    match error.kind() {
        io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock => None,
        _ => Some(Err(error)),
    }
}

/// Ends the call of a thread that was found PARKED, if it is in one.
pub(super) fn interrupt(header: &Header) {
    // Relaxed: `shared_wake` has acquired what the thread wrote before it parked.
    let number = header.calling.load(Ordering::Relaxed);
    if number != 0 {
        handler::insist();
        handler::send(number);
    }
}

/// This OS thread's number, with the signal unblocked for it. `None`: there is no way to end a
/// call here.
fn number() -> Option<c_int> {
    let known = NUMBER.get();
    if known != 0 {
        return Some(known);
    }
    if !imp::IS_THERE || !handler::insist() || !is_told_of_forks() {
        return None;
    }
    mask(libc::SIG_UNBLOCK);
    // SAFETY: it passes no pointer.
    let number = unsafe { libc::gettid() };
    NUMBER.set(number);
    Some(number)
}

/// The one thread of a forked process has another number. `false`: it would not notice.
fn is_told_of_forks() -> bool {
    static TOLD: OnceLock<bool> = OnceLock::new();
    extern "C" fn forget() {
        NUMBER.set(0);
    }
    // SAFETY: what is called in the new process sets a thread-local without a destructor.
    *TOLD.get_or_init(|| unsafe { libc::pthread_atfork(None, None, Some(forget)) } == 0)
}

/// Blocks or unblocks the signal for this OS thread.
fn mask(how: c_int) {
    // SAFETY: all zeroes is an empty set; both sets are alive for the calls.
    unsafe {
        let mut set: libc::sigset_t = core::mem::zeroed();
        libc::sigaddset(&raw mut set, SIGNAL);
        libc::pthread_sigmask(how, &raw const set, core::ptr::null_mut());
    }
}

mod handler {
    use super::*;

    /// What stood in the place of ours before, and before that. Never freed.
    struct Before {
        action: libc::sigaction,
        older: *const Before,
    }

    static BEFORE: AtomicPtr<Before> = AtomicPtr::new(core::ptr::null_mut());

    thread_local! {
        /// Who is being called for a signal that is not ours. A handler that was put over ours
        /// calls ours in turn, which then goes on with who was there earlier.
        static CALLED: Cell<*const Before> = const { Cell::new(core::ptr::null()) };
    }

    /// Its address marks our signals.
    static MARK: u8 = 0;

    /// Installs our handler unless it is there: a program may have put its own in the place of
    /// ours. `false`: the system refuses.
    pub(super) fn insist() -> bool {
        // SAFETY: all zeroes is a valid action, and room for one.
        let mut now: libc::sigaction = unsafe { core::mem::zeroed() };
        // SAFETY: room for an action; nothing is changed.
        if unsafe { libc::sigaction(SIGNAL, core::ptr::null(), &raw mut now) } != 0 {
            return false;
        }
        let ours = handle as *const () as usize;
        if now.sa_sigaction == ours {
            return true;
        }
        if !push(&now) {
            return insist();
        }
        // A program may want its signal to end its own calls. Ours ends the call with or without it.
        let restarts = match now.sa_sigaction {
            libc::SIG_DFL | libc::SIG_IGN => libc::SA_RESTART,
            _ => now.sa_flags & libc::SA_RESTART,
        };
        now.sa_sigaction = ours;
        now.sa_flags = libc::SA_SIGINFO | restarts | libc::SA_ONSTACK;
        // SAFETY: the handler only does what a handler may.
        unsafe { libc::sigaction(SIGNAL, &raw const now, core::ptr::null_mut()) == 0 }
    }

    /// Notes what stood in the place of ours, once where several OS threads find it there at the
    /// same time. `false`: another has noted something since, and the place is to be looked at anew.
    fn push(now: &libc::sigaction) -> bool {
        // Acquire: another OS thread may have written it.
        let newest = BEFORE.load(Ordering::Acquire);
        // SAFETY: they are never freed.
        if unsafe { newest.as_ref() }.is_some_and(|newest| is_same(&newest.action, now)) {
            return true;
        }
        let before = Box::into_raw(Box::new(Before {
            action: *now,
            older: newest,
        }));
        // Release: pairs with `hand_on`.
        let pushed = BEFORE.compare_exchange(newest, before, Ordering::Release, Ordering::Relaxed);
        if pushed.is_err() {
            // SAFETY: it was made above, and nobody else has it.
            drop(unsafe { Box::from_raw(before) });
        }
        pushed.is_ok()
    }

    /// Whether they call the same handler in the same way.
    fn is_same(one: &libc::sigaction, other: &libc::sigaction) -> bool {
        one.sa_sigaction == other.sa_sigaction && one.sa_flags == other.sa_flags
    }

    /// Sends the signal to one OS thread of this process, if it is there.
    pub(super) fn send(number: c_int) {
        // The part of `siginfo_t` that the kernel reads, as large as all of it.
        #[repr(C)]
        struct Info {
            signal: c_int,
            errno: c_int,
            code: c_int,
            pad: c_int,
            process: libc::pid_t,
            user: libc::uid_t,
            value: *const u8,
            rest: [u64; 12],
        }
        const { assert!(size_of::<Info>() == size_of::<libc::siginfo_t>()) };
        // SAFETY: it passes no pointer.
        let process = unsafe { libc::getpid() };
        let info = Info {
            signal: SIGNAL,
            errno: 0,
            code: libc::SI_QUEUE,
            pad: 0,
            process,
            user: 0,
            value: &raw const MARK,
            rest: [0; 12],
        };
        // SAFETY: the information is as the kernel wants it, and alive for the call.
        let sent = unsafe {
            libc::syscall(
                libc::SYS_rt_tgsigqueueinfo,
                process,
                number,
                SIGNAL,
                &raw const info,
            )
        };
        if sent != 0 {
            // A sandbox may not know the call. Then the signal comes without our mark. It may also
            // be that the OS thread has ended, which does no harm.
            // SAFETY: it passes no pointer.
            unsafe { libc::syscall(libc::SYS_tgkill, process, number, SIGNAL) };
        }
    }

    /// Runs in whatever the thread was doing: nothing here allocates, locks or unwinds.
    extern "C" fn handle(signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
        // SAFETY: the kernel gives the handler both.
        let (ours, moved) = unsafe {
            let ours = (*info).si_code == libc::SI_QUEUE
                && (*info).si_value().sival_ptr.cast_const().cast() == &raw const MARK;
            (ours, imp::leave_window(context.cast()))
        };
        if !moved && CALLING.get() {
            // SAFETY: as above.
            unsafe { put_off(&mut *context.cast()) };
        }
        if !ours {
            hand_on(signal, info, context);
        }
    }

    /// Another handler may have interrupted the thread in the window: when it returns, the mask
    /// is as it was before it, and the signal comes again.
    fn put_off(context: &mut libc::ucontext_t) {
        PUT_OFF.set(true);
        // SAFETY: the mask that is put into force when this handler returns.
        unsafe { libc::sigaddset(&raw mut context.uc_sigmask, SIGNAL) };
        // SAFETY: `errno` is this thread's, and the program may be about to read it.
        unsafe {
            let errno = *libc::__errno_location();
            send(NUMBER.get());
            *libc::__errno_location() = errno;
        }
    }

    fn hand_on(signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
        let caller = CALLED.get();
        // SAFETY: they are never freed.
        let next = match unsafe { caller.as_ref() } {
            // Acquire: pairs with `push`.
            None => BEFORE.load(Ordering::Acquire),
            Some(caller) => caller.older.cast_mut(),
        };
        // SAFETY: as above.
        if let Some(before) = unsafe { next.as_ref() } {
            CALLED.set(next);
            call(&before.action, signal, info, context);
            CALLED.set(caller);
        }
    }

    fn call(
        before: &libc::sigaction,
        signal: c_int,
        info: *mut libc::siginfo_t,
        context: *mut c_void,
    ) {
        let handler = before.sa_sigaction;
        if handler == libc::SIG_DFL || handler == libc::SIG_IGN {
            return;
        }
        // SAFETY: it was installed as a handler of this kind.
        unsafe {
            if before.sa_flags & libc::SA_SIGINFO == 0 {
                let handler: extern "C" fn(c_int) = core::mem::transmute(handler);
                handler(signal);
            } else {
                let handler: extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void) =
                    core::mem::transmute(handler);
                handler(signal, info, context);
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod imp {
    use core::ops::Range;
    use core::sync::atomic::AtomicU32;

    pub(super) const IS_THERE: bool = true;

    // The word's address and the parked value are in registers that the system call overwrites,
    // and only then. Nothing is on the stack but the return address.
    core::arch::global_asm!(
        ".pushsection .text.trefoil_call, \"ax\", @progbits",
        ".hidden trefoil_call",
        ".hidden trefoil_call_begin",
        ".hidden trefoil_call_end",
        ".hidden trefoil_call_interrupted",
        ".globl trefoil_call",
        ".globl trefoil_call_begin",
        ".globl trefoil_call_end",
        ".globl trefoil_call_interrupted",
        ".type trefoil_call, @function",
        "trefoil_call:",
        ".cfi_startproc",
        "mov r11d, esi",
        "mov rax, rdx",
        "xchg rdi, rcx",
        "mov r9, [rdi + 40]",
        "mov r8, [rdi + 32]",
        "mov r10, [rdi + 24]",
        "mov rdx, [rdi + 16]",
        "mov rsi, [rdi + 8]",
        "mov rdi, [rdi]",
        "trefoil_call_begin:",
        "cmp dword ptr [rcx], r11d",
        "jne trefoil_call_interrupted",
        "syscall",
        "trefoil_call_end:",
        "ret",
        "trefoil_call_interrupted:",
        "mov rax, -{interrupted}",
        "ret",
        ".cfi_endproc",
        ".size trefoil_call, . - trefoil_call",
        ".popsection",
        interrupted = const libc::EINTR,
    );

    unsafe extern "C" {
        fn trefoil_call(
            word: *const AtomicU32,
            parked: u32,
            number: usize,
            arguments: *const usize,
        ) -> isize;
        static trefoil_call_begin: u8;
        static trefoil_call_end: u8;
        static trefoil_call_interrupted: u8;
    }

    /// Makes the call if the word says that the thread is parked. What the kernel gives: a value,
    /// or the negative of an error; `EINTR` also where the word says otherwise.
    ///
    /// # Safety
    ///
    /// The call may be made with these arguments.
    pub(super) unsafe fn enter(
        word: &AtomicU32,
        parked: u32,
        number: usize,
        arguments: &[usize; 6],
    ) -> isize {
        // SAFETY: passed on to the caller.
        unsafe { trefoil_call(word, parked, number, arguments.as_ptr()) }
    }

    /// Where the window is, and where a thread goes that is moved out of it.
    pub(super) fn window() -> (Range<usize>, usize) {
        let begin = &raw const trefoil_call_begin as usize;
        let end = &raw const trefoil_call_end as usize;
        (begin..end, &raw const trefoil_call_interrupted as usize)
    }

    /// Moves a thread that was interrupted in the window to behind it. Whether it was there.
    ///
    /// # Safety
    ///
    /// The context is that of a handler that runs.
    pub(super) unsafe fn leave_window(context: *mut libc::ucontext_t) -> bool {
        let (window, behind) = window();
        // SAFETY: the caller's.
        let at = unsafe { &mut (*context).uc_mcontext.gregs[libc::REG_RIP as usize] };
        let found = window.contains(&(*at as usize));
        if found {
            *at = behind as i64;
        }
        found
    }
}

/// Elsewhere kernel threads poll.
#[cfg(not(target_arch = "x86_64"))]
mod imp {
    use core::sync::atomic::AtomicU32;

    pub(super) const IS_THERE: bool = false;

    pub(super) unsafe fn enter(_: &AtomicU32, _: u32, _: usize, _: &[usize; 6]) -> isize {
        -(libc::ENOSYS as isize)
    }

    pub(super) unsafe fn leave_window(_: *mut libc::ucontext_t) -> bool {
        false
    }
}

#[cfg(all(test, target_arch = "x86_64"))]
mod tests {
    use super::*;
    use core::sync::atomic::AtomicU32;

    #[test]
    fn who_is_not_parked_makes_no_call() {
        let word = AtomicU32::new(4);
        // SAFETY: `getpid(2)` takes no arguments.
        let call =
            |parked| unsafe { imp::enter(&word, parked, libc::SYS_getpid as usize, &[0; 6]) };
        assert_eq!(call(3), -(libc::EINTR as isize));
        assert_eq!(call(4), std::process::id() as isize);
    }

    #[test]
    fn who_is_in_the_window_is_moved_behind_it() {
        let (window, behind) = imp::window();
        let moved = |at: usize| {
            // SAFETY: all zeroes is a context.
            let mut context: libc::ucontext_t = unsafe { core::mem::zeroed() };
            context.uc_mcontext.gregs[libc::REG_RIP as usize] = at as i64;
            // SAFETY: it is used as that of a handler.
            let moved = unsafe { imp::leave_window(&raw mut context) };
            let now = context.uc_mcontext.gregs[libc::REG_RIP as usize] as usize;
            assert_eq!(now, if moved { behind } else { at });
            moved
        };
        assert!(window.clone().all(moved));
        assert!(!moved(window.start - 1));
        assert!(!moved(window.end));
    }

    #[test]
    fn a_signal_in_another_handler_is_put_off() {
        // SAFETY: all zeroes is a context.
        let mut context: libc::ucontext_t = unsafe { core::mem::zeroed() };
        number().unwrap();
        // The handler runs as if it had found the thread just before its call.
        CALLING.set(true);
        handler::send(NUMBER.get());
        CALLING.set(false);
        assert!(PUT_OFF.take(), "it came, and was not dropped");
        // SAFETY: a set of signals, alive for the call.
        let blocked = |set: &libc::sigset_t| unsafe { libc::sigismember(set, SIGNAL) } == 1;
        // SAFETY: room for a set.
        unsafe {
            libc::pthread_sigmask(
                libc::SIG_BLOCK,
                core::ptr::null(),
                &raw mut context.uc_sigmask,
            );
        }
        assert!(blocked(&context.uc_sigmask), "it is pending");
        mask(libc::SIG_UNBLOCK);
        assert!(
            !PUT_OFF.get(),
            "it has come again, when there was no call any more"
        );
    }

    /// Whoever goes on in a forked process is sent the signal there.
    #[test]
    fn a_forked_process_knows_its_own_number() {
        number().unwrap();
        // SAFETY: the new process makes system calls only, and sets a thread-local.
        let child = unsafe { libc::fork() };
        if child == 0 {
            // SAFETY: both pass no pointer.
            unsafe {
                let right = number() == Some(libc::gettid());
                libc::_exit(if right { 0 } else { 1 });
            }
        }
        let mut status = 0;
        // SAFETY: room for the status.
        let ended = unsafe { libc::waitpid(child, &raw mut status, 0) };
        assert_eq!((ended, status), (child, 0));
    }

    /// Of a program's handler the flags are kept that say whether its signal ends its calls.
    #[test]
    fn a_programs_calls_are_ended_by_its_own_signal() {
        extern "C" fn nothing(_: c_int) {}
        let installed = |flags: c_int| {
            // SAFETY: all zeroes is a valid action, and the handler does nothing.
            unsafe {
                let mut action: libc::sigaction = core::mem::zeroed();
                action.sa_sigaction = nothing as *const () as usize;
                action.sa_flags = flags;
                assert_eq!(
                    libc::sigaction(SIGNAL, &raw const action, core::ptr::null_mut()),
                    0
                );
                assert!(handler::insist());
                libc::sigaction(SIGNAL, core::ptr::null(), &raw mut action);
                assert_ne!(action.sa_sigaction, nothing as *const () as usize);
                action.sa_flags & libc::SA_RESTART
            }
        };
        assert_eq!(installed(0), 0);
        assert_eq!(installed(libc::SA_RESTART), libc::SA_RESTART);
    }
}
