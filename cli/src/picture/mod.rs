//! Images as pictures: a colour raster, scales of colours, and an image with axes, colour bar and resolution
//! rings.

pub(crate) mod canvas;
pub(crate) mod image;
pub(crate) mod scale;
