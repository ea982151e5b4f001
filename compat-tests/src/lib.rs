//! Real clients and crashes against the running binary.
