//! The widebragg command line: arguments, files, threads and progress around the kernel; no physics.

pub mod bench;
pub mod compare;
pub mod console;
pub mod demo;
pub mod error;
pub mod evidence;
pub mod files;
pub mod gradient;
pub mod memory;
pub mod options;
pub mod run;
pub mod signals;
pub mod trace;
pub mod trace_diff;

use error::Failure;
use options::Command;

/// Runs the program with `args`, the program's name excluded.
///
/// # Errors
/// The one line to tell the user, and the exit code.
pub fn execute(args: &[String]) -> Result<(), Failure> {
    match options::parse(args)? {
        Command::Help => console::print(&options::help()),
        Command::HelpOn(subject) => console::print(&options::help_on(&subject)?),
        Command::Version => console::print(&format!("widebragg {}\n", env!("CARGO_PKG_VERSION"))),
        Command::Man => console::print(&options::man()),
        Command::Completions(shell) => console::print(&options::completions(shell)),
        Command::Bench(bench) => bench::run(&bench),
        Command::Demo(demo) => demo::run(&demo),
        Command::Compare(options) => compare::run(&options, args),
        Command::Trace(options) => trace::run(&options, args),
        Command::TraceDiff(options) => trace_diff::run(&options),
        Command::Gradient(options) => gradient::run(&options, args),
        Command::Gradcheck(options) => gradient::check::run(&options, args),
        Command::Refine(options) => gradient::refine::run(&options, args),
        Command::Render(options) => run::render(&options, args),
    }
}
