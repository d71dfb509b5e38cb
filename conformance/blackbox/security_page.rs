//! `docs/security.md` names a test for each known fault of registries: each of them must be there.

use std::fs;
use std::path::Path;

/// `file::test` in code spans; `file` is a path below `conformance/` or `src/`, or a file of the black-box tests.
fn named(page: &str) -> Vec<(String, String)> {
    let spans = page.split('`').skip(1).step_by(2);
    let pairs = spans.filter_map(|span| span.rsplit_once("::"));
    pairs.map(|(file, test)| (file.to_owned(), test.to_owned())).collect()
}

#[test]
fn every_test_that_the_page_names_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("docs/security.md")).unwrap();
    let named = named(&page);
    assert!(named.len() > 60, "{} tests", named.len());
    for (file, test) in named {
        let path = if file.contains('/') {
            root.join(format!("{file}.rs"))
        } else {
            root.join(format!("conformance/blackbox/{file}.rs"))
        };
        let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        assert!(text.contains(&format!("fn {test}(")), "no test {test} in {}", path.display());
    }
}
