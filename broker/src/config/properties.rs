//! Java's `.properties` format as java.util.Properties.load reads it: comments, separators, escapes, continued lines.

/// The pairs of a file in order; a name may appear twice, the later value wins then.
pub fn parse_properties(text: &str) -> Vec<(String, String)> {
    logical_lines(text).iter().map(|line| split_pair(line)).collect()
}

/// The file's bytes as text: UTF-8, or Latin-1 as Java has it when they are not UTF-8.
pub fn decode_properties(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.iter().map(|&byte| char::from(byte)).collect(),
    }
}

/// Lines without blanks at their front, comments and empty ones left out, continued ones joined.
fn logical_lines(text: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut continued: Option<String> = None;
    for line in text.split(['\n', '\r']) {
        let line = line.trim_start_matches(is_blank);
        if continued.is_none() && (line.is_empty() || line.starts_with(['#', '!'])) {
            continue;
        }
        let mut logical = continued.take().unwrap_or_default();
        let backslashes = line.chars().rev().take_while(|&character| character == '\\').count();
        if backslashes % 2 == 1 {
            logical.push_str(&line[..line.len() - 1]);
            continued = Some(logical);
        } else {
            logical.push_str(line);
            lines.push(logical);
        }
    }
    lines.extend(continued);
    lines
}

fn is_blank(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\x0c')
}

/// The name ends at the first `=`, `:` or blank that is not escaped.
fn split_pair(line: &str) -> (String, String) {
    let mut escaped = false;
    let end = line.char_indices().find(|&(_, character)| {
        let is_end = !escaped && (matches!(character, '=' | ':') || is_blank(character));
        escaped = character == '\\' && !escaped;
        is_end
    });
    let end = end.map_or(line.len(), |(index, _)| index);
    let rest = line[end..].trim_start_matches(is_blank);
    let rest = rest.strip_prefix(['=', ':']).unwrap_or(rest).trim_start_matches(is_blank);
    (unescape(&line[..end]), unescape(rest))
}

fn unescape(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(character) = rest.next() {
        if character != '\\' {
            plain.push(character);
            continue;
        }
        match rest.next() {
            Some('t') => plain.push('\t'),
            Some('n') => plain.push('\n'),
            Some('r') => plain.push('\r'),
            Some('f') => plain.push('\x0c'),
            Some('u') => {
                let digits: String = rest.clone().take(4).collect();
                let code = u32::from_str_radix(&digits, 16).ok().filter(|_| digits.len() == 4);
                match code.and_then(char::from_u32) {
                    Some(decoded) => {
                        plain.push(decoded);
                        rest.nth(3);
                    }
                    None => plain.push('u'),
                }
            }
            Some(other) => plain.push(other),
            None => {}
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_read_as_java_reads_them() {
        let check = |text: &str, expected: &[(&str, &str)]| {
            let pairs = parse_properties(text);
            let pairs: Vec<_> = pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            assert_eq!(pairs, expected, "{text:?}");
        };
        check("a=1\nb = 2\r\n c : 3\nd 4\n", &[("a", "1"), ("b", "2"), ("c", "3"), ("d", "4")]);
        check("# a=1\n  ! b=2\n\n", &[]);
        check("a=1 # not a comment", &[("a", "1 # not a comment")]);
        check("list=x,\\\n    y,\\\n\tz\nb=2", &[("list", "x,y,z"), ("b", "2")]);
        check("path=c:\\\\dir\\\\\nb=2", &[("path", "c:\\dir\\"), ("b", "2")]);
        check("a\\ b\\=c=d=e", &[("a b=c", "d=e")]);
        check("u=\\u0041\\u00e9\\uZZ", &[("u", "AéuZZ")]);
        check("empty=\nbare", &[("empty", ""), ("bare", "")]);
        check("a=1\\", &[("a", "1")]);
        check("a=1\\\n# part of the value", &[("a", "1# part of the value")]);
        check("a=1\na=2", &[("a", "1"), ("a", "2")]);
        check("trailing=x  ", &[("trailing", "x  ")]);
    }

    #[test]
    fn bytes_that_are_not_utf8_are_latin1() {
        assert_eq!(decode_properties(b"a=\xe9"), "a=é");
        assert_eq!(decode_properties("a=é".as_bytes()), "a=é");
    }
}
