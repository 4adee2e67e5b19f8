//! The columns of one element in Chantler's tables, from the few bytes in which the build script (`build.rs`) packs
//! them.
//!
//! A column is whole numbers, its entries times a power of ten. What is stored are their differences, taken as often
//! as makes them small, in 7 bits a byte with the lowest first; the highest bit of a byte tells that another one
//! follows.

use xraydb::xraydb_data::ChantlerRecord;

/// The bits of a byte that hold a part of a number.
pub(crate) const BITS: u32 = 7;
/// How often differences are taken of energies and of f', and of digits and exponents of f'': what leaves the fewest bytes.
pub(crate) const ORDERS: [usize; 4] = [3, 5, 3, 1];
/// Energies are in units of 1e-7 eV.
pub(crate) const PER_EV: f64 = 1e7;
/// f' is in units of 1e-9 electrons.
pub(crate) const PER_ELECTRON: f64 = 1e9;
/// f'' has five digits, of which four follow the point.
pub(crate) const DECIMALS: usize = 4;

/// Takes the columns of a row from the front of `bytes`; `None` where these end early.
pub(crate) fn unpack(bytes: &mut &[u8], row: &mut ChantlerRecord) -> Option<()> {
    let count = usize::try_from(take(bytes)?).ok()?;
    let [energies, f_primes, digits, exponents] = [
        column(bytes, count, ORDERS[0])?,
        column(bytes, count, ORDERS[1])?,
        column(bytes, count, ORDERS[2])?,
        column(bytes, count, ORDERS[3])?,
    ];
    row.energy = energies.iter().map(|&units| units as f64 / PER_EV).collect();
    row.f1 = f_primes.iter().map(|&units| units as f64 / PER_ELECTRON).collect();
    let f_double_prime = |(&digits, &exponent): (&i64, &i64)| {
        // A power of ten is exact up to the 22nd, so that one rounding gives what the decimal number stands for.
        let exponent = i32::try_from(exponent).ok()? - DECIMALS as i32;
        let power = 10_f64.powi(exponent.abs());
        Some(if exponent < 0 { digits as f64 / power } else { digits as f64 * power })
    };
    row.f2 = digits.iter().zip(&exponents).map(f_double_prime).collect::<Option<_>>()?;
    Some(())
}

/// Takes a column from the front of `bytes`, whose differences were taken `order` times.
fn column(bytes: &mut &[u8], count: usize, order: usize) -> Option<Vec<i64>> {
    let mut column = Vec::new();
    for _ in 0..count {
        // 0, 1, 2, 3, 4 ... stand for 0, -1, 1, -2, 2 ...
        let number = take(bytes)?;
        column.push((number >> 1).cast_signed() ^ -(number & 1).cast_signed());
    }
    for _ in 0..order {
        let mut sum = 0_i64;
        for number in &mut column {
            sum = sum.wrapping_add(*number);
            *number = sum;
        }
    }
    Some(column)
}

/// Takes a number from the front of `bytes`.
fn take(bytes: &mut &[u8]) -> Option<u64> {
    let (mut number, mut shift) = (0_u64, 0);
    loop {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & ((1 << BITS) - 1)).checked_shl(shift)?;
        shift += BITS;
        if byte >> BITS == 0 {
            return Some(number);
        }
    }
}
