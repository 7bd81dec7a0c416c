//! One thread API over three interchangeable runtimes.
