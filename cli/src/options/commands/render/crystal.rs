//! Options of a render: the crystal and its structure factors.

use super::super::super::{
    given::Given,
    model::{Misset, NMatrix, Options, TwinLaw},
    row::{self, Section, put, set},
    takes::{
        Takes::{Cell, Choice, Each, File, Integer, Misset as MissetAngles, Names, Nothing, Number, Text},
        Unit::{Degree, Millimetre, Plain},
    },
};
use super::super::names::names;
use super::{
    odd::{cell, cells, count, range},
    set_odd,
};
use crate::error::Failure;
use widebragg::lattice::{CellCoupling, CrystalShape, SpotMetric};
use widebragg::mosaic::MosaicAxes;
use widebragg_experiment::factor_grid::GridNumbers;
use widebragg_formats::reflections::Format;
use widebragg_formats::reflections::p1::Scale;
use widebragg_reflections::symmetry::{Operator, StatedSymmetry};

type Row = row::Row<Options>;

pub(super) const CRYSTAL: Section<Options> = Section {
    heading: "Crystal",
    rows: &[
        Row::new("-mat", File, "a*, b*, c* in 1/angstrom, times -lambda in angstrom", |o, v| {
            set(&mut o.mat, v.path())
        })
        .basic()
        .aliases(&["-matrix"])
        .stems(&["-mat"]),
        Row::new("-cell", Cell, "unit cell in angstrom and degrees", |o, v| {
            set_odd(o, v, cell, |o| &mut o.cell_angstrom_deg)
        })
        .default("missing lengths a, missing angles 90")
        .basic(),
        Row::new(
            "-misset",
            MissetAngles,
            "rotate the crystal about lab x, y and z by these angles in degrees, or at random",
            misset,
        ),
        Row::new("-misset_seed", Integer, "seed of -misset random", |o, v| {
            set(&mut o.misset_seed_as_typed, v.integer())
        })
        .default("that of -seed"),
        Row::new("-N", Integer, "unit cells along each of a, b and c", |o, v| {
            o.n_cells = [cells(o, v)?; 3];
            Ok(())
        })
        .basic()
        .default("1"),
        Row::new("-Na", Integer, "unit cells along a", |o, v| set_odd(o, v, cells, |o| &mut o.n_cells[0]))
            .default("1"),
        Row::new("-Nb", Integer, "unit cells along b", |o, v| set_odd(o, v, cells, |o| &mut o.n_cells[1]))
            .default("1"),
        Row::new("-Nc", Integer, "unit cells along c", |o, v| set_odd(o, v, cells, |o| &mut o.n_cells[2]))
            .default("1"),
        Row::new(
            "--cells",
            Each(&["Na", "Nb", "Nc"]),
            "unit cells along a, b and c, with fractions",
            |o, v| {
                let cells = v.triple()?;
                if cells.iter().any(|&n| n < 1.0) {
                    return Err(v.refuse("must be 1 or more"));
                }
                put(&mut o.cells, Some(cells))
            },
        ),
        Row::new(
            "--n-matrix",
            Each(&N_MATRIX),
            "N matrix of Gaussian or tophat spots; numbers in this order, or Naa=... by name",
            |o, v| put(&mut o.n_matrix, Some(n_matrix(v)?)),
        ),
        Row::new(
            "-samplesize",
            Number(Millimetre),
            "crystal size along a, b and c, instead of -N",
            |o, v| {
                o.sample_m = [Some(v.si()?); 3];
                Ok(())
            },
        )
        .aliases(&["-sample_size", "-xtalsize", "-xtal_size"]),
        Row::new("-sample_x", Number(Millimetre), "crystal size along a", |o, v| {
            set(&mut o.sample_m[0], v.si())
        })
        .aliases(&["-sample_thick", "-xtal_x", "-xtal_thick"]),
        Row::new("-sample_y", Number(Millimetre), "crystal size along b", |o, v| {
            set(&mut o.sample_m[1], v.si())
        })
        .aliases(&["-sample_width", "-xtal_y", "-xtal_width", "-width"]),
        Row::new("-sample_z", Number(Millimetre), "crystal size along c", |o, v| {
            set(&mut o.sample_m[2], v.si())
        })
        .aliases(&["-sample_height", "-xtal_z", "-xtal_height", "-height"])
        .stems(&["-sample_heigh", "-xtal_heigh", "-heigh"]),
        Row::new("-square_xtal", Nothing, "parallelepiped crystal, sincg spots; the default", |o, _| {
            put(&mut o.shape, CrystalShape::Square)
        }),
        Row::new("-round_xtal", Nothing, "ellipsoid crystal, sinc3 spots", |o, _| {
            put(&mut o.shape, CrystalShape::Round)
        }),
        Row::new("-gauss_xtal", Nothing, "Gaussian spots", |o, _| put(&mut o.shape, CrystalShape::Gauss)),
        Row::new("-tophat_spots", Nothing, "spots with a sharp edge and a flat top", |o, _| {
            put(&mut o.shape, CrystalShape::Tophat)
        })
        .aliases(&["-binary_spots"]),
        Row::new(
            "-fudge",
            Number(Plain("factor")),
            "factor that shrinks spots of shapes other than square",
            |o, v| set(&mut o.fudge, v.si()),
        )
        .default("1"),
        Row::new(
            "--spot-metric",
            Choice(names!(SpotMetric)),
            "Gaussian and tophat spots: 1/(Na Nb Nc) wide in reciprocal space, or 1/N along each index",
            |o, v| put(&mut o.spot_metric, Some(v.choice(SpotMetric::ALL)?)),
        )
        .default("reciprocal; index with --n-matrix"),
        Row::new(
            "--gauss-cutoff",
            Number(Plain("exponent")),
            "Gaussian spots are 0 where their exponent is this or more",
            |o, v| set(&mut o.gauss_cutoff, v.positive()),
        )
        .default("none"),
        Row::new(
            "-mosaic",
            Number(Degree),
            "mosaic spread: domains are rotated by up to this angle",
            |o, v| set_odd(o, v, range, |o| &mut o.mosaic_spread_rad),
        )
        .aliases(&["-mosaicity", "-mosaic_spread"])
        .stems(&["-mosaici", "-mosaic_spr"])
        .default("0"),
        Row::new("-mosaic_domains", Integer, "mosaic domains", |o, v| {
            set_odd(o, v, count, |o| &mut o.mosaic_domains)
        })
        .aliases(&["-mosaic_dom"])
        .stems(&["-mosaic_dom"])
        .default("10 with -mosaic, else 1"),
        Row::new("-mosaic_seed", Integer, "seed of the mosaic domains", |o, v| {
            set(&mut o.mosaic_seed_as_typed, v.integer())
        })
        .default("12345678; 8675309 for a spiral"),
        Row::new(
            "--mosaic-anisotropic",
            Each(&["a", "b", "c"]),
            "mosaic spreads about a, b and c in degrees, instead of -mosaic",
            |o, v| {
                let spreads_rad = v.angles()?;
                if spreads_rad.iter().any(|&spread_rad| spread_rad <= 0.0) {
                    return Err(v.refuse("must be larger than zero"));
                }
                put(&mut o.mosaic_anisotropic_rad, Some(spreads_rad))
            },
        ),
        Row::new(
            "--mosaic-axes",
            Choice(names!(MosaicAxes)),
            "axes of the domains: as nanoBragg draws them, or a spiral, with normal angles, as in diffBragg",
            |o, v| put(&mut o.mosaic_axes, Some(v.choice(MosaicAxes::ALL)?)),
        )
        .default("random"),
        Row::new(
            "--mosaic-pairs",
            Nothing,
            "each domain with its inverse, so that there are twice as many",
            |o, _| put(&mut o.mosaic_pairs, true),
        ),
        Row::new(
            "--mosaic-matrices",
            File,
            "rotations of the domains: nine numbers a line, row by row",
            |o, v| set(&mut o.mosaic_matrices, v.path()),
        ),
        Row::new(
            "--crystals",
            File,
            "crystals in the beam at the same time: a table, or a stream; see widebragg help crystals",
            |o, v| set(&mut o.crystals, v.path()),
        ),
        Row::new(
            "--twin",
            Text("H,K,L,FRACTION"),
            "add the twin whose indices are these of h, k, l, with this part of the crystal: k,h,-l,0.3",
            |o, v| put(&mut o.twin, Some(twin_law(v)?)),
        ),
    ],
};

pub(super) const STRUCTURE_FACTORS: Section<Options> = Section {
    heading: "Structure factors",
    rows: &[
        Row::new("-hkl", File, "structure factors: MTZ, CIF, h k l F, PDB, ...", |o, v| {
            set(&mut o.hkl, v.path())
        })
        .basic(),
        Row::new(
            "-dump",
            File,
            "binary copy of the structure factors: written with -hkl, read without it",
            |o, v| set(&mut o.dump, v.path()),
        )
        .stems(&["-dump"])
        .default("Fdump.bin"),
        Row::new("-default_F", Number(Plain("F")), "structure factor of unlisted reflections", |o, v| {
            set(&mut o.default_f, v.si())
        })
        .default("0"),
        Row::new(
            "-interpolate",
            Nothing,
            "tricubic interpolation between reflections; the default if any of N is 1 or 2",
            |o, _| put(&mut o.interpolate, Some(true)),
        ),
        Row::new("-nointerpolate", Nothing, "structure factor of the nearest reflection", |o, _| {
            put(&mut o.interpolate, Some(false))
        }),
        Row::new(
            "--grid",
            Choice(names!(GridNumbers)),
            "numbers of the grid in memory: f32, half as long and rounded, or f64",
            |o, v| put(&mut o.grid, v.choice(GridNumbers::ALL)?),
        )
        .default("auto: f32 where it holds every F exactly"),
    ],
};

pub(in super::super) const REFLECTIONS: Section<Options> = Section {
    heading: "Reflections of -hkl",
    rows: &[
        Row::new("--hkl-columns", Names, "label of F or I; two labels for Friedel mates, or for F and D", |o, v| {
            let labels = v.names()?;
            let labels = labels.split(',').map(|label| label.trim().to_owned());
            let labels: Vec<_> = labels.filter(|label| !label.is_empty()).collect();
            if labels.is_empty() {
                return Err(v.refuse("no label is given"));
            }
            put(&mut o.reflections.choice.columns, labels)
        })
        .default("the first F, else I"),
        Row::new("--hkl-block", Text("NAME"), "data block of a CIF", |o, v| {
            set(&mut o.reflections.choice.block, v.text())
        })
        .default("the first with reflections"),
        Row::new(
            "--hkl-format",
            Choice(names!(Format)),
            "format of the file; hklf3 and hklf4 (SHELX) are never recognised",
            |o, v| set(&mut o.reflections.choice.format, v.choice(&Format::ALL)),
        )
        .default("as its content shows"),
        Row::new(
            "--space-group",
            Text("NAME|NUMBER|hall:SYMBOL|x,y,z;..."),
            "symmetry by which the list is expanded to P 1; lines of h k l F are taken as they stand without it",
            |o, v| {
                let stated = StatedSymmetry::from_option(&v.text()?);
                let stated = stated.map_err(|failure| v.refuse(&failure.to_string()))?;
                put(&mut o.reflections.space_group, Some(stated))
            },
        )
        .default("that of the file"),
        Row::new(
            "--friedel",
            Choice(&["auto", "merge"]),
            "F(h) and F(-h): different where the file says so, or averaged",
            |o, v| put(&mut o.reflections.merges_mates, v.choice(&[false, true])?),
        )
        .default("auto"),
        Row::new(
            "--hkl-scale",
            Text("K|wilson"),
            "factor of all F of the file, or wilson: to electrons, by the atoms of a protein",
            |o, v| {
                let scale = match v.text()?.as_str() {
                    "wilson" => Scale::Wilson,
                    _ => Scale::Factor(v.positive()?),
                };
                put(&mut o.reflections.scale, Some(scale))
            },
        )
        .default("1"),
        Row::new(
            "--residues",
            Integer,
            "residues of the asymmetric unit, for --hkl-scale wilson",
            |o, v| set(&mut o.reflections.residues, v.count()),
        ),
    ],
};

/// Upper triangle of the N matrix, row by row; diffBragg lists ab, bc, ac.
const N_MATRIX: [&str; 6] = ["Naa", "Nbb", "Ncc", "Nab", "Nac", "Nbc"];

fn n_matrix(given: &Given<'_>) -> Result<NMatrix, Failure> {
    let [aa, bb, cc, ab, ac, bc] = given.named(N_MATRIX)?;
    if [aa, bb, cc].iter().any(|&n| n < 1.0) {
        return Err(given.refuse("Naa, Nbb and Ncc must be 1 or more"));
    }
    Ok(NMatrix { cells: [aa, bb, cc], coupling: CellCoupling { ab, ac, bc } })
}

fn twin_law(given: &Given<'_>) -> Result<TwinLaw, Failure> {
    let text = given.text()?;
    let Some((law, fraction)) = text.rsplit_once(',') else {
        return Err(given.refuse("needs a law and a fraction, such as k,h,-l,0.3"));
    };
    let fraction = fraction.trim().parse::<f64>().ok().filter(|fraction| *fraction > 0.0 && *fraction < 1.0);
    let fraction = fraction.ok_or_else(|| given.refuse("its fraction must be above 0 and below 1"))?;
    let renamed = |c: char| match c.to_ascii_lowercase() {
        'h' => 'x',
        'k' => 'y',
        'l' => 'z',
        // Operators have these letters, indices do not.
        'x' | 'y' | 'z' => '?',
        other => other,
    };
    let operator = law.chars().map(renamed).collect::<String>().parse::<Operator>();
    match operator {
        Ok(operator) if operator.shift_24ths() == [0; 3] => {
            Ok(TwinLaw { operator: *operator.rotation(), fraction })
        }
        _ => {
            Err(given
                .refuse("its law is no operator on h, k, l with a determinant of 1 or -1, such as k,h,-l"))
        }
    }
}

fn misset(options: &mut Options, given: &Given<'_>) -> Result<(), Failure> {
    options.misset = match given.words {
        [word] if word == "random" => Misset::Random,
        _ => Misset::Given(given.angles()?),
    };
    Ok(())
}
