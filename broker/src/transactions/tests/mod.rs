//! Transactional ids as their clients see them, and a model that random traffic is held against.

mod random;
mod wrong_use;
