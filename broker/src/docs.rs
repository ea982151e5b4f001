//! Pages of `docs/` that are made from tables in the code.

/// Compares a page with what its table says; with `UPDATE_DOCS` set in the environment, rewrites it instead.
pub(crate) fn assert_fresh(page: &str, rendered: &str) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(page);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, rendered).expect("docs can be written");
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(written == rendered, "docs/{page} is stale: UPDATE_DOCS=1 cargo test -p broker docs rewrites it");
}
