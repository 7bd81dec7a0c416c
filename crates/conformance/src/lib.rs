//! What interchangeable means, as tests.
