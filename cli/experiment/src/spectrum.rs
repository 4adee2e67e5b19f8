//! Spectra of the beam: lines of wavelength and weight, from files or by parameters, and fewer lines that stand for
//! many.
//!
//! **Fewer lines** ([`Spectrum::resampled`]). The range of the wavelengths is divided into n parts of equal width. The
//! lines of a part become one, with the sum of their weights w at their mean wavelength sum(w lambda)/sum(w); parts
//! without lines are left out. So the total weight and the mean wavelength stay as they are, but for rounding.
//!
//! **Gaussian peaks** ([`Spectrum::of_peaks`]). The weight at energy E is exp(-4 ln 2 ((E - E0)/fwhm)^2), cut off at
//! |E - E0| = 1.5 fwhm, which leaves out 0.04 % of it, and divided into n lines as above.
//!
//! **Sources.** Each direction of the divergence has all lines, so that a spectrum and a divergence make as many
//! sources as the product of their numbers. A term of a source of weight w counts w/mean(w): the scale of weights does
//! not matter.

use widebragg::beam::{Source, SourceGrid};
use widebragg::detector::BeamFrame;
use widebragg_coordinates::anomalous::EV_ANGSTROM;
use widebragg_formats::format_g::format_g;
use widebragg_formats::memory::{push, reserved};
use widebragg_formats::spectrum::{SpectralLine, XRAYS_ANGSTROM};

use crate::failure::{Failure, Part, refused};

/// Distance from its centre at which a peak is cut off, in its widths.
const CUTOFF_FWHM: f64 = 1.5;

/// Points that each line of a peak is made of.
const POINTS_PER_LINE: usize = 64;

/// A spectrum: at least one line, of which none has a weight of 0.
#[derive(Debug, Clone, PartialEq)]
pub struct Spectrum {
    lines: Vec<SpectralLine>,
}

/// A Gaussian peak of a spectrum.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Peak {
    /// Energy of its centre.
    pub centre_ev: f64,
    /// Full width at half its height; 0: a single energy.
    pub fwhm_ev: f64,
    /// The sum of its weights.
    pub weight: f64,
}

impl Spectrum {
    /// The spectrum of some lines, in their order; those of weight 0 are left out.
    ///
    /// # Errors
    /// A wavelength is not above 0 or not finite, a weight is negative or not finite, all weights are 0, their sum is
    /// not finite, or there is too little memory.
    pub fn new(lines: impl IntoIterator<Item = SpectralLine>) -> Result<Self, Failure> {
        let mut kept = Vec::new();
        for line in lines {
            let SpectralLine { lambda_m, weight } = line;
            if !(lambda_m > 0.0 && lambda_m.is_finite()) {
                return Err(impossible(format!("a wavelength of {lambda_m} m")));
            }
            if !(weight >= 0.0 && weight.is_finite()) {
                return Err(impossible(format!("a weight of {weight}")));
            }
            if weight > 0.0 {
                push(&mut kept, line).ok_or_else(no_memory)?;
            }
        }
        let spectrum = Self { lines: kept };
        if spectrum.lines.is_empty() {
            return Err(impossible("all weights are 0"));
        }
        if !spectrum.total_weight().is_finite() {
            return Err(impossible("the weights are too large to be added"));
        }
        Ok(spectrum)
    }

    /// Peaks of `lines` lines each, one after the other.
    ///
    /// ```
    /// use widebragg_experiment::spectrum::{Peak, Spectrum};
    ///
    /// // Two colours, the second twice as strong.
    /// let peak = |centre_ev, weight| Peak { centre_ev, fwhm_ev: 20.0, weight };
    /// let spectrum = Spectrum::of_peaks(&[peak(9000.0, 1.0), peak(9100.0, 2.0)], 10)?;
    /// assert_eq!(spectrum.lines().len(), 20);
    /// assert!((spectrum.total_weight() - 3.0).abs() < 1e-12);
    /// # Ok::<(), widebragg_experiment::failure::Failure>(())
    /// ```
    ///
    /// # Errors
    /// A peak reaches beyond the energies of X-rays, a width is negative, or as [`Spectrum::new`].
    pub fn of_peaks(peaks: &[Peak], lines: usize) -> Result<Self, Failure> {
        let mut all = Vec::new();
        for peak in peaks {
            for line in peak.spectrum(lines)?.lines {
                push(&mut all, line).ok_or_else(no_memory)?;
            }
        }
        Self::new(all)
    }

    /// The lines.
    #[must_use]
    pub fn lines(&self) -> &[SpectralLine] {
        &self.lines
    }

    /// The sum of all weights.
    #[must_use]
    pub fn total_weight(&self) -> f64 {
        self.lines.iter().map(|line| line.weight).sum()
    }

    /// The mean wavelength by weight, in m.
    #[must_use]
    pub fn mean_lambda_m(&self) -> f64 {
        mean(&self.lines).lambda_m
    }

    /// The shortest and the longest wavelength, in m.
    #[must_use]
    pub fn range_m(&self) -> [f64; 2] {
        let wavelengths = || self.lines.iter().map(|line| line.lambda_m);
        [wavelengths().fold(f64::INFINITY, f64::min), wavelengths().fold(0.0, f64::max)]
    }

    /// At most `most` lines of the same total weight and mean wavelength, of rising wavelength. A spectrum of no more
    /// lines stays as it is.
    ///
    /// ```
    /// use widebragg_experiment::spectrum::Spectrum;
    /// use widebragg_formats::spectrum::SpectralLine;
    ///
    /// let line = |i: u32| SpectralLine { lambda_m: 1e-10 + 1e-14 * f64::from(i), weight: f64::from(i % 7) };
    /// let spectrum = Spectrum::new((0..100).map(line))?;
    /// let fewer = spectrum.resampled(10)?;
    /// assert_eq!(fewer.lines().len(), 10);
    /// assert!((fewer.mean_lambda_m() / spectrum.mean_lambda_m() - 1.0).abs() < 1e-12);
    /// # Ok::<(), widebragg_experiment::failure::Failure>(())
    /// ```
    ///
    /// # Errors
    /// `most` is 0, or there is too little memory.
    pub fn resampled(&self, most: usize) -> Result<Self, Failure> {
        if most == 0 {
            return Err(impossible("a spectrum has at least one line"));
        }
        let mut lines = reserved(self.lines.len()).ok_or_else(no_memory)?;
        lines.extend_from_slice(&self.lines);
        if lines.len() <= most {
            return Ok(Self { lines });
        }
        lines.sort_by(|one, other| one.lambda_m.total_cmp(&other.lambda_m));
        let [shortest_m, longest_m] = self.range_m();
        let width_m = (longest_m - shortest_m) / most as f64;
        // The cast saturates; lines of the same wavelength are in part 0.
        let part = |line: &SpectralLine| (((line.lambda_m - shortest_m) / width_m) as usize).min(most - 1);
        let mut fewer = Vec::new();
        for members in lines.chunk_by(|one, other| part(one) == part(other)) {
            push(&mut fewer, mean(members)).ok_or_else(no_memory)?;
        }
        Ok(Self { lines: fewer })
    }

    /// Each direction of a divergence with each line, and the weights.
    pub(crate) fn sources(
        &self,
        directions: &SourceGrid,
        frame: &BeamFrame,
    ) -> Result<(Vec<Source>, Vec<f64>), Failure> {
        let divergence = || refused(Part::Divergence);
        directions.check(frame).map_err(divergence())?;
        let count = directions.sources_len().map_err(divergence())?;
        let too_many = || Failure::no_memory(Part::SourceList, format!("{count} directions of the spectrum"));
        let mut beams = reserved::<Source>(count).ok_or_else(too_many)?;
        beams.resize(count, Source::default());
        let used = directions.fill(frame, &mut beams).map_err(divergence())?;
        beams.truncate(used);
        let all = used.checked_mul(self.lines.len()).ok_or_else(too_many)?;
        let mut sources = reserved(all).ok_or_else(too_many)?;
        let mut weights = reserved(all).ok_or_else(too_many)?;
        for beam in beams {
            sources.extend(self.lines.iter().map(|line| Source { lambda_m: line.lambda_m, ..beam }));
            weights.extend(self.lines.iter().map(|line| line.weight));
        }
        Ok((sources, weights))
    }
}

impl Peak {
    fn spectrum(&self, lines: usize) -> Result<Spectrum, Failure> {
        let Self { centre_ev, fwhm_ev, weight } = *self;
        if !(fwhm_ev >= 0.0 && fwhm_ev.is_finite()) {
            return Err(impossible(format!("a width of {fwhm_ev} eV")));
        }
        let [shortest, longest] = XRAYS_ANGSTROM;
        let reach_ev = CUTOFF_FWHM * fwhm_ev;
        let is_xray = |energy_ev: f64| (EV_ANGSTROM / longest..=EV_ANGSTROM / shortest).contains(&energy_ev);
        if !(is_xray(centre_ev - reach_ev) && is_xray(centre_ev + reach_ev)) {
            let (centre, width) = (format_g(centre_ev), format_g(fwhm_ev));
            return Err(impossible(format!(
                "a peak of {width} eV at {centre} eV reaches beyond the energies of X-rays"
            )));
        }
        let line =
            |energy_ev: f64, weight: f64| SpectralLine { lambda_m: EV_ANGSTROM * 1e-10 / energy_ev, weight };
        if fwhm_ev == 0.0 {
            return Spectrum::new([line(centre_ev, weight)]);
        }
        let too_many = || Failure::no_memory(Part::Spectrum, format!("{lines} lines of a peak"));
        let points = lines.checked_mul(POINTS_PER_LINE).ok_or_else(too_many)?;
        // In widths, at the middle of equal steps.
        let place = |point: usize| CUTOFF_FWHM * (2.0 * (point as f64 + 0.5) / points as f64 - 1.0);
        let height = |at: f64| (-4.0 * core::f64::consts::LN_2 * at * at).exp();
        let area: f64 = (0..points).map(|point| height(place(point))).sum();
        let fine = Spectrum::new((0..points).map(|point| {
            let at = place(point);
            line(centre_ev + fwhm_ev * at, weight * height(at) / area)
        }));
        fine?.resampled(lines)
    }
}

/// The sum of the weights of some lines, at their mean wavelength.
fn mean(lines: &[SpectralLine]) -> SpectralLine {
    let weight: f64 = lines.iter().map(|line| line.weight).sum();
    // From the first wavelength, and relative to the largest weight: neither rounding nor the scale of the weights
    // matters.
    let first_m = lines.first().map_or(0.0, |line| line.lambda_m);
    let largest = lines.iter().fold(0.0, |most, line| f64::max(most, line.weight));
    let share = |line: &SpectralLine| line.weight / largest;
    let moment: f64 = lines.iter().map(|line| share(line) * (line.lambda_m - first_m)).sum();
    let shares: f64 = lines.iter().map(share).sum();
    SpectralLine { lambda_m: first_m + moment / shares, weight }
}

fn impossible(why: impl Into<String>) -> Failure {
    Failure::impossible(Part::Spectrum, why)
}

fn no_memory() -> Failure {
    Failure::no_memory(Part::Spectrum, "its lines")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn line(lambda_m: f64, weight: f64) -> SpectralLine {
        SpectralLine { lambda_m, weight }
    }

    fn refusal(lines: &[SpectralLine]) -> String {
        Spectrum::new(lines.iter().copied()).unwrap_err().to_string()
    }

    #[test]
    fn lines_without_weight_are_left_out() {
        let spectrum = Spectrum::new([line(1e-10, 0.0), line(2e-10, 3.0), line(1.5e-10, 1.0)]).unwrap();
        assert_eq!(spectrum.lines(), [line(2e-10, 3.0), line(1.5e-10, 1.0)]);
        assert_eq!((spectrum.total_weight(), spectrum.range_m()), (4.0, [1.5e-10, 2e-10]));
        assert!((spectrum.mean_lambda_m() - 1.875e-10).abs() < 1e-25);
    }

    #[test]
    fn what_is_no_spectrum_is_refused() {
        assert_eq!(refusal(&[]), "spectrum: all weights are 0");
        assert_eq!(refusal(&[line(1e-10, 0.0)]), "spectrum: all weights are 0");
        assert_eq!(refusal(&[line(1e-10, -1.0)]), "spectrum: a weight of -1");
        assert_eq!(refusal(&[line(1e-10, f64::NAN)]), "spectrum: a weight of NaN");
        assert_eq!(refusal(&[line(0.0, 1.0)]), "spectrum: a wavelength of 0 m");
        assert_eq!(refusal(&[line(f64::NAN, 1.0)]), "spectrum: a wavelength of NaN m");
        let huge = [line(1e-10, 1e308), line(2e-10, 1e308)];
        assert_eq!(refusal(&huge), "spectrum: the weights are too large to be added");
        let one = Spectrum::new([line(1e-10, 1.0)]).unwrap();
        assert_eq!(one.resampled(0).unwrap_err().to_string(), "spectrum: a spectrum has at least one line");
        let peak = |centre_ev, fwhm_ev, weight| {
            Spectrum::of_peaks(&[Peak { centre_ev, fwhm_ev, weight }], 5).unwrap_err().to_string()
        };
        assert_eq!(
            peak(9.5, 0.01, 1.0),
            "spectrum: a peak of 0.01 eV at 9.5 eV reaches beyond the energies of X-rays"
        );
        assert!(peak(9000.0, 6000.0, 1.0).contains("reaches beyond"));
        assert_eq!(peak(9000.0, -1.0, 1.0), "spectrum: a width of -1 eV");
        assert_eq!(peak(9000.0, 10.0, 0.0), "spectrum: all weights are 0");
        assert_eq!(peak(9000.0, 10.0, -2.0).split(' ').nth(1), Some("a"));
        let endless = Peak { centre_ev: 9000.0, fwhm_ev: 1.0, weight: 1.0 };
        assert!(Spectrum::of_peaks(&[endless], usize::MAX).unwrap_err().to_string().contains("no memory"));
    }

    #[test]
    fn the_lines_of_equal_parts_become_one() {
        let lines = [line(4e-10, 1.0), line(1e-10, 1.0), line(1.5e-10, 3.0), line(2.9e-10, 2.0)];
        let fewer = Spectrum::new(lines).unwrap().resampled(3).unwrap();
        // Parts of 1 Angstrom from 1 Angstrom on.
        let [one, two, three] = fewer.lines() else { panic!("{fewer:?}") };
        assert!((one.lambda_m - 1.375e-10).abs() < 1e-25 && one.weight == 4.0, "{one:?}");
        assert_eq!((*two, *three), (line(2.9e-10, 2.0), line(4e-10, 1.0)));
        // Lines of one wavelength cannot be divided.
        let same = Spectrum::new([line(1e-10, 1.0), line(1e-10, 2.0)]).unwrap();
        assert_eq!(same.resampled(1).unwrap().lines(), [line(1e-10, 3.0)]);
    }

    #[test]
    fn a_peak_has_its_centre_width_and_weight() {
        let peak = Peak { centre_ev: 9500.0, fwhm_ev: 30.0, weight: 0.25 };
        let spectrum = Spectrum::of_peaks(&[peak], 50).unwrap();
        assert_eq!(spectrum.lines().len(), 50);
        assert!((spectrum.total_weight() - 0.25).abs() < 1e-14);
        let energy = |line: &SpectralLine| EV_ANGSTROM * 1e-10 / line.lambda_m;
        let moment = |power: i32| -> f64 {
            spectrum.lines().iter().map(|line| line.weight * (energy(line) - 9500.0).powi(power)).sum::<f64>()
                / 0.25
        };
        assert!(moment(1).abs() < 1e-3, "{}", moment(1));
        // The variance of a Gaussian cut off at 1.5 widths, from its integral by parts.
        let sigma = 30.0 / (8.0 * core::f64::consts::LN_2).sqrt();
        let cut = 45.0 / sigma;
        let density = (-cut * cut / 2.0).exp() / (2.0 * core::f64::consts::PI).sqrt();
        let expected = sigma * (1.0 - 2.0 * cut * density / 0.999_588).sqrt();
        assert!((moment(2).sqrt() / expected - 1.0).abs() < 2e-3, "{} {expected}", moment(2).sqrt());
        let single = Spectrum::of_peaks(&[Peak { fwhm_ev: 0.0, ..peak }], 50).unwrap();
        assert_eq!(single.lines(), [line(EV_ANGSTROM * 1e-10 / 9500.0, 0.25)]);
    }

    fn lines() -> impl Strategy<Value = Vec<SpectralLine>> {
        let line = (0.5e-10..3e-10, prop_oneof![Just(0.0), 0.0..1.0, 1e-300..1e300])
            .prop_map(|(lambda_m, weight)| line(lambda_m, weight));
        prop::collection::vec(line, 1..200)
    }

    proptest! {
        #[test]
        fn fewer_lines_have_the_same_weight_and_mean(lines in lines(), most in 1_usize..40) {
            let Ok(spectrum) = Spectrum::new(lines) else { return Ok(()) };
            let fewer = spectrum.resampled(most).unwrap();
            prop_assert!(fewer.lines().len() <= most);
            prop_assert!((fewer.total_weight() / spectrum.total_weight() - 1.0).abs() < 1e-12);
            prop_assert!((fewer.mean_lambda_m() / spectrum.mean_lambda_m() - 1.0).abs() < 1e-12);
            let ([short, long], [shortest, longest]) = (fewer.range_m(), spectrum.range_m());
            prop_assert!(shortest * (1.0 - 1e-14) <= short && long <= longest * (1.0 + 1e-14));
        }
    }
}
