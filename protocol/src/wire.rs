//! Wire bytes to values and back: the primitives, and the tables that messages are declared with.
//!
//! [`Reader`] walks a frame and hands out slices of it, [`Writer`] collects a response as a rope so that record bytes are
//! never copied, [`Wire`] is what a field type can do, and the `message!` macro (in `table.rs`) turns one readable table
//! per message into a struct that can be decoded, encoded and compared.

mod reader;
#[macro_use]
mod table;
mod value;
mod writer;

#[cfg(feature = "testing")]
mod generate;

#[cfg(feature = "testing")]
pub use generate::Generator;
pub use reader::{ARRAY_LENGTH_MAX, DecodeError, LengthPrefix, Reader, TAGGED_FIELDS_MAX};
pub use table::{Context, Field, Message, ReadFields, Table, Versions, WriteFields};
pub use value::{Nullable, Records, Wire};
pub use writer::Writer;

#[cfg(test)]
mod tests;
