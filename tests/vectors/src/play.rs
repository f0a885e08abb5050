//! Plays a vector: every call with the same time and randomness must give the same bytes.

use crate::node::{Node, Source};
use crate::unhex;
use serde_json::Value;

/// Plays it.
///
/// # Panics
/// At the first step that differs, naming it.
pub fn play(vector: &Value) {
    let name = vector["name"].as_str().expect("a name");
    let mut a = Node::new(&vector["a"], Source::Given(Vec::new()));
    let mut b = Node::new(&vector["b"], Source::Given(Vec::new()));
    for (i, step) in vector["steps"].as_array().expect("steps").iter().enumerate() {
        let node = if step["node"] == "a" { &mut a } else { &mut b };
        let random = step["random"].as_array().map_or(&[][..], |r| r);
        node.source = Source::Given(random.iter().map(unhex).collect());
        let returned = node.call(step);
        let (outputs, wake) = node.drain(step["now"].as_u64().expect("a time"));
        let place = format!("{name}, step {i}: {} {}", step["node"], step["do"]);
        assert_eq!(returned, step["returns"], "{place}: what it returns");
        assert_eq!(Value::from(outputs), step["outputs"], "{place}: outputs");
        assert_eq!(wake, step["wake"].as_u64(), "{place}: when to wake up");
        assert!(matches!(&node.source, Source::Given(left) if left.is_empty()), "{place}: randomness left over");
    }
}
