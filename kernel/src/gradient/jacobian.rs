//! The derivatives of the pixels of a vector with respect to all variables, accumulated by an observer of the
//! general loop.
//!
//! **Formulas.** For a step with the term T = F_cell^2 F_latt^2:
//!
//! ```text
//! dT/da         = g_h M^T q               the cell, in its own frame; b and c likewise
//! dT/dx         = g_h (da/dx . q) + ...   x: a variable that rotates the orientations individually
//! dT/dq         = g_h a + g_k b + g_l c
//! dT/dd         = (dT/dq)/lambda
//! dT/dP         = (v - d (d.v))/R         v = dT/dd; axes and origin follow from P = pix0 + F f + S s + O o
//! dT/dln lambda = -q . dT/dq                       and dT/dlambda of a shift, the same divided by lambda
//! dT/dN         = 2 F_cell^2 F_latt d(F_latt)/dN   lattice/cell_slopes
//! dT/dln eta_i  = share_i dT/dx                    x: the mosaic factor; share_i: of eta_a, eta_b, eta_c in the domain
//! ```
//!
//! Solid angle, captured fraction and polarisation add their logarithmic derivatives. If a term is multiplied by
//! f, the derivative J of the sum becomes J + dT f, and T f d(ln f) is added; if in c-parity the running sum is
//! multiplied by f, J becomes (J + dT) f, and (sum + T) f d(ln f) is added.
//!
//! **Symbols.** g = dT/d(h, k, l); M: rotation of the cell in the step; q: scattering vector; x: phi, its
//! step or the mosaic factor; d: unit vector to the pixel at P = R d.

use super::Wanted;
use super::detector_derivatives::{DetectorDerivatives, inverse_or_zero};
use super::orientation_derivatives::{OrientationDerivatives, by_mosaic};
use super::variables::group;
use crate::beam::{PolarizationFrame, Source};
use crate::lanes::{Lanes, Level};
use crate::lattice::CellSlopes;
use crate::panel::Panel;
use crate::render::accumulate::{Accumulation, StepFactor};
use crate::render::geometry::LaneVec;
use crate::render::observer::{ObservedPixel, ObservedStep, Observer, Site};
use crate::rotation::{IDENTITY, Mat3, Orientation};
use crate::scene::{Scene, Sensor};
use crate::structure_factor::{Located, Lookup};

/// The accumulated derivatives of the pixels of a vector. Only with `CELLS` are there those with respect to the cells, for
/// which the loops of the other derivatives have no instruction.
pub(super) struct Jacobian<'t, F: Lanes, const CELLS: bool> {
    turns: &'t OrientationDerivatives<'t>,
    domains: &'t [Mat3],
    wanted: Wanted,
    /// Whether derivatives with respect to structure factors are wanted. They need the logarithms of the
    /// factors that multiply the sum.
    scatters: bool,
    /// Capture, polarisation and solid angle: whether each belongs to the steps.
    of_steps: [bool; 3],
    /// What the sum starts from.
    background: f64,
    point_pixel: bool,
    /// What the background depends on beside the solid angle.
    polarization: Option<PolarizationFrame>,
    sensor: Sensor,
    /// Derivatives of the running sum with respect to the cell, the reciprocal axes, the variables that
    /// rotate the orientations (phi, step, mosaic factor), and the detector.
    cell: [LaneVec<F>; 3],
    reciprocal: [LaneVec<F>; 3],
    rotation: [F; 3],
    detector: DetectorDerivatives<F>,
    ln_lambda: F,
    lambda: F,
    default_f: F,
    /// How F_latt changes with the cells, and the derivatives of the running sum with respect to these.
    cell_slopes: CellSlopes<F>,
    cells: [F; 6],
    /// With respect to the mosaic spreads about a, b and c.
    spreads: [F; 3],
    /// Sums of the derivatives of the steps of the current source with respect to q, and of the current
    /// subpixel with respect to the direction.
    by_q: LaneVec<F>,
    by_direction: LaneVec<F>,
    /// Product of all factors by which what the sum starts from has been multiplied.
    multiplier: F,
    /// Sum of what the factors of the current source multiplied: of the terms, times the factor, or of the
    /// running sums at the steps, each times all later factors.
    multiplied: F,
    /// Logarithmic derivatives of solid angle, captured fraction and polarisation, and of the background.
    ln_omega: DetectorDerivatives<F>,
    ln_capture: DetectorDerivatives<F>,
    ln_polar: DetectorDerivatives<F>,
    ln_background: DetectorDerivatives<F>,
    /// Logarithms of the factor of the current source, and of the product of all factors of the sum.
    ln_factor: F,
    ln_multiplier: F,
    /// The finished pixel without background, this divided by the sum, and the background.
    value: F,
    value_per_sum: F,
    background_value: F,
}

/// A receiver of derivatives.
///
/// It is a trait, because a closure may be compiled without the instructions of the level.
pub(super) trait Sink<F> {
    /// Receives the derivative with respect to variable `at`.
    fn put(&mut self, at: usize, slope: F);
}

/// Passes the derivatives with respect to the components of a vector to `sink`.
#[inline(always)]
fn put_vector<F: Lanes>(sink: &mut impl Sink<F>, at: usize, v: LaneVec<F>, by: F) {
    sink.put(at, v.x * by);
    sink.put(at + 1, v.y * by);
    sink.put(at + 2, v.z * by);
}

impl<'t, F: Lanes, const CELLS: bool> Jacobian<'t, F, CELLS> {
    #[inline(always)]
    pub(super) fn new<L: Level<F = F>>(
        level: L,
        scene: &Scene<'_>,
        turns: &'t OrientationDerivatives<'t>,
        domains: &'t [Mat3],
        wanted: Wanted,
        scatters: bool,
    ) -> Self {
        let zero = level.splat(0.0);
        let v = LaneVec { x: zero, y: zero, z: zero };
        let p = scene.parts();
        let reciprocal = wanted.reciprocal && p.crystallite.varies_with_reciprocal_axes();
        Self {
            turns,
            domains,
            wanted: Wanted { reciprocal, ..wanted },
            scatters,
            of_steps: Accumulation::new(scene).of_steps(),
            background: scene.background,
            point_pixel: p.panel.point_pixel,
            polarization: scene.polarization,
            sensor: p.panel.sensor,
            cell: [v; 3],
            reciprocal: [v; 3],
            rotation: [zero; 3],
            detector: DetectorDerivatives::zero(zero),
            ln_lambda: zero,
            lambda: zero,
            default_f: zero,
            cell_slopes: CellSlopes::new(level, &p.crystallite),
            cells: [zero; 6],
            spreads: [zero; 3],
            by_q: v,
            by_direction: v,
            multiplier: level.splat(1.0),
            multiplied: zero,
            ln_omega: DetectorDerivatives::zero(zero),
            ln_capture: DetectorDerivatives::zero(zero),
            ln_polar: DetectorDerivatives::zero(zero),
            ln_background: DetectorDerivatives::zero(zero),
            ln_factor: zero,
            ln_multiplier: zero,
            value: zero,
            value_per_sum: zero,
            background_value: zero,
        }
    }

    /// Reports the wanted derivatives of the pixels that were finished last, multiplied by `by`, to `sink`.
    #[inline(always)]
    pub(super) fn report(&self, by: F, sink: &mut impl Sink<F>) {
        let (weight, value, background) =
            (self.value_per_sum * by, self.value * by, self.background_value * by);
        if self.wanted.cell {
            let [a, b, c] = self.cell;
            put_vector(sink, group::CELL.start, a, weight);
            put_vector(sink, group::CELL.start + 3, b, weight);
            put_vector(sink, group::CELL.start + 6, c, weight);
            if self.wanted.reciprocal {
                let [a, b, c] = self.reciprocal;
                put_vector(sink, group::RECIPROCAL.start, a, weight);
                put_vector(sink, group::RECIPROCAL.start + 3, b, weight);
                put_vector(sink, group::RECIPROCAL.start + 6, c, weight);
            }
        }
        let one = by.splat_like(1.0);
        if self.wanted.detector {
            let mut detector = DetectorDerivatives::zero(by.splat_like(0.0)).plus(weight, &self.detector);
            for (is_of_steps, slopes) in self.of_steps.into_iter().zip(self.ln_slopes()) {
                if !is_of_steps {
                    detector = detector.plus(value, &slopes);
                }
            }
            detector = detector.plus(background, &self.ln_background);
            let DetectorDerivatives { pix0, fast, slow, normal, close_distance, distance } = detector;
            put_vector(sink, group::PIX0.start, pix0, one);
            put_vector(sink, group::FAST.start, fast, one);
            put_vector(sink, group::SLOW.start, slow, one);
            put_vector(sink, group::NORMAL.start, normal, one);
            sink.put(group::CLOSE_DISTANCE.start, close_distance);
            sink.put(group::DISTANCE.start, distance);
        }
        let OrientationDerivatives { by_phi0, by_step, by_mosaic, spread_shares, .. } = *self.turns;
        let [phi0, step, mosaic] = self.rotation;
        let rotations = [(by_phi0, phi0), (by_step, step), (by_mosaic, mosaic)];
        for (i, (table, derivative)) in rotations.into_iter().enumerate() {
            if !table.is_empty() {
                sink.put(group::ROTATION.start + i, derivative * weight);
            }
        }
        if !by_mosaic.is_empty() && !spread_shares.is_empty() {
            for (at, derivative) in group::SPREADS.zip(self.spreads) {
                sink.put(at, derivative * weight);
            }
        }
        if self.wanted.wavelength {
            sink.put(group::LAMBDA.start, self.ln_lambda * weight);
            sink.put(group::LAMBDA_SHIFT.start, self.lambda * weight);
        }
        if CELLS && self.wanted.cells {
            for (at, derivative) in group::CELLS.zip(self.cells) {
                sink.put(at, derivative * weight);
            }
        }
        sink.put(
            group::FLUENCE.start,
            (self.multiplier * weight).mul_add(by.splat_like(self.background), value + background),
        );
        if self.wanted.default_f {
            sink.put(group::DEFAULT_F.start, self.default_f * weight);
        }
    }

    /// Returns the pixel divided by its sum, and the logarithm of the product of all factors of the sum.
    #[inline(always)]
    pub(super) fn scatter_weights(&self) -> (F, F) {
        (self.value_per_sum, self.ln_multiplier)
    }

    /// Resets the sums for the next pixels.
    #[inline(always)]
    pub(super) fn clear(&mut self, zero: F) {
        let v = LaneVec { x: zero, y: zero, z: zero };
        self.cell = [v; 3];
        self.reciprocal = [v; 3];
        self.rotation = [zero; 3];
        self.ln_lambda = zero;
        self.lambda = zero;
        self.default_f = zero;
        self.cells = [zero; 6];
        self.spreads = [zero; 3];
        self.multiplier = zero.splat_like(1.0);
        self.multiplied = zero;
        self.ln_multiplier = zero;
        if self.wanted.detector {
            self.detector = DetectorDerivatives::zero(zero);
            self.ln_omega = DetectorDerivatives::zero(zero);
            self.ln_capture = DetectorDerivatives::zero(zero);
            self.ln_polar = DetectorDerivatives::zero(zero);
            self.ln_background = DetectorDerivatives::zero(zero);
        }
    }

    /// Logarithmic derivatives of capture, polarisation and solid angle.
    #[inline(always)]
    fn ln_slopes(&self) -> [DetectorDerivatives<F>; 3] {
        [self.ln_capture, self.ln_polar, self.ln_omega]
    }

    /// Multiplies all derivatives by the factor that multiplied the running sum.
    #[inline(always)]
    fn multiply(&mut self, by: F) {
        for v in
            self.cell.iter_mut().chain(&mut self.reciprocal).chain([&mut self.by_q, &mut self.by_direction])
        {
            *v = v.scale(by);
        }
        for x in self.rotation.iter_mut().chain(&mut self.spreads) {
            *x = *x * by;
        }
        if CELLS {
            for x in &mut self.cells {
                *x = *x * by;
            }
        }
        self.ln_lambda = self.ln_lambda * by;
        self.lambda = self.lambda * by;
        self.default_f = self.default_f * by;
        self.multiplier = self.multiplier * by;
        self.multiplied = self.multiplied * by;
        self.detector = DetectorDerivatives::zero(by.splat_like(0.0)).plus(by, &self.detector);
    }

    /// Adds the derivative of one step with respect to a variable that rotates the orientations, and returns it.
    #[inline(always)]
    fn add_rotation(&mut self, which: usize, moved: &Orientation, q: &LaneVec<F>, [gh, gk, gl]: [F; 3]) -> F {
        let by = gh.mul_add(
            q.dot_scalar(moved.a_m),
            gk.mul_add(q.dot_scalar(moved.b_m), gl * q.dot_scalar(moved.c_m)),
        );
        if let Some(sum) = self.rotation.get_mut(which) {
            *sum = *sum + by;
        }
        by
    }

    /// Adds the derivative of the step of `entry` with respect to the mosaic factor, and to the spreads about a, b and c.
    #[inline(always)]
    fn add_mosaic(&mut self, entry: usize, moved: &Orientation, q: &LaneVec<F>, g: [F; 3]) {
        let by = self.add_rotation(2, moved, q, g);
        let all = self.turns.spread_shares;
        if let Some(domain) = entry.checked_rem(all.len())
            && let Some(shares) = all.get(domain)
        {
            for (sum, share) in self.spreads.iter_mut().zip(shares) {
                *sum = by.mul_add(by.splat_like(*share), *sum);
            }
        }
    }
}

impl<F: Lanes, const CELLS: bool> Jacobian<'_, F, CELLS> {
    /// Logarithmic derivatives of the solid angle at a site.
    #[inline(always)]
    fn ln_omega_at(&self, site: &Site<'_, F>) -> DetectorDerivatives<F> {
        let direction = &site.subpixel.direction;
        let power = if self.point_pixel { -2.0 } else { -3.0 };
        let per_distance = direction.inverse_distance * direction.inverse_distance.splat_like(power);
        let mut slopes = DetectorDerivatives::of_position(site, direction.diffracted.scale(per_distance));
        if !self.point_pixel {
            slopes.close_distance = per_distance.splat_like(1.0 / site.panel.close_distance_m);
        }
        slopes
    }
}

/// Logarithmic derivatives of the share that a layer captures which begins at a site.
#[inline(always)]
fn ln_capture_at<F: Lanes>(
    site: &Site<'_, F>,
    layer_m: f64,
    attenuation_per_m: f64,
) -> DetectorDerivatives<F> {
    let Panel { normal, .. } = *site.panel;
    let direction = &site.subpixel.direction;
    let (share, by_obliquity) =
        direction.capture_derivative(site.panel, site.depth_m, layer_m, attenuation_per_m);
    let by_obliquity = by_obliquity * inverse_or_zero(share);
    let normal = LaneVec::splat(share.level(), normal);
    let mut slopes = DetectorDerivatives::of_direction(site, normal.scale(by_obliquity));
    slopes.normal = direction.diffracted.times_plus(by_obliquity, slopes.normal);
    slopes
}

/// Logarithmic derivatives of the polarisation factor at a site.
#[inline(always)]
fn ln_polar_at<F: Lanes>(site: &Site<'_, F>, frame: &PolarizationFrame) -> DetectorDerivatives<F> {
    let (factor, slope) = site.subpixel.direction.polarization_derivative(frame);
    DetectorDerivatives::of_direction(site, slope.scale(inverse_or_zero(factor)))
}

impl<F: Lanes, const CELLS: bool> Observer<F> for Jacobian<'_, F, CELLS> {
    const DERIVATIVES: bool = true;

    #[inline(always)]
    fn omega(&mut self, site: &Site<'_, F>) {
        if self.wanted.detector {
            self.ln_omega = self.ln_omega_at(site);
        }
    }

    #[inline(always)]
    fn capture(&mut self, site: &Site<'_, F>, layer_m: f64, attenuation_per_m: f64) {
        if self.wanted.detector {
            self.ln_capture = ln_capture_at(site, layer_m, attenuation_per_m);
        }
    }

    #[inline(always)]
    fn polarization(&mut self, site: &Site<'_, F>, frame: &PolarizationFrame, lanes: F::Mask) {
        if self.wanted.detector {
            self.ln_polar = DetectorDerivatives::select(lanes, &ln_polar_at(site, frame), &self.ln_polar);
        }
    }

    #[inline(always)]
    fn background(&mut self, site: &Site<'_, F>) {
        if !self.wanted.detector {
            return;
        }
        let one = site.subpixel.along_fast_m.splat_like(1.0);
        self.ln_background = self.ln_omega_at(site);
        if let Some(frame) = &self.polarization {
            self.ln_background = self.ln_background.plus(one, &ln_polar_at(site, frame));
        }
        let Sensor { layer_m, attenuation_per_m, .. } = self.sensor;
        if layer_m > 0.0 {
            let capture = ln_capture_at(site, self.sensor.thickness_m(), attenuation_per_m);
            self.ln_background = self.ln_background.plus(one, &capture);
        }
    }

    #[inline(always)]
    fn begin_source(&mut self, factor: StepFactor<F>) {
        if let (true, StepFactor::RunningSum(factor)) = (self.scatters, factor) {
            self.ln_factor = logarithm(factor);
        }
    }

    #[inline(always)]
    fn step<K: Lookup<F>>(&mut self, step: &ObservedStep<'_, F>, located: &Located<'_, F, K>) {
        let zero = step.f_cell.splat_like(0.0);
        let lattice = &step.lattice;
        let amplitude = lattice.f_latt * step.f_cell;
        let mut twice = F::select(step.active, amplitude + amplitude, zero);
        if let StepFactor::Terms(factor) = step.factor {
            let term = F::select(step.active, amplitude * amplitude, zero);
            self.multiplied = term.mul_add(factor, self.multiplied);
            twice = twice * factor;
        }
        let by_f_latt = twice * step.f_cell;
        let [lh, lk, ll] = lattice.by_index;
        let mut g = [by_f_latt * lh, by_f_latt * lk, by_f_latt * ll];
        if K::SMOOTH {
            let by_f_cell = twice * lattice.f_latt;
            let ([gh, gk, gl], [fh, fk, fl]) = (g, step.f_cell_derivatives);
            g = [by_f_cell.mul_add(fh, gh), by_f_cell.mul_add(fk, gk), by_f_cell.mul_add(fl, gl)];
        }
        let [gh, gk, gl] = g;
        let q = step.scattering;
        let domain = || self.domains.get(step.entry % self.domains.len().max(1)).unwrap_or(&IDENTITY);
        if self.wanted.cell {
            let rotation = if step.is_opening {
                domain()
            } else {
                self.turns.rotations.get(step.entry).unwrap_or(&IDENTITY)
            };
            let here = q.rotated_back(rotation);
            let [a, b, c] = self.cell;
            self.cell = [here.times_plus(gh, a), here.times_plus(gk, b), here.times_plus(gl, c)];
            if self.wanted.reciprocal {
                let [ox, oy, oz] = lattice.by_offset;
                let offset = LaneVec { x: ox, y: oy, z: oz }.scale(by_f_latt);
                let ([a, b, c], [dh, dk, dl]) = (self.reciprocal, located.indices.offset);
                self.reciprocal =
                    [offset.times_plus(dh, a), offset.times_plus(dk, b), offset.times_plus(dl, c)];
            }
        }
        if step.is_opening {
            if !self.turns.by_mosaic.is_empty() {
                let moved = by_mosaic(domain(), *step.orientation);
                self.add_mosaic(step.entry, &moved, q, g);
            }
        } else {
            let OrientationDerivatives { by_phi0, by_step, by_mosaic, .. } = *self.turns;
            for (which, table) in [by_phi0, by_step].into_iter().enumerate() {
                if let Some(moved) = table.get(step.entry) {
                    self.add_rotation(which, moved, q, g);
                }
            }
            if let Some(moved) = by_mosaic.get(step.entry) {
                self.add_mosaic(step.entry, moved, q, g);
            }
        }
        if CELLS && self.wanted.cells {
            let slopes = self.cell_slopes.at(&located.indices, lattice);
            for (sum, slope) in self.cells.iter_mut().zip(slopes) {
                *sum = by_f_latt.mul_add(slope, *sum);
            }
        }
        if self.wanted.detector || self.wanted.wavelength {
            let Orientation { a_m, b_m, c_m } = *step.orientation;
            self.by_q = self.by_q.plus_scalar(gh, a_m).plus_scalar(gk, b_m).plus_scalar(gl, c_m);
        }
        if self.wanted.default_f {
            let share = located.scatter(step.active, step.evaluation, zero, &mut []);
            self.default_f = (twice * lattice.f_latt).mul_add(share, self.default_f);
        }
        if let StepFactor::RunningSum(factor) = step.factor {
            let one = zero.splat_like(1.0);
            self.multiply(F::select(step.active, factor, one));
            self.multiplied = self.multiplied + F::select(step.active, step.sum, zero);
            self.ln_multiplier = self.ln_multiplier + F::select(step.active, self.ln_factor, zero);
        }
    }

    #[inline(always)]
    fn end_source(&mut self, source: &Source, q: &LaneVec<F>) {
        let zero = q.x.splat_like(0.0);
        if self.wanted.wavelength {
            let along = self.by_q.dot(*q);
            self.ln_lambda = self.ln_lambda - along;
            self.lambda = along.neg_mul_add(zero.splat_like(1.0 / source.lambda_m), self.lambda);
        }
        let none = LaneVec { x: zero, y: zero, z: zero };
        if !self.wanted.detector {
            self.by_q = none;
            return;
        }
        self.by_direction = self.by_q.times_plus(zero.splat_like(1.0 / source.lambda_m), self.by_direction);
        self.by_q = none;
        for (is_of_steps, slopes) in self.of_steps.into_iter().zip(self.ln_slopes()) {
            if is_of_steps {
                self.detector = self.detector.plus(self.multiplied, &slopes);
            }
        }
        self.multiplied = zero;
    }

    #[inline(always)]
    fn end_subpixel(&mut self, site: &Site<'_, F>) {
        if !self.wanted.detector {
            return;
        }
        let one = site.subpixel.along_fast_m.splat_like(1.0);
        self.detector = self.detector.plus(one, &DetectorDerivatives::of_direction(site, self.by_direction));
        let zero = one.splat_like(0.0);
        self.by_direction = LaneVec { x: zero, y: zero, z: zero };
    }

    #[inline(always)]
    fn pixel(&mut self, pixel: &ObservedPixel<F>) {
        self.value = pixel.value - pixel.background;
        self.value_per_sum = pixel.value_per_sum;
        self.background_value = pixel.background;
    }
}

/// Computes the logarithm of each lane; a lane of 0 counts as the smallest positive normal number.
#[inline(always)]
pub(super) fn logarithm<F: Lanes>(x: F) -> F {
    let mut lanes = [0.0; 16];
    let numbers = x.to_array();
    lanes.iter_mut().zip(numbers.as_ref()).for_each(|(to, &x)| *to = libm::log(x.max(f64::MIN_POSITIVE)));
    x.level().load(&lanes, 0.0)
}
