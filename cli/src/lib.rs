//! The widebragg command line: options, commands, the console and evidence folders, on top of the libraries
//! `widebragg-experiment` and `widebragg-formats`.

pub mod commands;
pub mod console;
pub mod error;
pub mod evidence;
pub mod images;
pub mod options;
pub(crate) mod picture;
pub mod signals;

use commands::{
    bench, compare, demo, devices, diagnose, gradcheck, gradient, hkl, noisify, nonbragg, refine, render, stol, trace,
    trace_diff,
};
use error::Failure;
use options::Command;

/// Runs the program with `args`, the program's name excluded.
///
/// # Errors
/// The line to print on standard error, and the exit code.
pub fn execute(args: &[String]) -> Result<(), Failure> {
    match options::parse(args)? {
        Command::Help => console::print(&options::help()),
        Command::HelpOn(subject) => console::print(&options::help_on(&subject)?),
        Command::Version => console::print(&format!("widebragg {}\n", env!("CARGO_PKG_VERSION"))),
        Command::Man => console::print(&options::man()),
        Command::Completions(shell) => console::print(&options::completions(shell)),
        Command::Bench(bench) => bench::run(&bench),
        Command::Devices(options) => devices::run(&options),
        Command::Demo(demo) => demo::run(&demo),
        Command::Compare(options) => compare::run(&options, args),
        Command::Diagnose(options) => diagnose::run(&options, args),
        Command::Hkl(options) => hkl::run(&options),
        Command::Noisify(options) => noisify::run(&options),
        Command::Nonbragg(options) => nonbragg::run(&options),
        Command::Stol(options) => stol::run(&options, args),
        Command::Trace(options) => trace::run(&options, args),
        Command::TraceDiff(options) => trace_diff::run(&options),
        Command::Gradient(options) => gradient::run(&options, args),
        Command::Gradcheck(options) => gradcheck::run(&options, args),
        Command::Refine(options) => refine::run(&options, args),
        Command::Render(options) => render::run(&options, args),
    }
}
