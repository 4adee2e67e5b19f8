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
//! One reflection of each class is computed: those that differ by a rotation of the group or by the sign of h. G_e comes
//! from the direct sum or from a Fourier transform, whichever takes less time for the element; a handful of metal atoms is
//! summed directly even where all carbons are transformed.
//!
//! **Accuracy.** Direct sums: rounding errors. Transforms: 1e-7 of the largest |F|, by the tests here. **Memory.** See
//! [`Settings::bytes_needed`].

use num_complex::Complex64;
use rayon::iter::{
    IndexedParallelIterator, IntoParallelIterator, IntoParallelRefMutIterator,
    ParallelIterator,
};
use widebragg::lanes::{Simd, SimdLevel};
use widebragg_reflections::observations::Hkl;

use crate::anomalous::{Anomalous, AnomalousSource};
use crate::density::{self, DensityGrid};
use crate::direct::{self, Mates, scattering};
use crate::elements::Element;
use crate::error::Error;
use crate::operator::Group;
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
    /// [`Error::Resolution`].
    pub fn bytes_needed(&self, scatterers: &Scatterers, varying: usize) -> Result<usize, Error> {
        let grid = DensityGrid::new(&scatterers.metric, self.d_min_angstrom)?;
        let transformed = match self.method {
            Method::Direct => 0,
            Method::Fastest | Method::Fft => transform_bytes(grid.size, grid.limits),
        };
        let masked = self.solvent.map_or(0, |solvent| {
            let size = solvent.mask_size(scatterers, grid.limits);
            let points = size.into_iter().fold(1, usize::saturating_mul);
            // The mask and its widened copy exist before the transform.
            points.saturating_mul(2).saturating_add(transform_bytes(size, grid.limits))
        });
        // Per class: the index, the fixed part, the sums that are kept, and those that are added next.
        let class = size_of::<Hkl>() + size_of::<Mates>() + (varying + 1) * size_of::<Complex64>();
        let classes = expected_classes(scatterers, self.d_min_angstrom);
        Ok((classes * class as f64) as usize + transformed.max(masked))
    }
}

/// Number of classes of reflections to a resolution, about; from above where few reflections lie on symmetry elements.
fn expected_classes(scatterers: &Scatterers, d_min_angstrom: f64) -> f64 {
    let sphere = 4.0 / 3.0 * core::f64::consts::PI * d_min_angstrom.powi(-3);
    let reflections = sphere * scatterers.metric.volume_angstrom3;
    reflections / (2 * scatterers.group.primitive.len()) as f64 + 100.0
}

/// F of all reflections to a resolution, one of each class.
#[derive(Debug, Clone, PartialEq)]
pub struct StructureFactors {
    group: Group,
    reflections: Vec<Hkl>,
    /// What does not depend on the energy.
    fixed: Vec<Mates>,
    /// Elements whose f', f'' are given later, and their G.
    varying: Vec<(Element, Vec<Complex64>)>,
}

impl StructureFactors {
    /// F with f', f'' of each element, in the order of [`Scatterers::elements`] (elements beyond its end have none). Those of
    /// the elements in `varying` are given later.
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
        let grid = DensityGrid::new(&scatterers.metric, settings.d_min_angstrom)?;
        let reflections = classes(scatterers, settings.d_min_angstrom)?;
        let mut fixed = vec![Mates::default(); reflections.len()];
        let mut kept = Vec::new();
        for (i, kind) in scatterers.kinds.iter().enumerate() {
            let sums = sums(scatterers, kind, settings.method, &grid, &reflections)?;
            let varies = varying.contains(&kind.element);
            let known = if varies { None } else { anomalous.get(i) };
            let known = known.copied().unwrap_or_default();
            fixed.par_iter_mut().zip(&reflections).zip(&sums).for_each(|((mates, &hkl), &g)| {
                let f0 = kind.element.form_factor(scatterers.metric.stol_sq(hkl));
                mates.add(scattering(f0, known), g);
            });
            if varies {
                kept.push((kind.element, sums));
            }
        }
        if let Some(solvent) = settings.solvent {
            let f_mask = solvent.f_mask(scatterers, settings.d_min_angstrom, &reflections)?;
            fixed.par_iter_mut().zip(&reflections).zip(&f_mask).for_each(|((mates, &hkl), &f_mask)| {
                mates.add(solvent.scale(scatterers.metric.stol_sq(hkl)).into(), f_mask);
            });
        }
        Ok(Self { group: scatterers.group.clone(), reflections, fixed, varying: kept })
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
            for operator in &self.group.primitive {
                each(operator.turned(hkl).map(|index| -index), minus);
            }
            // A centric reflection is its own mate; it keeps the value of h, as do all its equivalents.
            for operator in &self.group.primitive {
                each(operator.turned(hkl), plus);
            }
        }
    }

    /// Writes |F| into a box of indices, h-major, l fastest; `ranges` are the first and last h, k and l. Nodes beyond
    /// the resolution keep what they hold, and reflections beyond the box are left out.
    ///
    /// # Errors
    /// [`Error::BoxSize`] where `amplitudes` has another length than the box has nodes.
    pub fn amplitudes_into(
        &self,
        varying: &[Anomalous],
        ranges: [(i32, i32); 3],
        amplitudes: &mut [f64],
    ) -> Result<(), Error> {
        let entries = |(first, last): (i32, i32)| {
            usize::try_from(i64::from(last) - i64::from(first) + 1).unwrap_or(0)
        };
        let [nh, nk, nl] = ranges.map(entries);
        let nodes = nh.saturating_mul(nk).saturating_mul(nl);
        if nodes != amplitudes.len() {
            return Err(Error::BoxSize { values: amplitudes.len(), nodes });
        }
        self.for_each_amplitude(varying, |hkl, amplitude| {
            let inside = (0..3).all(|i| (ranges[i].0..=ranges[i].1).contains(&hkl[i]));
            if inside {
                let [h, k, l] = core::array::from_fn(|i| hkl[i].abs_diff(ranges[i].0) as usize);
                amplitudes[(h * nk + k) * nl + l] = amplitude;
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
    let is_last = |hkl: Hkl| {
        scatterers.group.primitive.iter().all(|operator| {
            let turned = operator.turned(hkl);
            turned <= hkl && turned.map(|index| -index) <= hkl
        })
    };
    let of_plane = |h: i32| {
        let rows = (-k_max..=k_max).flat_map(move |k| (-l_max..=l_max).map(move |l| [h, k, l]));
        rows.filter(|&hkl| scatterers.metric.stol_sq(hkl) <= largest_stol_sq && is_last(hkl))
            .collect::<Vec<Hkl>>()
    };
    let planes: Vec<Vec<Hkl>> = (0..=h_max).into_par_iter().map(of_plane).collect();
    Ok(planes.concat())
}

/// G(h) of an element, by the method that is chosen.
fn sums(
    scatterers: &Scatterers,
    kind: &Kind,
    method: Method,
    grid: &DensityGrid,
    reflections: &[Hkl],
) -> Result<Vec<Complex64>, Error> {
    let simd = Simd::detect();
    let direct = match method {
        Method::Direct => true,
        Method::Fft => false,
        Method::Fastest => {
            direct_ns(scatterers, kind, reflections.len(), simd)
                < fft_ns(scatterers, kind, grid, reflections.len())
        }
    };
    if direct {
        return Ok(direct::sums(scatterers, kind, reflections, simd));
    }
    density::sums(scatterers, kind, grid, reflections)
}

/// Processor time of a direct sum, in ns; measured on an AMD EPYC, family 26.
fn direct_ns(scatterers: &Scatterers, kind: &Kind, reflections: usize, simd: Simd) -> f64 {
    let term_ns = match simd.level() {
        SimdLevel::Portable => 7.0,
        SimdLevel::Avx2 => 3.0,
        SimdLevel::Avx512 => 1.5,
    };
    let terms = kind.atoms.len() as f64 * scatterers.group.primitive.len() as f64 * reflections as f64;
    term_ns * terms
}

/// Processor time of a transform, in ns.
fn fft_ns(scatterers: &Scatterers, kind: &Kind, grid: &DensityGrid, reflections: usize) -> f64 {
    let points: f64 = grid.size.into_iter().map(|points| points as f64).product();
    let smeared = grid.smeared_points(&scatterers.metric, &kind.atoms);
    let images = reflections as f64 * scatterers.group.primitive.len() as f64;
    0.6 * points * points.log2() + 1.5 * smeared + 15.0 * images
}
