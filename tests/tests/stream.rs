//! Streams of CrystFEL against what `dials.predict` says of golden/geometry/still.expt: the stream that is written of
//! the still has its spots where the crystal and the geometry that are read from it put them.

use std::path::Path;

use widebragg_formats::geometry::{Geometry, parse_geometry, read_geometry};
use widebragg_formats::stream::{Chunk, Lattice, Spot, StreamHeader, StreamWriter, read_stream};
use widebragg_tests::golden;
use widebragg_tests::table::Table;

type Vector = [f64; 3];

/// Positions are written with three decimals.
const ROUNDING_PX: f64 = 0.8e-3;

fn dot(u: Vector, v: Vector) -> f64 {
    u.iter().zip(v).map(|(a, b)| a * b).sum()
}

fn cross(u: Vector, v: Vector) -> Vector {
    [u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2], u[0] * v[1] - u[1] * v[0]]
}

/// Where the ray meets a panel, in pixels from its outer corner.
fn meets(geometry: &Geometry, panel: usize, ray: Vector) -> [f64; 2] {
    let panel = &geometry.panels[panel];
    let normal = cross(panel.fast, panel.slow);
    let along = dot(panel.origin_m, normal) / dot(ray, normal);
    let from_corner = [0, 1, 2].map(|i| along * ray[i] - panel.origin_m[i]);
    [dot(from_corner, panel.fast) / panel.pixel_m[0], dot(from_corner, panel.slow) / panel.pixel_m[1]]
}

/// The ray of q, turned in the plane of q and the beam onto the sphere of a beam along z.
fn on_sphere(k0: f64, q: Vector) -> Vector {
    let along = -dot(q, q) / (2.0 * k0);
    let across = (dot(q, q) - along * along).sqrt() / q[0].hypot(q[1]);
    [across * q[0], across * q[1], k0 + along]
}

#[test]
fn spots_of_a_written_still_are_where_dials_predicts_them() {
    let folder = golden::root().join("geometry");
    let mut still = read_geometry(&folder.join("still.expt"), 0).expect("an experiment list").geometry;
    for (at, panel) in still.panels.iter_mut().enumerate() {
        panel.data_origin = [0, 1000 * at];
    }
    let text = std::fs::read_to_string(folder.join("still_predicted.csv")).expect("a table");
    let table = Table::parse(&text);
    let spot = |row: &Vec<f64>| {
        let value = |name: &str| table.value(row, name);
        let panel = value("panel") as usize;
        let [along_fast, along_slow] = still.panels[panel].pixel_m.map(|edge_m| edge_m * 1e3);
        Spot {
            hkl: ["h", "k", "l"].map(|name| value(name) as i32),
            panel,
            // Without the parallax, which a stream does not know.
            position_px: [value("x_mm") / along_fast, value("y_mm") / along_slow],
            intensity: [100.0, 10.0],
        }
    };
    let spots: Vec<Spot> = table.rows.iter().map(spot).collect();
    assert_eq!(spots.len(), 94);
    let crystal = still.crystal.clone().expect("a crystal");
    let lattice = Lattice { crystal, bravais: None, detector_shift_m: [0.0; 2] };
    let lambda_m = still.beam.lambda_m;
    let chunk = Chunk { image: "still.h5".to_owned(), lambda_m, lattices: vec![lattice], ..Chunk::default() };
    let mut written = Vec::new();
    let mut stream = StreamWriter::new(&mut written, &still, &StreamHeader::default()).expect("a header");
    stream.chunk(&chunk, &[&spots]).expect("a chunk");

    // What is left of the still is the stream.
    let text = String::from_utf8(written).expect("a text");
    let [_, rest] = text.split("----- Begin geometry file -----\n").collect::<Vec<_>>()[..] else {
        panic!("{text}")
    };
    let geom = rest.split("----- End geometry file -----").next().expect("a geometry");
    let geometry = parse_geometry(&mut geom.as_bytes(), Path::new("a.geom"), 0).expect("a geometry").geometry;
    let chunks = read_stream(&mut text.as_bytes(), Path::new("a.stream")).expect("a stream");
    let a_matrix = chunks[0].lattices[0].crystal.a_matrix;
    let k0 = 1e-10 / chunks[0].lambda_m.expect("a wavelength");
    let rows = text.split("fs/px    ss/px panel\n").nth(1).expect("reflections");
    let rows: Vec<&str> = rows.split("End of reflections").next().expect("their end").lines().collect();
    assert_eq!(rows.len(), 94);
    for row in rows {
        let words: Vec<&str> = row.split_whitespace().collect();
        let number = |at: usize| words[at].parse::<f64>().expect("a number");
        let panel: usize = words[9].strip_prefix('p').expect("a panel").parse().expect("a number");
        let q = a_matrix.map(|row| dot(row, [number(0), number(1), number(2)]));
        let [fast, slow] = meets(&geometry, panel, on_sphere(k0, q));
        let origin = geometry.panels[panel].data_origin;
        let off = (number(7) - origin[0] as f64 - fast).hypot(number(8) - origin[1] as f64 - slow);
        assert!(off < ROUNDING_PX, "{row}: off by {off} px");
    }
}
