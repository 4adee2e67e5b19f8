//! Structure factors of all reflections to a resolution, at one energy or many.
//!
//! With G_e(h) the sum over unit scatterers at the atoms of element e (see [`crate::direct`]), the form factor f0_e and
//! s^2 = 1/(4 d^2):
//!
//! F(h, E) = sum over elements of (f0_e(s) + f'_e(E) + i f''_e(E)) G_e(h) + k_sol exp(-B_sol s^2) F_mask(h),
//!
//! and F(-h) has the conjugates of G_e and F_mask. What does not depend on the energy is summed once; for each element
//! that varies with it G_e is kept, so an energy costs a few operations a reflection and is exact.
//!
//! One reflection of each class is computed: those that differ by a rotation of the group or by the sign of h. G_e
//! comes from the direct sum or from a Fourier transform, whichever takes less time for the element; a handful of
//! metal atoms is summed directly even where all carbons are transformed.
//!
//! **Accuracy.** Direct sums: rounding errors. Transforms: 3e-10 of the largest |F| for the golden models, 1e-7 promised by the
//! tests here. **Memory.** See
//! [`Settings::bytes_needed`].

use num_complex::Complex64;
use rayon::iter::{
    IndexedParallelIterator, IntoParallelIterator, IntoParallelRefMutIterator, ParallelIterator,
};
use widebragg::lanes::{Simd, SimdLevel};
use widebragg_reflections::index_box::IndexBox;
use widebragg_reflections::observations::Hkl;
use widebragg_reflections::symmetry::SpaceGroup;

use crate::anomalous::{Anomalous, AnomalousSource};
use crate::density::{self, DensityGrid};
use crate::direct::{self, Mates, scattering};
use crate::elements::Element;
use crate::error::Error;
use crate::scatterers::{Kind, Scatterers};
use crate::solvent::Solvent;
use crate::transform::transform_bytes;

/// How the sums over atoms are computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Method {
    /// Whichever is estimated to take less time, for each element.
    #[default]
    Fastest,
    /// Direct summation.
    Direct,
    /// Fourier transforms of densities.
    Fft,
}

/// What is computed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    /// Smallest spacing d of a reflection, in Å.
    pub d_min_angstrom: f64,
    /// The bulk solvent; `None` for F_calc alone.
    pub solvent: Option<Solvent>,
    /// How.
    pub method: Method,
}

impl Settings {
    /// F_calc to a resolution, without bulk solvent.
    #[must_use]
    pub fn to_resolution(d_min_angstrom: f64) -> Self {
        Self { d_min_angstrom, solvent: None, method: Method::Fastest }
    }

    /// Bytes of memory that [`StructureFactors::new`] needs at most, of which the structure factors themselves
    /// keep a part, for so many elements that vary with the energy.
    ///
    /// # Errors
    /// [`Error::Resolution`] and [`Error::Solvent`].
    pub fn bytes_needed(&self, scatterers: &Scatterers, varying: usize) -> Result<usize, Error> {
        self.solvent.map_or(Ok(()), |solvent| solvent.check())?;
        let limits = scatterers.largest_indices(self.d_min_angstrom)?.map(|index| index as usize);
        let limits = scatterers.widened(limits);
        let grid = DensityGrid::new(&scatterers.cell, self.d_min_angstrom, limits);
        let transformed = match self.method {
            Method::Direct => 0,
            Method::Fastest | Method::Fft => transform_bytes(grid.size, grid.limits),
        };
        let masked = self.solvent.map_or(0, |solvent| {
            let size = solvent.mask_size(scatterers, grid.limits);
            // The runs of the mask: about one in eight points, and a list for each row.
            let runs = size[0] * size[1] * (size_of::<Vec<u8>>() + size[2]);
            let spheres = solvent.spheres_bytes(scatterers);
            runs.saturating_add(spheres).saturating_add(transform_bytes(size, grid.limits))
        });
        // Per class: the index and its copy as the list is joined, the fixed part, the sums that are kept, and those
        // that are added next.
        let class = 2 * size_of::<Hkl>() + size_of::<Mates>() + (varying + 1) * size_of::<Complex64>();
        let classes = expected_classes(scatterers, self.d_min_angstrom);
        Ok((classes * class as f64) as usize + transformed.max(masked))
    }
}

/// Number of classes of reflections to a resolution, about; from above where few reflections lie on symmetry elements.
fn expected_classes(scatterers: &Scatterers, d_min_angstrom: f64) -> f64 {
    let sphere = 4.0 / 3.0 * core::f64::consts::PI * d_min_angstrom.powi(-3);
    let reflections = sphere * scatterers.cell.volume_cubic_angstrom();
    reflections / (2 * scatterers.group.primitive().len()) as f64 + 100.0
}

/// F of all reflections to a resolution, one of each class.
#[derive(Debug, Clone, PartialEq)]
pub struct StructureFactors {
    group: SpaceGroup,
    reflections: Vec<Hkl>,
    /// What does not depend on the energy.
    fixed: Vec<Mates>,
    /// Elements whose f', f'' are given later, and G(h), the sums over their atoms.
    varying: Vec<(Element, Vec<Complex64>)>,
    /// Elements whose G(h) come from a transform.
    transformed: Vec<Element>,
}

impl StructureFactors {
    /// F with f', f'' of each element, in the order of [`Scatterers::elements`] (elements beyond its end have none).
    /// Those of the elements in `varying` are given later.
    ///
    /// Some systems promise more memory than they have; there, [`Settings::bytes_needed`] should be asked first.
    ///
    /// # Errors
    /// [`Error::Resolution`], [`Error::Solvent`] and [`Error::OutOfMemory`].
    pub fn new(
        scatterers: &Scatterers,
        settings: &Settings,
        anomalous: &[Anomalous],
        varying: &[Element],
    ) -> Result<Self, Error> {
        let bytes = settings.bytes_needed(scatterers, varying.len())?;
        if Vec::<u8>::new().try_reserve_exact(bytes).is_err() {
            return Err(Error::OutOfMemory { bytes });
        }
        let reflections = classes(scatterers, settings.d_min_angstrom)?;
        // Not from the cell, which may have the symmetry of the group only nearly.
        let limits = scatterers.largest_images(&reflections);
        let grid = DensityGrid::new(&scatterers.cell, settings.d_min_angstrom, limits);
        let mut fixed = vec![Mates::default(); reflections.len()];
        let mut kept = Vec::new();
        let mut transformed = Vec::new();
        for (i, kind) in scatterers.kinds.iter().enumerate() {
            let sums = if transforms(scatterers, kind, settings.method, &grid, reflections.len()) {
                transformed.push(kind.element);
                density::sums(scatterers, kind, &grid, &reflections)?
            } else {
                direct::sums(scatterers, kind, &reflections, Simd::detect())
            };
            let varies = varying.contains(&kind.element);
            let known = if varies { None } else { anomalous.get(i) };
            let known = known.copied().unwrap_or_default();
            fixed.par_iter_mut().zip(&reflections).zip(&sums).for_each(|((mates, &hkl), &g)| {
                let f0 = kind.element.form_factor(scatterers.stol_squared(hkl));
                mates.add(scattering(f0, known), g);
            });
            if varies {
                kept.push((kind.element, sums));
            }
        }
        if let Some(solvent) = settings.solvent {
            let f_mask = solvent.f_mask(scatterers, &reflections)?;
            fixed.par_iter_mut().zip(&reflections).zip(&f_mask).for_each(|((mates, &hkl), &f_mask)| {
                mates.add(solvent.scale(scatterers.stol_squared(hkl)).into(), f_mask);
            });
        }
        Ok(Self { group: scatterers.group.clone(), reflections, fixed, varying: kept, transformed })
    }

    /// F at one energy, in eV.
    ///
    /// # Errors
    /// As [`StructureFactors::new`] and [`AnomalousSource::at`].
    pub fn at_energy(
        scatterers: &Scatterers,
        settings: &Settings,
        source: &AnomalousSource,
        energy_ev: f64,
    ) -> Result<Self, Error> {
        let anomalous = all_at(source, &scatterers.elements(), energy_ev)?;
        Self::new(scatterers, settings, &anomalous, &[])
    }

    /// F for the energies of a range, in eV: the elements whose f' or f'' change in it by more than
    /// `tolerance_electrons` vary, and the others have the values at its middle.
    ///
    /// # Errors
    /// As [`StructureFactors::new`] and [`AnomalousSource::at`].
    pub fn over_energies(
        scatterers: &Scatterers,
        settings: &Settings,
        source: &AnomalousSource,
        range_ev: (f64, f64),
        tolerance_electrons: f64,
    ) -> Result<Self, Error> {
        let elements = scatterers.elements();
        let varying = source.varying(&elements, range_ev, tolerance_electrons)?;
        let middle = all_at(source, &elements, 0.5 * (range_ev.0 + range_ev.1))?;
        Self::new(scatterers, settings, &middle, &varying)
    }

    /// One reflection of each class.
    #[must_use]
    pub fn reflections(&self) -> &[Hkl] {
        &self.reflections
    }

    /// The elements that vary with the energy.
    #[must_use]
    pub fn varying(&self) -> Vec<Element> {
        self.varying.iter().map(|(element, _)| *element).collect()
    }

    /// The elements whose atoms were summed by a Fourier transform; those of the others were summed directly.
    #[must_use]
    pub fn transformed(&self) -> &[Element] {
        &self.transformed
    }

    /// f', f'' of the elements that vary, in their order.
    ///
    /// # Errors
    /// As [`AnomalousSource::at`].
    pub fn anomalous_at(&self, source: &AnomalousSource, energy_ev: f64) -> Result<Vec<Anomalous>, Error> {
        all_at(source, &self.varying(), energy_ev)
    }

    /// F of each of [`StructureFactors::reflections`] and its mate, where the elements that vary have these f', f''
    /// (none beyond its end).
    #[must_use]
    pub fn mates(&self, varying: &[Anomalous]) -> Vec<Mates> {
        let value = |i: usize| {
            let mut mates = self.fixed[i];
            for ((_, sums), anomalous) in self.varying.iter().zip(varying) {
                mates.add(scattering(0.0, *anomalous), sums[i]);
            }
            mates
        };
        (0..self.reflections.len()).into_par_iter().map(value).collect()
    }

    /// Gives |F| of every reflection to the resolution to `each`, equivalents and mates included; some more than
    /// once, with the same value. Absent reflections have exactly 0.
    pub fn for_each_amplitude(&self, varying: &[Anomalous], mut each: impl FnMut(Hkl, f64)) {
        for (&hkl, mates) in self.reflections.iter().zip(self.mates(varying)) {
            let [plus, minus] = [mates.plus.norm(), mates.minus.norm()];
            for image in self.group.images(hkl) {
                each(image.map(|index| -index), minus);
            }
            // A centric reflection is its own mate; it keeps the value of h, as do all its equivalents.
            for image in self.group.images(hkl) {
                each(image, plus);
            }
        }
    }

    /// Writes |F| into a box of indices, h-major, l fastest. Nodes beyond the resolution keep what they hold, and
    /// reflections beyond the box are left out.
    ///
    /// # Errors
    /// [`Error::BoxSize`] where `amplitudes` has another length than the box has nodes.
    pub fn amplitudes_into(
        &self,
        varying: &[Anomalous],
        bounds: &IndexBox,
        amplitudes: &mut [f64],
    ) -> Result<(), Error> {
        let nodes = bounds.nodes().unwrap_or(usize::MAX);
        if nodes != amplitudes.len() {
            return Err(Error::BoxSize { values: amplitudes.len(), nodes });
        }
        self.for_each_amplitude(varying, |hkl, amplitude| {
            if let Some(position) = bounds.position(hkl) {
                amplitudes[position] = amplitude;
            }
        });
        Ok(())
    }
}

fn all_at(source: &AnomalousSource, elements: &[Element], energy_ev: f64) -> Result<Vec<Anomalous>, Error> {
    elements.iter().map(|&element| source.at(element, energy_ev)).collect()
}

/// The reflections to a resolution that come last, by h, then k, then l, among those that a rotation of the group or a
/// change of sign makes of them. F(0 0 0) is the first.
fn classes(scatterers: &Scatterers, d_min_angstrom: f64) -> Result<Vec<Hkl>, Error> {
    let [h_max, k_max, l_max] = scatterers.largest_indices(d_min_angstrom)?;
    let largest_stol_sq = 0.25 / (d_min_angstrom * d_min_angstrom) * (1.0 + 1e-12);
    let of_plane = |h: i32| {
        let rows = (-k_max..=k_max).flat_map(move |k| (-l_max..=l_max).map(move |l| [h, k, l]));
        rows.filter(|&hkl| {
            scatterers.stol_squared(hkl) <= largest_stol_sq && scatterers.group.is_representative(hkl)
        })
        .collect::<Vec<Hkl>>()
    };
    let planes: Vec<Vec<Hkl>> = (0..=h_max).into_par_iter().map(of_plane).collect();
    Ok(planes.concat())
}

/// Whether G of an element comes from a transform.
fn transforms(
    scatterers: &Scatterers,
    kind: &Kind,
    method: Method,
    grid: &DensityGrid,
    reflections: usize,
) -> bool {
    match method {
        Method::Direct => false,
        Method::Fft => true,
        Method::Fastest => {
            fft_ns(scatterers, kind, grid, reflections)
                <= direct_ns(scatterers, kind, reflections, Simd::detect())
        }
    }
}

/// Processor time of a direct sum, in ns: measured at AVX-512 on an AMD EPYC (family 26), for the other levels in
/// proportion to the speeds of the render loop.
fn direct_ns(scatterers: &Scatterers, kind: &Kind, reflections: usize, simd: Simd) -> f64 {
    let term_ns = match simd.level() {
        SimdLevel::Portable => 6.2,
        SimdLevel::Avx2 => 2.6,
        SimdLevel::Avx512 => 1.3,
    };
    let terms = kind.atoms.len() as f64 * scatterers.group.primitive().len() as f64 * reflections as f64;
    term_ns * terms
}

/// Processor time of a transform, in ns; measured on the same processor.
fn fft_ns(scatterers: &Scatterers, kind: &Kind, grid: &DensityGrid, reflections: usize) -> f64 {
    let points: f64 = grid.size.into_iter().map(|points| points as f64).product();
    let smeared = grid.smeared_points(&scatterers.cell, &kind.atoms);
    let images = reflections as f64 * scatterers.group.primitive().len() as f64;
    0.6 * points * points.log2() + 1.5 * smeared + 15.0 * images
}

#[cfg(test)]
mod tests {
    use core::f64::consts::{PI, TAU};

    use widebragg_reflections::cell::Cell;
    use widebragg_reflections::symmetry::StatedSymmetry;

    use super::*;
    use crate::matrix::congruent;
    use crate::model::{Atom, Displacement, Model};

    fn group(name: &str) -> SpaceGroup {
        SpaceGroup::from_name(name, None).unwrap()
    }

    /// Deviates in 0..1, the same in every run.
    struct Deviates(u64);

    impl Deviates {
        fn next(&mut self) -> f64 {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (self.0 >> 11) as f64 / (1_u64 << 53) as f64
        }
    }

    /// A third of the atoms is anisotropic, B is from 8 to 48 Å^2.
    fn model(lengths_angstrom: [f64; 3], angles_deg: [f64; 3], atoms: usize) -> Model {
        let mut deviates = Deviates(atoms as u64);
        let symbols = ["C", "N", "O", "S", "Fe", "H", "C", "C"];
        let atom = |i: usize| {
            let mut next = || deviates.next();
            let u = 0.1 + 0.4 * next();
            let displacement = if i.is_multiple_of(3) {
                let [x, y, z] = [0; 3].map(|_| 0.1 * (next() - 0.5));
                Displacement::Anisotropic([u, 1.3 * u, 0.8 * u, x, y, z])
            } else {
                Displacement::Isotropic(80.0 * u)
            };
            Atom {
                element: Element::from_symbol(symbols[i % symbols.len()]).unwrap(),
                fractional: [0; 3].map(|_| 3.0 * next() - 1.0),
                occupancy: if i.is_multiple_of(5) { 0.4 } else { 1.0 },
                displacement,
            }
        };
        Model {
            cell: Cell { lengths_angstrom, angles_deg },
            symmetry: StatedSymmetry::default(),
            atoms: (0..atoms).map(atom).collect(),
            full_sites: false,
            warnings: Vec::new(),
        }
    }

    /// F as its definition has it, with the operators applied to the atoms instead of the indices.
    fn definition(
        model: &Model,
        group: &SpaceGroup,
        f: impl Fn(Element) -> Anomalous,
        hkl: Hkl,
    ) -> Complex64 {
        let stol_sq = model.cell.reciprocal_metric().stol_squared(hkl);
        let [h, k, l] = hkl.map(f64::from);
        let mut sum = Complex64::ZERO;
        for atom in &model.atoms {
            for operator in group.operators() {
                let smearing = match atom.displacement {
                    Displacement::Isotropic(b) => (-b * stol_sq).exp(),
                    Displacement::Anisotropic(u) => {
                        let turned = congruent(
                            &operator.rotation().map(|row| row.map(f64::from)),
                            congruent(&model.cell.fractional(), u),
                        );
                        let [xx, yy, zz, xy, xz, yz] = turned;
                        let squares = h * h * xx + k * k * yy + l * l * zz;
                        let mixed = h * k * xy + h * l * xz + k * l * yz;
                        (-2.0 * PI * PI * (squares + 2.0 * mixed)).exp()
                    }
                };
                let [x, y, z] = operator.moved(atom.fractional);
                let wave = Complex64::cis(TAU * (h * x + k * y + l * z));
                let scattered = scattering(atom.element.form_factor(stol_sq), f(atom.element));
                sum += wave * (scattered * (atom.occupancy * smearing));
            }
        }
        sum
    }

    fn largest(mates: &[Mates]) -> f64 {
        mates.iter().map(|mates| mates.plus.norm()).fold(0.0, f64::max)
    }

    fn iron_and_sulphur(element: Element) -> Anomalous {
        match element.symbol() {
            "Fe" => Anomalous { f_prime: -3.0, f_double_prime: 2.5 },
            "S" => Anomalous { f_prime: 0.2, f_double_prime: 0.3 },
            _ => Anomalous::default(),
        }
    }

    fn scatterers_of(model: &Model, group: &SpaceGroup) -> (Scatterers, Vec<Anomalous>) {
        let scatterers = Scatterers::new(model, group).unwrap();
        let anomalous = scatterers.elements().into_iter().map(iron_and_sulphur).collect();
        (scatterers, anomalous)
    }

    /// Cells with their groups: triclinic, centred monoclinic, hexagonal, and one so skewed that its grid must be
    /// finer.
    const CRYSTALS: [([f64; 3], [f64; 3], &str); 4] = [
        ([21.0, 25.0, 31.0], [95.0, 103.0, 78.0], "P 1"),
        ([40.0, 22.0, 28.0], [90.0, 109.0, 90.0], "C 1 2 1"),
        ([30.0, 30.0, 25.0], [90.0, 90.0, 120.0], "P 31"),
        ([30.0, 41.0, 25.0], [90.0, 90.0, 145.0], "P 1"),
    ];

    #[test]
    fn direct_sums_are_the_definition() {
        for (lengths, angles, name) in CRYSTALS {
            let model = model(lengths, angles, 37);
            let (scatterers, anomalous) = scatterers_of(&model, &group(name));
            let hkls = [[0, 0, 0], [1, 3, 2], [-4, 2, 5], [6, -6, 2], [0, 0, 3], [2, 1, -7], [1, 0, 0]];
            let found = direct::structure_factors(&scatterers, &anomalous, &hkls);
            for (hkl, mates) in hkls.into_iter().zip(&found) {
                for (f, hkl) in [(mates.plus, hkl), (mates.minus, hkl.map(|index| -index))] {
                    let expected = definition(&model, &group(name), iron_and_sulphur, hkl);
                    assert!((f - expected).norm() < 1e-12 * largest(&found), "{hkl:?} {f} {expected}");
                }
            }
        }
    }

    #[test]
    fn transforms_are_the_direct_sums() {
        for (lengths, angles, name) in CRYSTALS {
            for d_min in [1.0, 2.0, 3.5] {
                let model = model(lengths, angles, 60);
                let (scatterers, anomalous) = scatterers_of(&model, &group(name));
                let by = |method| {
                    let settings = Settings { method, ..Settings::to_resolution(d_min) };
                    StructureFactors::new(&scatterers, &settings, &anomalous, &[]).unwrap()
                };
                let (direct, fft) = (by(Method::Direct), by(Method::Fft));
                assert_eq!(direct.reflections(), fft.reflections());
                let (direct, fft) = (direct.mates(&[]), fft.mates(&[]));
                let errors = direct.iter().zip(&fft).flat_map(|(direct, fft)| {
                    [(direct.plus - fft.plus).norm(), (direct.minus - fft.minus).norm()]
                });
                let worst = errors.fold(0.0, f64::max) / largest(&direct);
                assert!(worst < 1e-7, "{lengths:?} {d_min} {worst:e}");
                // The two are computed in different ways.
                assert!(worst > 0.0);
            }
        }
    }

    #[test]
    fn energies_are_those_computed_one_by_one() {
        let model = model([40.0, 22.0, 28.0], [90.0, 109.0, 90.0], 60);
        let (scatterers, _) = scatterers_of(&model, &group("C 1 2 1"));
        let source = AnomalousSource::tables();
        let solvent = Some(Solvent { step_angstrom: 0.8, ..Solvent::default() });
        let settings = Settings { solvent, ..Settings::to_resolution(2.5) };
        let range = (7000.0, 7250.0);
        // With a tolerance of 0 every element varies, and nothing is approximated.
        let all = StructureFactors::over_energies(&scatterers, &settings, &source, range, 0.0).unwrap();
        assert_eq!(all.varying(), scatterers.elements());
        let some = StructureFactors::over_energies(&scatterers, &settings, &source, range, 0.1).unwrap();
        assert_eq!(some.varying(), [Element::from_symbol("Fe").unwrap()]);
        let middle = all_at(&source, &scatterers.elements(), 7125.0).unwrap();
        for energy in [7000.0, 7111.0, 7125.0, 7250.0] {
            let one = StructureFactors::at_energy(&scatterers, &settings, &source, energy).unwrap();
            let fixed: Vec<Anomalous> = scatterers
                .elements()
                .into_iter()
                .zip(&middle)
                .map(
                    |(element, middle)| {
                        if element.symbol() == "Fe" { source.at(element, energy).unwrap() } else { *middle }
                    },
                )
                .collect();
            let with_fixed = StructureFactors::new(&scatterers, &settings, &fixed, &[]).unwrap();
            for (prepared, one) in [(&all, &one), (&some, &with_fixed)] {
                let prepared = prepared.mates(&prepared.anomalous_at(&source, energy).unwrap());
                let one = one.mates(&[]);
                let bound = 1e-12 * largest(&one);
                for (prepared, one) in prepared.iter().zip(&one) {
                    assert!((prepared.plus - one.plus).norm() < bound, "{prepared:?} {one:?}");
                    assert!((prepared.minus - one.minus).norm() < bound, "{prepared:?} {one:?}");
                }
            }
        }
    }

    #[test]
    fn the_box_holds_every_equivalent_and_nothing_beyond_the_resolution() {
        let model = model([30.0, 30.0, 25.0], [90.0, 90.0, 120.0], 25);
        let (scatterers, anomalous) = scatterers_of(&model, &group("P 31"));
        let settings = Settings::to_resolution(4.0);
        let factors = StructureFactors::new(&scatterers, &settings, &anomalous, &[]).unwrap();
        // Narrower than the sphere along h, wider along l.
        let bounds = IndexBox { h: (-5, 6), k: (-7, 7), l: (-9, 8) };
        let mut amplitudes = vec![-1.0; 12 * 15 * 18];
        factors.amplitudes_into(&[], &bounds, &mut amplitudes).unwrap();
        let mut values = amplitudes.iter();
        let scale = largest(&factors.mates(&[]));
        for h in -5..=6 {
            for k in -7..=7 {
                for l in -9..=8 {
                    let value = *values.next().unwrap();
                    if 4.0 * scatterers.stol_squared([h, k, l]) > 1.0 / 16.0 {
                        assert_eq!(value, -1.0);
                        continue;
                    }
                    let expected = definition(&model, &group("P 31"), iron_and_sulphur, [h, k, l]).norm();
                    assert!((value - expected).abs() < 1e-7 * scale, "{h} {k} {l} {value} {expected}");
                    // The screw axis: l = 3 n.
                    assert!(value == 0.0 || (h, k) != (0, 0) || l % 3 == 0, "{l} {value}");
                }
            }
        }
        let error = factors.amplitudes_into(&[], &bounds, &mut amplitudes[1..]).unwrap_err();
        assert_eq!(error, Error::BoxSize { values: 3239, nodes: 3240 });
    }

    #[test]
    fn a_cell_without_the_symmetry_of_its_group_gives_sums_all_the_same() {
        // P 31 in a cell with a and b that differ, so that equivalents differ in resolution and reach further.
        let model = model([30.0, 34.0, 25.0], [90.0, 90.0, 118.0], 20);
        let (scatterers, anomalous) = scatterers_of(&model, &group("P 31"));
        assert!(!group("P 31").fits(&model.cell));
        let solvent = Some(Solvent { step_angstrom: 0.8, ..Solvent::default() });
        let by = |method| {
            let settings = Settings { method, solvent, d_min_angstrom: 2.5 };
            StructureFactors::new(&scatterers, &settings, &anomalous, &[]).unwrap().mates(&[])
        };
        let (direct, fft) = (by(Method::Direct), by(Method::Fft));
        assert_eq!(direct.len(), fft.len());
        assert!(fft.iter().all(|mates| mates.plus.is_finite() && mates.minus.is_finite()));
    }

    /// The indices of equivalents, not those of the cell, decide about the size of a transform.
    #[test]
    fn the_memory_of_a_cell_without_the_symmetry_of_its_group_is_known() {
        // A 4-fold axis along a.
        let four_fold = SpaceGroup::from_operators(&["x,-z,y".parse().unwrap()]).unwrap();
        let (scatterers, _) = scatterers_of(&model([10.0, 1000.0, 10.0], [90.0; 3], 3), &four_fold);
        let settings = Settings { method: Method::Fft, ..Settings::to_resolution(2.0) };
        let limits = scatterers.largest_indices(2.0).unwrap().map(|index| index as usize);
        let reached = scatterers.largest_images(&classes(&scatterers, 2.0).unwrap());
        assert_eq!((limits, reached), ([5, 500, 5], [5, 500, 500]));
        let grid = DensityGrid::new(&scatterers.cell, 2.0, reached);
        assert!(settings.bytes_needed(&scatterers, 0).unwrap() >= transform_bytes(grid.size, grid.limits));
    }

    #[test]
    fn impossible_settings_are_refused() {
        let (scatterers, _) = scatterers_of(&model([20.0; 3], [90.0; 3], 3), &group("P 1"));
        let refused =
            |settings: Settings| StructureFactors::new(&scatterers, &settings, &[], &[]).unwrap_err();
        for d in [0.0, -2.0, f64::NAN, f64::INFINITY, 1e-6] {
            assert!(matches!(refused(Settings::to_resolution(d)), Error::Resolution(_)), "{d}");
        }
        assert!(matches!(refused(Settings::to_resolution(1e-3)), Error::OutOfMemory { .. }));
        for solvent in [
            Solvent { step_angstrom: 0.0, ..Solvent::default() },
            Solvent { probe_radius_angstrom: f64::NAN, ..Solvent::default() },
            Solvent { k_sol_e_per_angstrom3: f64::INFINITY, ..Solvent::default() },
        ] {
            let settings = Settings { solvent: Some(solvent), ..Settings::to_resolution(5.0) };
            assert!(matches!(refused(settings), Error::Solvent(_)), "{solvent:?}");
        }
    }
}
