//! The reference's serial pixel loop, with the two kinds of state that outlive a pixel.
//!
//! The loops run, from outer to inner, over sensor layer, slow subpixel, fast subpixel, source, phi step,
//! mosaic domain. In [`Mode::CParity`] two things outlive a pixel: the rotated cell, which is not recomputed
//! where phi is exactly 0, and the interpolation latch, which the first evaluation outside the grid sets for
//! good. Both depend only on a pixel's place in the serial order, so that single pixels can be rendered
//! alone.
//!
//! In [`Mode::Spec`] every term is multiplied by the weight of its source, by what its layer captures, and by the
//! factors whose oversample flag is set; water is added at the end.

use super::Simulation;
use super::command::Shape;
use super::functions::{Block, polarization_factor, polin3, sinc3, sinc3_precise, sincg, sincg_precise};
use super::input::{Grid, Source};
use super::sampling::Steps;
use super::vector::{Vector, add, dot, magnitude, scale, transform};
use core::f64::consts::PI;

/// Whether to reproduce the defects of the reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Reproduce it.
    CParity,
    /// The physics: what the reference does wrong is done right.
    Spec,
}

/// A whole image.
#[derive(Clone, Debug)]
pub struct Rendered {
    /// Pixels as stored, row by row.
    pub float: Vec<f32>,
    /// Pixels before they are rounded to f32.
    pub value: Vec<f64>,
    /// Number of evaluations for which interpolation was on and not possible; at most one in c-parity.
    pub fallbacks: u64,
    /// Whether interpolation was switched off during the image (c-parity only).
    pub latched: bool,
    /// Sum of the solid angles of all pixels, layers and subpixels, sr.
    pub omega_sum: f64,
    /// The solid angle that the reference prints: that sum divided by the number of steps.
    pub solid_angle: f64,
}

/// The lattice factors of one phi step, for the first mosaic domain of the pixel's first sweep.
#[derive(Clone, Debug)]
pub struct PhiTrace {
    /// Index of the step.
    pub phi_tic: usize,
    /// Spindle angle, radians.
    pub phi: f64,
    /// h, k, l.
    pub hkl_frac: Vector,
    /// Interference function along b; NaN for shapes without a factor per axis.
    pub F_latt_b: f64,
    /// Lattice factor of the crystal.
    pub F_latt: f64,
}

/// One pixel with its intermediate values. Those in the section "First" belong to the first evaluation (first
/// layer, subpixel, source, phi step and domain), and are NaN for a pixel without one. SI units unless stated
/// otherwise.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the names of the golden traces")]
pub struct PixelTrace {
    pub slow: usize,
    pub fast: usize,
    // First.
    pub pixel_pos: Vector,
    pub R_distance: f64,
    pub obliquity_factor: f64,
    pub diffracted_vec: Vector,
    pub incident_vec: Vector,
    pub lambda: f64,
    pub scattering_vec: Vector,
    pub cos_2theta: f64,
    /// Real axes after phi and mosaic rotation, metres.
    pub rot_a: Vector,
    pub rot_b: Vector,
    pub rot_c: Vector,
    pub hkl_frac: Vector,
    pub hkl_rounded: Vector,
    pub F_latt_a: f64,
    pub F_latt_b: f64,
    pub F_latt_c: f64,
    pub F_latt: f64,
    /// Also NaN where F_latt is 0, because the structure factor is not looked up then.
    pub F_cell: f64,
    // The pixel.
    pub capture_fraction: f64,
    pub polar: f64,
    pub omega_pixel: f64,
    pub I_before_scaling: f64,
    /// The pixel before it is stored.
    pub I_pixel_final: f64,
    /// The pixel as stored.
    pub floatimage: f32,
    pub per_phi: Vec<PhiTrace>,
}

impl PixelTrace {
    fn new(slow: usize, fast: usize) -> Self {
        const UNKNOWN: Vector = [f64::NAN; 3];
        PixelTrace {
            slow,
            fast,
            pixel_pos: UNKNOWN,
            R_distance: f64::NAN,
            obliquity_factor: f64::NAN,
            diffracted_vec: UNKNOWN,
            incident_vec: UNKNOWN,
            lambda: f64::NAN,
            scattering_vec: UNKNOWN,
            cos_2theta: f64::NAN,
            rot_a: UNKNOWN,
            rot_b: UNKNOWN,
            rot_c: UNKNOWN,
            hkl_frac: UNKNOWN,
            hkl_rounded: UNKNOWN,
            F_latt_a: f64::NAN,
            F_latt_b: f64::NAN,
            F_latt_c: f64::NAN,
            F_latt: f64::NAN,
            F_cell: f64::NAN,
            capture_fraction: f64::NAN,
            polar: f64::NAN,
            omega_pixel: f64::NAN,
            I_before_scaling: f64::NAN,
            I_pixel_final: 0.0,
            floatimage: 0.0,
            per_phi: Vec::new(),
        }
    }
}

/// The state that outlives a pixel.
struct Memory {
    /// The cell of the last rotation, which a step at phi = 0 uses (c-parity).
    cell: [Vector; 3],
    /// Whether interpolation was switched off (c-parity).
    latched: bool,
    fallbacks: u64,
    omega_sum: f64,
}

/// The ray from the sample to one subpixel.
struct Ray {
    position: Vector,
    R: f64,
    direction: Vector,
}

/// Miller indices, fractional and rounded. An exact half is rounded down.
struct Indices {
    hkl: Vector,
    nearest: Vector,
}

impl Indices {
    fn new(cell: [Vector; 3], q: Vector) -> Indices {
        let hkl = cell.map(|axis| dot(axis, q));
        Indices { hkl, nearest: hkl.map(|index| (index - 0.5).ceil()) }
    }

    fn offset(&self) -> Vector {
        core::array::from_fn(|i| self.hkl[i] - self.nearest[i])
    }
}

/// The lattice factor, with its factors along the axes where the shape has them.
struct Lattice {
    along: Vector,
    F_latt: f64,
}

impl Simulation {
    /// Renders the whole image as the reference does with `reference_threads` threads.
    pub fn render(&self, mode: Mode, reference_threads: usize) -> Rendered {
        self.in_mode(mode).render_placed(mode, reference_threads)
    }

    fn render_placed(&self, mode: Mode, reference_threads: usize) -> Rendered {
        let [fast_pixels, slow_pixels] = self.detector.npixels;
        let mut memory = self.fresh_memory();
        let mut value = vec![0.0; fast_pixels * slow_pixels];
        for band in bands(slow_pixels, reference_threads) {
            memory.cell = self.unrotated();
            for slow in band {
                for fast in 0..fast_pixels {
                    value[slow * fast_pixels + fast] = self.pixel(mode, &mut memory, slow, fast, None);
                }
            }
        }
        Rendered {
            float: value.iter().map(|&v| v as f32).collect(),
            value,
            fallbacks: memory.fallbacks,
            latched: memory.latched,
            omega_sum: memory.omega_sum,
            solid_angle: memory.omega_sum / self.steps,
        }
    }

    /// Renders single pixels (slow, fast), with the values that [`Simulation::render`] gives them, and their
    /// intermediate values. Pixels outside the detector are left out.
    pub fn render_pixels(
        &self,
        mode: Mode,
        reference_threads: usize,
        pixels: &[(usize, usize)],
    ) -> Vec<PixelTrace> {
        self.in_mode(mode).render_placed_pixels(mode, reference_threads, pixels)
    }

    fn render_placed_pixels(
        &self,
        mode: Mode,
        reference_threads: usize,
        pixels: &[(usize, usize)],
    ) -> Vec<PixelTrace> {
        let [fast_pixels, slow_pixels] = self.detector.npixels;
        let bands = bands(slow_pixels, reference_threads);
        let firsts: Vec<Option<usize>> = match mode {
            Mode::CParity => bands.iter().map(|band| self.first_swept(band.clone())).collect(),
            Mode::Spec => vec![None; bands.len()],
        };
        let latch = if mode == Mode::CParity && self.interpolate { self.latch(&bands) } else { None };
        let mut traces = Vec::with_capacity(pixels.len());
        for &(slow, fast) in pixels {
            let Some(band) = bands.iter().position(|band| band.contains(&slow)) else { continue };
            if fast >= fast_pixels {
                continue;
            }
            let index = slow * fast_pixels + fast;
            let mut memory = self.fresh_memory();
            memory.latched = latch.is_some_and(|pixel| pixel < index);
            if firsts[band].is_some_and(|first| first < index) {
                memory.cell = self.left_behind();
            }
            let mut trace = PixelTrace::new(slow, fast);
            trace.I_pixel_final = self.pixel(mode, &mut memory, slow, fast, Some(&mut trace));
            trace.floatimage = trace.I_pixel_final as f32;
            traces.push(trace);
        }
        traces
    }

    fn fresh_memory(&self) -> Memory {
        Memory { cell: self.unrotated(), latched: false, fallbacks: 0, omega_sum: 0.0 }
    }

    fn unrotated(&self) -> [Vector; 3] {
        [self.crystal.a, self.crystal.b, self.crystal.c]
    }

    /// The cell after a complete sweep: that of the last step with a phi other than 0.
    fn left_behind(&self) -> [Vector; 3] {
        let last = self.phi.iter().rposition(|&phi| phi != 0.0);
        last.map_or_else(|| self.unrotated(), |i| self.rotated[i])
    }

    /// The first pixel of a band that is swept; mask, region of interest and dmin exclude others.
    fn first_swept(&self, band: core::ops::Range<usize>) -> Option<usize> {
        let fast_pixels = self.detector.npixels[0];
        let mut pixels = band.flat_map(|slow| (0..fast_pixels).map(move |fast| (slow, fast)));
        pixels.find(|&(slow, fast)| self.is_swept(slow, fast)).map(|(slow, fast)| slow * fast_pixels + fast)
    }

    fn is_swept(&self, slow: usize, fast: usize) -> bool {
        self.is_rendered(slow, fast)
            && (0..self.layers.count).any(|layer| {
                (0..self.oversample * self.oversample).any(|sub| {
                    let depth = layer as f64 * self.layers.step;
                    let ray = self.ray(slow, fast, sub / self.oversample, sub % self.oversample, depth);
                    self.sources.iter().any(|source| self.scattering(source, ray.direction).is_some())
                })
            })
    }

    /// The pixel in which interpolation is switched off, found by rendering the image in order.
    fn latch(&self, bands: &[core::ops::Range<usize>]) -> Option<usize> {
        let fast_pixels = self.detector.npixels[0];
        let mut memory = self.fresh_memory();
        for band in bands {
            memory.cell = self.unrotated();
            for slow in band.clone() {
                for fast in 0..fast_pixels {
                    self.pixel(Mode::CParity, &mut memory, slow, fast, None);
                    if memory.latched {
                        return Some(slow * fast_pixels + fast);
                    }
                }
            }
        }
        None
    }

    /// The value of one pixel.
    fn pixel(
        &self,
        mode: Mode,
        memory: &mut Memory,
        slow: usize,
        fast: usize,
        mut trace: Option<&mut PixelTrace>,
    ) -> f64 {
        if !self.is_rendered(slow, fast) {
            return 0.0;
        }
        let spec = mode == Mode::Spec;
        let layers = if spec { self.spec_layers } else { self.layers };
        let sources: Vec<&Source> =
            self.sources.iter().filter(|source| !spec || source.weight != 0.0).collect();
        let weights: f64 = sources.iter().map(|source| if spec { source.weight } else { 1.0 }).sum();
        let mean_weight = weights / sources.len() as f64;
        let steps = self.steps / self.sources.len() as f64 * sources.len() as f64;
        let mut sum = if spec { 0.0 } else { self.background };
        // The reference evaluates the capture of a sensor without thickness where it oversamples it: 0.
        let mut capture = if self.oversample_thick && !spec { 0.0 } else { 1.0 };
        let mut omega = None;
        let mut polar = None;
        let mut water = 0.0;
        for layer in 0..layers.count {
            for sub in 0..self.oversample * self.oversample {
                let depth = layer as f64 * layers.step;
                let ray = self.ray(slow, fast, sub / self.oversample, sub % self.oversample, depth);
                let omega = if self.oversample_omega {
                    omega.insert(self.omega(&ray))
                } else {
                    omega.get_or_insert_with(|| self.omega(&ray))
                };
                memory.omega_sum += *omega;
                if layers.step > 0.0 && (sub == 0 || self.oversample_thick) {
                    capture = self.capture(&ray, depth, (layer + 1) as f64 * layers.step);
                }
                if spec && layer == 0 && sub == 0 {
                    water = self.spec_background(&ray, sources[0], *omega, layers);
                }
                for &source in &sources {
                    let Some(q) = self.scattering(source, ray.direction) else { continue };
                    let incident = scale(-1.0, source.direction);
                    if polar.is_none() || self.oversample_polar {
                        // The reference evaluates it for oversampling even where it is switched off.
                        let off = self.nopolar && (spec || !self.oversample_polar);
                        polar = Some(if off { 1.0 } else { self.polarisation(incident, ray.direction) });
                    }
                    for (phi_tic, &phi) in self.phi.iter().enumerate() {
                        let cell = self.cell_at(mode, memory, phi_tic);
                        for (domain, rotation) in self.crystal.mosaic.iter().enumerate() {
                            let cell =
                                if domain == 0 { cell } else { cell.map(|axis| transform(rotation, axis)) };
                            let indices = Indices::new(cell, q);
                            let lattice = self.lattice(&indices);
                            // The reference's sines are never exactly 0; the precise ones may be.
                            let vanishes = lattice.F_latt == 0.0 && self.shape != Shape::Square;
                            let counts = !vanishes || self.water != 0.0;
                            let F_cell = counts.then(|| self.structure_factor(mode, memory, &indices));
                            if let Some(F_cell) = F_cell
                                && spec
                            {
                                let term = F_cell * F_cell * lattice.F_latt * lattice.F_latt;
                                let polar = if self.oversample_polar { polar.unwrap_or(1.0) } else { 1.0 };
                                let omega = if self.oversample_omega { *omega } else { 1.0 };
                                sum += term * capture * (source.weight / mean_weight) * polar * omega;
                            } else if let Some(F_cell) = F_cell {
                                sum += F_cell * F_cell * lattice.F_latt * lattice.F_latt;
                                if self.oversample_thick {
                                    sum *= capture;
                                }
                                if self.oversample_polar {
                                    sum *= polar.unwrap_or(1.0);
                                }
                                if self.oversample_omega {
                                    sum *= *omega;
                                }
                            }
                            let Some(trace) = trace.as_deref_mut() else { continue };
                            if domain == 0 && trace.per_phi.len() == phi_tic {
                                if phi_tic == 0 {
                                    self.record(trace, &ray, source, q, cell, &indices, &lattice);
                                    trace.F_cell = F_cell.unwrap_or(f64::NAN);
                                }
                                trace.per_phi.push(PhiTrace {
                                    phi_tic,
                                    phi,
                                    hkl_frac: indices.hkl,
                                    F_latt_b: lattice.along[1],
                                    F_latt: lattice.F_latt,
                                });
                            }
                        }
                    }
                }
            }
        }
        // Where dmin excludes all sources, the reference never sets the polarisation.
        let polar = polar.unwrap_or(if self.nopolar || self.oversample_polar || spec { 1.0 } else { 0.0 });
        let omega = omega.unwrap_or(1.0);
        let mut value = super::R_E_SQR * self.fluence * sum / steps;
        if !self.oversample_thick && !spec {
            value *= capture;
        }
        if !self.oversample_polar {
            value *= polar;
        }
        if !self.oversample_omega {
            value *= omega;
        }
        if let Some(trace) = trace {
            trace.capture_fraction = capture;
            trace.polar = polar;
            trace.omega_pixel = omega;
            trace.I_before_scaling = sum;
        }
        value + water
    }

    #[expect(clippy::too_many_arguments, reason = "all intermediate values of one step")]
    fn record(
        &self,
        trace: &mut PixelTrace,
        ray: &Ray,
        source: &Source,
        q: Vector,
        cell: [Vector; 3],
        indices: &Indices,
        lattice: &Lattice,
    ) {
        trace.pixel_pos = ray.position;
        trace.R_distance = ray.R;
        trace.obliquity_factor = self.detector.close_distance / ray.R;
        trace.diffracted_vec = ray.direction;
        trace.incident_vec = scale(-1.0, source.direction);
        trace.lambda = source.lambda;
        trace.scattering_vec = q;
        trace.cos_2theta = dot(trace.incident_vec, ray.direction);
        [trace.rot_a, trace.rot_b, trace.rot_c] = cell;
        trace.hkl_frac = indices.hkl;
        trace.hkl_rounded = indices.nearest;
        [trace.F_latt_a, trace.F_latt_b, trace.F_latt_c] = lattice.along;
        trace.F_latt = lattice.F_latt;
    }

    fn ray(&self, slow: usize, fast: usize, sub_slow: usize, sub_fast: usize, depth: f64) -> Ray {
        let n = self.oversample;
        let subpixel = [fast * n + sub_fast, slow * n + sub_slow];
        let position = self.detector.position(subpixel, n, depth, self.curved);
        let R = magnitude(position);
        Ray { position, R, direction: position.map(|x| x / R) }
    }

    /// Solid angle of a pixel seen from the sample, sr.
    fn omega(&self, ray: &Ray) -> f64 {
        if self.point_pixel {
            1.0 / ray.R / ray.R
        } else {
            let px = self.detector.pixel;
            px * px / ray.R / ray.R * self.detector.close_distance / ray.R
        }
    }

    /// Fraction of the photons that the sensor absorbs between two depths.
    fn capture(&self, ray: &Ray, from: f64, to: f64) -> f64 {
        let parallax = dot(ray.direction, self.detector.o);
        (-from * self.mu / parallax).exp() - (-to * self.mu / parallax).exp()
    }

    /// The water of spec, as the first subpixel sees it.
    fn spec_background(&self, ray: &Ray, first: &Source, omega: f64, layers: Steps) -> f64 {
        let incident = scale(-1.0, first.direction);
        let polar = if self.nopolar { 1.0 } else { self.polarisation(incident, ray.direction) };
        let thickness = layers.count as f64 * layers.step;
        let capture = if layers.step > 0.0 { self.capture(ray, 0.0, thickness) } else { 1.0 };
        self.background * polar * omega * capture
    }

    fn polarisation(&self, incident: Vector, diffracted: Vector) -> f64 {
        polarization_factor(self.kahn, incident, diffracted, self.detector.p)
    }

    /// The scattering vector of a source, 1/m; `None` beyond the resolution limit dmin.
    fn scattering(&self, source: &Source, direction: Vector) -> Option<Vector> {
        let q = add(direction, source.direction).map(|x| x / source.lambda);
        let d_spacing = 1.0 / magnitude(q);
        let cut = d_spacing < self.dmin;
        (!cut).then_some(q)
    }

    /// The real axes at a phi step. In c-parity a step at phi = 0 uses the cell of the step before it.
    fn cell_at(&self, mode: Mode, memory: &mut Memory, phi_tic: usize) -> [Vector; 3] {
        let moves = self.phi[phi_tic] != 0.0;
        match mode {
            Mode::CParity => {
                if moves {
                    memory.cell = self.rotated[phi_tic];
                }
                memory.cell
            }
            Mode::Spec if moves => self.rotated[phi_tic],
            Mode::Spec => self.unrotated(),
        }
    }

    fn lattice(&self, indices: &Indices) -> Lattice {
        let N = self.crystal.N.map(|n| n as f64);
        let cells = N[0] * N[1] * N[2];
        let d = indices.offset();
        let whole = |F_latt: f64| Lattice { along: [f64::NAN; 3], F_latt };
        // Squared distance to the nearest reflection, in units of the spot size.
        let rs_sqr = || {
            let [a, b, c] = self.crystal.recip;
            let r: Vector = core::array::from_fn(|i| d[0] * a[i] + d[1] * b[i] + d[2] * c[i]);
            dot(r, r) * N[0] * N[0] * N[1] * N[1] * N[2] * N[2]
        };
        match self.shape {
            Shape::Square => {
                let along: Vector = core::array::from_fn(|i| match indices.hkl[i] {
                    _ if N[i] <= 1.0 => 1.0,
                    h if self.precise => sincg_precise(h, N[i]),
                    h => sincg(PI * h, N[i]),
                });
                Lattice { along, F_latt: along[0] * along[1] * along[2] }
            }
            Shape::Round => {
                let hr_sqr =
                    d[0] * d[0] * N[0] * N[0] + d[1] * d[1] * N[1] * N[1] + d[2] * d[2] * N[2] * N[2];
                let x = PI * (hr_sqr * self.fudge).sqrt();
                whole(cells * 0.723601254558268 * if self.precise { sinc3_precise(x) } else { sinc3(x) })
            }
            Shape::Gauss => whole(cells * (-(rs_sqr() / 0.63 * self.fudge)).exp()),
            Shape::Tophat => whole(if rs_sqr() * self.fudge < 0.3969 { cells } else { 0.0 }),
        }
    }

    fn structure_factor(&self, mode: Mode, memory: &mut Memory, indices: &Indices) -> f64 {
        let Some(grid) = &self.grid else { return self.default_F };
        if self.interpolate && !memory.latched {
            if let Some(block) = block(grid, indices.hkl) {
                let [h, k, l] = indices.hkl;
                return polin3(&block, h, k, l);
            }
            memory.fallbacks += 1;
            memory.latched = mode == Mode::CParity;
        }
        // A cast would map NaN and infinite indices to indices inside the grid, so they are excluded first.
        let nearest = indices.nearest;
        let inside = nearest.iter().all(|index| index.abs() < 1e15);
        let at = if inside { grid.offset(nearest.map(|index| index as i64)) } else { None };
        at.map_or(self.default_F, |at| grid.F[at])
    }
}

/// The 4 x 4 x 4 values around an index; `None` where the reference does not interpolate.
fn block(grid: &Grid, hkl: Vector) -> Option<Block> {
    for ((index, min), range) in hkl.iter().zip(grid.min).zip(grid.range) {
        let (min, range) = (min as f64, range as f64);
        let usable = index - 2.0 >= min && index - min + 3.0 <= range;
        if !usable {
            return None;
        }
    }
    let corner = hkl.map(|index| index.floor() as i64 - 1);
    let mut block = Block::default();
    for (i, plane) in block.iter_mut().enumerate() {
        for (j, row) in plane.iter_mut().enumerate() {
            for (m, value) in row.iter_mut().enumerate() {
                let at = [corner[0] + i as i64, corner[1] + j as i64, corner[2] + m as i64];
                *value = grid.F[grid.offset(at)?];
            }
        }
    }
    Some(block)
}

/// The rows of each thread, in order. Where they do not divide evenly, the first threads take one row more.
fn bands(rows: usize, threads: usize) -> Vec<core::ops::Range<usize>> {
    let threads = threads.clamp(1, rows);
    let (each, extra) = (rows / threads, rows % threads);
    let mut start = 0;
    (0..threads)
        .map(|thread| {
            let end = start + each + usize::from(thread < extra);
            let band = start..end;
            start = end;
            band
        })
        .collect()
}
