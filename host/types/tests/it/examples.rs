//! The files themselves, as snapshots.

use crate::support::{examples, fleet, generated};

#[test]
fn files_of_the_example_plugins() {
    for file in generated(&examples()) {
        insta::assert_snapshot!(format!("examples_{}", file.name), file.content);
    }
}

#[test]
fn files_of_everything_that_a_manifest_can_say() {
    for file in generated(&[fleet()]) {
        insta::assert_snapshot!(format!("fleet_{}", file.name), file.content);
    }
}

#[test]
fn files_of_no_manifest_at_all() {
    for file in generated(&[]) {
        insta::assert_snapshot!(format!("nothing_{}", file.name), file.content);
    }
}
