"""``NBcrystal``: the properties of a crystal."""

from __future__ import annotations

from typing import Any

from widebragg.simtbx.enums import shapetype
from widebragg.simtbx.standins import Crystal

__all__ = ["NBcrystal"]

_SHAPES = {shape.value: shape for shape in (shapetype.Gauss, shapetype.Gauss_argchk, shapetype.Round, shapetype.Square)}


class NBcrystal:
    """A crystal for ``SimData``.

    Defaults are simtbx's, but that there is no Miller array until one is set: all reflections have ``default_F`` then.

    >>> crystal = NBcrystal()
    >>> crystal.Ncells_abc, crystal.xtal_shape.name, crystal.dxtbx_crystal.get_unit_cell().parameters()[:3]
    ((10, 10, 10), 'Gauss', (79.1, 79.1, 38.4))
    """

    def __init__(self, init_defaults: bool = True) -> None:
        #: Unit cells of a mosaic block along a, b, c; one number stands for all.
        self.Ncells_abc: Any = None
        #: Whether these are the same along a, b and c.
        self.isotropic_ncells: bool | None = None
        #: Elements of the N matrix beside its diagonal, which only diffBragg has.
        self.Ncells_def: Any = None
        #: Thickness of the crystal, in mm.
        self.thick_mm: float | None = None
        #: Symbol of the space group.
        self.symbol: str | None = None
        #: Largest turn of a mosaic block, in degrees.
        self.mos_spread_deg: float | None = None
        #: Three of these, which only diffBragg has.
        self.anisotropic_mos_spread_deg: Any = None
        #: Number of mosaic blocks.
        self.n_mos_domains: int | None = None
        #: A crystal of dxtbx, or an object with ``get_A()``.
        self.dxtbx_crystal: Any = None
        self._miller_array: Any = None
        self._xtal_shape: str | None = None
        if init_defaults:
            self.init_defaults()

    def init_defaults(self) -> None:
        """Sets a lysozyme-like cell in the default setting, 10 cells along each axis and gauss spots."""
        self.xtal_shape = "gauss"
        self.Ncells_abc, self.isotropic_ncells = (10, 10, 10), True
        self.thick_mm, self.symbol = 0.1, "P43212"
        self.dxtbx_crystal = self.dxtbx_crystal_from_ucell_and_symbol((79.1, 79.1, 38.4, 90, 90, 90), self.symbol)
        self.mos_spread_deg, self.n_mos_domains = 0, 1

    @property
    def has_anisotropic_mosaicity(self) -> bool:
        """Whether the mosaic spread differs with the axis."""
        return self.anisotropic_mos_spread_deg is not None

    @property
    def xtal_shape(self) -> shapetype:
        """Shape of the spots; set 'gauss', 'gauss_argchk', 'round', 'square' or 'tophat'."""
        return _SHAPES.get(str(self._xtal_shape), shapetype.Tophat)

    @xtal_shape.setter
    def xtal_shape(self, name: str) -> None:
        self._xtal_shape = name

    @property
    def miller_array(self) -> Any:
        """A Miller array of cctbx: it is expanded to P 1 with Friedel mates, in the primitive setting."""
        return self._miller_array

    @miller_array.setter
    def miller_array(self, array: Any) -> None:
        if array is not None:
            if array.is_complex_array():
                array = array.amplitudes()
            elif str(getattr(array, "observation_type", lambda: "")()) == "xray.intensity":
                array = array.as_amplitude_array()
            to_primitive = array.space_group_info().change_of_basis_op_to_primitive_setting()
            array = array.expand_to_p1().generate_bijvoet_mates()
            if to_primitive.c().r().determinant() != 1:
                array = array.change_basis(to_primitive)
        self._miller_array = array

    @staticmethod
    def dxtbx_crystal_from_ucell_and_symbol(ucell_tuple_Adeg: Any, symbol: str) -> Any:
        """A crystal of this cell, a along x, b in the plane of x and y; it has no space group."""
        return Crystal(tuple(float(number) for number in ucell_tuple_Adeg))
