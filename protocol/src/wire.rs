//! Reading and writing wire bytes. Skeleton.
