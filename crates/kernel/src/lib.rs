//! Kernel threads (1:1) as a Trefoil runtime.
