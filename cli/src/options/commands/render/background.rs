//! Options of a render: amorphous matter in the beam.

use std::path::PathBuf;

use widebragg_experiment::background::{KnownMatter, Place};
use widebragg_formats::stol::Abscissa;

use super::super::super::{
    given::Given,
    message::quoted,
    model::{MatterOption, MatterTable, Options},
    row::{self, Section, put},
    takes::Takes::{Nothing, Text},
};
use crate::error::Failure;

type Row = row::Row<Options>;

pub(super) const BACKGROUND: Section<Options> = Section {
    heading: "Background",
    rows: &[
        Row::new(
            "--background",
            Text("NAME|FILE[:s|4s|Q],mm[,density[,MW]]"),
            "scattering of amorphous matter: water, air, ice or a table; may be repeated; see widebragg help background",
            background,
        ),
        Row::new(
            "--background-absorption",
            Nothing,
            "slabs of --background absorb what they scatter",
            |o, _| put(&mut o.background.absorbs, true),
        ),
    ],
};

/// A table or name, the thickness or path, and what is known of the matter.
fn background(options: &mut Options, given: &Given<'_>) -> Result<(), Failure> {
    let typed = given.text()?;
    let mut words = typed.split(',').map(str::trim);
    let refuse = |why: String| given.refuse(&why);
    let number = |word: &str| {
        let number = word.parse().ok().filter(|number: &f64| number.is_finite());
        number.ok_or_else(|| refuse(format!("{} is not a number", quoted(word))))
    };
    let positive = |name: &str, word: &str| match number(word)? {
        number if number > 0.0 => Ok(number),
        _ => Err(refuse(format!("the {name} must be above 0"))),
    };
    let table = table(words.next().unwrap_or_default()).ok_or_else(|| {
        refuse("expected water, air, ice or a file, a thickness in mm, and more, such as water,0.1".into())
    })?;
    let Some(length) = words.next() else {
        return Err(refuse("no thickness in mm, such as water,0.1".into()));
    };
    let place = match length.split_once("..") {
        Some((from, to)) => {
            let ends_m = [number(from)? / 1000.0, number(to)? / 1000.0];
            if ends_m[0] >= ends_m[1] {
                return Err(refuse("a path must end behind its start".into()));
            }
            Place::Path { ends_m }
        }
        None => {
            let length_m = positive("thickness", length)? / 1000.0;
            match table {
                MatterTable::Known(KnownMatter::Air) => {
                    Place::Path { ends_m: [-length_m / 2.0, length_m / 2.0] }
                }
                _ => Place::Slab { thickness_m: length_m },
            }
        }
    };
    let mut matter = MatterOption {
        typed: typed.to_owned(),
        table,
        place,
        density_g_per_cm3: None,
        weight_g_per_mol: None,
        width_per_angstrom: None,
        formula: None,
    };
    let mut plain = ["density", "molecular weight"].into_iter();
    for word in words {
        match word.split_once('=') {
            Some(("width", width)) => matter.width_per_angstrom = Some(positive("width", width)?),
            Some(("formula", formula)) => matter.formula = Some(formula.to_owned()),
            Some((name, _)) => {
                return Err(refuse(format!("{} is not known: width and formula are", quoted(name))));
            }
            None => match plain.next() {
                Some(name @ "density") => matter.density_g_per_cm3 = Some(positive(name, word)?),
                Some(name) => matter.weight_g_per_mol = Some(positive(name, word)?),
                None => return Err(refuse(format!("{} follows the molecular weight", quoted(word)))),
            },
        }
    }
    options.background.matter.push(matter);
    Ok(())
}

/// The table of a word; `None` where it is empty.
fn table(word: &str) -> Option<MatterTable> {
    if let Some(known) = KnownMatter::from_name(word) {
        return Some(MatterTable::Known(known));
    }
    let marked = Abscissa::ALL.into_iter().find_map(|abscissa| {
        let path = word.strip_suffix(abscissa.name())?.strip_suffix(':')?;
        Some((path, abscissa))
    });
    let (path, abscissa) = marked.unwrap_or((word, Abscissa::S));
    (!path.is_empty()).then(|| MatterTable::File { path: PathBuf::from(path), abscissa })
}
