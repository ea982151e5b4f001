//! The record batch. Skeleton.
