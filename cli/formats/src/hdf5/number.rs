//! The numbers that HDF5 files store: integers of 1, 2, 4 and 8 bytes, f32 and f64, in either byte order.

use rust_hdf5::{ByteOrder, DatatypeMessage};

/// A type of numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Number {
    kind: Kind,
    /// Bytes of a number.
    pub(crate) size: usize,
    big_endian: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Signed,
    Unsigned,
    Float,
}

/// What -1 stands for among signed integers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MinusOne {
    /// A pixel that was not measured.
    Gap,
    /// A count, as readout noise makes it.
    Count,
}

/// Pixels as f32.
#[derive(Debug, Default)]
pub(crate) struct Converted {
    /// NaN for gaps.
    pub(crate) pixels: Vec<f32>,
    /// Integers that f32 cannot hold exactly.
    pub(crate) rounded: usize,
}

impl Number {
    /// Signed integers of 4 bytes, least significant first.
    pub(crate) const I32: Self = Self { kind: Kind::Signed, size: 4, big_endian: false };

    /// Floats of 4 bytes, least significant first.
    pub(crate) const F32: Self = Self { kind: Kind::Float, ..Self::I32 };

    /// Whether they are floats.
    pub(crate) fn is_float(self) -> bool {
        self.kind == Kind::Float
    }

    /// The type that a file describes; `None` for others.
    pub(crate) fn of(datatype: &DatatypeMessage) -> Option<Self> {
        let (kind, size, order) = match datatype {
            // The truth values of other programs are enumerations of bytes.
            DatatypeMessage::Enum { base, .. } => return Self::of(base),
            &DatatypeMessage::FixedPoint { size, byte_order, signed, bit_offset, bit_precision }
                if bit_offset == 0 && u64::from(bit_precision) == 8 * u64::from(size) =>
            {
                (if signed { Kind::Signed } else { Kind::Unsigned }, size, byte_order)
            }
            &DatatypeMessage::FloatingPoint {
                size,
                byte_order,
                sign_location,
                exponent_size,
                mantissa_size,
                ..
            } if matches!(
                (size, sign_location, exponent_size, mantissa_size),
                (4, 31, 8, 23) | (8, 63, 11, 52)
            ) =>
            {
                (Kind::Float, size, byte_order)
            }
            _ => return None,
        };
        let size = usize::try_from(size).ok().filter(|size| matches!(size, 1 | 2 | 4 | 8))?;
        Some(Self { kind, size, big_endian: matches!(order, ByteOrder::BigEndian) })
    }

    /// The same type in the byte order of this machine.
    pub(crate) fn native(self) -> Self {
        Self { big_endian: cfg!(target_endian = "big"), ..self }
    }

    /// The numbers in `bytes`, rounded to f64.
    pub(crate) fn values(self, bytes: &[u8]) -> Vec<f64> {
        bytes.chunks_exact(self.size).map(|bytes| self.value(bytes)).collect()
    }

    fn value(self, bytes: &[u8]) -> f64 {
        let bits = self.bits(bytes);
        let unused = 64 - 8 * self.size as u32;
        match (self.kind, self.size) {
            (Kind::Float, 4) => f64::from(f32::from_bits(bits as u32)),
            (Kind::Float, _) => f64::from_bits(bits),
            (Kind::Signed, _) => ((bits << unused).cast_signed() >> unused) as f64,
            (Kind::Unsigned, _) => bits as f64,
        }
    }

    /// The bits of one number.
    fn bits(self, bytes: &[u8]) -> u64 {
        let next = |bits: u64, byte: &u8| bits << 8 | u64::from(*byte);
        if self.big_endian { bytes.iter().fold(0, next) } else { bytes.iter().rev().fold(0, next) }
    }

    /// Appends the numbers in `bytes` to `to`, which has room for them. The largest integer of the type marks pixels
    /// that were not measured, and so may -1.
    pub(crate) fn convert(self, bytes: &[u8], minus_one: MinusOne, to: &mut Converted) {
        let gaps = |largest: i64| match (self.kind, minus_one) {
            (Kind::Signed, MinusOne::Count) => [largest; 2],
            _ => [largest, -1],
        };
        match (self.kind, self.size, self.big_endian) {
            (Kind::Signed, 1, _) => {
                integers(bytes, gaps(i8::MAX.into()), |[b]: [u8; 1]| i64::from(b.cast_signed()), to)
            }
            (Kind::Unsigned, 1, _) => integers(bytes, gaps(u8::MAX.into()), |[b]: [u8; 1]| i64::from(b), to),
            (Kind::Signed, 2, false) => {
                integers(bytes, gaps(i16::MAX.into()), |b| i16::from_le_bytes(b).into(), to)
            }
            (Kind::Signed, 2, true) => {
                integers(bytes, gaps(i16::MAX.into()), |b| i16::from_be_bytes(b).into(), to)
            }
            (Kind::Unsigned, 2, false) => {
                integers(bytes, gaps(u16::MAX.into()), |b| u16::from_le_bytes(b).into(), to)
            }
            (Kind::Unsigned, 2, true) => {
                integers(bytes, gaps(u16::MAX.into()), |b| u16::from_be_bytes(b).into(), to)
            }
            (Kind::Signed, 4, false) => {
                integers(bytes, gaps(i32::MAX.into()), |b| i32::from_le_bytes(b).into(), to)
            }
            (Kind::Signed, 4, true) => {
                integers(bytes, gaps(i32::MAX.into()), |b| i32::from_be_bytes(b).into(), to)
            }
            (Kind::Unsigned, 4, false) => {
                integers(bytes, gaps(u32::MAX.into()), |b| u32::from_le_bytes(b).into(), to)
            }
            (Kind::Unsigned, 4, true) => {
                integers(bytes, gaps(u32::MAX.into()), |b| u32::from_be_bytes(b).into(), to)
            }
            (Kind::Signed, _, false) => integers(bytes, gaps(i64::MAX), i64::from_le_bytes, to),
            (Kind::Signed, _, true) => integers(bytes, gaps(i64::MAX), i64::from_be_bytes, to),
            // Counts from 2^63 on are no photons; the largest u64 becomes -1, which is a gap like it.
            (Kind::Unsigned, _, false) => integers(bytes, gaps(i64::MAX), i64::from_le_bytes, to),
            (Kind::Unsigned, _, true) => integers(bytes, gaps(i64::MAX), i64::from_be_bytes, to),
            (Kind::Float, 4, false) => floats(bytes, f32::from_le_bytes, to),
            (Kind::Float, 4, true) => floats(bytes, f32::from_be_bytes, to),
            (Kind::Float, _, false) => floats(bytes, |b| f64::from_le_bytes(b) as f32, to),
            (Kind::Float, _, true) => floats(bytes, |b| f64::from_be_bytes(b) as f32, to),
        }
    }
}

fn integers<const N: usize>(
    bytes: &[u8],
    gaps: [i64; 2],
    value_of: impl Fn([u8; N]) -> i64,
    to: &mut Converted,
) {
    let (whole, _) = bytes.as_chunks::<N>();
    let mut rounded = 0;
    to.pixels.extend(whole.iter().map(|&bytes| {
        let value = value_of(bytes);
        if gaps.contains(&value) {
            return f32::NAN;
        }
        let pixel = value as f32;
        rounded += usize::from(f64::from(pixel) != value as f64 || value.unsigned_abs() > 1 << 53);
        pixel
    }));
    to.rounded += rounded;
}

fn floats<const N: usize>(bytes: &[u8], value_of: impl Fn([u8; N]) -> f32, to: &mut Converted) {
    let (whole, _) = bytes.as_chunks::<N>();
    to.pixels.extend(whole.iter().map(|&bytes| value_of(bytes)));
}

#[cfg(test)]
mod tests {
    use rust_hdf5::H5Type;

    use super::*;

    fn converted<T: H5Type>(bytes: &[u8]) -> (Vec<f32>, usize) {
        let mut to = Converted::default();
        Number::of(&T::hdf5_type()).unwrap().convert(bytes, MinusOne::Gap, &mut to);
        (to.pixels, to.rounded)
    }

    #[test]
    fn largest_integers_and_minus_one_are_gaps() {
        let is_gap = |pixels: &[f32]| pixels.iter().map(|pixel| pixel.is_nan()).collect::<Vec<_>>();
        assert_eq!(converted::<u8>(&[0, 254, 255]).0[..2], [0.0, 254.0]);
        assert_eq!(is_gap(&converted::<u8>(&[0, 254, 255]).0), [false, false, true]);
        assert_eq!(is_gap(&converted::<i8>(&[0, 127, 255, 254]).0), [false, true, true, false]);
        let u16s = [65534_u16, 65535].map(u16::to_le_bytes).concat();
        assert_eq!(is_gap(&converted::<u16>(&u16s).0), [false, true]);
        let i32s = [-1_i32, i32::MAX, -2, 16_777_217].map(i32::to_le_bytes).concat();
        let (pixels, rounded) = converted::<i32>(&i32s);
        assert_eq!((is_gap(&pixels), rounded), (vec![true, true, false, false], 1));
        assert_eq!(pixels[2..], [-2.0, 16_777_216.0]);
        let mut counts = Converted::default();
        Number::I32.convert(&i32s, MinusOne::Count, &mut counts);
        assert_eq!(is_gap(&counts.pixels), [false, true, false, false]);
        let u64s = [u64::MAX, 5, 1 << 40].map(u64::to_le_bytes).concat();
        let (pixels, rounded) = converted::<u64>(&u64s);
        assert!(pixels[0].is_nan() && pixels[1..] == [5.0, (1_u64 << 40) as f32] && rounded == 0);
        assert_eq!(converted::<f32>(&(-1_f32).to_le_bytes()), (vec![-1.0], 0));
        assert_eq!(converted::<f64>(&0.1_f64.to_le_bytes()), (vec![0.1], 0));
    }

    #[test]
    fn other_types_are_none() {
        let integer = |size: u32, bit_offset: u16, bit_precision: u16| {
            let byte_order = ByteOrder::LittleEndian;
            Number::of(&DatatypeMessage::FixedPoint {
                size,
                byte_order,
                signed: true,
                bit_offset,
                bit_precision,
            })
        };
        assert!(integer(4, 0, 32).is_some());
        for (size, offset, precision) in [(4, 0, 31), (4, 1, 32), (3, 0, 24), (0, 0, 0), (u32::MAX, 0, 32)] {
            assert_eq!(integer(size, offset, precision), None, "{size} {offset} {precision}");
        }
        assert_eq!(Number::of(&DatatypeMessage::FixedString { size: 4, padding: 1, charset: 0 }), None);
    }

    #[test]
    fn numbers_of_both_byte_orders_are_read() {
        for big_endian in [false, true] {
            let bytes = |mut bytes: Vec<u8>| {
                if big_endian {
                    bytes.reverse();
                }
                bytes
            };
            for (kind, stored, value) in [
                (Kind::Signed, (-3_i16).to_le_bytes().to_vec(), -3.0),
                (Kind::Signed, (-70_000_i64).to_le_bytes().to_vec(), -70_000.0),
                (Kind::Unsigned, 40_000_u16.to_le_bytes().to_vec(), 40_000.0),
                (Kind::Unsigned, vec![200], 200.0),
                (Kind::Float, 0.25_f32.to_le_bytes().to_vec(), 0.25),
                (Kind::Float, (-1e300_f64).to_le_bytes().to_vec(), -1e300),
            ] {
                let number = Number { kind, size: stored.len(), big_endian };
                let stored = bytes(stored);
                assert_eq!(number.values(&stored), [value], "{number:?}");
                let mut to = Converted::default();
                number.convert(&stored, MinusOne::Gap, &mut to);
                assert_eq!(to.pixels, [value as f32], "{number:?}");
            }
        }
    }
}
