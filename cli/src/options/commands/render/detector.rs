//! Options of a render: the detector.

use super::super::super::{
    given::Given,
    message::quoted,
    model::{Attenuation, Options, PanelChoice, SensorOption, SwingOfAxis},
    row::{self, Section, put, set},
    suggest::nearest_detector,
    takes::{
        RADIANS_PER_DEGREE,
        Takes::{self, Choice, Depth, Each, File, Integer, Nothing, Number, Text},
        Unit::{Degree, Micrometre, Millimetre, Plain},
    },
};
use super::{
    super::names::names,
    odd::{pixels, range, region, size, steps},
    set_odd,
};
use crate::error::Failure;
use widebragg::{
    detector::{Convention, CustomAxes, Pivot},
    vector::Vec3,
};
use widebragg_experiment::{detectors::NamedDetector, sensor_material::SensorMaterial};

type Row = row::Row<Options>;

pub(super) const DETECTOR: Section<Options> = Section {
    heading: "Detector",
    rows: &[
        Row::new(
            "--geometry",
            File,
            "geometry of an experiment: panels, beam, spindle, scan and crystal of .expt, .geom, XPARM.XDS, XDS.INP, NXmx, or \
             the header of an SMV or CBF image; other options win; see widebragg help geometry",
            |o, v| set(&mut o.geometry, v.path()),
        ),
        Row::new("--experiment", Integer, "experiment of --geometry, counted from 0", |o, v| {
            let number = v.integer()?;
            let number = usize::try_from(number).map_err(|_| v.refuse("experiments count from 0"));
            set(&mut o.experiment, number)
        })
        .default("0"),
        Row::new(
            "--panel",
            Text("NAME|INDEX"),
            "render this panel of --geometry alone, by its name or its number from 0",
            |o, v| set(&mut o.panel, v.text().map(PanelChoice)),
        )
        .default("all"),
        Row::new(
            "--detector",
            Text("NAME"),
            "pixels, gaps and sensor of a detector such as 'Pilatus 6M', where no other option gives them; see widebragg help \
             detectors",
            named_detector,
        ),
        Row::new("-pixel", Number(Millimetre), "pixel size", |o, v| set(&mut o.pixel_m, v.positive()))
            .basic()
            .default("0.1"),
        Row::new("-detpixels", Integer, "pixels along fast and slow", |o, v| {
            set_odd(o, v, pixels, |o| &mut o.detpixels_f)?;
            set_odd(o, v, pixels, |o| &mut o.detpixels_s)
        })
        .default("1024"),
        Row::new("-detpixels_f", Integer, "pixels along fast", |o, v| {
            set_odd(o, v, pixels, |o| &mut o.detpixels_f)
        })
        .aliases(&["-detpixels_x"]),
        Row::new("-detpixels_s", Integer, "pixels along slow", |o, v| {
            set_odd(o, v, pixels, |o| &mut o.detpixels_s)
        })
        .aliases(&["-detpixels_y"]),
        Row::new(
            "-detsize",
            Number(Millimetre),
            "detector size along fast and slow, instead of pixels",
            |o, v| {
                set_odd(o, v, size, |o| &mut o.detsize_f_m)?;
                set_odd(o, v, size, |o| &mut o.detsize_s_m)
            },
        )
        .default("102.4"),
        Row::new("-detsize_f", Number(Millimetre), "detector size along fast", |o, v| {
            set_odd(o, v, size, |o| &mut o.detsize_f_m)
        })
        .aliases(&["-detsize_x"]),
        Row::new("-detsize_s", Number(Millimetre), "detector size along slow", |o, v| {
            set_odd(o, v, size, |o| &mut o.detsize_s_m)
        })
        .aliases(&["-detsize_y"]),
        Row::new(
            "-distance",
            Number(Millimetre),
            "distance to the detector along the beam; pivot beam",
            |o, v| {
                pivot(o, Pivot::Beam);
                set(&mut o.distance_m, v.nonzero())
            },
        )
        .basic()
        .default("100"),
        Row::new(
            "-close_distance",
            Number(Millimetre),
            "distance to the closest point of the detector; pivot sample",
            |o, v| {
                pivot(o, Pivot::Sample);
                set(&mut o.close_distance_m, v.nonzero())
            },
        ),
        Row::new(
            "-Xbeam",
            Number(Millimetre),
            "beam centre X in the convention's sense; pivot beam",
            |o, v| {
                pivot(o, Pivot::Beam);
                set(&mut o.xbeam_m, v.si())
            },
        )
        .default("the centre"),
        Row::new(
            "-Ybeam",
            Number(Millimetre),
            "beam centre Y in the convention's sense; pivot beam",
            |o, v| {
                pivot(o, Pivot::Beam);
                set(&mut o.ybeam_m, v.si())
            },
        )
        .default("the centre"),
        Row::new(
            "-Xclose",
            Number(Millimetre),
            "X of the point closest to the sample; pivot sample",
            |o, v| {
                pivot(o, Pivot::Sample);
                set(&mut o.xclose_m, v.si())
            },
        ),
        Row::new(
            "-Yclose",
            Number(Millimetre),
            "Y of the point closest to the sample; pivot sample",
            |o, v| {
                pivot(o, Pivot::Sample);
                set(&mut o.yclose_m, v.si())
            },
        ),
        Row::new(
            "-ORGX",
            Number(Plain("px")),
            "point closest to the sample along fast, XDS numbering; pivot sample",
            |o, v| {
                pivot(o, Pivot::Sample);
                set(&mut o.orgx_px, v.si())
            },
        ),
        Row::new(
            "-ORGY",
            Number(Plain("px")),
            "point closest to the sample along slow, XDS numbering; pivot sample",
            |o, v| {
                pivot(o, Pivot::Sample);
                set(&mut o.orgy_px, v.si())
            },
        ),
        Row::new("-twotheta", Number(Degree), "2theta swing of the detector; pivot sample", |o, v| {
            pivot(o, Pivot::Sample);
            o.swing_of_axis = None;
            set(&mut o.twotheta_rad, v.si())
        })
        .default("0"),
        Row::new("-detector_rotx", Number(Degree), "rotation of the detector about lab x", |o, v| {
            rotation(o, 0, v)
        })
        .default("0"),
        Row::new("-detector_roty", Number(Degree), "rotation of the detector about lab y", |o, v| {
            rotation(o, 1, v)
        })
        .default("0"),
        Row::new("-detector_rotz", Number(Degree), "rotation of the detector about lab z", |o, v| {
            rotation(o, 2, v)
        })
        .default("0"),
        Row::new(
            "-pivot",
            Choice(names!(Pivot)),
            "fixed point of detector rotations; a named convention overrides it",
            |o, v| {
                pivot(o, v.choice(Pivot::ALL)?);
                Ok(())
            },
        ),
        Row::new("-mosflm", Nothing, "MOSFLM convention; the default", |o, _| {
            named(o, Convention::Mosflm, Pivot::Beam)
        }),
        Row::new("-xds", Nothing, "XDS convention", |o, _| named(o, Convention::Xds, Pivot::Sample)),
        Row::new("-adxv", Nothing, "ADXV convention", |o, _| named(o, Convention::Adxv, Pivot::Beam)),
        Row::new("-denzo", Nothing, "DENZO convention", |o, _| named(o, Convention::Denzo, Pivot::Beam)),
        Row::new("-dials", Nothing, "DIALS convention", |o, _| named(o, Convention::Dials, Pivot::Beam)),
        Row::new(
            "-fdet_vector",
            VECTOR,
            "fast axis; like every axis, selects a custom convention",
            |o, v| axis(o, v, |axes| &mut axes.fast),
        ),
        Row::new("-sdet_vector", VECTOR, "slow axis", |o, v| axis(o, v, |axes| &mut axes.slow)),
        Row::new("-odet_vector", VECTOR, "detector normal", |o, v| axis(o, v, |axes| &mut axes.normal)),
        Row::new("-beam_vector", VECTOR, "direction of the beam", |o, v| axis(o, v, |axes| &mut axes.beam)),
        Row::new("-polar_vector", VECTOR, "polarisation axis", |o, v| {
            axis(o, v, |axes| &mut axes.polarization)
        }),
        Row::new("-spindle_axis", VECTOR, "axis of the phi rotation", |o, v| {
            axis(o, v, |axes| &mut axes.spindle)
        }),
        Row::new("-twotheta_axis", VECTOR, "axis of -twotheta, used as given", |o, v| {
            let [x, ..] = v.triple()?;
            o.swing_of_axis =
                Some(SwingOfAxis { twotheta_rad: x * RADIANS_PER_DEGREE, pivot: Pivot::Sample });
            axis(o, v, |axes| &mut axes.twotheta)
        }),
        Row::new(
            "-pix0_vector",
            VECTOR,
            "detector origin; selects a custom convention, but is recomputed",
            |o, v| {
                v.triple()?;
                o.convention = Convention::Custom(o.axes);
                put(&mut o.pix0_given, true)
            },
        )
        .aliases(&["-pix0_vector_mm"]),
        Row::new("-point_pixel", Nothing, "treat pixels as points, without solid angle", |o, _| {
            put(&mut o.point_pixel, true)
        }),
        Row::new("-curved_det", Nothing, "put all pixels at the same distance from the sample", |o, _| {
            put(&mut o.curved_det, true)
        }),
        Row::new(
            "--sensor",
            Text("Si|CdTe|GaAs[,um[,LAYERS]]"),
            "material, thickness and layers of the sensor: -detector_abs at the wavelength, -detector_thick and \
             -detector_thicksteps, for which these are used where they are given",
            sensor,
        )
        .default("that of --detector"),
        Row::new(
            "-detector_abs",
            Depth,
            "attenuation depth of the sensor; inf or 0 for no thickness",
            attenuation,
        )
        .aliases(&["-detector_absorb"])
        .stems(&["-detector_abs"])
        .default("the thickness"),
        Row::new("-detector_thick", Number(Micrometre), "sensor thickness", |o, v| {
            o.thick_after_no_thickness = o.detector_abs == Some(Attenuation::NoThickness);
            set_odd(o, v, range, |o| &mut o.detector_thick_m)
        })
        .default("0"),
        Row::new("-detector_thicksteps", Integer, "layers of the sensor", |o, v| {
            set_odd(o, v, steps, |o| &mut o.detector_thicksteps)
        })
        .aliases(&["-thicksteps"]),
        Row::new(
            "-img",
            File,
            "SMV image whose header gives the geometry, with the beam centre of the convention; its pixels are not read",
            |o, v| set(&mut o.img, v.path()),
        ),
        Row::new(
            "-mask",
            File,
            "SMV image of a mask: pixels that are 0 are skipped; its header gives the geometry",
            |o, v| set(&mut o.mask, v.path()),
        ),
        Row::new(
            "-roi",
            Each(&["xmin", "xmax", "ymin", "ymax"]),
            "pixels to render, inclusive; x is fast",
            |o, v| set_odd(o, v, region, |o| &mut o.roi_px),
        )
        .default("all"),
    ],
};

const VECTOR: Takes = Each(&["x", "y", "z"]);

/// A named convention has a pivot of its own. The one that its word sets counts where a later axis makes the
/// convention a custom one; for `-dials` it is another.
fn named(options: &mut Options, convention: Convention, of_word: Pivot) -> Result<(), Failure> {
    pivot(options, of_word);
    options.names_convention = true;
    put(&mut options.convention, convention)
}

fn pivot(options: &mut Options, pivot: Pivot) {
    options.pivot = Some(pivot);
    if let Some(swing) = &mut options.swing_of_axis {
        swing.pivot = pivot;
    }
}

fn rotation(options: &mut Options, axis: usize, given: &Given<'_>) -> Result<(), Failure> {
    options.detector_rot_rad[axis] = given.si()?;
    Ok(())
}

fn axis(
    options: &mut Options,
    given: &Given<'_>,
    place: fn(&mut CustomAxes) -> &mut Option<Vec3>,
) -> Result<(), Failure> {
    *place(&mut options.axes) = Some(given.direction()?.into());
    options.convention = Convention::Custom(options.axes);
    Ok(())
}

/// Thickest sensor of `--sensor`. Those that are made have a few millimetres.
const THICKEST_SENSOR_M: f64 = 1e-2;

/// Most layers of `--sensor`; each costs as much as an image without layers.
const MOST_SENSOR_LAYERS: i64 = 1000;

fn named_detector(options: &mut Options, given: &Given<'_>) -> Result<(), Failure> {
    let name = given.text()?;
    if let Some((name, why)) = NamedDetector::needs_file(&name) {
        return Err(given.refuse(&format!("the geometry of {name} must come from a file: {why}")));
    }
    let found = NamedDetector::find(&name).ok_or_else(|| match nearest_detector(&name) {
        Some(near) => given.refuse(&format!("not a known detector; did you mean {near}?")),
        None => given.refuse("not a known detector; widebragg help detectors lists them"),
    });
    put(&mut options.detector, Some(found?))
}

fn sensor(options: &mut Options, given: &Given<'_>) -> Result<(), Failure> {
    let text = given.text()?;
    let mut words = text.split(',').map(str::trim);
    let (material, thickness_um, layers) = (words.next().unwrap_or_default(), words.next(), words.next());
    if words.next().is_some() {
        return Err(given.refuse("expected material, thickness in um and layers, such as Si,320,5"));
    }
    let refuse = |word: &str, what: &str| given.refuse(&format!("{} is not {what}", quoted(word)));
    let material = SensorMaterial::from_name(material).ok_or_else(|| refuse(material, "Si, CdTe or GaAs"))?;
    let thickness_m = thickness_um.map(|word| {
        let thickness_m = word.parse().ok().map(|um| Micrometre.to_si(um));
        let thickness_m = thickness_m.filter(|m| m.is_finite() && *m > 0.0);
        let thickness_m = thickness_m.ok_or_else(|| refuse(word, "a thickness in um"))?;
        if thickness_m > THICKEST_SENSOR_M {
            return Err(given.refuse(&format!("{} um is thicker than any sensor (1 cm)", quoted(word))));
        }
        Ok(thickness_m)
    });
    let layers = layers.map(|word| {
        let layers = word.parse().ok().filter(|&layers| layers > 0);
        let layers = layers.ok_or_else(|| refuse(word, "a number of layers"))?;
        if layers > MOST_SENSOR_LAYERS {
            return Err(given.refuse(&format!("a sensor has at most {MOST_SENSOR_LAYERS} layers")));
        }
        Ok(layers)
    });
    let (thickness_m, layers) = (thickness_m.transpose()?, layers.transpose()?);
    put(&mut options.sensor, Some(SensorOption { material, thickness_m, layers }))
}

fn attenuation(options: &mut Options, given: &Given<'_>) -> Result<(), Failure> {
    let infinite = given.words.first().and_then(|word| word.trim().parse().ok()) == Some(f64::INFINITY);
    options.thick_after_no_thickness = false;
    if infinite || given.number(0)? == 0.0 {
        return put(&mut options.detector_abs, Some(Attenuation::NoThickness));
    }
    let depth_m = size(options, given)?;
    put(&mut options.detector_abs, depth_m.map(Attenuation::DepthM))
}
