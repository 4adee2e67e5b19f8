//! The random numbers of `nanoBragg.c`: `ran1` of Numerical Recipes, and random rotations.
//!
//! **Formulas.** A minimal-standard generator (a = 16807, m = 2^31 - 1, Schrage's product) feeds a
//! Bays-Durham shuffle of 32 entries.
//!
//! **Accuracy** (`tests/tests/kernel_random.rs`). The same seed gives the same deviates as in the reference,
//! bit for bit. The generator is not suitable for cryptography.
//!
//! ```
//! use widebragg::random::{Ran1, fill_mosaic};
//! use widebragg::rotation::IDENTITY;
//!
//! let mut random = Ran1::new(1);
//! let deviate = random.draw();
//! assert!(0.0 < deviate && deviate < 1.0);
//!
//! let mut domains = [IDENTITY; 10];
//! fill_mosaic(0.5f64.to_radians(), 12_345_678, &mut domains)?;
//! assert!(domains[0] == IDENTITY && domains[1] != IDENTITY);
//! # Ok::<(), widebragg::Error>(())
//! ```

use crate::Error;
use crate::lanes::{BaseLevel, Simd, WithSimd};
use crate::rotation::{IDENTITY, Mat3, turn_about};
use crate::vector::Vec3;
use core::f64::consts::PI;

const MODULUS: u64 = 2_147_483_647;
const MULTIPLIER: u64 = 16_807;
const TABLE: usize = 32;
/// Shift that divides by 2^26, which is 1 + (m - 1)/32 in the reference.
const SLOT_BITS: u32 = 26;

/// Numbers of the generator that are computed beside each other.
const LANES: usize = 8;

/// a^8 modulo m, which leads from a number of the generator to the one after the next seven.
const MULTIPLIER_OF_LANES: u64 = {
    let (mut power, mut i) = (1, 0);
    while i < LANES {
        power = power * MULTIPLIER % MODULUS;
        i += 1;
    }
    power
};

/// A stream of uniform deviates in (0, 1).
#[derive(Debug, Clone)]
pub struct Ran1 {
    state: u64,
    last: u32,
    table: [u32; TABLE],
}

/// The number of the generator that `multiplier` leads to: `state` times it modulo m, which is 0 only for 0.
#[inline(always)]
fn next(state: u64, multiplier: u64) -> u64 {
    // Modulo m, 2^31 is 1, so the bits above the lowest 31 are added to these. Both factors have 31 bits.
    let product = u64::from(state as u32) * u64::from(multiplier as u32);
    let folded = (product & MODULUS) + (product >> 31);
    if folded >= MODULUS { folded - MODULUS } else { folded }
}

/// The largest deviate.
const LARGEST: f64 = 1.0 - 1.2e-7;

/// The part of the modulus that an entry of the shuffle table is.
#[inline(always)]
fn part(entry: u32) -> f64 {
    (1.0 / MODULUS as f64) * f64::from(entry)
}

/// The deviate of an entry of the shuffle table.
#[inline(always)]
fn deviate(entry: u32) -> f32 {
    (part(entry) as f32).min(LARGEST as f32)
}

impl Ran1 {
    /// Creates the stream that `nanoBragg.c` starts for `-seed N`; a seed below 1 counts as 1.
    #[must_use]
    pub fn new(seed: i64) -> Self {
        let state = (seed.max(1).unsigned_abs() % MODULUS).max(1);
        let mut stream = Self { state, last: 0, table: [0; TABLE] };
        for _ in 0..8 {
            stream.advance();
        }
        for i in (0..TABLE).rev() {
            let value = stream.advance();
            if let Some(entry) = stream.table.get_mut(i) {
                *entry = value;
            }
        }
        stream.last = stream.table[0];
        stream
    }

    /// Creates the stream that `nanoBragg.c` draws from for `-seed N` after the draws of `earlier`.
    ///
    /// There the state is -N in 32 bits. A state above 0, which any N below 0 and from 2^31 + 1 to 2^32 - 1 gives,
    /// does not start the generator: it goes on with the shuffle table that the earlier draws left.
    ///
    /// ```
    /// use widebragg::random::Ran1;
    ///
    /// let earlier = Ran1::new(12_345_678);
    /// assert_eq!(Ran1::after(&earlier, 5).draw(), Ran1::new(5).draw());
    /// assert_eq!(Ran1::after(&earlier, 4_294_967_295).draw(), Ran1::after(&earlier, -1).draw());
    /// assert_ne!(Ran1::after(&earlier, -5).draw(), Ran1::after(&Ran1::new(1), -5).draw());
    /// ```
    #[must_use]
    pub fn after(earlier: &Self, seed: i64) -> Self {
        let seed = seed as i32;
        match seed.checked_neg() {
            Some(state) if state > 0 => Self { state: u64::from(state.unsigned_abs()), ..earlier.clone() },
            _ => Self::new(i64::from(seed)),
        }
    }

    /// The number that the next deviate is generated from: that of the seed, which the shuffle table is apart from.
    pub(crate) fn state(&self) -> u64 {
        self.state
    }

    /// Fills the shuffle table on from another seed's number, of which 31 bits count.
    pub(crate) fn set_state(&mut self, state: u64) {
        self.state = state & MODULUS;
    }

    fn advance(&mut self) -> u32 {
        // Since m is prime, only the state m, which `after` can set, leads to 0.
        self.state = next(self.state, MULTIPLIER);
        self.state as u32
    }

    /// The entry of the shuffle table that comes out where `next` goes in.
    #[inline(always)]
    fn shuffle(&mut self, next: u32) -> u32 {
        if let Some(entry) = self.table.get_mut((self.last >> SLOT_BITS) as usize % TABLE) {
            self.last = core::mem::replace(entry, next);
        }
        self.last
    }

    /// The entry of the shuffle table that the next deviate is.
    #[inline(always)]
    fn next_entry(&mut self) -> u32 {
        if self.state == 0 {
            // `nanoBragg.c` starts the generator where the state is not above 0.
            *self = Self::new(1);
        }
        let next = self.advance();
        self.shuffle(next)
    }

    /// Draws the next deviate.
    pub fn draw(&mut self) -> f32 {
        deviate(self.next_entry())
    }

    /// Draws the next deviate without rounding it to f32, as simtbx does.
    ///
    /// ```
    /// use widebragg::random::Ran1;
    ///
    /// assert_eq!(Ran1::new(1).draw_f64() as f32, Ran1::new(1).draw());
    /// ```
    pub fn draw_f64(&mut self) -> f64 {
        part(self.next_entry()).min(LARGEST)
    }

    /// Draws the next deviates: the same as [`Ran1::draw`] one after the other, faster.
    ///
    /// ```
    /// use widebragg::lanes::Simd;
    /// use widebragg::random::Ran1;
    ///
    /// let (mut random, mut deviates) = (Ran1::new(1), [0.0; 100]);
    /// random.draw_all(Simd::detect(), &mut deviates);
    /// assert_eq!(deviates[1], { let mut one = Ran1::new(1); one.draw(); one.draw() });
    /// ```
    pub fn draw_all(&mut self, simd: Simd, deviates: &mut [f32]) {
        for block in deviates.chunks_mut(BLOCK) {
            // The states 0 and m restart the generator within the block.
            if self.state == 0 || self.state == MODULUS {
                block.fill_with(|| self.draw());
            } else {
                simd.run(DrawBlock { random: self, deviates: block });
            }
        }
    }
}

/// Number of deviates that are drawn at a time.
const BLOCK: usize = 128;

/// Draws up to [`BLOCK`] deviates from a state that no multiplication leads to 0.
struct DrawBlock<'a> {
    random: &'a mut Ran1,
    deviates: &'a mut [f32],
}

impl WithSimd for DrawBlock<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<L: BaseLevel>(self, _: L) {
        let Self { random, deviates } = self;
        let mut lanes = [0; LANES];
        let mut state = random.state;
        for lane in &mut lanes {
            state = next(state, MULTIPLIER);
            *lane = state;
        }
        let mut numbers = [0u32; BLOCK];
        for part in numbers.chunks_exact_mut(LANES) {
            for (number, lane) in part.iter_mut().zip(&mut lanes) {
                *number = *lane as u32;
                *lane = next(*lane, MULTIPLIER_OF_LANES);
            }
        }
        let drawn = numbers.get_mut(..deviates.len()).unwrap_or_default();
        // The table is kept apart from the stream, so that it stays in registers and in one place.
        let mut shuffled = random.clone();
        for number in drawn.iter_mut() {
            random.state = u64::from(*number);
            *number = shuffled.shuffle(*number);
        }
        (random.last, random.table) = (shuffled.last, shuffled.table);
        for (to, &number) in deviates.iter_mut().zip(drawn.iter()) {
            *to = deviate(number);
        }
    }
}

/// A random rotation, as axis and angle.
pub(crate) struct RandomTurn {
    /// Unit vector.
    pub(crate) axis: Vec3,
    pub(crate) angle_rad: f64,
}

impl RandomTurn {
    /// Draws one by at most `cap_rad`; see [`random_rotation`].
    pub(crate) fn draw(cap_rad: f32, random: &mut Ran1) -> Self {
        let (axis, root) = Self::axis_and_root(|| f64::from(random.draw()));
        Self { axis, angle_rad: f64::from(cap_rad * root) }
    }

    /// As [`RandomTurn::draw`], with deviates and angle in f64.
    fn draw_f64(cap_rad: f64, random: &mut Ran1) -> Self {
        let (axis, root) = Self::axis_and_root(|| random.draw_f64());
        Self { axis, angle_rad: cap_rad * f64::from(root) }
    }

    /// A random axis, and the part of the cap that the angle is.
    fn axis_and_root(mut uniform: impl FnMut() -> f64) -> (Vec3, f32) {
        let mut deviate = || 2.0 * uniform() - 1.0;
        let (r1, r2, r3) = (deviate(), deviate(), deviate());
        let radius = libm::sqrt(1.0 - r2 * r2);
        let axis = Vec3::new(radius * libm::sin(PI * r1), radius * libm::cos(PI * r1), r2);
        // A correctly rounded powf, computed in f64, whose error is far below half an ulp of f32.
        let third = f64::from((1.0f64 / 3.0) as f32);
        (axis, libm::pow(f64::from((1.0 - r3 * r3) as f32), third) as f32)
    }
}

/// Draws a rotation by at most `cap_rad`: the axis is uniform on the sphere, the angle cap (1 - r^2)^(1/3).
///
/// Source: `mosaic_rotation_umat` of `nanoBragg.c`, in f32 where it uses f32.
pub fn random_rotation(cap_rad: f32, random: &mut Ran1) -> Mat3 {
    let RandomTurn { axis, angle_rad } = RandomTurn::draw(cap_rad, random);
    turn_about(axis, angle_rad)
}

/// As [`random_rotation`] with deviates and angle in f64, and only the root in f32: that of simtbx (cctbx_project).
pub fn random_rotation_f64(cap_rad: f64, random: &mut Ran1) -> Mat3 {
    let RandomTurn { axis, angle_rad } = RandomTurn::draw_f64(cap_rad, random);
    turn_about(axis, angle_rad)
}

/// Fills the rotations of the mosaic domains.
///
/// It draws a rotation by at most `spread_rad` for each domain and then replaces the first by the identity.
///
/// # Errors
/// [`Error::OutOfRange`] if `spread_rad` is not finite.
pub fn fill_mosaic(spread_rad: f64, seed: i64, domains: &mut [Mat3]) -> Result<(), Error> {
    crate::error::require(true, "mosaic spread in rad", spread_rad, "finite")?;
    let mut random = Ran1::new(seed);
    for domain in domains.iter_mut() {
        *domain = random_rotation(spread_rad as f32, &mut random);
    }
    if let Some(first) = domains.first_mut() {
        *first = IDENTITY;
    }
    Ok(())
}

/// Draws the rotation of `-misset random`, as angles about lab x, y, z in rad.
///
/// The cap is 90 rad and not 90 degrees, as in `nanoBragg.c`.
#[must_use]
pub fn random_misset(seed: i64) -> [f64; 3] {
    misset_of(&random_rotation(90.0, &mut Ran1::new(seed)))
}

/// As [`random_misset`], by [`random_rotation_f64`]: that of simtbx's `randomize_orientation`.
///
/// ```
/// use widebragg::random::{random_misset, random_misset_f64};
///
/// for (rounded, exact) in random_misset(1).into_iter().zip(random_misset_f64(1)) {
///     assert!((rounded - exact).abs() < 1e-4 && rounded != exact);
/// }
/// ```
#[must_use]
pub fn random_misset_f64(seed: i64) -> [f64; 3] {
    misset_of(&random_rotation_f64(90.0, &mut Ran1::new(seed)))
}

/// The angles about x, y, z of a rotation, in rad.
fn misset_of(u: &Mat3) -> [f64; 3] {
    [
        libm::atan2(u[2][1], u[2][2]),
        libm::atan2(-u[2][0], libm::hypot(u[2][1], u[2][2])),
        libm::atan2(u[1][0], u[0][0]),
    ]
}
