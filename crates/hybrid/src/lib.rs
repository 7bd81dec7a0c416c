//! A work-stealing hybrid (M:N) as a Trefoil runtime.
