//! Keeps the tables of the crate `xraydb` that are used, in few bytes (`src/xray_tables`), and checks that these have
//! them.

#[path = "src/xray_tables/columns.rs"]
mod columns;

use core::error::Error;
use std::env;
use std::fs;
use std::path::PathBuf;

use columns::{BITS, DECIMALS, ORDERS, PER_ELECTRON, PER_EV, unpack};
use xraydb::XrayDb;
use xraydb::xraydb_data::{ChantlerRecord, XrayDatabase};

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=src/xray_tables/columns.rs");
    let tables = XrayDb::try_new()?;
    let mut kept: XrayDatabase = postcard::from_bytes(&postcard::to_allocvec(tables.raw())?)?;
    kept.version.clear();
    kept.xray_levels.clear();
    kept.xray_transitions.clear();
    kept.coster_kronig.clear();
    kept.waasmaier.clear();
    kept.compton_energies.incident.clear();
    kept.compton_energies.xray_90deg.clear();
    kept.compton_energies.xray_mean.clear();
    kept.compton_energies.electron_mean.clear();
    kept.keski_rahkonen_krause.clear();
    kept.krause_oliver.clear();
    kept.corelevel_widths.clear();
    kept.ionization_potentials.clear();
    let mut chantler = Vec::new();
    for (row, all) in kept.chantler.iter_mut().zip(&tables.raw().chantler) {
        let before = chantler.len();
        pack(all, &mut chantler)?;
        unpack(&mut &chantler[before..], row).ok_or("columns end early")?;
        check(row, all);
        for column in [&mut row.energy, &mut row.f1, &mut row.f2] {
            column.clear();
        }
        for unused in [&mut row.mu_photo, &mut row.mu_incoh, &mut row.mu_total] {
            unused.clear();
        }
    }
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("no OUT_DIR")?);
    fs::write(out.join("xray_tables.database"), postcard::to_allocvec(&kept)?)?;
    fs::write(out.join("xray_tables.chantler"), chantler)?;
    Ok(())
}

/// Appends the columns of a row to `bytes`.
fn pack(row: &ChantlerRecord, bytes: &mut Vec<u8>) -> Result<(), Box<dyn Error>> {
    let units = |column: &[f64], per: f64| column.iter().map(|value| (value * per).round() as i64).collect();
    let mut columns: [Vec<i64>; 4] =
        [units(&row.energy, PER_EV), units(&row.f1, PER_ELECTRON), Vec::new(), Vec::new()];
    for value in &row.f2 {
        let decimal = format!("{value:.DECIMALS$e}");
        let (digits, exponent) = decimal.split_once('e').ok_or("no exponent")?;
        columns[2].push(digits.replace('.', "").parse()?);
        columns[3].push(exponent.parse()?);
    }
    put(u64::try_from(row.energy.len())?, bytes);
    for (mut column, order) in columns.into_iter().zip(ORDERS) {
        for _ in 0..order {
            let mut before = 0;
            for number in &mut column {
                *number -= core::mem::replace(&mut before, *number);
            }
        }
        for difference in column {
            put(((difference << 1) ^ (difference >> 63)).cast_unsigned(), bytes);
        }
    }
    Ok(())
}

/// Appends a number to `bytes`.
fn put(mut number: u64, bytes: &mut Vec<u8>) {
    while number >> BITS != 0 {
        bytes.push(number as u8 | 1 << BITS);
        number >>= BITS;
    }
    bytes.push(number as u8);
}

/// Stops the build unless a row is what it was, but for rounding errors.
fn check(row: &ChantlerRecord, all: &ChantlerRecord) {
    let symbol = &all.element;
    let lengths = [&row.energy, &row.f1, &row.f2].map(Vec::len);
    assert_eq!(lengths, [all.energy.len(); 3], "{symbol}");
    assert_eq!(row.f2, all.f2, "{symbol}");
    for (energy, all) in row.energy.iter().zip(&all.energy) {
        assert!((energy - all).abs() <= f64::EPSILON * all, "{symbol}: {all} eV");
    }
    for (f_prime, all) in row.f1.iter().zip(&all.f1) {
        assert!((f_prime - all).abs() <= 0.51 / PER_ELECTRON, "{symbol}: {all} electrons");
    }
}
