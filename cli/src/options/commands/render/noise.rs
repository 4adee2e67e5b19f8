//! Options of a render: the noise of the detector.

use super::super::super::{
    given::Given,
    model::{NoiseModel, Options},
    row::{self, Section, put},
    takes::{
        Takes::{Choice, Integer, Number, Text},
        Unit::Plain,
    },
};
use crate::error::Failure;
use widebragg::rotation::PhiMode;
use widebragg_experiment::detector_noise::{BadPixels, CommonModeRule, DeadTimeRule, NoiseStages};

type Row = row::Row<Options>;

pub(super) const NOISE: Section<Options> = Section {
    heading: "Noise of the detector",
    rows: &[
        Row::new(
            "--noise-model",
            Choice(&["reference", "counter"]),
            "nanoBragg's noise, or that of each pixel by itself, whatever the threads, frames and region; see widebragg help noise",
            |o, v| put(&mut o.noise_model, Some(v.choice(&[NoiseModel::Reference, NoiseModel::Counter])?)),
        )
        .default("reference; counter with any option below"),
        Row::new(
            "--flicker",
            Number(Plain("fraction")),
            "rms variation of all pixels together from image to image",
            |o, v| put(&mut o.noise_stages.flicker, v.nonnegative()?),
        )
        .default("0"),
        Row::new(
            "--pixel-flicker",
            Number(Plain("fraction")),
            "rms variation of each pixel from image to image",
            |o, v| put(&mut o.noise_stages.pixel_flicker, v.nonnegative()?),
        )
        .default("0"),
        Row::new(
            "--dead-time",
            Text("NS[,retrigger]"),
            "counts lost after each one, for the -exposure; paralyzable unless the pixel retriggers",
            dead_time,
        )
        .default("0"),
        Row::new("--gain", Number(Plain("ADU")), "ADU for each photon", |o, v| {
            put(&mut o.noise_stages.adu_per_photon, v.positive()?)
        })
        .default("1"),
        Row::new(
            "--calibration",
            Number(Plain("fraction")),
            "rms difference of the gains of pixels, the same in all images",
            |o, v| put(&mut o.noise_stages.calibration, v.nonnegative()?),
        )
        .default("0"),
        Row::new("--calibration-seed", Integer, "seed of the gains of pixels", |o, v| {
            put(&mut o.noise_stages.calibration_seed, seed(v, v.integer()?)?)
        })
        .default("1"),
        Row::new(
            "--common-mode",
            Text("ADU[,FAST,SLOW]"),
            "rms deviation that the pixels of a row, or of a block of so many, have in common in an image",
            common_mode,
        )
        .default("0"),
        Row::new("--readout", Number(Plain("ADU")), "rms noise of the readout of each pixel", |o, v| {
            put(&mut o.noise_stages.readout_adu, v.nonnegative()?)
        })
        .default("0"),
        Row::new(
            "--bad-pixels",
            Text("hot=N,dead=N,seed=S"),
            "pixels of each panel that are saturated or show no photons, the same in all images",
            bad_pixels,
        )
        .default("none; any of the three may be left out"),
    ],
};

/// What contradicts itself.
pub(in super::super) fn check(options: &Options) -> Result<(), Failure> {
    let has_stages = options.noise_stages != NoiseStages::default();
    if options.noise_model == Some(NoiseModel::Reference) && (has_stages || options.shots.is_some()) {
        let why =
            if has_stages { "nanoBragg has no such stages of noise" } else { "shots have none of their own" };
        return Err(Failure::input(format!("--noise-model reference: {why}; leave it out")));
    }
    let is_counter = has_stages || options.noise_model == Some(NoiseModel::Counter);
    if is_counter && options.carryover_mode == PhiMode::CParity {
        return Err(Failure::input(
            "--noise-model counter, and the stages of a detector's noise, are not for c-parity, which has nanoBragg's noise",
        ));
    }
    Ok(())
}

fn seed(given: &Given<'_>, number: i64) -> Result<u64, Failure> {
    u64::try_from(number).map_err(|_| given.refuse("a seed must not be negative"))
}

/// A number of a list, finite and not negative.
fn nonnegative(given: &Given<'_>, word: &str) -> Result<f64, Failure> {
    match word.parse::<f64>() {
        Ok(number) if number.is_finite() && number >= 0.0 => Ok(number),
        _ => Err(given.refuse("expected a number that is not negative")),
    }
}

fn dead_time(options: &mut Options, given: &Given<'_>) -> Result<(), Failure> {
    let text = given.text()?;
    let (time, retriggers) = match text.split_once(',') {
        None => (text.as_str(), false),
        Some((time, "retrigger")) => (time, true),
        Some(_) => return Err(given.refuse("expected a time in ns, and then only ,retrigger")),
    };
    let tau_s = nonnegative(given, time.trim())? * 1e-9;
    options.noise_stages.dead_time = (tau_s > 0.0).then_some(DeadTimeRule { tau_s, retriggers });
    Ok(())
}

fn common_mode(options: &mut Options, given: &Given<'_>) -> Result<(), Failure> {
    let text = given.text()?;
    let words: Vec<&str> = text.split(',').map(str::trim).collect();
    let side = |word: &str| match word.parse::<usize>() {
        Ok(pixels) if pixels > 0 => Ok(pixels),
        _ => Err(given.refuse("the sides of a block are numbers of pixels, at least 1")),
    };
    let (rms_adu, block) = match words[..] {
        [rms] => (nonnegative(given, rms)?, None),
        [rms, fast, slow] => (nonnegative(given, rms)?, Some([side(fast)?, side(slow)?])),
        _ => return Err(given.refuse("expected ADU, or ADU,FAST,SLOW")),
    };
    options.noise_stages.common_mode = (rms_adu > 0.0).then_some(CommonModeRule { rms_adu, block });
    Ok(())
}

fn bad_pixels(options: &mut Options, given: &Given<'_>) -> Result<(), Failure> {
    let text = given.text()?;
    let mut bad = BadPixels { seed: 1, ..BadPixels::default() };
    let mut names = Vec::new();
    for word in text.split(',') {
        let Some((name, number)) = word.split_once('=') else {
            return Err(given.refuse("expected some of hot=N, dead=N and seed=S"));
        };
        let (name, number) = (name.trim(), number.trim());
        if names.contains(&name) {
            return Err(given.refuse(&format!("{name}= is there twice")));
        }
        let count = || number.parse::<u32>();
        let read = match name {
            "hot" => count().map(|count| bad.hot = count),
            "dead" => count().map(|count| bad.dead = count),
            "seed" => number.parse::<u64>().map(|seed| bad.seed = seed),
            _ => return Err(given.refuse("expected some of hot=N, dead=N and seed=S")),
        };
        read.map_err(|_| given.refuse(&format!("{name}= needs a whole number that is not negative")))?;
        names.push(name);
    }
    if bad.hot == 0 && bad.dead == 0 {
        bad = BadPixels::default();
    }
    put(&mut options.noise_stages.bad_pixels, bad)
}
