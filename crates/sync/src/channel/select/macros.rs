//! `select!` and `select_biased!`.
//!
//! The arms are parsed one by one. Each gets a variable of its own: `arm` of another step of the recursion
//! is another variable, by hygiene. When one is chosen, what came of it is moved out of the block in which
//! the arms live, as nested [`Either`](super::expansion::Either)s; then the body runs, where the channels
//! are borrowed no more and `break`, `return` and `?` mean what they mean around the macro.
#![forbid(unsafe_code)]

/// Waits for several operations on channels, and carries out one: the first that can be done; of several
/// that can, one by chance.
///
/// ```text
/// select! {
///     recv(receiver) -> message => body,      // message: Result<T, RecvError>
///     send(sender, message) -> sent => body,  // sent: Result<(), SendError<T>>
///     default => body,                        // none can be done now
///     default(duration) => body,              // none could be done in that time
/// }
/// ```
///
/// It is `crossbeam_channel::select!`: any number of `recv` and `send` arms (thirty, by the compiler's usual
/// recursion limit), and at most one `default`. It is an expression; the arms' bodies run in place. Channels,
/// receivers of time ([`after`](crate::channel::after), [`tick`](crate::channel::tick)), the end of a
/// thread ([`finished`](crate::channel::finished)) and that of a token
/// ([`done`](crate::CancellationToken::done)) may be mixed, whatever the models of the threads at their
/// other ends.
///
/// An operation whose other side has gone can be done: it gives an error. `message` in `send(sender,
/// message)` is evaluated only when the arm was chosen. Until it is there, the place in the channel is
/// kept for it; at a rendezvous the receiver waits for it.
///
/// With a `default` it never waits, or not longer than that (but for a message that the `select!` at the
/// other end of a rendezvous is making: for that a receiver waits), and without one until an operation can be
/// done. It parks the thread in every model, and is a cancellation point when it has to wait: then no
/// operation was carried out. No message is lost to an arm that was not chosen.
///
/// ```
/// use std::time::Duration;
/// use trefoil_sync::channel::{bounded, select, unbounded};
///
/// let (numbers, all) = unbounded();
/// let (stop, stopped) = bounded::<()>(0);
/// std::thread::spawn(move || {
///     (1..=3).for_each(|n| numbers.send(n).unwrap());
///     drop(stop);
///     std::thread::sleep(Duration::from_millis(10));
/// });
/// let mut sum = 0;
/// loop {
///     select! {
///         recv(all) -> number => match number {
///             Ok(number) => sum += number,
///             Err(_) => break,
///         },
///         recv(stopped) -> _ => break,
///     }
/// }
/// assert_eq!(sum + all.try_iter().sum::<i32>(), 6);
/// ```
///
/// For a number of channels that is not known when the program is written, there is
/// [`Select`](crate::channel::Select).
#[macro_export]
macro_rules! select {
    ($($tokens:tt)*) => {
        $crate::__select!(@parse Random () () $($tokens)*)
    };
}

/// The same as [`select!`], but of several operations that can be done it carries out the one that is
/// written first.
///
/// An arm that can always be done keeps those below it from their turn.
///
/// ```
/// use trefoil_sync::channel::{select_biased, unbounded};
///
/// let (first, urgent) = unbounded();
/// let (second, usual) = unbounded();
/// second.send("usual").unwrap();
/// first.send("urgent").unwrap();
/// let got = select_biased! {
///     recv(urgent) -> message => message,
///     recv(usual) -> message => message,
/// };
/// assert_eq!(got, Ok("urgent"));
/// ```
#[macro_export]
macro_rules! select_biased {
    ($($tokens:tt)*) => {
        $crate::__select!(@parse Given () () $($tokens)*)
    };
}

/// @parse ORDER (ARMS) (DEFAULT) TOKENS: parses one arm after another.
#[doc(hidden)]
#[macro_export]
macro_rules! __select {
    // ----- all are parsed
    (@parse $order:ident () ()) => {
        ::core::compile_error!("a `select!` needs an arm: `recv`, `send` or `default`")
    };
    (@parse $order:ident ($($arm:tt)*) $default:tt) => {{
        let outcome = $crate::__select!(@bind $order () ($($arm)*) $default);
        $crate::__select!(@body outcome ($($arm)*) $default)
    }};

    // ----- recv
    (@parse $order:ident ($($arm:tt)*) $default:tt
        recv($receiver:expr $(,)?) -> $message:pat => $body:expr, $($rest:tt)*) => {
        $crate::__select!(@parse $order ($($arm)* {recv $receiver, $message, $body}) $default $($rest)*)
    };
    (@parse $order:ident ($($arm:tt)*) $default:tt
        recv($receiver:expr $(,)?) -> $message:pat => $body:block $($rest:tt)*) => {
        $crate::__select!(@parse $order ($($arm)* {recv $receiver, $message, $body}) $default $($rest)*)
    };
    (@parse $order:ident ($($arm:tt)*) $default:tt
        recv($receiver:expr $(,)?) -> $message:pat => $body:expr) => {
        $crate::__select!(@parse $order ($($arm)* {recv $receiver, $message, $body}) $default)
    };

    // ----- send
    (@parse $order:ident ($($arm:tt)*) $default:tt
        send($sender:expr, $message:expr $(,)?) -> $sent:pat => $body:expr, $($rest:tt)*) => {
        $crate::__select!(@parse $order ($($arm)* {send $sender, $message, $sent, $body}) $default $($rest)*)
    };
    (@parse $order:ident ($($arm:tt)*) $default:tt
        send($sender:expr, $message:expr $(,)?) -> $sent:pat => $body:block $($rest:tt)*) => {
        $crate::__select!(@parse $order ($($arm)* {send $sender, $message, $sent, $body}) $default $($rest)*)
    };
    (@parse $order:ident ($($arm:tt)*) $default:tt
        send($sender:expr, $message:expr $(,)?) -> $sent:pat => $body:expr) => {
        $crate::__select!(@parse $order ($($arm)* {send $sender, $message, $sent, $body}) $default)
    };

    // ----- default
    (@parse $order:ident $arms:tt () default() => $($rest:tt)*) => {
        $crate::__select!(@parse $order $arms () default => $($rest)*)
    };
    (@parse $order:ident $arms:tt () default => $body:expr, $($rest:tt)*) => {
        $crate::__select!(@parse $order $arms ({$crate::channel::__select::Limit::Now} $body) $($rest)*)
    };
    (@parse $order:ident $arms:tt () default => $body:block $($rest:tt)*) => {
        $crate::__select!(@parse $order $arms ({$crate::channel::__select::Limit::Now} $body) $($rest)*)
    };
    (@parse $order:ident $arms:tt () default => $body:expr) => {
        $crate::__select!(@parse $order $arms ({$crate::channel::__select::Limit::Now} $body))
    };
    (@parse $order:ident $arms:tt () default($timeout:expr $(,)?) => $body:expr, $($rest:tt)*) => {
        $crate::__select!(@parse $order $arms ({$crate::channel::__select::within($timeout)} $body) $($rest)*)
    };
    (@parse $order:ident $arms:tt () default($timeout:expr $(,)?) => $body:block $($rest:tt)*) => {
        $crate::__select!(@parse $order $arms ({$crate::channel::__select::within($timeout)} $body) $($rest)*)
    };
    (@parse $order:ident $arms:tt () default($timeout:expr $(,)?) => $body:expr) => {
        $crate::__select!(@parse $order $arms ({$crate::channel::__select::within($timeout)} $body))
    };

    // ----- what is none of these
    (@parse $order:ident $arms:tt ($($default:tt)+) default $($rest:tt)*) => {
        ::core::compile_error!("a `select!` has one `default` at most")
    };
    (@parse $order:ident $arms:tt $default:tt $($rest:tt)*) => {
        ::core::compile_error!(::core::concat!(
            "expected an arm of `select!`: `recv(receiver) -> message => body`, \
             `send(sender, message) -> sent => body`, `default => body` or \
             `default(duration) => body`, with a comma after a body that is no block; found `",
            ::core::stringify!($($rest)*),
            "`"
        ))
    };

    // ----- @bind ORDER (BOUND) (ARMS) (DEFAULT): a variable for each arm
    (@bind $order:ident ($($bound:tt)*) ({recv $receiver:expr, $message:pat, $body:expr} $($rest:tt)*) $default:tt) => {
        match &$receiver {
            receiver => {
                let arm = $crate::channel::__select::recv(receiver);
                $crate::__select!(@bind $order ($($bound)* {recv arm}) ($($rest)*) $default)
            }
        }
    };
    (@bind $order:ident ($($bound:tt)*) ({send $sender:expr, $message:expr, $sent:pat, $body:expr} $($rest:tt)*) $default:tt) => {
        match &$sender {
            sender => {
                let arm = $crate::channel::__select::send(sender);
                $crate::__select!(@bind $order ($($bound)* {send arm $message}) ($($rest)*) $default)
            }
        }
    };
    (@bind $order:ident ($({$kind:ident $arm:ident $($message:expr)?})*) () ()) => {{
        $crate::channel::__select::choose(
            &mut [$($arm.arm()),*],
            $crate::channel::__select::Order::$order,
            $crate::channel::__select::Limit::Until(::core::option::Option::None),
        );
        $crate::__select!(@outcome $({$kind $arm $($message)?})*)
    }};
    (@bind $order:ident ($({$kind:ident $arm:ident $($message:expr)?})*) () ({$($limit:tt)*} $body:expr)) => {{
        $crate::channel::__select::choose(
            &mut [$($arm.arm()),*],
            $crate::channel::__select::Order::$order,
            $($limit)*,
        );
        $crate::__select!(@outcome $({$kind $arm $($message)?})*)
    }};

    // ----- @outcome BOUND: what came of the arm that was chosen
    (@outcome) => {
        ()
    };
    (@outcome {recv $arm:ident} $($rest:tt)*) => {
        match $arm.take() {
            ::core::option::Option::Some(message) => $crate::channel::__select::Either::First(message),
            ::core::option::Option::None => {
                $crate::channel::__select::Either::Other($crate::__select!(@outcome $($rest)*))
            }
        }
    };
    (@outcome {send $arm:ident $message:expr} $($rest:tt)*) => {
        if $arm.is_chosen() {
            $crate::channel::__select::Either::First($arm.put($message))
        } else {
            $crate::channel::__select::Either::Other($crate::__select!(@outcome $($rest)*))
        }
    };

    // ----- @body OUTCOME (ARMS) (DEFAULT): the body that goes with it
    (@body $outcome:ident () ()) => {
        match $outcome {
            () => ::core::unreachable!("without a default an arm was chosen"),
        }
    };
    (@body $outcome:ident () ({$($limit:tt)*} $body:expr)) => {
        match $outcome {
            () => $body,
        }
    };
    (@body $outcome:ident ({recv $receiver:expr, $message:pat, $body:expr} $($rest:tt)*) $default:tt) => {
        match $outcome {
            $crate::channel::__select::Either::First(received) => {
                let $message = received;
                $body
            }
            $crate::channel::__select::Either::Other(other) => {
                $crate::__select!(@body other ($($rest)*) $default)
            }
        }
    };
    (@body $outcome:ident ({send $sender:expr, $message:expr, $sent:pat, $body:expr} $($rest:tt)*) $default:tt) => {
        match $outcome {
            $crate::channel::__select::Either::First(result) => {
                let $sent = result;
                $body
            }
            $crate::channel::__select::Either::Other(other) => {
                $crate::__select!(@body other ($($rest)*) $default)
            }
        }
    };
}
