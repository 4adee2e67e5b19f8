//! The reference's random numbers: Numerical Recipes' `ran1`, and the rotations drawn with it.
//!
//! Minimal-standard generator (a = 16807, m = 2^31 - 1, Schrage's product) behind a 32-entry Bays-Durham shuffle.
//! Same seed, same deviates, to the last bit. Not for cryptography.

use crate::Error;
use crate::rotation::{IDENTITY, Mat3};
use core::f64::consts::PI;

const MODULUS: u64 = 2_147_483_647;
const MULTIPLIER: u64 = 16_807;
const TABLE: usize = 32;
/// The reference divides by 1 + (m - 1)/32, which is 2^26.
const SLOT_BITS: u32 = 26;

/// A stream of deviates, uniform in (0, 1).
#[derive(Debug, Clone)]
pub struct Ran1 {
    state: u64,
    last: u64,
    table: [u64; TABLE],
}

impl Ran1 {
    /// A stream started as the reference starts it for `-seed N`: from N, or from 1 where N is below 1.
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

    fn advance(&mut self) -> u64 {
        // 2^31 is 1 modulo m: what lies above 31 bits is added to what lies below. Never 0: m is prime.
        let product = self.state * MULTIPLIER;
        let folded = (product & MODULUS) + (product >> 31);
        self.state = if folded >= MODULUS { folded - MODULUS } else { folded };
        self.state
    }

    /// The next deviate.
    pub fn draw(&mut self) -> f32 {
        let next = self.advance();
        if let Some(entry) = self.table.get_mut((self.last >> SLOT_BITS) as usize % TABLE) {
            self.last = core::mem::replace(entry, next);
        }
        let deviate = ((1.0 / MODULUS as f64) * self.last as f64) as f32;
        deviate.min((1.0 - 1.2e-7) as f32)
    }
}

/// A random rotation by at most `cap_rad`: axis uniform on the sphere, angle cap (1 - r^2)^(1/3).
///
/// Source: the reference's `mosaic_rotation_umat`, f32 where it is f32.
pub fn random_rotation(cap_rad: f32, random: &mut Ran1) -> Mat3 {
    let mut deviate = || 2.0 * f64::from(random.draw()) - 1.0;
    let (r1, r2, r3) = (deviate(), deviate(), deviate());
    let radius = libm::sqrt(1.0 - r2 * r2);
    let (x, y, z) = (radius * libm::sin(PI * r1), radius * libm::cos(PI * r1), r2);
    // powf correctly rounded: through f64, whose error is far below half an f32 ulp.
    let third = f64::from((1.0f64 / 3.0) as f32);
    let root = libm::pow(f64::from((1.0 - r3 * r3) as f32), third) as f32;
    let angle = f64::from(cap_rad * root);
    let (sin, cos) = (libm::sin(angle), libm::cos(angle));
    let t = 1.0 - cos;
    [
        [cos + t * (x * x), t * x * y - sin * z, t * x * z + sin * y],
        [t * x * y + sin * z, cos + t * (y * y), t * y * z - sin * x],
        [t * x * z - sin * y, t * y * z + sin * x, cos + t * (z * z)],
    ]
}

/// Fills the mosaic domains: a rotation drawn for each, the first then replaced by the identity.
///
/// # Errors
/// [`Error::OutOfRange`] when `spread_rad` is not a finite number.
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

/// The rotation of `-misset random`, as angles about lab x, y, z in rad.
///
/// The reference gives the cap of 90 as radians; so does this.
#[must_use]
pub fn random_misset(seed: i64) -> [f64; 3] {
    let u = random_rotation(90.0, &mut Ran1::new(seed));
    [
        libm::atan2(u[2][1], u[2][2]),
        libm::atan2(-u[2][0], libm::hypot(u[2][1], u[2][2])),
        libm::atan2(u[1][0], u[0][0]),
    ]
}
