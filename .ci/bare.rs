//! The kernel in a program that has neither `std` nor an allocator: compiling it proves that none is needed,
//! and its object file shows what is left of the kernel after optimisation. Built by `run`, never executed.
//!
//! Every function is exported under its plain name, so that the optimiser keeps what it reaches and nothing
//! else.

#![no_std]
#![allow(unsafe_code, reason = "exporting a name")]

use core::ops::Range;
use core::panic::PanicInfo;

use widebragg::Error;
use widebragg::background::{
    AmorphousMatter, Background, BackgroundPixel, BeamLine, BinStatistics, Curve, Profile, RadialPoint,
    Search, fill_statistics,
};
use widebragg::beam::{Source, SourceGrid};
use widebragg::carryover::{CarryUse, Carryover, Slot};
use widebragg::crystal::{Crystal, CrystalParameters};
use widebragg::detector::{Detector, DetectorParameters};
use widebragg::gradient::{
    Model, Moves, OrientationDerivativeBuffers, OrientationDerivatives, Parameter, Sums, Variables, Wanted,
    fill_orientation_derivatives, scaled_rotation,
};
use widebragg::lanes::Simd;
use widebragg::light::{Light, SpotList};
use widebragg::mosaic::{MosaicSpread, SpreadTensor};
use widebragg::noise::counter::Stream;
use widebragg::noise::detector::{
    CommonMode, DeadTime, Expected, GainSwitching, Limits, PixelDifferences, Place, fill_bad_pixels,
    fill_gain_map, shot_factor,
};
use widebragg::noise::point_spread::{Form, GaussShares, PointSpread, Shares, Spread};
use widebragg::noise::shared::SharedStreams;
use widebragg::noise::simtbx::{SimtbxNoise, SimtbxStreams};
use widebragg::noise::stages::{PhotonNoise, Readout};
use widebragg::panel::Panel;
use widebragg::random::fill_mosaic;
use widebragg::render::{Contributions, PixelProbe, RowReport, StepProbe, open_pixels, open_streams};
use widebragg::rotation::{Mat3, Orientation, OrientationTable, PhiMode, PhiSweep, fill_orientations};
use widebragg::sampling::{Axis, StepRequest, Steps, axis_steps, phi_steps};
use widebragg::scene::{Roi, Scene, SceneParameters, SceneParts, SceneTables, TablesLen};
use widebragg::structure_factor::{HklGrid, LatchPoint};
use widebragg::vector::Vec3;

/// A second one, as `std` would bring, is an error.
#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    loop {}
}

#[unsafe(no_mangle)]
pub fn bare_scene<'a>(parameters: SceneParts<'a>) -> Result<Scene<'a>, Error> {
    Scene::new(parameters)
}

#[unsafe(no_mangle)]
pub fn bare_tables_len(parameters: &SceneParameters<'_>) -> Result<TablesLen, Error> {
    parameters.tables_len()
}

#[unsafe(no_mangle)]
pub fn bare_fill<'a>(parameters: &SceneParameters<'a>, tables: SceneTables<'a>) -> Result<Scene<'a>, Error> {
    parameters.fill(tables)
}

#[unsafe(no_mangle)]
pub fn bare_rows_f32(
    scene: &Scene<'_>,
    rows: Range<usize>,
    pixels: &mut [f32],
    carry: &mut Carryover<'_>,
) -> Result<RowReport, Error> {
    scene.render_rows(rows, pixels, carry)
}

#[unsafe(no_mangle)]
pub fn bare_rows_f64(
    scene: &Scene<'_>,
    rows: Range<usize>,
    pixels: &mut [f64],
    carry: &mut Carryover<'_>,
) -> Result<RowReport, Error> {
    scene.render_rows(rows, pixels, carry)
}

#[unsafe(no_mangle)]
pub fn bare_pixel(scene: &Scene<'_>, at: [usize; 2], carry: &mut Carryover<'_>) -> Result<f64, Error> {
    scene.render_pixel(at[0], at[1], carry)
}

#[unsafe(no_mangle)]
pub fn bare_latch(
    scene: &Scene<'_>,
    rows: Range<usize>,
    carry: &Carryover<'_>,
) -> Result<Option<LatchPoint>, Error> {
    scene.find_latch(rows, carry)
}

#[unsafe(no_mangle)]
pub fn bare_probe(
    scene: &Scene<'_>,
    at: [usize; 2],
    carry: &Carryover<'_>,
    step: &mut dyn FnMut(&StepProbe),
) -> Result<PixelProbe, Error> {
    scene.probe_pixel(at[0], at[1], carry, step)
}

#[unsafe(no_mangle)]
pub fn bare_contributions(
    scene: &Scene<'_>,
    rows: Range<usize>,
    pixels: &mut [Contributions],
    carry: &Carryover<'_>,
) -> Result<(), Error> {
    scene.sum_contributions(rows, pixels, carry)
}

#[unsafe(no_mangle)]
pub fn bare_streams(scene: &Scene<'_>, slots: &mut [Slot]) -> Result<(), Error> {
    open_streams(scene, slots)
}

#[unsafe(no_mangle)]
pub fn bare_selection<'a>(scene: &Scene<'a>, mask: &'a [u16]) -> Result<Scene<'a>, Error> {
    scene.with_selection(mask)
}

#[unsafe(no_mangle)]
pub fn bare_pixels(scene: &Scene<'_>, threads: usize, slots: &mut [Slot]) -> Result<(), Error> {
    open_pixels(scene, threads, slots)
}

#[unsafe(no_mangle)]
pub fn bare_use(scene: &Scene<'_>, at: [usize; 2], carry: &Carryover<'_>) -> Result<CarryUse, Error> {
    scene.carry_use(carry, at[0], at[1])
}

#[unsafe(no_mangle)]
pub fn bare_orientations<'a>(
    cell: Orientation,
    sweep: PhiSweep,
    domains: &'a [Mat3],
    entries: &'a mut [Orientation],
) -> Result<OrientationTable<'a>, Error> {
    fill_orientations(cell, sweep, domains, entries)
}

#[unsafe(no_mangle)]
pub fn bare_mosaic(spread_rad: f64, seed: i64, domains: &mut [Mat3]) -> Result<(), Error> {
    fill_mosaic(spread_rad, seed, domains)
}

#[unsafe(no_mangle)]
pub fn bare_detector(parameters: &DetectorParameters, mode: PhiMode) -> Result<Detector, Error> {
    Detector::new(parameters, mode)
}

#[unsafe(no_mangle)]
pub fn bare_crystal(parameters: &CrystalParameters) -> Result<Crystal, Error> {
    Crystal::new(parameters)
}

#[unsafe(no_mangle)]
pub fn bare_sources(grid: &SourceGrid, detector: &Detector, sources: &mut [Source]) -> Result<usize, Error> {
    grid.fill(&detector.frame(), sources)
}

#[unsafe(no_mangle)]
pub fn bare_on_panel<'a>(
    scene: Scene<'a>,
    panel: Panel,
    roi: Roi,
    mask: Option<&'a [u16]>,
) -> Result<Scene<'a>, Error> {
    scene.on_panel(panel, roi, mask)
}

#[unsafe(no_mangle)]
pub fn bare_steps(axis: Axis, phi: StepRequest, other: StepRequest) -> Result<[Steps; 2], Error> {
    Ok([phi_steps(phi)?, axis_steps(axis, other)?])
}

#[unsafe(no_mangle)]
pub fn bare_grid(min: [i32; 3], len: [usize; 3], data: &[f64]) -> Result<HklGrid<'_>, Error> {
    HklGrid::new(min, len, data)
}

#[unsafe(no_mangle)]
pub fn bare_turns<'a>(
    table: &OrientationTable<'_>,
    buffers: OrientationDerivativeBuffers<'a>,
) -> Result<OrientationDerivatives<'a>, Error> {
    fill_orientation_derivatives(table, buffers)
}

#[unsafe(no_mangle)]
pub fn bare_spread_shares<'a>(
    turns: OrientationDerivatives<'a>,
    table: &OrientationTable<'_>,
    spreads: &SpreadTensor,
    axes: &[Vec3],
    shares: &'a mut [[f64; 3]],
) -> Result<OrientationDerivatives<'a>, Error> {
    shares.iter_mut().zip(axes).for_each(|(shares, axis)| *shares = spreads.shares(*axis));
    turns.with_spread_shares(table, shares)
}

#[unsafe(no_mangle)]
pub fn bare_spreads(spread: MosaicSpread, cell: &Orientation, axis: Vec3) -> Result<f64, Error> {
    Ok(SpreadTensor::new(spread, cell)?.about(axis))
}

#[unsafe(no_mangle)]
pub fn bare_scaled(u: &Mat3, scale: f64) -> Mat3 {
    scaled_rotation(u, scale)
}

#[unsafe(no_mangle)]
pub fn bare_pullback(
    scene: &Scene<'_>,
    turns: &OrientationDerivatives<'_>,
    rows: Range<usize>,
    weights: &[f64],
    carry: &Carryover<'_>,
    sums: &mut Sums<'_>,
) -> Result<(), Error> {
    scene.pullback_rows(turns, rows, weights, carry, sums)
}

#[unsafe(no_mangle)]
pub fn bare_pushforward(
    scene: &Scene<'_>,
    turns: &OrientationDerivatives<'_>,
    rows: Range<usize>,
    directions: &[Variables],
    carry: &Carryover<'_>,
    images: &mut [f64],
) -> Result<(), Error> {
    scene.pushforward_rows(turns, rows, directions, carry, images)
}

#[unsafe(no_mangle)]
pub fn bare_along(directions: &[Variables]) -> Wanted {
    Wanted::along(directions)
}

#[unsafe(no_mangle)]
pub fn bare_model(
    crystal: CrystalParameters,
    detector: DetectorParameters,
    mode: PhiMode,
    phi_steps: usize,
    default_f: f64,
) -> Result<Model, Error> {
    Model::new(crystal, detector, mode, phi_steps, default_f)
}

#[unsafe(no_mangle)]
pub fn bare_variables(model: &Model, moves: &Moves) -> Result<Variables, Error> {
    model.variables(moves)
}

#[unsafe(no_mangle)]
pub fn bare_direction(model: &Model, moves: &Moves, parameter: Parameter) -> Result<Variables, Error> {
    model.direction(moves, parameter)
}

#[unsafe(no_mangle)]
pub fn bare_dot(sums: &Variables, direction: &Variables) -> f64 {
    sums.dot(direction)
}

#[unsafe(no_mangle)]
pub fn bare_point_spread(
    shape: &PointSpread,
    spread: &Spread<'_>,
    rows: Range<usize>,
    shares: &mut [f64],
    out: &mut [f32],
) -> Result<(), Error> {
    shape.fill_row(spread.size, rows.start, shares);
    spread.add_to_rows(Simd::detect(), rows, out)
}

#[unsafe(no_mangle)]
pub fn bare_point_spread_f64(
    spread: &Spread<'_, f64>,
    rows: Range<usize>,
    out: &mut [f64],
) -> Result<(), Error> {
    spread.add_to_rows(Simd::detect(), rows, out)
}

#[unsafe(no_mangle)]
pub fn bare_simtbx(noise: &SimtbxNoise, seeds: [i64; 2], pixels: &mut [f64]) {
    let mut streams = SimtbxStreams::new(seeds[0], seeds[1]);
    noise.count_all(&mut streams, &mut *pixels);
    noise.calibrate_all(&mut streams, &mut *pixels);
    noise.read_out_all(&mut streams, pixels);
}

#[unsafe(no_mangle)]
pub fn bare_background(
    background: &Background<'_>,
    at: [usize; 2],
    search: &mut Search,
    bins: &[u32],
    values: &[f32],
    statistics: &mut [BinStatistics],
) -> BackgroundPixel {
    fill_statistics(bins, values, statistics);
    background.pixel(at, search)
}

#[unsafe(no_mangle)]
pub fn bare_curve<'t>(
    points: &[RadialPoint],
    lines: &[BeamLine],
    room: &mut [f64],
    profile: &'t mut [f64],
) -> Result<Profile<'t>, Error> {
    Profile::fill(&Curve::fill(points, 1e10, room)?, lines, [0.0, 1.0], profile)
}

#[unsafe(no_mangle)]
pub fn bare_matter(
    matter: &AmorphousMatter<'_>,
    slow: usize,
    columns: Range<usize>,
    photons: &mut [f64],
) -> Result<(), Error> {
    matter.add_to_row(Simd::detect(), slow, columns, photons)
}

#[unsafe(no_mangle)]
pub fn bare_shares(
    form: Form,
    (width_px, radius): (f64, usize),
    room: &mut [f64],
    (size, photons): ([usize; 2], &[f32]),
    (scratch, out): (&mut [f64], &mut [f32]),
) -> Result<(), Error> {
    let shares = Shares::fill(form, width_px, radius, room)?;
    shares.spread_rows(Simd::detect(), size, photons, 0..size[1], scratch, out)?;
    let shares = GaussShares::fill(width_px, room)?;
    shares.spread_rows(Simd::detect(), size, photons, 0..size[1], scratch, out)
}

#[unsafe(no_mangle)]
pub fn bare_noise(
    noise: &PhotonNoise,
    readout: &Readout,
    streams: &mut SharedStreams,
    pixels: &mut [f32],
    out: &mut [u16],
) -> Result<usize, Error> {
    noise.count_all(Simd::detect(), streams, pixels);
    readout.store_all(Simd::detect(), streams, pixels, 65_535.0, out)
}

#[unsafe(no_mangle)]
pub fn bare_deviates(stream: &Stream, first: u32, means: &mut [f32], gauss: &mut [f64], uniform: &mut [f64]) {
    let simd = Simd::detect();
    stream.draw_poisson(simd, first, means);
    stream.fill_gauss(simd, first, gauss);
    stream.fill_uniform(simd, first, uniform);
}

#[unsafe(no_mangle)]
pub fn bare_detector_noise(
    place: Place,
    dead_time: &DeadTime,
    common: &CommonMode,
    gain_map: &mut [f32],
    bad: &mut [u32],
    (pixels, stored, mask): (&mut [f32], &mut [i32], &[u16]),
) -> Result<(), Error> {
    let Place { simd, seed, frame, panel, first } = place;
    fill_gain_map(simd, 0.03, seed, panel, first, gain_map);
    fill_bad_pixels(simd, seed, panel, pixels.len() as u32, 0, bad)?;
    let expected = Expected::new(place, pixels).times(shot_factor(simd, 0.02, seed, frame)).flicker(0.01);
    let signal = expected.count().lose(dead_time).amplify(1.5, Some(gain_map))?;
    let signal = signal.add_pedestal(40.0).add_common_mode(common).read_out(3.0);
    signal.store_into(Limits { least: 0, largest: 65_535 }, stored)?.set(bad, 0).mask(mask, -1)
}

#[unsafe(no_mangle)]
pub fn bare_gain_switching(
    place: Place,
    switching: &GainSwitching,
    differences: &PixelDifferences<'_>,
    pixels: &mut [f32],
    words: &mut [i32],
) -> Result<usize, Error> {
    let counts = Expected::new(place, pixels).count();
    Ok(counts.switch_gain(switching, differences, words)?.saturated())
}

#[unsafe(no_mangle)]
pub fn bare_listed<'s>(
    light: &Light<'s, '_>,
    lists: &[SpotList<'s>],
    turns: &OrientationDerivatives<'_>,
    rows: Range<usize>,
    weights: &[f64],
    carry: &Carryover<'_>,
    sums: &mut Sums<'_>,
) -> Result<(), Error> {
    light.left_out_of_derivatives(turns)?;
    light.pullback_rows(lists, turns, rows, weights, carry, sums)
}
