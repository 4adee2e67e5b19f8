//! The tables of the crate `xraydb` that are used here: f' and f'' of Chantler, attenuation of Elam, and the elements.
//!
//! All tables of the crate are 3.2 MB, compressed. The build script (`build.rs`) keeps a sixth of that: what is asked
//! for, with all digits of energies, f'' and attenuation, and f' to 1e-9 electrons.

mod columns;

use xraydb::xraydb_data::XrayDatabase;
use xraydb::{XrayDb, XrayDbError};

/// The database without the columns of Chantler.
static DATABASE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/xray_tables.database"));
/// These columns.
static CHANTLER: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/xray_tables.chantler"));

/// The tables: f1 and f2 of Chantler, cross sections of Elam, symbols and masses of elements. All else of the crate
/// is empty.
///
/// # Errors
/// The tables are damaged, which the build script rules out.
pub fn xray_tables() -> Result<XrayDb, XrayDbError> {
    if XrayDb::is_loaded() {
        return XrayDb::current();
    }
    let damaged = |error: postcard::Error| XrayDbError::DataError(error.to_string());
    let mut database: XrayDatabase = postcard::from_bytes(DATABASE).map_err(damaged)?;
    let mut packed = CHANTLER;
    for row in &mut database.chantler {
        columns::unpack(&mut packed, row)
            .ok_or_else(|| XrayDbError::DataError("the tables of Chantler end early".to_owned()))?;
    }
    XrayDb::load_uncompressed(&postcard::to_allocvec(&database).map_err(damaged)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_have_columns_of_their_own() {
        let tables = xray_tables().unwrap();
        let energies = |symbol| tables.chantler_energies(symbol, Some(7000.0), Some(7300.0)).unwrap();
        assert!(energies("Fe").len() > 10 && energies("Fe").is_sorted());
        assert_ne!(energies("Fe"), energies("Se"));
        // The K edge of iron is where f'' jumps.
        let [below, above] =
            [7100.0, 7125.0].map(|energy_ev| tables.f2_chantler_at("Fe", energy_ev).unwrap());
        assert!(below < 0.6 && above > 3.5, "{below} {above}");
        assert!(tables.f1_chantler_at("Fe", 7112.0).unwrap() < -6.0);
    }

    #[test]
    fn columns_that_end_early_are_refused() {
        let mut database: XrayDatabase = postcard::from_bytes(DATABASE).unwrap();
        let row = &mut database.chantler[0];
        let mut rest = CHANTLER;
        columns::unpack(&mut rest, row).unwrap();
        let length = CHANTLER.len() - rest.len();
        for kept in [0, 1, length / 2, length - 1] {
            assert_eq!(columns::unpack(&mut &CHANTLER[..kept], row), None, "{kept}");
        }
    }
}
