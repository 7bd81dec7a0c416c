//! The contract that Trefoil's three thread runtimes share.
