"""Where the panel is: by a convention and a beam centre, or by its origin and axes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from widebragg import _core
from widebragg.simtbx.enums import convention
from widebragg.simtbx.models import PanelModel

__all__ = ["Geometry"]

#: What a custom panel has of the 2theta axis until one is set.
CUSTOM_TWOTHETA_AXIS = (0.0, 1.0, 0.0)


class Geometry:
    """A panel with the directions of beam, E vector and spindle; lengths in mm.

    A named convention places the panel by its beam centre and distance. Once an axis is given, or a panel of dxtbx, the panel
    is custom: it is where it was put, and a new distance or beam centre moves it. Its normal follows the fast and slow axis.
    """

    def __init__(self, shape: tuple[int, int], pixel_mm: float) -> None:
        self.convention = convention.MOSFLM
        self.shape = shape
        self.pixel_mm = pixel_mm
        self.distance_mm: float | None = 100.0
        self.close_distance_mm: float | None = None
        self.beam_center_mm: list[float] | None = None
        self.rotation_deg: tuple[float, ...] = (0.0, 0.0, 0.0)
        self.twotheta_deg = 0.0
        self._custom: _core.Placed | None = None
        self._placed: tuple[object, _core.Placed] | None = None

    @property
    def is_custom(self) -> bool:
        """Whether the panel is no longer placed by a named convention."""
        return self._custom is not None

    @property
    def place(self) -> _core.Placed:
        """Where the panel is."""
        if self._custom is not None:
            return self._custom
        parameters = (
            self.convention.value, self.shape, self.pixel_mm, self.distance_mm, self.close_distance_mm,
            self.beam_center_mm, self.rotation_deg, self.twotheta_deg,
        )  # fmt: skip
        key = repr(parameters)
        if self._placed is None or self._placed[0] != key:
            self._placed = (key, _core.simtbx_panel(*parameters))
        return self._placed[1]

    def put(self, panel: PanelModel, beam: Sequence[float], e_vector: Sequence[float] | None = None) -> None:
        """Puts the panel where one of dxtbx is."""
        fast, slow = np.asarray(panel.fast), np.asarray(panel.slow)
        origin = np.asarray(panel.origin_mm)
        normal = _normal(fast, slow, away=origin)
        before = self._custom
        if e_vector is None:
            e_vector = self.place["e_vector"]
        self.shape, self.pixel_mm = panel.shape, panel.pixel_mm
        self.convention = convention.Custom
        self._custom = {
            "origin_mm": origin.tolist(),
            "fast": fast.tolist(),
            "slow": slow.tolist(),
            "normal": normal.tolist(),
            "beam": list(beam),
            "e_vector": list(e_vector),
            "spindle": before["spindle"] if before else fast.tolist(),
            "twotheta_axis": before["twotheta_axis"] if before else list(CUSTOM_TWOTHETA_AXIS),
            "distance_mm": 0.0,
            "close_distance_mm": 0.0,
            "beam_center_mm": [0.0, 0.0],
        }
        self._measure()

    def follow(self, name: convention) -> None:
        """Places the panel by a named convention, at the distance it has; Custom: leaves it where it is."""
        if name is convention.Custom:
            self._custom = self._custom or _copy(self.place)
        elif self._custom is not None:
            self.distance_mm, self.close_distance_mm, self._custom = self._custom["distance_mm"], None, None
        self.convention = name

    def axis(self, name: str) -> tuple[float, ...]:
        """An axis by its name in :attr:`place`."""
        return tuple(self.place[name])  # type: ignore[literal-required]

    def set_axis(self, name: str, axis: Sequence[float]) -> None:
        """Replaces an axis; the panel is custom from then on, and moves about the spot of the beam where it turns."""
        unit = np.asarray(axis, dtype=float)
        length = np.linalg.norm(unit)
        if not 0 < length < np.inf:
            raise ValueError(f"a direction of length {length}")
        unit /= length
        if np.allclose(unit, self.axis(name), rtol=0, atol=1e-12):
            return
        custom = self._custom = _copy(self.place)
        self.convention = convention.Custom
        center = self.direct_mm
        custom[name] = unit.tolist()  # type: ignore[literal-required]
        if name in ("fast", "slow"):
            custom["normal"] = _normal(custom["fast"], custom["slow"], away=custom["normal"]).tolist()
            self._put_center(center)
        else:
            self._measure()

    def set_distance(self, distance_mm: float, close: bool = False) -> None:
        """Moves the panel along the beam, to a distance along the beam or along the normal."""
        custom = self._custom
        if custom is None:
            self.distance_mm, self.close_distance_mm = (None, distance_mm) if close else (distance_mm, None)
            return
        if close:
            distance_mm /= float(np.dot(custom["normal"], custom["beam"]))
        origin = np.asarray(custom["origin_mm"]) + (distance_mm - custom["distance_mm"]) * np.asarray(custom["beam"])
        custom["origin_mm"] = origin.tolist()
        self._measure()

    def set_beam_center(self, center_mm: Sequence[float]) -> None:
        """Moves the panel so that the beam meets it there: X and Y of the convention; fast and slow of a custom panel."""
        if self._custom is None:
            self.beam_center_mm = list(center_mm)
        else:
            self._put_center(np.asarray(center_mm, dtype=float))

    @property
    def direct_mm(self) -> NDArray[np.float64]:
        """Where the beam meets the panel, along fast and slow from its outer corner."""
        place = self.place
        to_beam = place["distance_mm"] * np.asarray(place["beam"]) - np.asarray(place["origin_mm"])
        return self._along_axes(to_beam @ place["fast"], to_beam @ place["slow"])

    @property
    def foot_mm(self) -> NDArray[np.float64]:
        """Products of the vector from the outer corner to the sample with the fast and the slow axis."""
        origin = np.asarray(self.place["origin_mm"])
        return np.array([-origin @ self.place["fast"], -origin @ self.place["slow"]])

    def set_foot(self, foot_mm: Sequence[float]) -> None:
        """Moves the panel in its plane so that :attr:`foot_mm` is this."""
        self.follow(convention.Custom)
        self._put_center(self.direct_mm + self._along_axes(*(np.asarray(foot_mm) - self.foot_mm)))

    def _along_axes(self, on_fast: float, on_slow: float) -> NDArray[np.float64]:
        """Components along fast and slow of a vector in the panel with these products: axes may be oblique."""
        axes = np.array([self.place["fast"], self.place["slow"]])
        components: NDArray[np.float64] = np.linalg.solve(axes @ axes.T, [on_fast, on_slow])
        return components

    @property
    def dials(self) -> NDArray[np.float64]:
        """Rows x, y, z of the frame of DIALS: x along the spindle, z towards the source."""
        place = self.place
        x = np.asarray(place["spindle"]) / np.linalg.norm(place["spindle"])
        y = np.cross(x, place["beam"])
        y /= np.linalg.norm(y)
        return np.array([x, y, np.cross(x, y)])

    def _put_center(self, center_mm: NDArray[np.float64]) -> None:
        custom = self._custom
        assert custom is not None
        beam, fast, slow = np.asarray(custom["beam"]), np.asarray(custom["fast"]), np.asarray(custom["slow"])
        origin = custom["distance_mm"] * beam - center_mm[0] * fast - center_mm[1] * slow
        custom["origin_mm"] = origin.tolist()
        self._measure()

    def _measure(self) -> None:
        """Distances and beam centre of a custom panel from its place."""
        custom = self._custom
        assert custom is not None
        normal = np.asarray(custom["normal"])
        close = float(normal @ custom["origin_mm"])
        along = float(normal @ custom["beam"])
        custom["close_distance_mm"] = close
        # A panel along the beam has no distance along it.
        custom["distance_mm"] = close / along if along != 0 else close
        custom["beam_center_mm"] = self.direct_mm.tolist()


def _normal(fast: ArrayLike, slow: ArrayLike, away: ArrayLike) -> NDArray[np.float64]:
    """The normal of two axes that points to the same side as ``away``: left-handed panels have one as well."""
    across = np.cross(np.asarray(fast), np.asarray(slow))
    length = np.linalg.norm(across)
    if not length > 1e-6:
        raise ValueError("the fast and the slow axis are parallel")
    normal: NDArray[np.float64] = across / (length if np.dot(across, away) >= 0 else -length)
    return normal


def _copy(place: _core.Placed) -> _core.Placed:
    return place.copy()


