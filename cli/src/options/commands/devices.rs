//! `widebragg devices`.

use super::{
    super::{
        model::{Command, DevicesOptions},
        row::{self, Section, put},
        spec::{CommandSpec, EXIT_CODES},
        syntax::Syntax,
    },
    shared::JSON,
};

type Row = row::Row<DevicesOptions>;

pub(super) static SPEC: CommandSpec = CommandSpec {
    name: "devices",
    purpose: "list and test the devices that --device names",
    usage: &["devices [--json]"],
    syntax: &SYNTAX,
    exit_codes: EXIT_CODES,
    topics: &["devices"],
};

static SYNTAX: Syntax<DevicesOptions> = Syntax::new(&[OPTIONS], |line| Ok(Command::Devices(line.options)));

const OPTIONS: Section<DevicesOptions> =
    Section { heading: "Options of devices", rows: &[Row::of(JSON, |o, _| put(&mut o.json, true))] };
