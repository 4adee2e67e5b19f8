//! The last test program, by its name: prints what the tests of this run skipped. It has no test harness, which
//! would keep the lines to itself.

fn main() {
    let list = widebragg_tests::skipped::take_list();
    match list.len() {
        0 => println!("\nno test was skipped in this run\n"),
        count => println!("\n{count} tests or parts of tests were skipped in this run:"),
    }
    for entry in &list {
        println!("    {entry}");
    }
    if !list.is_empty() {
        println!();
    }
}
