//! Writing of the objects of a NeXus file: groups with a class, scalars, short arrays and texts.
//!
//! Texts are ASCII of fixed length, which every reader takes; other characters become `?`.

use rust_hdf5::{DatatypeMessage, H5Dataset, H5File, H5Group, H5Type, Hdf5Error};

/// A result of the crate.
type Result<T> = core::result::Result<T, Hdf5Error>;

/// What attributes and children can be given to.
pub(crate) trait Objects {
    /// Adds an attribute.
    fn set(&self, name: &str, datatype: DatatypeMessage, bytes: Vec<u8>) -> Result<()>;

    /// Adds a text as an attribute.
    fn set_text(&self, name: &str, value: &str) -> Result<()> {
        let (datatype, bytes) = fixed(value);
        self.set(name, datatype, bytes)
    }
}

impl Objects for H5File {
    fn set(&self, name: &str, datatype: DatatypeMessage, bytes: Vec<u8>) -> Result<()> {
        self.set_attr_typed(name, datatype, bytes)
    }
}

impl Objects for H5Group {
    fn set(&self, name: &str, datatype: DatatypeMessage, bytes: Vec<u8>) -> Result<()> {
        self.set_attr_typed(name, datatype, bytes)
    }
}

impl Objects for H5Dataset {
    fn set(&self, name: &str, datatype: DatatypeMessage, bytes: Vec<u8>) -> Result<()> {
        self.set_attr_typed(name, datatype, bytes)
    }
}

/// A text as its type and its bytes. A length of 0 would make all attributes of an object unreadable elsewhere.
fn fixed(value: &str) -> (DatatypeMessage, Vec<u8>) {
    let mut bytes: Vec<u8> =
        value.chars().map(|c| if c.is_ascii() && c != '\0' { c as u8 } else { b'?' }).collect();
    bytes.resize(bytes.len().max(1), 0);
    let size = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    (DatatypeMessage::FixedString { size, padding: 1, charset: 0 }, bytes)
}

/// A new group of a class of NeXus.
pub(crate) fn class(parent: &H5Group, name: &str, class: &str) -> Result<H5Group> {
    let group = parent.create_group(name)?;
    group.set_text("NX_class", class)?;
    Ok(group)
}

/// A new scalar text.
pub(crate) fn text(parent: &H5Group, name: &str, value: &str) -> Result<()> {
    let (datatype, bytes) = fixed(value);
    parent.new_dataset::<u8>().datatype(datatype).scalar().create(name)?.write_raw_bytes(&bytes)
}

/// A new scalar, with its units where `units` are not empty.
pub(crate) fn number<T: H5Type>(parent: &H5Group, name: &str, value: T, units: &str) -> Result<H5Dataset> {
    let set = parent.new_dataset::<T>().scalar().create(name)?;
    set.write_raw(&[value])?;
    with_units(set, units)
}

/// A new array of the given shape, with its units where `units` are not empty.
pub(crate) fn numbers<T: H5Type>(
    parent: &H5Group,
    name: &str,
    shape: &[usize],
    values: &[T],
    units: &str,
) -> Result<H5Dataset> {
    let set = parent.new_dataset::<T>().shape(shape).create(name)?;
    set.write_raw(values)?;
    with_units(set, units)
}

/// A dataset with its units where `units` are not empty.
pub(crate) fn with_units(set: H5Dataset, units: &str) -> Result<H5Dataset> {
    if !units.is_empty() {
        set.set_text("units", units)?;
    }
    Ok(set)
}
