use trefoil::channel::{bounded, select};
use trefoil::thread;

/// People who send their name or receive another one's, whichever comes first: all but one of an odd
/// number find a partner. One arm may meet the other of the same kind of `select!`.
pub(crate) fn program() -> usize {
    let people = ["Anna", "Bob", "Cody", "Dave", "Eva"];
    let (sender, receiver) = bounded(1);
    let meet = |name: &'static str| {
        select! {
            recv(receiver) -> partner => partner.map(|partner| (partner, name)).ok(),
            send(sender, name) -> sent => sent.map(|()| (name, "")).ok(),
        }
    };
    thread::scope(|scope| {
        let meet = &meet;
        let threads = people.map(|name| scope.spawn(move || meet(name)));
        let met = threads
            .into_iter()
            .filter_map(|thread| thread.join().unwrap());
        met.filter(|(_, partner)| !partner.is_empty()).count()
    }) + receiver.try_recv().iter().count()
}
