//! The reference's random numbers: `ran1` of Numerical Recipes, and rotation matrices drawn with it.
//!
//! The Park-Miller generator (a = 16807, m = 2^31 - 1) by Schrage's method, with a Bays-Durham shuffle of 32
//! entries. Special cases: a seed above 0 initialises like -1; the seed -(2^31 - 1) gives only zeros, as in
//! the reference.

use super::vector::Vector;
use core::f64::consts::PI;

const A: i64 = 16807;
const M: i64 = 2_147_483_647;
const Q: i64 = 127_773;
const R: i64 = 2836;
const TABLE: usize = 32;
const PER_ENTRY: i64 = 1 + (M - 1) / TABLE as i64;
const LARGEST: f32 = (1.0 - 1.2e-7_f64) as f32;

/// Uniform deviates in (0, 1), in the reference's sequence for the same seed.
#[derive(Clone, Debug)]
pub struct Ran1 {
    state: i64,
    last: i64,
    table: [i64; TABLE],
}

impl Ran1 {
    /// A generator with `seed`, negative or 0 as in the reference (`-seed N` passes -N).
    pub fn new(seed: i32) -> Self {
        Ran1 { state: i64::from(seed), last: 0, table: [0; TABLE] }
    }

    /// The same shuffle table with another state ([`Ran1::set_state`]).
    pub fn with_state(mut self, state: i32) -> Self {
        self.set_state(state);
        self
    }

    /// Sets the state and keeps the shuffle table, which a state above 0 goes on with.
    pub fn set_state(&mut self, state: i32) {
        self.state = i64::from(state);
    }

    /// The next deviate.
    pub fn draw(&mut self) -> f32 {
        if self.state <= 0 || self.last == 0 {
            self.state = (-self.state).max(1);
            for j in (0..TABLE + 8).rev() {
                self.advance();
                if let Some(entry) = self.table.get_mut(j) {
                    *entry = self.state;
                }
            }
            self.last = self.table[0];
        }
        self.advance();
        let entry = &mut self.table[(self.last / PER_ENTRY) as usize];
        self.last = core::mem::replace(entry, self.state);
        (((1.0 / M as f64) * self.last as f64) as f32).min(LARGEST)
    }

    fn advance(&mut self) {
        let k = self.state / Q;
        self.state = A * (self.state - k * Q) - R * k;
        if self.state < 0 {
            self.state += M;
        }
    }
}

/// A random rotation about a random axis. `cap_rad`, f32 as in the reference, limits the angle. The matrix is
/// row-major and multiplies a column vector.
pub fn mosaic_matrix(cap_rad: f32, random: &mut Ran1) -> [Vector; 3] {
    let mut symmetric = || 2.0 * f64::from(random.draw()) - 1.0;
    let (r1, r2, r3) = (symmetric(), symmetric(), symmetric());
    let xy = (1.0 - r2 * r2).sqrt();
    let (x, y, z) = (xy * (PI * r1).sin(), xy * (PI * r1).cos(), r2);
    let angle = f64::from(cap_rad * ((1.0 - r3 * r3) as f32).powf((1.0 / 3.0_f64) as f32));
    let (sin, cos) = (angle.sin(), angle.cos());
    let t = 1.0 - cos;
    [
        [cos + t * (x * x), t * x * y - sin * z, t * x * z + sin * y],
        [t * x * y + sin * z, cos + t * (y * y), t * y * z - sin * x],
        [t * x * z - sin * y, t * y * z + sin * x, cos + t * (z * z)],
    ]
}
