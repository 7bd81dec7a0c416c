//! Sockets for every Trefoil thread model.
