//! Options of a render: the noise of the detector.

use super::super::super::{
    given::Given,
    message::listed,
    model::{NoiseModel, NxmxData, Options},
    row::{self, Section, put},
    takes::{
        Takes::{Choice, Integer, Number, Text},
        Unit::Plain,
    },
};
use crate::error::Failure;
use widebragg::noise::detector::GainSwitching;
use widebragg::noise::point_spread::Form;
use widebragg::rotation::PhiMode;
use widebragg_experiment::detector_noise::{
    BadPixels, CommonModeRule, DeadTimeRule, DetectorModel, Gain, StageValue, StageValues,
};
use widebragg_experiment::point_spread::PointSpreadRule;

type Row = row::Row<Options>;

/// Largest radius of a point spread, in pixels.
const MOST_RADIUS: usize = 10_000;

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
            "--detector-model",
            Choice(&["pilatus", "eiger", "jungfrau", "rayonix", "cspad"]),
            "values of the options below that are known of such a detector; see widebragg help noise",
            |o, v| put(&mut o.detector_model, Some(v.choice(&DetectorModel::ALL)?)),
        ),
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
        Row::new(
            "--psf",
            Text("gauss|fiber|moffat|none[,FWHM_um[,RADIUS_px]]"),
            "what spreads the counts of a pixel over others; without a radius, all that stays on the panel",
            point_spread,
        )
        .default("none"),
        Row::new("--gain", Number(Plain("ADU")), "ADU for each photon", |o, v| {
            put(&mut o.stage_values.gain, Some(Gain::PerPhoton(v.positive()?)))
        })
        .default("1"),
        Row::new("--gain-per-kev", Number(Plain("ADU")), "ADU for each keV of the photons, instead of --gain", |o, v| {
            put(&mut o.stage_values.gain, Some(Gain::PerKev(v.positive()?)))
        }),
        Row::new(
            "--gain-modes",
            Text("ADU,ADU,ADU"),
            "ADU for each keV in the three modes that a pixel chooses from by its charge; negative where charge lowers the signal",
            |o, v| put(&mut o.stage_values.mode_gains_adu_per_kev, Some(gain_modes(v)?)),
        ),
        Row::new(
            "--gain-switch",
            Text("KEV,KEV"),
            "charges from which --gain-modes chooses the second and third mode",
            |o, v| put(&mut o.stage_values.switch_kev, Some(gain_switch(v)?)),
        ),
        Row::new("--mode-pedestals", Text("ADU,ADU,ADU"), "ADU of the --gain-modes without charge", |o, v| {
            put(&mut o.stage_values.mode_pedestals_adu, Some(mode_pedestals(v)?))
        }),
        Row::new(
            "--pedestal-spread",
            Text("ADU,ADU,ADU"),
            "rms difference of the pedestals of pixels in each of the --gain-modes, the same in all images",
            |o, v| put(&mut o.stage_values.pedestal_spreads_adu, Some(nonnegative_modes(v)?)),
        )
        .default("0,0,0"),
        Row::new(
            "--mode-readout",
            Text("ADU,ADU,ADU"),
            "rms noise of the readout in each of the --gain-modes",
            |o, v| put(&mut o.stage_values.mode_readouts_adu, Some(nonnegative_modes(v)?)),
        ),
        Row::new(
            "--calibration",
            Number(Plain("fraction")),
            "rms difference of the gains of pixels, the same in all images",
            |o, v| put(&mut o.stage_values.calibration, Some(v.nonnegative()?)),
        )
        .default("0"),
        Row::new("--calibration-seed", Integer, "seed of the gains and pedestals of pixels", |o, v| {
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
            put(&mut o.stage_values.readout_adu, Some(v.nonnegative()?))
        })
        .default("0"),
        Row::new(
            "--overload",
            Integer,
            "largest value of a pixel, in ADU before -adc: one that has it is saturated",
            |o, v| put(&mut o.stage_values.saturation_adu, Some(saturation(v)?)),
        )
        .default("that of the file"),
        Row::new(
            "--bad-pixels",
            Text("hot=N,dead=N,seed=S | FILE"),
            "pixels of each panel that are saturated or show no photons, the same in all images: so many, or those of a file",
            bad_pixels,
        )
        .default("none; any of the three may be left out"),
    ],
};

/// Completes the stages of the noise: with what is known of the model of the detector, where no option says otherwise.
pub(in super::super) fn complete(options: &mut Options) -> Result<(), Failure> {
    let given = options.stage_values;
    let model = options.detector_model;
    let of_model = model.map_or(StageValues::default(), |model| model.values(options.detector));
    let values = given.or(of_model);
    check_modes(options, &values)?;
    let lacking = values.lacking(model);
    if !lacking.is_empty() {
        let options: Vec<&str> = lacking.into_iter().map(option_of).collect();
        let of =
            model.map_or("--gain-modes".to_owned(), |model| format!("--detector-model {}", model.name()));
        let options = listed(&options, "and");
        return Err(Failure::input(format!(
            "{of}: also give {options}, which no source tells of all detectors"
        )));
    }
    options.noise_stages = values.applied_to(options.noise_stages.clone());
    options.adc = options.adc.or(values.offset_adu);
    if options.noise_stages.switched_gains().is_some() {
        if options.adc.is_some_and(|adc| adc != 0.0) {
            return Err(Failure::input("-adc: not with --gain-modes, whose raw words have no offset"));
        }
        options.adc = Some(0.0);
    }
    check(options)
}

/// Checks that gains that are switched have what belongs to them, and nothing else.
fn check_modes(options: &Options, values: &StageValues) -> Result<(), Failure> {
    let given = &options.stage_values;
    if values.mode_gains_adu_per_kev.is_some() {
        let own = [
            ("--gain and --gain-per-kev", given.gain.is_some()),
            ("--readout", given.readout_adu.is_some()),
            ("--overload", given.saturation_adu.is_some()),
        ];
        let by = match given.mode_gains_adu_per_kev {
            Some(_) => "--gain-modes",
            None => "--detector-model jungfrau",
        };
        return match own.into_iter().find(|(_, is_given)| *is_given) {
            Some((option, _)) => Err(Failure::input(format!(
                "{option}: not with {by}, where each mode has a gain, readout and limit of its own"
            ))),
            None => Ok(()),
        };
    }
    let of_modes = [
        ("--gain-switch", given.switch_kev.is_some()),
        ("--mode-pedestals", given.mode_pedestals_adu.is_some()),
        ("--pedestal-spread", given.pedestal_spreads_adu.is_some()),
        ("--mode-readout", given.mode_readouts_adu.is_some()),
    ];
    match of_modes.into_iter().find(|(_, is_given)| *is_given) {
        Some((option, _)) => Err(Failure::input(format!("{option}: needs --gain-modes"))),
        None => Ok(()),
    }
}

/// The option of a value, with what it takes.
fn option_of(value: StageValue) -> &'static str {
    match value {
        StageValue::DeadTime => "--dead-time NS",
        StageValue::Gain => "--gain ADU",
        StageValue::CommonMode => "--common-mode ADU",
        StageValue::Readout => "--readout ADU",
        StageValue::Saturation => "--overload ADU",
        StageValue::GainSwitch => "--gain-switch KEV,KEV",
        StageValue::ModePedestals => "--mode-pedestals ADU,ADU,ADU",
        StageValue::ModeReadouts => "--mode-readout ADU,ADU,ADU",
    }
}

/// What contradicts itself.
fn check(options: &Options) -> Result<(), Failure> {
    let has_stages = options.has_noise_stages();
    if has_stages && options.noise_model == Some(NoiseModel::Reference) {
        return Err(Failure::input(
            "--noise-model reference: nanoBragg has no such stages of noise; leave it out",
        ));
    }
    if options.nxmx_stages && options.data_of_nxmx() == Some(NxmxData::Photons) {
        return Err(Failure::input(
            "--nxmx-stages: the file has photons without noise, and no stages: leave out -nonoise, or give --nxmx-data noise",
        ));
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
    put(&mut options.stage_values.dead_time, Some(DeadTimeRule { tau_s, retriggers }))
}

fn point_spread(options: &mut Options, given: &Given<'_>) -> Result<(), Failure> {
    let text = given.text()?;
    let words: Vec<&str> = text.split(',').map(str::trim).collect();
    let (name, width, radius) = match words[..] {
        ["none"] => {
            let nothing = PointSpreadRule { form: Form::Gauss, width_m: 0.0, radius_px: None };
            return put(&mut options.stage_values.point_spread, Some(nothing));
        }
        [name, width] => (name, width, None),
        [name, width, radius] => (name, width, Some(radius)),
        _ => {
            return Err(
                given.refuse("expected a form, a width in um, and perhaps a radius, such as fiber,80,10")
            );
        }
    };
    let form = Form::ALL.into_iter().find(|form| form.name() == name);
    let form = form.ok_or_else(|| given.refuse("the form is gauss, fiber or moffat"))?;
    let width_m = nonnegative(given, width)? * 1e-6;
    if width_m == 0.0 {
        return Err(given.refuse("the width must be above 0"));
    }
    let radius_px = match radius.map(str::parse) {
        None => None,
        Some(Ok(radius)) if radius <= MOST_RADIUS => Some(radius),
        Some(_) => {
            return Err(given.refuse(&format!("the radius is a number of pixels, at most {MOST_RADIUS}")));
        }
    };
    put(&mut options.stage_values.point_spread, Some(PointSpreadRule { form, width_m, radius_px }))
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
    put(&mut options.stage_values.common_mode, Some(CommonModeRule { rms_adu, block }))
}

/// Numbers of a list, as many as are wanted.
fn numbers<const N: usize>(given: &Given<'_>) -> Result<[f64; N], Failure> {
    let text = given.text()?;
    let read =
        text.split(',').map(|word| word.trim().parse::<f64>().ok().filter(|number| number.is_finite()));
    let read: Option<Vec<f64>> = read.collect();
    let read = read.and_then(|numbers| numbers.try_into().ok());
    read.ok_or_else(|| given.refuse(&format!("expected {N} numbers with commas between them")))
}

fn gain_modes(given: &Given<'_>) -> Result<[f64; 3], Failure> {
    let gains = numbers(given)?;
    match gains.contains(&0.0) {
        true => Err(given.refuse("the gain of a mode must not be 0")),
        false => Ok(gains),
    }
}

fn gain_switch(given: &Given<'_>) -> Result<[f64; 2], Failure> {
    let [first, second] = numbers(given)?;
    match first > 0.0 && second > first {
        true => Ok([first, second]),
        false => Err(given.refuse("the charges must be above 0, and the second larger than the first")),
    }
}

fn mode_pedestals(given: &Given<'_>) -> Result<[f64; 3], Failure> {
    let pedestals = numbers(given)?;
    let most = f64::from(GainSwitching::LARGEST_ADU);
    match pedestals.iter().all(|pedestal| (0.0..=most).contains(pedestal)) {
        true => Ok(pedestals),
        false => Err(given.refuse(&format!("a pedestal is at least 0 and at most {most}, as 14 bits hold"))),
    }
}

/// Rms values of the modes.
fn nonnegative_modes(given: &Given<'_>) -> Result<[f64; 3], Failure> {
    let rms = numbers(given)?;
    match rms.iter().all(|&rms| rms >= 0.0) {
        true => Ok(rms),
        false => Err(given.refuse("must not be negative")),
    }
}

fn saturation(given: &Given<'_>) -> Result<i32, Failure> {
    let largest = i32::try_from(given.integer()?).ok().filter(|&largest| largest > 0);
    largest.ok_or_else(|| given.refuse(&format!("must be from 1 to {}", i32::MAX)))
}

fn bad_pixels(options: &mut Options, given: &Given<'_>) -> Result<(), Failure> {
    let text = given.text()?;
    if !text.contains('=') {
        options.noise_stages.bad_pixels = BadPixels::None;
        return put(&mut options.bad_pixels, Some(text.into()));
    }
    let (mut hot, mut dead, mut seed) = (0, 0, 1);
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
            "hot" => count().map(|count| hot = count),
            "dead" => count().map(|count| dead = count),
            "seed" => number.parse::<u64>().map(|number| seed = number),
            _ => return Err(given.refuse("expected some of hot=N, dead=N and seed=S, or a file")),
        };
        read.map_err(|_| given.refuse(&format!("{name}= needs a whole number that is not negative")))?;
        names.push(name);
    }
    options.bad_pixels = None;
    let is_any = hot > 0 || dead > 0;
    let drawn = if is_any { BadPixels::Drawn { hot, dead, seed } } else { BadPixels::None };
    put(&mut options.noise_stages.bad_pixels, drawn)
}
