//! `docs/error-codes.md` is made from the table in `error.rs`. `UPDATE_DOCS=1 cargo test -p protocol --test docs` rewrites it.

use std::fmt::Write as _;
use std::path::PathBuf;

use protocol::ErrorCode;

fn error_codes() -> String {
    let mut text = String::from(
        "# Error codes\n\n\
         Made from `protocol/src/error.rs`; `UPDATE_DOCS=1 cargo test -p protocol --test docs` rewrites it.\n\n\
         A client may repeat a request that got a retriable error and succeed.\n\n\
         | code | name | retriable | message |\n| ---: | --- | --- | --- |\n",
    );
    for code in ErrorCode::all() {
        let retriable = if code.retriable() { "yes" } else { "no" };
        writeln!(text, "| {} | {} | {retriable} | {} |", code.0, code.name(), code.message()).expect("to a string");
    }
    text
}

#[test]
fn the_page_of_error_codes_is_fresh() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/error-codes.md");
    let expected = error_codes();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &expected).expect("docs is writable");
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(found == expected, "docs/error-codes.md is stale; see the top of this file");
}
