//! Green threads on one OS thread (N:1) as a Trefoil runtime.
