//! Options of a render: the atomic model that structure factors are computed from.

use super::super::super::{
    given::Given,
    model::{Options, SolventChoice},
    row::{self, Section, set},
    takes::Takes::{Integer, Text},
};
use crate::error::Failure;
use std::path::PathBuf;
use widebragg_coordinates::elements::Element;

type Row = row::Row<Options>;

pub(in super::super) const MODEL: Section<Options> = Section {
    heading: "Atomic model of -hkl",
    rows: &[
        Row::new(
            "--anomalous",
            Text("none|ELEMENT=FILE"),
            "f', f'': none, or those of an element from lines of E (eV) f' f''; may be given for each element",
            anomalous,
        )
        .default("those of free atoms at the wavelength"),
        Row::new(
            "--solvent",
            Text("k_sol,B_sol|none"),
            "bulk solvent, k_sol in e/angstrom^3 and B_sol in angstrom^2",
            solvent,
        )
        .default("0.35,46; none for a small-molecule CIF"),
        Row::new(
            "--energy-channels",
            Integer,
            "F of their own for at most n channels of wavelengths of equal width, with f', f'' of each",
            |o, v| set(&mut o.model.energy_channels, v.count()),
        )
        .default("F of the mean wavelength for all sources"),
    ],
};

fn anomalous(options: &mut Options, given: &Given<'_>) -> Result<(), Failure> {
    let text = given.text()?;
    let Some((symbol, file)) = text.split_once('=') else {
        if text.trim() != "none" {
            return Err(given.refuse("expected none, or an element and a file such as Se=scan.dat"));
        }
        options.model.leaves_tables_out = true;
        return Ok(());
    };
    let element = Element::from_symbol(symbol.trim());
    let element = element.ok_or_else(|| given.refuse("what is before the = is no element"))?;
    if file.is_empty() {
        return Err(given.refuse("the name of the file is missing"));
    }
    options.model.scans.retain(|(other, _)| *other != element);
    options.model.scans.push((element, PathBuf::from(file)));
    Ok(())
}

fn solvent(options: &mut Options, given: &Given<'_>) -> Result<(), Failure> {
    let text = given.text()?;
    let number = |word: &str| word.trim().parse::<f64>().ok().filter(|number| number.is_finite());
    let numbers = text.split_once(',').map(|(k_sol, b_sol)| (number(k_sol), number(b_sol)));
    options.model.solvent = match numbers {
        None if text.trim() == "none" => SolventChoice::None,
        Some((Some(k_sol), Some(b_sol))) => {
            SolventChoice::Given { k_sol_e_per_angstrom3: k_sol, b_sol_angstrom2: b_sol }
        }
        _ => return Err(given.refuse("expected none, or two numbers such as 0.35,46")),
    };
    Ok(())
}
