//! 8-bit grey preview images (`P5`), with the scale of the pixels in a comment as the reference writes it.

use std::path::Path;

use super::atomic::write_atomically;
use super::format_g::format_g;
use crate::error::Failure;

/// Writes the image: `levels` slow-major, `scale` the factor that made them from the float pixels.
///
/// # Errors
/// When the file cannot be written.
pub fn write_pgm(path: &Path, fast: usize, slow: usize, scale: f64, levels: &[u8]) -> Result<(), Failure> {
    write_atomically(path, |out| {
        write!(out, "P5\n{fast} {slow}\n# pixels scaled by {}\n255\n", format_g(scale))?;
        out.write_all(levels)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_is_the_references() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("image.pgm");
        write_pgm(&path, 3, 2, 0.00208305123, &[0, 1, 2, 253, 254, 255]).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        assert_eq!(bytes, b"P5\n3 2\n# pixels scaled by 0.00208305\n255\n\x00\x01\x02\xfd\xfe\xff");
    }
}
