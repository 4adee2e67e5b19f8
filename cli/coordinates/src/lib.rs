//! Structure factors of atomic models.

pub mod model;
