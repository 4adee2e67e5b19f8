//! Reproducible random numbers.

/// Uniform deviates in [0, 1) from a xorshift generator with a fixed seed.
pub fn deviates() -> impl FnMut() -> f64 {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as f64 / (1_u64 << 53) as f64
    }
}
