//! From plain numbers to the tables of a scene: those that are left out are filled in by the reference's
//! rules.

use widebragg::beam::{Polarization, Source, SourceGrid, fluence_per_m2, polarization_factor};
use widebragg::crystal::{
    CellSource, Crystal, CrystalParameters, UnitCell, cells_along, recommended_oversample,
};
use widebragg::defaults;
use widebragg::detector::{BeamFrame, Detector, DetectorParameters, NormalUse};
use widebragg::lattice::Crystallite;
use widebragg::mosaic::{MosaicAxes, MosaicModel, MosaicSpread};
use widebragg::panel::Panel;
use widebragg::random::Ran1;
use widebragg::rotation::{Orientation, PhiMode};
use widebragg::sampling::{Axis, OversampleRequest, StepRequest, Steps, axis_steps};
use widebragg::scene::{CrystalInput, DetectorInput, MosaicInput, Oversample, Roi, Sensor, SourcesInput};
use widebragg::vector::Vec3;
use widebragg_formats::format_g::format_g;
use widebragg_formats::memory::reserved;
use widebragg_formats::sources::SourceLine;

use crate::failure::{Failure, Part, refused};
use crate::geometry::reciprocal_axes;
use crate::panels::DetectorPanel;
use crate::parameters::{
    Attenuation, LayerRule, Mosaic, PanelParameters, Parameters, SensorRequest, Sources,
};
use crate::resolution::pixel_position_m;
use crate::warning::Warning;

/// A placed normal below this part of the distance is 0: the beam runs along the detector.
const ALONG: f64 = 1e-6;

/// Lengths further from 1 are not those of unit vectors.
const UNIT: f64 = 1e-12;

/// Most subpixels along an axis that are chosen for the user. A need for more mostly comes from a value in a wrong
/// unit, and would take hours.
const MOST_RECOMMENDED: f64 = 64.0;

/// Places the panels. A warning that concerns several of them is given once.
pub(crate) fn panels(
    panels: &[PanelParameters],
    mode: PhiMode,
    warn: &mut dyn FnMut(Warning),
) -> Result<Vec<DetectorPanel>, Failure> {
    let mut given: Vec<Warning> = Vec::new();
    let mut once = |warning: Warning| {
        if !given.contains(&warning) {
            given.push(warning);
            warn(warning);
        }
    };
    let placed: Vec<_> = panels
        .iter()
        .enumerate()
        .map(|(number, panel)| self::panel(number, panel, mode, &mut once))
        .collect::<Result<_, _>>()?;
    let Some(first) = placed.first() else {
        return Err(Failure::impossible(Part::Detector, "it has no panel"));
    };
    for panel in &placed[1..] {
        if panel.detector.frame() != first.detector.frame() {
            let reason = "its panels differ in the directions of beam, polarisation or spindle";
            return Err(Failure::impossible(Part::Detector, reason));
        }
        let [columns, others] = [first, panel].map(|panel| panel.detector.fast_pixels);
        if columns != others {
            return Err(Failure::impossible(
                Part::Detector,
                format!(
                    "panel {} has {columns} columns and panel {} has {others}: panels of different widths do not make an image",
                    first.name, panel.name
                ),
            ));
        }
    }
    Ok(placed)
}

/// Places a panel.
fn panel(
    number: usize,
    parameters: &PanelParameters,
    mode: PhiMode,
    warn: &mut dyn FnMut(Warning),
) -> Result<DetectorPanel, Failure> {
    let PanelParameters { name, detector: detector_input, sensor, roi, mask } = parameters;
    let detector = detector(detector_input, mode, warn)?;
    let sensor = self::sensor(sensor, mode, warn)?;
    check_solid_angles(&detector, &sensor, mode)?;
    Ok(DetectorPanel {
        name: name.clone(),
        number,
        detector,
        detector_input: *detector_input,
        sensor,
        roi: roi.unwrap_or_else(|| Roi::whole(&Panel::new(&detector, sensor))),
        mask: mask.clone(),
    })
}

/// Places the detector.
fn detector(
    input: &DetectorInput,
    mode: PhiMode,
    warn: &mut dyn FnMut(Warning),
) -> Result<Detector, Failure> {
    let parameters = match input {
        DetectorInput::Placed(detector) => return Ok(*detector),
        DetectorInput::Parameters(parameters) => parameters,
    };
    let detector = Detector::new(parameters, mode).map_err(refused(Part::Detector))?;
    match detector.normal_use {
        NormalUse::AsGiven => {}
        NormalUse::Replaced => warn(Warning::NormalReplaced(untilted_normal(parameters, mode))),
        NormalUse::Normalized => warn(Warning::NormalNormalized(untilted_normal(parameters, mode))),
    }
    if detector.close_distance_m.abs() < ALONG * detector.distance_m.abs() {
        warn(Warning::BeamAlongDetector);
    }
    let length = detector.twotheta_axis.length();
    if parameters.twotheta_rad != 0.0 && (length - 1.0).abs() > UNIT {
        warn(Warning::SwingAxisLength(length));
    }
    Ok(detector)
}

/// Refuses a detector whose pixels would be negative or not finite.
///
/// The solid angle of a pixel is proportional to the distance along the normal, and the captured part has the sign of
/// its inverse.
fn check_solid_angles(detector: &Detector, sensor: &Sensor, mode: PhiMode) -> Result<(), Failure> {
    let facing_away = detector.close_distance_m < -ALONG * detector.distance_m.abs();
    let has_sign = !detector.point_pixel || sensor.layer_m > 0.0;
    // nanoBragg's own replacement of a normal may do that, and c-parity reproduces it.
    let reproduced = mode == PhiMode::CParity && detector.normal_use == NormalUse::Replaced;
    if facing_away && has_sign && !reproduced {
        return Err(Failure::impossible(
            Part::Detector,
            format!(
                "its normal points towards the sample, {} mm away, so that every pixel would be negative",
                format_g(-detector.close_distance_m * 1e3)
            ),
        ));
    }
    let [fast, slow] =
        [detector.fast_pixels, detector.slow_pixels].map(|pixels| pixels as f64 * detector.pixel_m);
    let corners = [[0.0, 0.0], [fast, 0.0], [0.0, slow], [fast, slow]];
    let is_finite = |[along_fast, along_slow]: [f64; 2]| {
        let position = detector.pix0_m + along_fast * detector.fast + along_slow * detector.slow;
        let distance_m = position.length();
        let area_m2 = detector.pixel_m * detector.pixel_m;
        distance_m.is_finite() && (area_m2 / distance_m / distance_m).is_finite()
    };
    if corners.into_iter().all(is_finite) {
        return Ok(());
    }
    let reason = "it is so large or so far away that solid angles of its pixels are not finite";
    Err(Failure::impossible(Part::Detector, reason))
}

/// Refuses a polarisation that makes pixels negative, which a factor beyond -1 to 1 may do.
pub(crate) fn check_polarization(
    polarization: &Polarization,
    source: &Source,
    detector: &Detector,
) -> Result<(), Failure> {
    let Polarization { kahn, axis, .. } = *polarization;
    if kahn.abs() <= 1.0 {
        return Ok(());
    }
    for slow in 0..detector.slow_pixels {
        for fast in 0..detector.fast_pixels {
            let diffracted = pixel_position_m(detector, [fast, slow]).normalize();
            if polarization_factor(kahn, source.incident, diffracted, axis) < 0.0 {
                return Err(Failure::impossible(
                    Part::Polarization,
                    format!("a factor of {kahn} makes pixels negative, such as fast {fast} slow {slow}"),
                ));
            }
        }
    }
    Ok(())
}

/// The normal before any tilt.
fn untilted_normal(parameters: &DetectorParameters, mode: PhiMode) -> Vec3 {
    let flat = DetectorParameters { rotation_rad: [0.0; 3], twotheta_rad: 0.0, ..*parameters };
    Detector::new(&flat, mode).map_or(Vec3::default(), |detector| detector.normal)
}

/// Orients the crystal.
pub(crate) fn crystal(input: &CrystalInput, lambda0_m: f64) -> Result<Crystal, Failure> {
    match *input {
        CrystalInput::Cell { source, misset_rad } => {
            let parameters = CrystalParameters { source, lambda0_m, misset_rad };
            Crystal::new(&parameters).map_err(refused(Part::Crystal))
        }
        CrystalInput::Axes { direct, reciprocal_per_angstrom } => {
            Ok(Crystal { direct, reciprocal_per_angstrom, cell: cell_of(&direct) })
        }
    }
}

/// The crystal whose A is the mean of those of `crystals`.
pub(crate) fn mean_crystal(crystals: &[Crystal], lambda0_m: f64) -> Result<Crystal, Failure> {
    let mean = |axis: usize, component: usize| {
        let of_crystal = |crystal: &Crystal| reciprocal_axes(crystal)[axis].to_array()[component];
        crystals.iter().map(of_crystal).sum::<f64>() / crystals.len() as f64
    };
    // An A matrix is in units of 1/lambda.
    let lambda_angstrom = lambda0_m * 1e10;
    let rows = [0, 1, 2].map(|row| [0, 1, 2].map(|column| lambda_angstrom * mean(column, row)));
    crystal(&CrystalInput::Cell { source: CellSource::Matrix(rows), misset_rad: [0.0; 3] }, lambda0_m)
}

/// Lengths and angles of cell vectors.
pub(crate) fn cell_of(direct: &Orientation) -> UnitCell {
    let Orientation { a_m: a, b_m: b, c_m: c } = *direct;
    let angle = |u: Vec3, v: Vec3| (u.dot(v) / (u.length() * v.length())).acos();
    UnitCell {
        lengths_angstrom: [a, b, c].map(|edge| edge.length() * 1e10),
        angles_rad: [angle(b, c), angle(c, a), angle(a, b)],
    }
}

/// Photons per m^2.
pub(crate) fn fluence(parameters: &Parameters) -> Result<f64, Failure> {
    let Parameters { fluence_per_m2: fluence, flux_per_s, exposure_s, beamsize_m, .. } = *parameters;
    let fluence = fluence_per_m2(fluence, flux_per_s, exposure_s, beamsize_m);
    if !fluence.is_finite() {
        return Err(Failure::impossible(Part::Fluence, "the fluence is not a finite number"));
    }
    Ok(fluence)
}

/// Relative error of the length of a cell edge: a few units in the last place.
const LAST_DIGITS: f64 = 4.0 * f64::EPSILON;

/// Shape and size of the crystal, clipped to the beam.
pub(crate) fn crystallite(
    parameters: &Parameters,
    crystal: &Crystal,
    warn: &mut dyn FnMut(Warning),
) -> Crystallite {
    let mut size_m = parameters.size_m;
    let beamsize_m = parameters.beamsize_m;
    if beamsize_m >= 0.0 {
        // The reference clips across the beam only.
        for (axis, size) in size_m.iter_mut().enumerate().skip(1) {
            if *size > beamsize_m {
                *size = beamsize_m;
                warn(Warning::SampleClipped { axis, size_m: beamsize_m });
            }
        }
    }
    let mut cells = parameters.cells;
    let Orientation { a_m, b_m, c_m } = crystal.direct;
    for (index, (size, axis)) in size_m.into_iter().zip([a_m, b_m, c_m]).enumerate() {
        if size > 0.0 {
            cells[index] = cells_along(size, axis);
            let exact = size / axis.length();
            if (exact - exact.round()).abs() <= LAST_DIGITS * exact {
                warn(Warning::WholeCells { axis: index, cells: cells[index] });
            }
        }
    }
    Crystallite {
        shape: parameters.shape,
        cells,
        fudge: parameters.fudge,
        reciprocal_per_angstrom: crystal.reciprocal_per_angstrom,
        spots: parameters.spots,
    }
}

/// Whether structure factors are interpolated.
pub(crate) fn interpolates(parameters: &Parameters) -> bool {
    let decided = parameters.interpolate.unwrap_or_else(|| defaults::interpolates(parameters.cells));
    parameters.structure_factors.is_some() && decided
}

/// Subpixels: as many as any of the crystals needs on any panel.
pub(crate) fn oversample<'c>(
    parameters: &Parameters,
    crystals: impl Iterator<Item = (&'c Crystal, &'c Crystallite)>,
    panels: &[DetectorPanel],
    warn: &mut dyn FnMut(Warning),
) -> Result<Oversample, Failure> {
    let of_panels = |(crystal, crystallite): (&Crystal, &Crystallite)| {
        let (cell, cells) = (crystal.direct, crystallite.cells);
        let of_panel = |panel: &DetectorPanel| {
            let Detector { distance_m, pixel_m, .. } = panel.detector;
            recommended_oversample(cell, cells, parameters.lambda0_m, distance_m, pixel_m)
        };
        panels.iter().map(of_panel).fold(0.0, f64::max)
    };
    let recommended = crystals.map(of_panels).fold(0.0, f64::max);
    let OversampleRequest { per_axis, thick, polar, omega } = parameters.oversample;
    let per_axis = match per_axis {
        Some(per_axis) => per_axis,
        None if recommended <= MOST_RECOMMENDED => recommended as usize,
        None => return Err(Failure::TooFine { recommended, most: MOST_RECOMMENDED }),
    };
    if per_axis.checked_mul(per_axis).is_none() {
        return Err(Failure::impossible(Part::Oversampling, "the number of subpixels is too large"));
    }
    if (per_axis as f64) < recommended {
        warn(Warning::Undersampled { per_axis, recommended });
    }
    Ok(Oversample { per_axis, thick, polar, omega })
}

/// The mosaic domains.
pub(crate) fn mosaic<'p>(mosaic: &'p Mosaic, warn: &mut dyn FnMut(Warning)) -> MosaicInput<'p> {
    let (model, wanted) = match mosaic {
        Mosaic::List(list) => return MosaicInput::List(list),
        Mosaic::Spread { model, domains } => (*model, *domains),
    };
    let has_spread = model.spread.isotropic_rad().is_none_or(|spread_rad| spread_rad > 0.0);
    let count = match (wanted, has_spread) {
        (None, false) => 1,
        (None, true) => {
            warn(Warning::DomainsAssumed(defaults::MOSAIC_DOMAINS));
            defaults::MOSAIC_DOMAINS
        }
        (Some(count), true) => count,
        (Some(count), false) => {
            if count > 1 {
                warn(Warning::DomainsIgnored(count));
            }
            1
        }
    };
    let MosaicModel { spread, axes, seed, pairs } = model;
    let is_alone = count == 1 && !model.has_pairs();
    if !has_spread || is_alone {
        return MosaicInput::Spread { spread_rad: 0.0, domains: 1, seed };
    }
    match spread.isotropic_rad() {
        Some(spread_rad) if !model.has_pairs() => MosaicInput::Spread { spread_rad, domains: count, seed },
        _ => {
            let doubles = pairs && axes == MosaicAxes::Random;
            MosaicInput::Model { model, domains: if doubles { count.saturating_mul(2) } else { count } }
        }
    }
}

/// The random numbers as the draws of `domains` mosaic domains leave them: three for each rotation that is drawn, the first
/// domain's included.
pub(crate) fn random_after(mosaic: &Mosaic, domains: usize) -> Ran1 {
    let (seed, drawn) = match *mosaic {
        Mosaic::Spread { model: MosaicModel { axes: MosaicAxes::Random, seed, pairs, .. }, .. } => {
            (seed, if pairs { domains.div_ceil(2) } else { domains })
        }
        Mosaic::Spread { .. } | Mosaic::List(_) => (defaults::MOSAIC_SEED, 0),
    };
    let mut random = Ran1::new(seed);
    for _ in 0..3 * drawn {
        random.draw();
    }
    random
}

/// The mosaic spread, in rad; 0 where there is a single domain, where the domains are a list, and where the spread differs
/// with the axis.
pub(crate) fn mosaic_spread_rad(mosaic: &MosaicInput<'_>) -> f64 {
    match *mosaic {
        MosaicInput::Spread { spread_rad, .. } => spread_rad,
        MosaicInput::Model { model, .. } => model.spread.isotropic_rad().unwrap_or(0.0),
        MosaicInput::List(_) => 0.0,
    }
}

/// The mosaic spreads about a, b and c, in rad, where they differ.
pub(crate) fn mosaic_axes_rad(mosaic: &MosaicInput<'_>) -> Option<[f64; 3]> {
    match *mosaic {
        MosaicInput::Model { model: MosaicModel { spread: MosaicSpread::Axes(spreads_rad), .. }, .. } => {
            (mosaic_spread_rad(mosaic) == 0.0).then_some(spreads_rad)
        }
        _ => None,
    }
}

/// The sources of the beam: the steps of a grid, or a list.
pub(crate) enum SourceSteps {
    /// Steps of divergence and dispersion.
    Grid(SourceGrid),
    /// Directions and wavelengths.
    List(Vec<Source>),
    /// Directions and wavelengths, and a weight for each.
    Weighted(Vec<Source>, Vec<f64>),
}

impl SourceSteps {
    /// The sources as the kernel takes them.
    pub(crate) fn input(&self) -> SourcesInput<'_> {
        match *self {
            Self::Grid(SourceGrid { hdiv, vdiv, dispersion, round, .. }) => {
                SourcesInput::Grid { hdiv, vdiv, dispersion, round }
            }
            Self::List(ref list) => SourcesInput::List(list),
            Self::Weighted(ref sources, ref weights) => SourcesInput::Weighted { sources, weights },
        }
    }

    /// The grid; `None` for a list.
    pub(crate) fn grid(&self) -> Option<SourceGrid> {
        match self {
            Self::Grid(grid) => Some(*grid),
            Self::List(_) | Self::Weighted(..) => None,
        }
    }

    /// The number of sources in a list; `None` for a grid.
    pub(crate) fn listed(&self) -> Option<usize> {
        match self {
            Self::Grid(_) => None,
            Self::List(list) | Self::Weighted(list, _) => Some(list.len()),
        }
    }

    /// The part of an experiment that is refused where the kernel refuses a scene of these sources with `error`.
    pub(crate) fn refused_part(&self, frame: &BeamFrame, error: &widebragg::Error) -> Part {
        match self {
            Self::Grid(grid) if grid.check(frame).is_err() => Part::Divergence,
            Self::List(_) | Self::Weighted(..) if is_of_list(error) => Part::SourceList,
            _ => Part::Scene,
        }
    }
}

/// Whether the kernel refuses a list of sources, and not another part of its scene.
fn is_of_list(error: &widebragg::Error) -> bool {
    let of_list =
        ["number of sources", "weight of a source", "sum of the weights of the sources", "source direction"];
    matches!(error, widebragg::Error::OutOfRange { quantity, .. } if of_list.contains(quantity))
}

/// The sources of the beam.
pub(crate) fn sources(sources: &Sources, frame: &BeamFrame, lambda0_m: f64) -> Result<SourceSteps, Failure> {
    let divergence =
        |request: &StepRequest| axis_steps(Axis::Divergence, *request).map_err(refused(Part::Divergence));
    match sources {
        Sources::List(list) => {
            let mut own = room_for(list.len())?;
            own.extend_from_slice(list);
            Ok(SourceSteps::List(own))
        }
        Sources::Lines(lines) => {
            let mut list = room_for(lines.len())?;
            let mut weights = room_for(lines.len())?;
            for line in lines {
                list.push(source_of(line, frame, lambda0_m)?);
                weights.push(line.weight.unwrap_or(1.0));
            }
            Ok(SourceSteps::Weighted(list, weights))
        }
        Sources::Spectrum { hdiv, vdiv, round, spectrum } => {
            let (hdiv, vdiv) = (divergence(hdiv)?, divergence(vdiv)?);
            let directions = SourceGrid { hdiv, vdiv, dispersion: Steps::ONE, round: *round, lambda0_m };
            let (list, weights) = spectrum.sources(&directions, frame)?;
            Ok(SourceSteps::Weighted(list, weights))
        }
        Sources::Grid { hdiv, vdiv, dispersion, round } => {
            let grid = SourceGrid {
                hdiv: divergence(hdiv)?,
                vdiv: divergence(vdiv)?,
                dispersion: axis_steps(Axis::Dispersion, *dispersion).map_err(refused(Part::Dispersion))?,
                round: *round,
                lambda0_m,
            };
            Ok(SourceSteps::Grid(grid))
        }
    }
}

/// An empty list with room for `count` sources.
fn room_for<T>(count: usize) -> Result<Vec<T>, Failure> {
    reserved(count).ok_or_else(|| Failure::no_memory(Part::SourceList, format!("{count} sources")))
}

/// The source of a line; what it leaves out is that of the beam.
fn source_of(line: &SourceLine, frame: &BeamFrame, lambda0_m: f64) -> Result<Source, Failure> {
    let [x0, y0, z0] = (-10.0 * frame.beam).to_array();
    let [x, y, z] = line.direction;
    let from = Vec3::new(x.unwrap_or(x0), y.unwrap_or(y0), z.unwrap_or(z0));
    Source::new(from, line.lambda_m.unwrap_or(lambda0_m)).map_err(refused(Part::SourceList))
}

/// Warns where c-parity ignores weights that differ.
pub(crate) fn warn_of_weights(sources: &SourceSteps, mode: PhiMode, warn: &mut dyn FnMut(Warning)) {
    if let (SourceSteps::Weighted(_, weights), PhiMode::CParity) = (sources, mode)
        && weights.windows(2).any(|pair| pair.first() != pair.last())
    {
        warn(Warning::WeightsIgnored);
    }
}

/// The sensitive layer of the detector.
fn sensor(request: &SensorRequest, mode: PhiMode, warn: &mut dyn FnMut(Warning)) -> Result<Sensor, Failure> {
    if request.attenuation == Attenuation::AtSurface {
        return Ok(Sensor::THIN);
    }
    let steps = StepRequest { count: request.layers, range: request.thickness_m, step: None };
    let Steps { count: mut layers, step: mut layer_m, .. } =
        axis_steps(Axis::Thickness, steps).map_err(refused(Part::Thickness))?;
    let thickness_m = request.thickness_m.unwrap_or(0.0);
    // The reference divides the thickness among one layer less than there are.
    let wanted = request.layers.and_then(|layers| usize::try_from(layers).ok()).filter(|&layers| layers > 0);
    let divides = mode == PhiMode::Spec && request.layer_rule == LayerRule::ByMode;
    if let (true, Some(wanted), true) = (divides, wanted, thickness_m > 0.0) {
        (layers, layer_m) = (wanted, thickness_m / wanted as f64);
    }
    let attenuation_per_m = match request.attenuation {
        Attenuation::DepthM(depth_m) => 1.0 / depth_m,
        Attenuation::Transparent => 0.0,
        _ if thickness_m > 0.0 => {
            warn(Warning::DepthAssumed(thickness_m));
            1.0 / thickness_m
        }
        _ => 0.0,
    };
    Ok(Sensor { layers, layer_m, attenuation_per_m })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_are_divided_or_as_thick_as_in_nanobragg() {
        let request = |layer_rule| SensorRequest {
            thickness_m: Some(300e-6),
            layers: Some(3),
            attenuation: Attenuation::DepthM(1e-4),
            layer_rule,
        };
        let layers = |rule, mode| {
            let Sensor { layers, layer_m, .. } = sensor(&request(rule), mode, &mut |_| {}).expect("a sensor");
            (layers, layer_m)
        };
        assert_eq!(layers(LayerRule::ByMode, PhiMode::Spec), (3, 300e-6 / 3.0));
        for (rule, mode) in [
            (LayerRule::AsGiven, PhiMode::Spec),
            (LayerRule::AsGiven, PhiMode::CParity),
            (LayerRule::ByMode, PhiMode::CParity),
        ] {
            assert_eq!(layers(rule, mode), (3, 300e-6 / 2.0), "{rule:?} {mode:?}");
        }
    }
}
