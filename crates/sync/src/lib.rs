//! Locks and channels for every Trefoil thread model.
