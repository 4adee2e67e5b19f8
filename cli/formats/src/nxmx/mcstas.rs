//! The frame of NeXus, McStas: z along the beam exactly, y up.

use crate::geometry::vectors::{Matrix, Vector, across, apply, cross, product, unit};
use crate::geometry::{Beam, Crystal, Frame, Geometry, Panel, Polarization};

/// The rotation N from the frame of a geometry to that of McStas.
///
/// With e3 against the beam, e1 across it and e2 = e3 x e1, M = (e1, e2, e3) in rows leads to the frame of imgCIF and
/// DIALS, and N = diag(-1, 1, -1) M. In the frames of DIALS and McStas e1 is the axis with which N moves nothing but
/// the beam to its place, if it is not there; in others, whose axes can be any, it is along the spindle.
///
/// # Errors
/// The beam has no direction.
pub(super) fn to_mcstas(geometry: &Geometry) -> Result<Matrix, String> {
    let against = unit(geometry.beam.direction.map(|component| -component));
    let e3 = against.ok_or("its beam has no direction")?;
    let usual = match geometry.frame {
        Frame::Dials => [1.0, 0.0, 0.0],
        Frame::McStas => [-1.0, 0.0, 0.0],
        Frame::Xds => geometry.spindle.unwrap_or([1.0, 0.0, 0.0]),
        Frame::Mosflm => geometry.spindle.unwrap_or([0.0, 0.0, 1.0]),
    };
    let others = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]];
    let e1 = core::iter::once(usual).chain(others).find_map(|axis| across(axis, e3));
    let e1 = e1.ok_or("its beam has no direction")?;
    let [x, y, z] = [e1, cross(e3, e1), e3];
    Ok([x.map(|component| -component), y, z.map(|component| -component)])
}

/// The geometry in the frame of McStas, with a spindle about which it turns by positive steps, since readers refuse
/// others.
///
/// # Errors
/// As [`to_mcstas`].
pub(super) fn in_mcstas(geometry: &Geometry) -> Result<Geometry, String> {
    let n = to_mcstas(geometry)?;
    let turn = |v: Vector| apply(n, v);
    let turn_matrix = |m: &Matrix| product(n, *m);
    let polarization = geometry
        .beam
        .polarization
        .map(|given| Polarization { electric_vector: turn(given.electric_vector), ..given });
    let beam = Beam { direction: [0.0, 0.0, 1.0], polarization, ..geometry.beam };
    let panel = |panel: &Panel| Panel {
        origin_m: turn(panel.origin_m),
        fast: turn(panel.fast),
        slow: turn(panel.slow),
        ..panel.clone()
    };
    let crystal = geometry.crystal.as_ref().map(|crystal| Crystal {
        a_matrix: turn_matrix(&crystal.a_matrix),
        a_at_frames: crystal.a_at_frames.iter().map(turn_matrix).collect(),
        space_group: crystal.space_group.clone(),
    });
    let mut scan = geometry.scan;
    let mut spindle = geometry.spindle.map(turn);
    if let Some(scan) = scan.as_mut().filter(|scan| scan.width_deg < 0.0) {
        (scan.start_deg, scan.width_deg) = (-scan.start_deg, -scan.width_deg);
        spindle = spindle.map(|spindle| spindle.map(|component| -component));
    }
    let panels = geometry.panels.iter().map(panel).collect();
    Ok(Geometry { frame: Frame::McStas, beam, panels, spindle, scan, crystal })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn geometry(frame: Frame, direction: Vector, spindle: Option<Vector>) -> Geometry {
        let beam = Beam { direction, lambda_m: None, polarization: None };
        Geometry { frame, beam, panels: Vec::new(), spindle, scan: None, crystal: None }
    }

    #[test]
    fn named_frames_turn_as_readers_expect() {
        let n = |frame, direction, spindle| to_mcstas(&geometry(frame, direction, spindle)).unwrap();
        let mosflm = n(Frame::Mosflm, [1.0, 0.0, 0.0], Some([0.0, 0.0, 1.0]));
        assert_eq!(mosflm, [[0.0, 0.0, -1.0], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0]]);
        assert_eq!(n(Frame::Mosflm, [1.0, 0.0, 0.0], None), mosflm);
        let dials = n(Frame::Dials, [0.0, 0.0, -1.0], Some([0.0, 1.0, 0.0]));
        assert_eq!(dials, [[-1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, -1.0]]);
        let mcstas = n(Frame::McStas, [0.0, 0.0, 1.0], Some([0.6, 0.8, 0.0]));
        assert_eq!(mcstas, crate::geometry::vectors::IDENTITY);
    }

    #[test]
    fn any_beam_ends_along_z() {
        for direction in [[0.0, 0.6, 0.8], [1.0, 0.0, 0.0], [-1.0, 0.0, 0.0], [0.0, -3.0, 0.0]] {
            for frame in [Frame::Dials, Frame::McStas, Frame::Xds, Frame::Mosflm] {
                let n = to_mcstas(&geometry(frame, direction, Some(direction))).unwrap();
                let turned = apply(n, unit(direction).unwrap());
                assert!((turned[2] - 1.0).abs() < 1e-15 && turned[0].abs() + turned[1].abs() < 1e-15);
                assert!((crate::geometry::vectors::dot(n[0], cross(n[1], n[2])) - 1.0).abs() < 1e-15);
            }
        }
        assert!(to_mcstas(&geometry(Frame::Xds, [0.0; 3], None)).is_err());
        assert!(to_mcstas(&geometry(Frame::Xds, [f64::NAN; 3], None)).is_err());
    }
}
