//! The derivatives of the pixels of a vector by all variables of the scene, taken along as the general loop goes.
//!
//! **Formulas**, with T = F_cell^2 F_latt^2 of a step, M what turns the cell into its orientation, g = dT/d(h, k, l):
//!
//! ```text
//! dT/da    = g_h M^T q            the cell, in its own frame; b, c likewise
//! dT/dx    = g_h (da/dx . q) + ... what moves the orientations one by one: phi, mosaic spread
//! dT/dq    = g_h a + g_k b + g_l c
//! dT/dd    = (dT/dq)/lambda       d the unit vector to the pixel at P = R d
//! dT/dP    = (v - d (d.v))/R      v = dT/dd; P = pix0 + F f + S s + O o gives the detector's axes and origin
//! dT/dln lambda = -q . dT/dq
//! ```
//!
//! Solid angle, capture and polarisation have their logarithmic derivatives beside that. Where an oversample flag multiplies
//! the running sum by f, the sum's derivative J becomes (J + dT) f, and (sum + T) f d(ln f) is added.

use super::Wanted;
use super::turns::{TurnTable, by_mosaic};
use crate::beam::{PolarizationFrame, Source};
use crate::detector::Detector;
use crate::lanes::{Lanes, Level};
use crate::lattice::CrystalShape;
use crate::math::exp;
use crate::render::general::{Site, TappedPixel, TappedStep, Visit};
use crate::render::geometry::LaneVec;
use crate::rotation::{IDENTITY, Mat3, Orientation};
use crate::structure_factor::Lookup;

/// Derivatives by what places the detector.
#[derive(Debug, Clone, Copy)]
struct Place<F> {
    pix0: LaneVec<F>,
    fast: LaneVec<F>,
    slow: LaneVec<F>,
    normal: LaneVec<F>,
    close_distance: F,
    distance: F,
}

impl<F: Lanes> Place<F> {
    #[inline(always)]
    fn zero(zero: F) -> Self {
        let v = LaneVec { x: zero, y: zero, z: zero };
        Self { pix0: v, fast: v, slow: v, normal: v, close_distance: zero, distance: zero }
    }

    /// self + by * other.
    #[inline(always)]
    fn plus(self, by: F, other: &Self) -> Self {
        Self {
            pix0: other.pix0.times_plus(by, self.pix0),
            fast: other.fast.times_plus(by, self.fast),
            slow: other.slow.times_plus(by, self.slow),
            normal: other.normal.times_plus(by, self.normal),
            close_distance: other.close_distance.mul_add(by, self.close_distance),
            distance: other.distance.mul_add(by, self.distance),
        }
    }

    #[inline(always)]
    fn select(mask: F::Mask, yes: &Self, no: &Self) -> Self {
        Self {
            pix0: LaneVec::select(mask, yes.pix0, no.pix0),
            fast: LaneVec::select(mask, yes.fast, no.fast),
            slow: LaneVec::select(mask, yes.slow, no.slow),
            normal: LaneVec::select(mask, yes.normal, no.normal),
            close_distance: F::select(mask, yes.close_distance, no.close_distance),
            distance: F::select(mask, yes.distance, no.distance),
        }
    }

    /// What a derivative by the position at `site` is by what places it.
    #[inline(always)]
    fn of_position(site: &Site<'_, F>, by_position: LaneVec<F>) -> Self {
        let zero = by_position.x.splat_like(0.0);
        let mut place = Self::zero(zero);
        let by_flat = if site.detector.curved { place.unbend(site, by_position) } else { by_position };
        place.pix0 = by_flat;
        place.fast = by_flat.times_plus(site.place.along_fast_m, place.fast);
        place.slow = by_flat.times_plus(zero.splat_like(site.along_slow_m), place.slow);
        place.normal = by_flat.scale(zero.splat_like(site.depth_m));
        place
    }

    /// What a derivative by the unit vector to the site is by what places it.
    #[inline(always)]
    fn of_direction(site: &Site<'_, F>, by_direction: LaneVec<F>) -> Self {
        let direction = &site.place.direction;
        let d = direction.diffracted;
        let across = d.times_plus(-d.dot(by_direction), by_direction);
        Self::of_position(site, across.scale(direction.inverse_distance))
    }

    /// The derivative by the flat position that was bent to the site, given that by the site; adds what the axes and the radius do.
    #[inline(always)]
    fn unbend(&mut self, site: &Site<'_, F>, by_position: LaneVec<F>) -> LaneVec<F> {
        let Site { detector, place, along_slow_m, depth_m } = *site;
        let level = by_position.x.level();
        let per_distance = level.splat(1.0 / detector.distance_m);
        let row = along_slow_m * detector.slow + depth_m * detector.normal + detector.pix0_m;
        let flat =
            LaneVec::splat(level, detector.fast).times_plus(place.along_fast_m, LaneVec::splat(level, row));
        let (slow, fast) = (LaneVec::splat(level, detector.slow), LaneVec::splat(level, detector.fast));
        let spot = LaneVec::splat(level, detector.distance_m * detector.beam);
        let (about_slow, about_fast) = (flat.y * per_distance, flat.z * per_distance);
        let turned = spot.rotate(detector.slow, about_slow);
        let (by_turned, by_fast, by_about_fast) =
            turned.rotate_slopes(fast, about_fast, place.position_m, by_position);
        let (by_spot, by_slow, by_about_slow) = spot.rotate_slopes(slow, about_slow, turned, by_turned);
        self.fast = by_fast;
        self.slow = by_slow;
        let by_per_distance = flat.y.mul_add(by_about_slow, flat.z * by_about_fast);
        self.distance = by_spot.dot_scalar(detector.beam) - by_per_distance * per_distance * per_distance;
        LaneVec { x: level.splat(0.0), y: by_about_slow * per_distance, z: by_about_fast * per_distance }
    }
}

/// 1/x, 0 where x is 0: what is 0 has no slope worth a number.
#[inline(always)]
fn inverse_or_zero<F: Lanes>(x: F) -> F {
    let zero = x.splat_like(0.0);
    F::select(x.eq(zero), zero, x.splat_like(1.0) / x)
}

/// The derivatives of the pixels of a vector.
pub(super) struct Jacobian<'t, F: Lanes> {
    turns: &'t TurnTable<'t>,
    domains: &'t [Mat3],
    wanted: Wanted,
    /// Whether the grid is scattered to: then what multiplies the sum is told.
    scatters: bool,
    flags: [bool; 3],
    background: f64,
    point_pixel: bool,
    /// Derivatives of the running sum: by the cell, by reciprocal axes, by phi, step and mosaic factor, by the detector.
    cell: [LaneVec<F>; 3],
    reciprocal: [LaneVec<F>; 3],
    turned: [F; 3],
    place: Place<F>,
    ln_lambda: F,
    default_f: F,
    /// Of the source at hand, by q; of the subpixel at hand, by the direction.
    by_q: LaneVec<F>,
    by_direction: LaneVec<F>,
    /// What has become of the background.
    carried: F,
    /// Sums that the source at hand multiplied, and have been multiplied since.
    multiplied: F,
    /// Logarithmic derivatives of solid angle, captured share and polarisation.
    ln_omega: Place<F>,
    ln_capture: Place<F>,
    ln_polar: Place<F>,
    /// Logarithms of the factor of the source at hand, and of all that the sum has been multiplied by.
    ln_factor: F,
    ln_carried: F,
    /// When the pixel is done: its value, and value over sum.
    value: F,
    weight: F,
}

/// Where groups of variables begin.
const CELL: usize = 0;
const RECIPROCAL: usize = 9;
const DETECTOR: usize = 18;
const DISTANCES: usize = 30;
const TURNS: usize = 32;
const LAMBDA: usize = 35;
const FLUENCE: usize = 36;
const DEFAULT_F: usize = 37;

/// Takes derivatives one by one; a trait, since closures may be compiled without a level's instructions.
pub(super) trait Sink<F> {
    /// The derivative by variable `at`.
    fn put(&mut self, at: usize, slope: F);
}

/// Puts three derivatives.
#[inline(always)]
fn put_vector<F: Lanes>(sink: &mut impl Sink<F>, at: usize, v: LaneVec<F>, by: F) {
    sink.put(at, v.x * by);
    sink.put(at + 1, v.y * by);
    sink.put(at + 2, v.z * by);
}

impl<'t, F: Lanes> Jacobian<'t, F> {
    #[inline(always)]
    pub(super) fn new<L: Level<F = F>>(
        level: L,
        scene: &crate::render::Scene<'_>,
        turns: &'t TurnTable<'t>,
        domains: &'t [Mat3],
        wanted: Wanted,
        scatters: bool,
    ) -> Self {
        let zero = level.splat(0.0);
        let v = LaneVec { x: zero, y: zero, z: zero };
        let p = scene.parts();
        let reciprocal = wanted.reciprocal && p.lattice.shape == CrystalShape::Gauss;
        Self {
            turns,
            domains,
            wanted: Wanted { reciprocal, ..wanted },
            scatters,
            flags: [p.oversample.omega, p.oversample.thick, p.oversample.polar],
            background: scene.background,
            point_pixel: p.detector.point_pixel,
            cell: [v; 3],
            reciprocal: [v; 3],
            turned: [zero; 3],
            place: Place::zero(zero),
            ln_lambda: zero,
            default_f: zero,
            by_q: v,
            by_direction: v,
            carried: level.splat(1.0),
            multiplied: zero,
            ln_omega: Place::zero(zero),
            ln_capture: Place::zero(zero),
            ln_polar: Place::zero(zero),
            ln_factor: zero,
            ln_carried: zero,
            value: zero,
            weight: zero,
        }
    }

    /// Tells `sink` the derivatives of the pixels that were done last, times `by`; those that are not wanted are left out.
    #[inline(always)]
    pub(super) fn tell(&self, by: F, sink: &mut impl Sink<F>) {
        let (weight, value) = (self.weight * by, self.value * by);
        if self.wanted.cell {
            let [a, b, c] = self.cell;
            put_vector(sink, CELL, a, weight);
            put_vector(sink, CELL + 3, b, weight);
            put_vector(sink, CELL + 6, c, weight);
            if self.wanted.reciprocal {
                let [a, b, c] = self.reciprocal;
                put_vector(sink, RECIPROCAL, a, weight);
                put_vector(sink, RECIPROCAL + 3, b, weight);
                put_vector(sink, RECIPROCAL + 6, c, weight);
            }
        }
        let one = by.splat_like(1.0);
        if self.wanted.detector {
            let mut place = Place::zero(by.splat_like(0.0)).plus(weight, &self.place);
            for (flag, slopes) in self.flags.into_iter().zip([self.ln_omega, self.ln_capture, self.ln_polar])
            {
                if !flag {
                    place = place.plus(value, &slopes);
                }
            }
            let Place { pix0, fast, slow, normal, close_distance, distance } = place;
            put_vector(sink, DETECTOR, pix0, one);
            put_vector(sink, DETECTOR + 3, fast, one);
            put_vector(sink, DETECTOR + 6, slow, one);
            put_vector(sink, DETECTOR + 9, normal, one);
            sink.put(DISTANCES, close_distance);
            sink.put(DISTANCES + 1, distance);
        }
        let TurnTable { by_phi0, by_step, by_mosaic, .. } = *self.turns;
        let [phi0, step, mosaic] = self.turned;
        let turns = [(by_phi0, phi0), (by_step, step), (by_mosaic, mosaic)];
        for (i, (table, turned)) in turns.into_iter().enumerate() {
            if !table.is_empty() {
                sink.put(TURNS + i, turned * weight);
            }
        }
        if self.wanted.wavelength {
            sink.put(LAMBDA, self.ln_lambda * weight);
        }
        sink.put(FLUENCE, (self.carried * weight).mul_add(by.splat_like(self.background), value));
        if self.wanted.default_f {
            sink.put(DEFAULT_F, self.default_f * weight);
        }
    }

    /// What a term of the finished sum counts, and the logarithm of all that the sum has been multiplied by.
    #[inline(always)]
    pub(super) fn scatters(&self) -> (F, F) {
        (self.weight, self.ln_carried)
    }

    /// Forgets the pixels before.
    #[inline(always)]
    pub(super) fn clear(&mut self, zero: F) {
        let v = LaneVec { x: zero, y: zero, z: zero };
        self.cell = [v; 3];
        self.reciprocal = [v; 3];
        self.turned = [zero; 3];
        self.ln_lambda = zero;
        self.default_f = zero;
        self.carried = zero.splat_like(1.0);
        self.multiplied = zero;
        self.ln_carried = zero;
        if self.wanted.detector {
            self.place = Place::zero(zero);
            self.ln_omega = Place::zero(zero);
            self.ln_capture = Place::zero(zero);
            self.ln_polar = Place::zero(zero);
        }
    }

    /// The running sum has been multiplied.
    #[inline(always)]
    fn multiply(&mut self, by: F) {
        for v in
            self.cell.iter_mut().chain(&mut self.reciprocal).chain([&mut self.by_q, &mut self.by_direction])
        {
            *v = v.scale(by);
        }
        for x in &mut self.turned {
            *x = *x * by;
        }
        self.ln_lambda = self.ln_lambda * by;
        self.default_f = self.default_f * by;
        self.carried = self.carried * by;
        self.multiplied = self.multiplied * by;
        self.place = Place::zero(by.splat_like(0.0)).plus(by, &self.place);
    }

    /// Adds what moves one entry by itself.
    #[inline(always)]
    fn add_turn(&mut self, which: usize, moved: &Orientation, q: &LaneVec<F>, [gh, gk, gl]: [F; 3]) {
        let by = gh.mul_add(
            q.dot_scalar(moved.a_m),
            gk.mul_add(q.dot_scalar(moved.b_m), gl * q.dot_scalar(moved.c_m)),
        );
        if let Some(sum) = self.turned.get_mut(which) {
            *sum = *sum + by;
        }
    }
}

impl<F: Lanes> Visit<F> for Jacobian<'_, F> {
    const SLOPES: bool = true;

    #[inline(always)]
    fn omega(&mut self, site: &Site<'_, F>) {
        if !self.wanted.detector {
            return;
        }
        let direction = &site.place.direction;
        let power = if self.point_pixel { -2.0 } else { -3.0 };
        let per_distance = direction.inverse_distance * direction.inverse_distance.splat_like(power);
        self.ln_omega = Place::of_position(site, direction.diffracted.scale(per_distance));
        if !self.point_pixel {
            self.ln_omega.close_distance = per_distance.splat_like(1.0 / site.detector.close_distance_m);
        }
    }

    #[inline(always)]
    fn capture(&mut self, site: &Site<'_, F>, layer_m: f64, attenuation_per_m: f64) {
        if !self.wanted.detector {
            return;
        }
        let Detector { normal, .. } = *site.detector;
        let (share, by_obliquity) =
            site.place.direction.capture_slope(site.detector, site.depth_m, layer_m, attenuation_per_m);
        let by_obliquity = by_obliquity * inverse_or_zero(share);
        let normal = LaneVec::splat(share.level(), normal);
        self.ln_capture = Place::of_direction(site, normal.scale(by_obliquity));
        self.ln_capture.normal =
            site.place.direction.diffracted.times_plus(by_obliquity, self.ln_capture.normal);
    }

    #[inline(always)]
    fn polar(&mut self, site: &Site<'_, F>, frame: &PolarizationFrame, lanes: F::Mask) {
        if !self.wanted.detector {
            return;
        }
        let (factor, slope) = site.place.direction.polarization_slope(frame);
        let here = Place::of_direction(site, slope.scale(inverse_or_zero(factor)));
        self.ln_polar = Place::select(lanes, &here, &self.ln_polar);
    }

    #[inline(always)]
    fn begin_source(&mut self, factor: Option<F>) {
        if let (true, Some(factor)) = (self.scatters, factor) {
            self.ln_factor = logarithm(factor);
        }
    }

    #[inline(always)]
    fn step<K: Lookup<F>>(&mut self, step: &TappedStep<'_, F>, lookup: &K) {
        let zero = step.f_cell.splat_like(0.0);
        let lattice = &step.lattice;
        let amplitude = lattice.f_latt * step.f_cell;
        let twice = F::select(step.active, amplitude + amplitude, zero);
        let by_f_latt = twice * step.f_cell;
        let [lh, lk, ll] = lattice.by_index;
        let mut g = [by_f_latt * lh, by_f_latt * lk, by_f_latt * ll];
        if K::SMOOTH {
            let by_f_cell = twice * lattice.f_latt;
            let ([gh, gk, gl], [fh, fk, fl]) = (g, step.f_cell_slopes);
            g = [by_f_cell.mul_add(fh, gh), by_f_cell.mul_add(fk, gk), by_f_cell.mul_add(fl, gl)];
        }
        let [gh, gk, gl] = g;
        let q = step.scattering;
        let domain = || self.domains.get(step.entry % self.domains.len().max(1)).unwrap_or(&IDENTITY);
        if self.wanted.cell {
            let rotation = if step.opened {
                domain()
            } else {
                self.turns.rotations.get(step.entry).unwrap_or(&IDENTITY)
            };
            let here = q.turned_back(rotation);
            let [a, b, c] = self.cell;
            self.cell = [here.times_plus(gh, a), here.times_plus(gk, b), here.times_plus(gl, c)];
            if self.wanted.reciprocal {
                let [ox, oy, oz] = lattice.by_offset;
                let offset = LaneVec { x: ox, y: oy, z: oz }.scale(by_f_latt);
                let ([a, b, c], [dh, dk, dl]) = (self.reciprocal, step.indices.d);
                self.reciprocal =
                    [offset.times_plus(dh, a), offset.times_plus(dk, b), offset.times_plus(dl, c)];
            }
        }
        if step.opened {
            if !self.turns.by_mosaic.is_empty() {
                let moved = by_mosaic(domain(), *step.orientation);
                self.add_turn(2, &moved, q, g);
            }
        } else {
            let TurnTable { by_phi0, by_step, by_mosaic, .. } = *self.turns;
            for (which, table) in [by_phi0, by_step, by_mosaic].into_iter().enumerate() {
                if let Some(moved) = table.get(step.entry) {
                    self.add_turn(which, moved, q, g);
                }
            }
        }
        if self.wanted.detector || self.wanted.wavelength {
            let Orientation { a_m, b_m, c_m } = *step.orientation;
            self.by_q = self.by_q.plus_scalar(gh, a_m).plus_scalar(gk, b_m).plus_scalar(gl, c_m);
        }
        if self.wanted.default_f {
            let share = lookup.scatter(step.indices, step.active, step.evaluation, zero, &mut []);
            self.default_f = (twice * lattice.f_latt).mul_add(share, self.default_f);
        }
        if let Some(factor) = step.factor {
            let one = zero.splat_like(1.0);
            self.multiply(F::select(step.active, factor, one));
            self.multiplied = self.multiplied + F::select(step.active, step.sum, zero);
            self.ln_carried = self.ln_carried + F::select(step.active, self.ln_factor, zero);
        }
    }

    #[inline(always)]
    fn end_source(&mut self, source: &Source, q: &LaneVec<F>) {
        let zero = q.x.splat_like(0.0);
        if self.wanted.wavelength {
            self.ln_lambda = self.ln_lambda - self.by_q.dot(*q);
        }
        let none = LaneVec { x: zero, y: zero, z: zero };
        if !self.wanted.detector {
            self.by_q = none;
            return;
        }
        self.by_direction = self.by_q.times_plus(zero.splat_like(1.0 / source.lambda_m), self.by_direction);
        self.by_q = none;
        for (flag, slopes) in self.flags.into_iter().zip([self.ln_omega, self.ln_capture, self.ln_polar]) {
            if flag {
                self.place = self.place.plus(self.multiplied, &slopes);
            }
        }
        self.multiplied = zero;
    }

    #[inline(always)]
    fn end_subpixel(&mut self, site: &Site<'_, F>) {
        if !self.wanted.detector {
            return;
        }
        let one = site.place.along_fast_m.splat_like(1.0);
        self.place = self.place.plus(one, &Place::of_direction(site, self.by_direction));
        let zero = one.splat_like(0.0);
        self.by_direction = LaneVec { x: zero, y: zero, z: zero };
    }

    #[inline(always)]
    fn pixel(&mut self, pixel: &TappedPixel<F>) {
        self.value = pixel.value;
        self.weight = pixel.weight;
    }
}

/// Adds the derivatives by each structure factor of the grid to `sums`, where the general loop goes once more.
pub(super) struct Scatter<'s, F> {
    pub(super) sums: &'s mut [f64],
    /// What a term of the finished sum counts.
    pub(super) weight: F,
    /// Logarithm of what the sum will be multiplied by from here to the end of the pixel.
    pub(super) ln_ahead: F,
    pub(super) ln_factor: F,
}

impl<F: Lanes> Visit<F> for Scatter<'_, F> {
    const SLOPES: bool = true;

    #[inline(always)]
    fn begin_source(&mut self, factor: Option<F>) {
        if let Some(factor) = factor {
            self.ln_factor = logarithm(factor);
        }
    }

    #[inline(always)]
    fn step<K: Lookup<F>>(&mut self, step: &TappedStep<'_, F>, lookup: &K) {
        let f_latt = step.lattice.f_latt;
        let mut amount = f_latt * f_latt * (step.f_cell + step.f_cell) * self.weight;
        if step.factor.is_some() {
            amount = amount * exp(self.ln_ahead);
            let zero = amount.splat_like(0.0);
            self.ln_ahead = self.ln_ahead - F::select(step.active, self.ln_factor, zero);
        }
        lookup.scatter(step.indices, step.active, step.evaluation, amount, self.sums);
    }
}

/// The logarithm of each lane, that of the smallest number where it is 0.
#[inline(always)]
fn logarithm<F: Lanes>(x: F) -> F {
    let mut lanes = [0.0; 16];
    let numbers = x.to_array();
    lanes.iter_mut().zip(numbers.as_ref()).for_each(|(to, &x)| *to = libm::log(x.max(f64::MIN_POSITIVE)));
    x.level().load(&lanes, 0.0)
}
