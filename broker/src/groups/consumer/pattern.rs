//! Subscriptions by pattern, in RE2's syntax (github.com/google/re2/wiki/Syntax), matched against whole topic names.
//!
//! The engine is the `regex` crate: like RE2 it takes linear time whatever the pattern. Its syntax is nearly RE2's;
//! [`translate`] writes what is spelled differently anew and refuses what RE2 does not know. Memory is bounded by the
//! length of a pattern and by the size of the compiled program.

use std::collections::BTreeSet;
use std::iter::Peekable;
use std::str::Chars;

use regex::bytes::{Regex, RegexBuilder};

/// Longest pattern, in bytes. Topic names have 249 characters at most.
const PATTERN_BYTES_MAX: usize = 8 * 1024;
/// Largest compiled program, in bytes.
/// Time grows with it as well: each topic's name is matched while its core waits.
const PROGRAM_BYTES_MAX: usize = 256 * 1024;
/// Deepest nesting of groups.
const NESTING_MAX: u32 = 100;
/// RE2's own bound on `{n,m}`.
const REPEAT_MAX: u32 = 1_000;

/// A pattern that is ready to be matched.
#[derive(Debug)]
pub struct Pattern(Regex);

impl Pattern {
    /// Compiles `pattern`; the error says what is wrong with it.
    pub fn compile(pattern: &str) -> Result<Pattern, String> {
        if pattern.len() > PATTERN_BYTES_MAX {
            return Err(format!("pattern longer than {PATTERN_BYTES_MAX} bytes"));
        }
        let whole = format!(r"\A(?:{})\z", translate(pattern)?);
        // Topic names are ASCII, and so are RE2's classes. Only a pattern that itself goes beyond needs large tables.
        let ascii = build(&whole, false);
        ascii.or_else(|_| build(&whole, true)).map(Pattern)
    }

    /// Whether all of `name` matches.
    pub fn matches(&self, name: &str) -> bool {
        self.0.is_match(name.as_bytes())
    }
}

fn build(whole: &str, unicode: bool) -> Result<Regex, String> {
    let mut builder = RegexBuilder::new(whole);
    builder.unicode(unicode).size_limit(PROGRAM_BYTES_MAX).dfa_size_limit(PROGRAM_BYTES_MAX).nest_limit(NESTING_MAX);
    builder.build().map_err(|error| match error {
        regex::Error::CompiledTooBig(_) => "expression too large".to_owned(),
        // The last line says what is wrong; those before draw where.
        error => error.to_string().lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned(),
    })
}

/// The topics of `names` that match.
pub fn matching<'a>(pattern: &Pattern, names: impl Iterator<Item = &'a str>) -> BTreeSet<String> {
    names.filter(|name| pattern.matches(name)).map(str::to_owned).collect()
}

/// Where the translator is.
struct Translator<'a> {
    rest: Peekable<Chars<'a>>,
    out: String,
    depth: usize,
    /// What was written last is a repetition, which cannot be repeated.
    repeated: bool,
}

/// The same pattern as the engine spells it.
fn translate(pattern: &str) -> Result<String, String> {
    let (rest, out) = (pattern.chars().peekable(), String::with_capacity(pattern.len()));
    let mut translator = Translator { rest, out, depth: 0, repeated: false };
    while let Some(next) = translator.rest.next() {
        translator.take(next)?;
    }
    if translator.depth > 0 { Err("missing closing )".to_owned()) } else { Ok(translator.out) }
}

impl Translator<'_> {
    fn take(&mut self, next: char) -> Result<(), String> {
        let repeated = std::mem::take(&mut self.repeated);
        match next {
            '\\' => self.escape()?,
            '[' => self.class()?,
            '(' => self.open()?,
            ')' if self.depth == 0 => return Err("unexpected )".to_owned()),
            ')' => {
                self.depth -= 1;
                self.out.push(')');
            }
            '*' | '+' | '?' if repeated => return Err("invalid nested repetition operator".to_owned()),
            '*' | '+' | '?' => {
                self.out.push(next);
                self.lazy();
            }
            '{' => self.brace(repeated)?,
            _ => self.out.push(next),
        }
        Ok(())
    }

    /// A repetition is complete, but for the mark that makes it lazy.
    fn lazy(&mut self) {
        self.out.extend(self.rest.next_if_eq(&'?'));
        self.repeated = true;
    }

    fn escape(&mut self) -> Result<(), String> {
        match self.rest.next() {
            None => return Err(r"trailing \".to_owned()),
            Some('Q') => self.literal(),
            // The engine knows these as words' ends, and as other things.
            Some(mark @ ('<' | '>')) => self.out.push(mark),
            Some('C' | 'Z' | 'G' | 'X' | 'R' | 'K' | 'u' | 'U') => return Err("invalid escape sequence".to_owned()),
            Some(escaped) => {
                self.out.push('\\');
                self.out.push(escaped);
                if escaped == 'x' || escaped == 'p' || escaped == 'P' {
                    self.braced_name();
                }
            }
        }
        Ok(())
    }

    /// `{10FFFF}` and `{Greek}` are no repetitions.
    fn braced_name(&mut self) {
        if self.rest.peek() == Some(&'{') {
            for next in self.rest.by_ref() {
                self.out.push(next);
                if next == '}' {
                    break;
                }
            }
        }
    }

    /// `\Q...\E`: as it stands.
    fn literal(&mut self) {
        let mut text = String::new();
        while let Some(next) = self.rest.next() {
            if next == '\\' && self.rest.next_if_eq(&'E').is_some() {
                break;
            }
            text.push(next);
        }
        self.out.push_str(&regex::escape(&text));
    }

    fn open(&mut self) -> Result<(), String> {
        self.depth += 1;
        self.out.push('(');
        if self.rest.next_if_eq(&'?').is_none() {
            return Ok(());
        }
        self.out.push('?');
        match self.rest.peek() {
            // (?P<name>…), (?<name>…): the engine knows them, and refuses what looks behind.
            Some('P' | '<') => Ok(()),
            _ => self.flags(),
        }
    }

    /// RE2's flags, up to the `:` or `)` that ends them.
    fn flags(&mut self) -> Result<(), String> {
        let invalid = || "invalid or unsupported Perl syntax".to_owned();
        loop {
            match self.rest.next().ok_or_else(invalid)? {
                flag @ ('i' | 'm' | 's' | 'U' | '-') => self.out.push(flag),
                ':' => {
                    self.out.push(':');
                    return Ok(());
                }
                ')' => {
                    self.depth -= 1;
                    self.out.push(')');
                    return Ok(());
                }
                _ => return Err(invalid()),
            }
        }
    }

    /// A brace that is no repetition stands for itself.
    fn brace(&mut self, repeated: bool) -> Result<(), String> {
        let ahead: String = self.rest.clone().take_while(|next| *next != '}').take(10).collect();
        let closed = self.rest.clone().nth(ahead.chars().count()) == Some('}');
        let Some((least, most)) = repetition(&ahead).filter(|_| closed) else {
            self.out.push_str(r"\{");
            return Ok(());
        };
        if repeated {
            return Err("invalid nested repetition operator".to_owned());
        }
        if least > REPEAT_MAX || most.is_some_and(|most| most > REPEAT_MAX || most < least) {
            return Err("invalid repeat count".to_owned());
        }
        self.out.push('{');
        self.out.push_str(&ahead);
        self.out.push('}');
        self.rest.nth(ahead.chars().count());
        self.lazy();
        Ok(())
    }

    /// `[:alpha:]` within a class.
    fn named_class(&mut self) -> Result<(), String> {
        let text: String = self.rest.by_ref().take_while(|next| *next != ']').collect();
        let name = text.trim_start_matches(':').trim_start_matches('^').trim_end_matches(':');
        if !NAMED_CLASSES.contains(&name) || !text.ends_with(':') {
            return Err("invalid character class range".to_owned());
        }
        self.out.push('[');
        self.out.push_str(&text);
        self.out.push(']');
        Ok(())
    }

    /// A class: what the engine would take for a nested class or an operation on classes stands for itself.
    fn class(&mut self) -> Result<(), String> {
        self.out.push('[');
        self.out.extend(self.rest.next_if_eq(&'^'));
        if self.rest.next_if_eq(&']').is_some() {
            self.out.push_str(r"\]");
        }
        loop {
            match self.rest.next().ok_or("missing closing ]")? {
                ']' => {
                    self.out.push(']');
                    return Ok(());
                }
                '[' if self.rest.peek() == Some(&':') => self.named_class()?,
                '\\' => self.escape()?,
                mark @ ('[' | '&' | '~') => {
                    self.out.push('\\');
                    self.out.push(mark);
                }
                '-' if self.rest.peek() == Some(&'-') => self.out.push_str(r"\-"),
                next => self.out.push(next),
            }
        }
    }
}

/// The classes of POSIX; with `^`, all but those.
const NAMED_CLASSES: &[&str] = &[
    "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct", "space", "upper", "word",
    "xdigit",
];

/// Reads `n`, `n,` and `n,m`.
fn repetition(text: &str) -> Option<(u32, Option<u32>)> {
    let number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten();
    match text.split_once(',') {
        None => number(text).map(|exact| (exact, Some(exact))),
        Some((least, "")) => Some((number(least)?, None)),
        Some((least, most)) => Some((number(least)?, Some(number(most)?))),
    }
}

#[cfg(test)]
mod tests {
    use super::Pattern;

    #[test]
    fn patterns_match_whole_names_as_in_re2() {
        let check = |pattern: &str, yes: &[&str], no: &[&str]| {
            let compiled = Pattern::compile(pattern).unwrap_or_else(|error| panic!("{pattern}: {error}"));
            yes.iter().for_each(|name| assert!(compiled.matches(name), "{pattern} {name}"));
            no.iter().for_each(|name| assert!(!compiled.matches(name), "{pattern} {name}"));
        };
        check("", &[""], &["a"]);
        check("a|ab", &["a", "ab"], &["abc", "b"]);
        check("orders-.*", &["orders-", "orders-eu"], &["my-orders-eu", "orders"]);
        check(r"\Qa.b\E.", &["a.bc"], &["axbc"]);
        check(r"\Qa.b", &["a.b"], &["axb"]);
        check(r"[[:alpha:]]+\d{2,3}", &["ab12", "x123"], &["ab1", "1234"]);
        check(r"[a[]x", &["ax"], &["bx"]);
        check(r"[]a]+", &["a", "aa"], &["b"]);
        check(r"[a&&b]", &["a", "b"], &["c"]);
        check(r"[^\d_]+", &["a-b"], &["a1"]);
        check("(?i)Orders", &["ORDERS", "orders"], &["order"]);
        check("(?i:O)rders", &["orders"], &["ORDERS"]);
        check("(?P<x>a)(?:b)", &["ab"], &[]);
        check("a{x", &[], &["a"]);
        check("a{,2}", &[], &["aa"]);
        check("a{2}?b", &["aab"], &["ab"]);
        check(r"a\<b", &[], &["ab"]);
        check(r"\x61\x{62}", &["ab"], &[]);
        check(r"\pL\p{Greek}*", &["a"], &["1"]);
        check("^a$", &["a"], &["b"]);
        check("é|a", &["a"], &["e"]);
        check("(a*)*b", &["aaab"], &["aaa"]);
    }

    #[test]
    fn what_re2_refuses_is_refused() {
        let long = "a".repeat(10_000);
        let deep = "(".repeat(200) + &")".repeat(200);
        for pattern in [
            "(",
            ")",
            "a)(b",
            "[",
            "[a",
            "*",
            "a**",
            "a+*",
            "a{2}{3}",
            "a{1001}",
            "a{3,2}",
            r"\",
            r"\1",
            r"(a)\1",
            "(?=a)",
            "(?!a)",
            "(?<=a)",
            "(?x) a",
            "(?u)a",
            r"\Z",
            r"\C",
            r"[[:nope:]]",
            "[z-a]",
            r"\p{Nope}",
            "((a{1000}){1000}){1000}",
            &long,
            &deep,
            "(?",
            "(?i",
            r"\q",
        ] {
            assert!(Pattern::compile(pattern).is_err(), "{pattern}");
        }
    }
}
