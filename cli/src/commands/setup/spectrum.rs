//! The spectrum of the beam: from a file, or of Gaussian peaks.

use serde_json::{Value, json};
use widebragg_experiment::spectrum::Spectrum;
use widebragg_formats::format_g::format_g;
use widebragg_formats::spectrum::parse_spectra;

use super::inputs::Inputs;
use crate::error::Failure;
use crate::options::{Options, SpectrumOptions};

/// Wavelengths of a peak, where no number is given.
const PEAK_STEPS: usize = 20;

/// A spectrum, and what it was made of.
#[derive(Debug, Clone)]
pub(super) struct GivenSpectrum {
    pub(super) spectrum: Spectrum,
    /// All spectra of the file.
    pub(super) all: Vec<Spectrum>,
    pub(super) summary: SpectrumSummary,
}

/// What is told of a spectrum.
#[derive(Debug, Clone, PartialEq)]
pub struct SpectrumSummary {
    /// What it was made of, in words.
    origin: String,
    /// Number of wavelengths.
    wavelengths: usize,
    /// The shortest and the longest of them, in m.
    range_m: [f64; 2],
    /// Their mean by weight, in m.
    mean_m: f64,
}

impl GivenSpectrum {
    /// The spectrum that `options` ask for; `None` where they ask for none.
    ///
    /// # Errors
    /// The file cannot be used, or other options contradict.
    pub(super) fn read(options: &Options, inputs: &Inputs) -> Result<Option<Self>, Failure> {
        let SpectrumOptions { file, column, peaks, steps } = &options.spectrum;
        check(options)?;
        let resampled = |whole: Spectrum| match *steps {
            Some(most) => whole.resampled(most),
            None => Ok(whole),
        };
        let (option, spectra, origin) = if let Some(path) = file {
            let option = "--spectrum";
            let table = inputs.read(option, path, |input| parse_spectra(input, path))?;
            let at = column.unwrap_or(1);
            let (Some(lines), Some(name)) = (table.lines(at - 1), table.name(at - 1)) else {
                let (path, spectra) = (path.display(), table.spectra());
                let s = if spectra == 1 { "um" } else { "a" };
                return Err(Failure::input(format!(
                    "--spectrum-column {at}: {path} has {spectra} spectr{s}"
                )));
            };
            // Shots have the spectra of a file in turn, unless one of them is chosen.
            let wanted = match (&options.shots, column) {
                (Some(_), None) => 0..table.spectra(),
                _ => at - 1..at,
            };
            let spectra = match table.spectra() {
                1 => String::new(),
                spectra if wanted.len() > 1 => format!(", the first of {spectra} spectra"),
                spectra => format!(", spectrum {at} ({name}) of {spectra}"),
            };
            let origin = format!("{} lines of {}{spectra}", lines.len(), path.display());
            let spectra = wanted.filter_map(|index| table.lines(index));
            (option, spectra.map(|lines| Spectrum::new(lines).and_then(resampled)).collect(), origin)
        } else if peaks.is_empty() {
            return Ok(None);
        } else {
            let s = if peaks.len() == 1 { "" } else { "s" };
            let origin = format!("{} Gaussian peak{s}", peaks.len());
            let spectrum = Spectrum::of_peaks(peaks, steps.unwrap_or(PEAK_STEPS));
            ("--spectrum-gauss", spectrum.map(|spectrum| vec![spectrum]), origin)
        };
        let all: Vec<Spectrum> =
            spectra.map_err(|failure| Failure::input(failure.reason()).context(option))?;
        let Some(spectrum) = all.first().cloned() else { return Ok(None) };
        let summary = SpectrumSummary {
            origin,
            wavelengths: spectrum.lines().len(),
            range_m: spectrum.range_m(),
            mean_m: spectrum.mean_lambda_m(),
        };
        Ok(Some(Self { spectrum, all, summary }))
    }
}

/// Refuses options that contradict a spectrum, or have no effect without one.
fn check(options: &Options) -> Result<(), Failure> {
    let SpectrumOptions { file, column, peaks, steps } = &options.spectrum;
    let option = if file.is_some() { "--spectrum" } else { "--spectrum-gauss" };
    let beside = [
        (file.is_some() && !peaks.is_empty(), "--spectrum-gauss"),
        (options.sourcefile.is_some(), "-sourcefile"),
        (options.dispersion_range.is_some() || options.dispersion_count.is_some(), "-dispersion"),
    ];
    if let Some((_, other)) =
        beside.into_iter().find(|(is_given, _)| *is_given && options.spectrum.is_given())
    {
        return Err(Failure::input(format!("{option}: not beside {other}, which gives wavelengths too")));
    }
    if column.is_some() && file.is_none() {
        return Err(Failure::input("--spectrum-column: needs --spectrum FILE"));
    }
    if steps.is_some() && !options.spectrum.is_given() {
        return Err(Failure::input("--spectrum-steps: needs --spectrum FILE or --spectrum-gauss"));
    }
    Ok(())
}

impl SpectrumSummary {
    /// The line of the summary.
    #[must_use]
    pub fn line(&self) -> String {
        let [shortest, longest, mean] =
            [self.range_m[0], self.range_m[1], self.mean_m].map(|lambda_m| format_g(lambda_m * 1e10));
        let Self { origin, wavelengths, .. } = self;
        let s = if *wavelengths == 1 { "" } else { "s" };
        format!("{wavelengths} wavelength{s} from {shortest} to {longest} Angstrom, mean {mean}; {origin}")
    }

    /// The same as JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        json!({
            "origin": self.origin,
            "wavelengths": self.wavelengths,
            "shortest_m": self.range_m[0],
            "longest_m": self.range_m[1],
            "mean_m": self.mean_m,
        })
    }
}
