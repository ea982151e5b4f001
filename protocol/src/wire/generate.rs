//! Made-up messages for the tests: every field a version has, away from its default.

use bytes::Bytes;

use super::{Context, DecodeError, Field, ReadFields, Table, Wire};

/// A seeded source of messages. The same seed gives the same messages.
#[derive(Debug)]
pub struct Generator {
    state: u64,
    /// One field in this many keeps its default; 0 means none does.
    defaults_one_in: u64,
    /// Only arrays are filled, and only with untouched elements.
    only_elements: bool,
}

impl Generator {
    /// Messages whose fields are all away from their defaults.
    pub fn new(seed: u64) -> Generator {
        Generator { state: seed, defaults_one_in: 0, only_elements: false }
    }

    /// Messages in which every second field keeps its default.
    pub fn sparse(seed: u64) -> Generator {
        Generator { state: seed, defaults_one_in: 2, only_elements: false }
    }

    /// Untouched messages, with one untouched element in every array that is not null.
    pub fn elements() -> Generator {
        Generator { state: 0, defaults_one_in: 0, only_elements: true }
    }

    /// Whether values other than arrays are to be left alone.
    pub(crate) fn only_elements(&self) -> bool {
        self.only_elements
    }

    /// Fills a structure's fields.
    pub(crate) fn fill(&mut self, table: &mut dyn Table, context: Context) {
        let filled = table.read_fields(&mut GeneratedFields { generator: self, context });
        debug_assert_eq!(filled, Ok(()), "making up fields cannot fail");
    }

    /// A number with all sizes equally likely (splitmix64).
    pub fn number(&mut self) -> i64 {
        let shift = self.next() % 64;
        (self.next() as i64) >> shift
    }

    pub(crate) fn one_in(&mut self, n: u64) -> bool {
        self.next().is_multiple_of(n)
    }

    pub(crate) fn count(&mut self) -> usize {
        if self.only_elements {
            return 1;
        }
        if self.one_in(64) { 130 } else { 1 + self.next() as usize % 3 }
    }

    pub(crate) fn text(&mut self) -> String {
        let length = if self.one_in(64) { 300 } else { 1 + self.next() % 12 };
        (0..length).map(|_| ['a', 'Z', '7', '-', '.', 'ß', '語'][self.next() as usize % 7]).collect()
    }

    pub(crate) fn bytes(&mut self) -> Bytes {
        let length = if self.one_in(32) { 1500 } else { 1 + self.next() % 24 };
        (0..length).map(|_| self.next() as u8).collect()
    }

    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

struct GeneratedFields<'a> {
    generator: &'a mut Generator,
    context: Context,
}

impl ReadFields for GeneratedFields<'_> {
    fn field(&mut self, field: Field, value: &mut dyn Wire) -> Result<(), DecodeError> {
        let keep_default = self.generator.defaults_one_in > 0 && self.generator.one_in(self.generator.defaults_one_in);
        if field.in_version(self.context.version) && !keep_default {
            value.generate(self.generator, self.context.of(field));
        }
        Ok(())
    }
}
