//! Which lines of a source file are the product's.

/// The lines of a file without its tests and what is compiled for them alone, comments cut off.
pub(crate) fn product_lines(text: &str) -> Vec<(usize, &str)> {
    let indent = |line: &str| line.len() - line.trim_start().len();
    let mut found = Vec::new();
    let mut lines = text.lines().enumerate();
    while let Some((index, line)) = lines.next() {
        if !line.trim_start().starts_with("#[cfg(test)]") {
            found.push((index + 1, line.split("//").next().unwrap_or_default()));
            continue;
        }
        // The item behind it: up to a `;`, or to the bracket that closes what its first line opened.
        let ends = [';', '}', ','];
        let is_end = |item: &str| indent(item) == indent(line) && item.ends_with(ends);
        let mut behind = lines
            .by_ref()
            .map(|(_, item)| item)
            .skip_while(|item| item.trim_start().starts_with("#["));
        let Some(first) = behind.next() else {
            break;
        };
        if first.starts_with("mod ") && first.ends_with('{') {
            break;
        }
        if !is_end(first) {
            behind.find(|item| is_end(item));
        }
    }
    found
}

#[test]
fn only_tests_are_left_out() {
    let text = "a\n#[cfg(test)]\nmod tests;\nb // c\n#[cfg(test)]\n#[expect(x)]\nfn f() {\n    g;\n}\nd\n    #[cfg(test)]\n    e: u8,\nh\n#[cfg(test)]\nmod tests {\n    i\n}\n";
    let lines: Vec<_> = product_lines(text).into_iter().map(|(n, _)| n).collect();
    assert_eq!(lines, [1, 4, 10, 13]);
}
