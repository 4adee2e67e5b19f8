//! The `widebragg` program.

use std::io::Write;
use std::process::ExitCode;

fn main() -> ExitCode {
    // This also checks for the memory that unchecked allocations need.
    if widebragg_formats::memory::reserved::<u8>(0).is_none() {
        // There may be no memory to format a message. If standard error is closed, there is nowhere to report it.
        let _ = std::io::stderr().write_all(b"widebragg: not enough memory to run\n");
        return ExitCode::from(2);
    }
    widebragg_cli::signals::watch();
    let mut args = Vec::new();
    for arg in std::env::args_os().skip(1) {
        match arg.into_string() {
            Ok(arg) => args.push(arg),
            Err(arg) => {
                widebragg_cli::console::complain(&format!("argument {} is not UTF-8", arg.display()));
                return ExitCode::from(2);
            }
        }
    }
    match widebragg_cli::execute(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            widebragg_cli::console::complain(&failure.to_string());
            ExitCode::from(failure.code())
        }
    }
}
