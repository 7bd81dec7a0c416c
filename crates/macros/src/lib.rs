//! Trefoil's attribute macros.
