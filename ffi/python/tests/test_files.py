"""Files by themselves."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import numpy as np
import pytest

import widebragg as wb
from widebragg._core import run

from conftest import SMALL

#: Files of the program's tests, and what they hold.
GOLDEN = Path(__file__).parents[3] / "tests/golden"


def expected_reflections(name: str) -> dict[tuple[int, ...], float]:
    """F of P 1 by its indices, as other programs have it."""
    rows = np.loadtxt(GOLDEN / "reflections/expected" / f"{name}.csv", delimiter=",", skiprows=1)
    return {(int(h), int(k), int(l)): f for h, k, l, f in rows}


@pytest.mark.parametrize("file", ["p212121_refmac.mtz", "sf_fmeas.cif", "xds_merged.HKL", "crystfel_4mmm.hkl"])
def test_reflections_of_any_format(file):
    found = wb.read_reflections(GOLDEN / "reflections" / file)
    assert found.hkl.dtype == np.int32 and found.hkl.shape == (len(found.F), 3) and found.format
    by_index = {(h, k, l): f for (h, k, l), f in zip(found.hkl.tolist(), found.F.tolist())}
    expected = expected_reflections(Path(file).stem)
    assert len(by_index) == len(found.F) and by_index.keys() == expected.keys()
    np.testing.assert_allclose([by_index[hkl] for hkl in expected], list(expected.values()), rtol=1e-6)


def test_reflections_are_those_of_the_program(tmp_path):
    source = GOLDEN / "reflections/p212121_refmac.mtz"
    found = wb.read_reflections(source)
    code, said = run(["hkl", str(source), "--out", str(tmp_path / "p1.hkl"), "--quiet"])
    assert code == 0, said
    listed = np.loadtxt(tmp_path / "p1.hkl")
    assert np.array_equal(listed[:, :3], found.hkl)
    np.testing.assert_allclose(listed[:, 3], found.F, rtol=1e-12)
    assert found.space_group == "P 21 21 21" and len(found.cell) == 6 and found.taken
    again = wb.read_reflections(tmp_path / "p1.hkl")
    assert again.space_group is None and np.array_equal(again.hkl, found.hkl)


def test_reflections_are_written_and_read(tmp_path):
    rng = np.random.default_rng(3)
    hkl = np.stack(np.meshgrid(*[np.arange(-2, 3)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    F = rng.uniform(1, 900, len(hkl)).astype(np.float32)
    cell = (30.0, 40.0, 50.0, 80.0, 90.0, 100.0)
    wb.write_reflections(tmp_path / "a.mtz", hkl, F, cell=cell)
    read = wb.read_reflections(tmp_path / "a.mtz")
    assert np.array_equal(read.hkl, hkl) and np.array_equal(read.F, F)
    assert read.cell == pytest.approx(cell) and read.space_group == "P 1" and read.format == "MTZ"
    wb.write_reflections(tmp_path / "a.hkl", hkl, F)
    assert np.array_equal(wb.read_reflections(tmp_path / "a.hkl").F, F)
    for wrong, words in [
        (lambda: wb.write_reflections(tmp_path / "b.mtz", hkl, F), "needs a cell"),
        (lambda: wb.write_reflections(tmp_path / "b.hkl", hkl[:, :2], F), "shape"),
        (lambda: wb.write_reflections(tmp_path / "b.hkl", hkl + 0.5, F), "whole"),
        (lambda: wb.read_reflections(GOLDEN / "reflections/bad_empty.mtz"), "bad_empty.mtz"),
        (lambda: wb.read_reflections(GOLDEN / "coordinates/p1_iso.pdb"), "an atomic model"),
        (lambda: wb.read_reflections(tmp_path / "a.hkl", format="word"), "format"),
    ]:
        with pytest.raises(ValueError, match=words):
            wrong()
    with pytest.raises(OSError, match="none.mtz: cannot read"):
        wb.read_reflections(tmp_path / "none.mtz")


def test_geometries():
    path = GOLDEN / "geometry/rotation.expt"
    read = wb.read_geometry(path)
    raw = json.loads(path.read_text())
    panel, beam = raw["detector"][0]["panels"][0], raw["beam"][0]
    (found,) = read["panels"]
    assert found["shape"] == tuple(reversed(panel["image_size"]))
    for key, theirs in [("origin_mm", "origin"), ("fast", "fast_axis"), ("pixel_mm", "pixel_size")]:
        assert found[key] == pytest.approx(panel[theirs])
    assert read["beam"]["wavelength_A"] == pytest.approx(beam["wavelength"])
    assert read["scan"]["frames"] > 0 and read["crystal"]["A"].shape == (3, 3)
    real = np.array([raw["crystal"][0][f"real_space_{axis}"] for axis in "abc"])
    np.testing.assert_allclose(np.linalg.norm(real, axis=1), read["crystal"]["cell"][:3], rtol=1e-6)
    slab = wb.read_geometry(GOLDEN / "geometry/slab.geom")
    assert slab["format"] == "CrystFEL geometry" and slab["crystal"] is None and slab["scan"] is None
    assert len(slab["bad_pixels"]) == len(slab["panels"])
    with pytest.raises(ValueError, match="no experiment 5"):
        wb.read_geometry(path, 5)


def test_geometries_are_written_and_read(small, tmp_path):
    tilted = small.replace("-twotheta 8 -detector_rotx 3 -detector_roty 2")
    for name in ["a.expt", "a.geom"]:
        tilted.write_geometry(tmp_path / name)
        read = wb.read_geometry(tmp_path / name)
        assert read["panels"][0]["shape"] == (20, 30) and read["beam"]["wavelength_A"] == pytest.approx(1.0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", wb.WidebraggWarning)
        options = "-fluence 1e24 -oversample 7 -default_F 100 -N 5"
        again = wb.Experiment(options, geometry=tmp_path / "a.expt")
    np.testing.assert_allclose(again.render(), tilted.render(), rtol=1e-3, atol=1e-6 * tilted.render().max())
    with pytest.raises(ValueError, match="none of expt, geom"):
        small.write_geometry(tmp_path / "a.txt")


def test_images_are_those_of_the_program(program, tmp_path):
    line = SMALL.replace("1e24", "1e29") + " -adc 40 --noise-model counter -seed 3"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", wb.WidebraggWarning)
        experiment = wb.Experiment(line)
    photons = experiment.render()
    counts = experiment.detect(photons, seed=3)
    files = ["-noisefile", "n.img", "--noise-cbf", "n.cbf", "-floatfile", "f.bin"]
    code, said = run([*line.split(), *files, "--quiet", "--no-expt"])
    assert code == 0, said
    Path("own").mkdir()
    experiment.write_image("own/n.img", counts + 40, adc_offset=40)
    experiment.write_image("own/n.cbf", counts)
    experiment.write_image("own/f.bin", photons)
    assert Path("own/f.bin").read_bytes() == Path("f.bin").read_bytes()
    for ours, theirs in [("own/n.img", "n.img"), ("own/n.cbf", "n.cbf")]:
        assert np.array_equal(wb.read_image(ours), wb.read_image(theirs))
        # Headers are the same but for the time.
        lines = [
            [line for line in Path(name).read_bytes()[:1500].split(b"\n") if b":" not in line and b"DATE" not in line]
            for name in (ours, theirs)
        ]
        assert lines[0] == lines[1]
    experiment.write_image("a.png", photons)
    assert Path("a.png").read_bytes().startswith(b"\x89PNG")
    experiment.write_image("grey", np.zeros((20, 30)), "pgm")
    assert Path("grey").read_bytes().startswith(b"P5")
    for wrong, words in [
        (lambda: experiment.write_image("b.img", photons - 1), "whole numbers from 0 to 65535"),
        (lambda: experiment.write_image("b.img", counts[1:]), "shape"),
        (lambda: experiment.write_image("b.tif", counts), "tells none"),
        (lambda: experiment.write_image("b.img", counts, "tif"), "none of smv"),
    ]:
        with pytest.raises(ValueError, match=words):
            wrong()
    with pytest.raises(OSError):
        experiment.write_image("no/such/folder.bin", photons)


def test_nxmx_files(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", wb.WidebraggWarning)
        scan = wb.Experiment(SMALL.replace("1e24", "1e29") + " -phi 3 -osc 0.5 -phisteps 2")
    frames = [scan.render(frame=at) for at in range(3)]
    counts = [scan.detect(frame, frame=at + 1) for at, frame in enumerate(frames)]
    for name, images in [("photons.nxs", frames), ("counts.nxs", counts)]:
        scan.write_nxmx(tmp_path / name, images)
        for at, image in enumerate(images):
            assert np.array_equal(wb.read_image(f"{tmp_path / name}:{at}"), image)
    read = wb.read_geometry(tmp_path / "counts.nxs")
    assert read["scan"]["frames"] == 3 and read["scan"]["osc_deg"] == pytest.approx(0.5)
    # nanoBragg's default setting of a triclinic cell is not quite that of the cell.
    assert read["crystal"]["cell"] == pytest.approx((70, 80, 90, 85, 95, 100), rel=1e-3)
    too_large = np.full((20, 30), 2**40)
    for wrong, words in [([], "there are none"), ([frames[0][1:]], "shape"), ([too_large], "whole numbers")]:
        with pytest.raises(ValueError, match=words):
            scan.write_nxmx(tmp_path / "b.nxs", wrong)


def test_streams(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    line = SMALL.replace("-misset 10 20 30 ", "") + " --shots 3"
    code, said = run(["shots", *line.split(), "--nxmx", "shots.nxs", "--stream", "truth.stream", "--quiet"])
    assert code == 0, said
    chunks = wb.read_stream("truth.stream")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", wb.WidebraggWarning)
        shots = wb.Shots(line)
    assert len(chunks) == 3
    for chunk, shot in zip(chunks, shots):
        (crystal,) = chunk["crystals"]
        assert chunk["wavelength_A"] == pytest.approx(1.0)
        assert crystal["cell"][:3] == pytest.approx((70, 80, 90), rel=1e-4)
        lengths = np.linalg.norm(np.array(shot.truth["crystals"][0]["A"]), axis=0)
        np.testing.assert_allclose(np.linalg.norm(crystal["A"], axis=0), lengths, rtol=1e-4)


def test_what_shots_are_is_written_as_by_the_program(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    line = SMALL.replace("-misset 10 20 30 ", "") + " --shots 4 --crystals-per-shot 2 --nxmx shots.nxs"
    code, said = run(["shots", *line.split(), "--stream", "program.stream", "--truth", "program.csv", "--quiet"])
    assert code == 0, said
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", wb.WidebraggWarning)
        shots = wb.Shots(line)
    shots.write_truth("own.csv")
    shots.write_stream("own.stream")
    assert Path("own.csv").read_bytes() == Path("program.csv").read_bytes()
    own, theirs = (Path(f"{name}.stream").read_text().splitlines() for name in ("own", "program"))
    # The third line is the command, and files are named by absolute paths in Python.
    assert [line.replace(f"{tmp_path}/", "") for line in own[3:]] == theirs[3:] and len(own) > 100
    for shot, told in zip(shots, wb.read_shots("own.csv"), strict=True):
        assert told.pop("number") == shot.number and told["crystals"]
        for crystal, true in zip(told["crystals"], shot.truth["crystals"], strict=True):
            assert crystal["A"] == true["A"] and crystal["N"] == true["N"] and crystal["misset_deg"] is None
        assert told["wavelength_A"] == pytest.approx(shot.truth["wavelength_A"])
    Path("few.csv").write_text("shot,weight,energy_ev\n1,1,9000\n3,0,\n")
    first, blank = wb.read_shots("few.csv")
    assert first["wavelength_A"] == pytest.approx(12398.41984 / 9000) and first["fluence"] is None
    assert blank["number"] == 3 and blank["crystals"] == [] and blank["shift_mm"] is None
    with pytest.raises(ValueError, match="few.csv: column shot is of a table of shots"):
        wb.read_crystals("few.csv")
    with pytest.raises(OSError, match="none.csv: cannot read"):
        wb.read_shots("none.csv")
    with pytest.raises(OSError):
        shots.write_truth("no/such/folder.csv")


def test_streams_are_written_and_read(small, tmp_path):
    small.write_geometry(tmp_path / "a.expt")
    crystal = wb.read_geometry(tmp_path / "a.expt")["crystal"]
    predicted = small.predictions()
    n = len(predicted["d_A"])
    assert n > 10
    reflections = {**predicted, "intensity": np.arange(n) * 10.0, "sigma": np.full(n, 2.5)}
    images = [
        {"image": "a.h5", "event": "//0", "serial": 7, "wavelength_A": 1.0, "crystals": [
            {"A": crystal["A"], "shift_mm": (0.25, -0.5), "reflections": reflections}, {"A": crystal["A"]},
        ]},
        {"image": "b.h5"},
    ]  # fmt: skip
    path = tmp_path / "a.stream"
    wb.write_stream(path, iter(images), tmp_path / "a.expt")
    hit, blank = wb.read_stream(path)
    assert (hit["image"], hit["event"], hit["serial"]) == ("a.h5", "//0", 7)
    assert hit["wavelength_A"] == pytest.approx(1.0) and hit["crystals"][0]["shift_mm"] == pytest.approx([0.25, -0.5])
    assert blank == {"image": "b.h5", "event": None, "serial": None, "wavelength_A": None, "crystals": []}
    assert hit["crystals"][0]["cell"] == pytest.approx(crystal["cell"], rel=1e-6)
    # z is along the beam in a stream, and to the source in an experiment list.
    turned = np.diag([-1.0, 1.0, -1.0]) @ crystal["A"]
    np.testing.assert_allclose(hit["crystals"][0]["A"], turned, rtol=1e-6, atol=1e-9)
    text = path.read_text()
    first = text.split("panel\n", 1)[1].split("End of reflections")[0].split("\n")[:n]
    table = np.array([row.split()[:9] for row in first], dtype=float)
    assert np.array_equal(table[:, :3], predicted["hkl"]) and np.array_equal(table[:, 3], np.arange(n) * 10)
    np.testing.assert_allclose(table[:, 7], predicted["fast_px"], atol=6e-4)
    np.testing.assert_allclose(table[:, 8], predicted["slow_px"], atol=6e-4)

    def of(**changes):
        return [{"image": "a.h5", "crystals": [{"A": crystal["A"], "reflections": {**predicted, **changes}}]}]

    for wrong, words in [
        (of(panel=np.full(n, 1)), "a reflection on panel 1 of 1"),
        (of(panel=np.full(n, -1)), "a reflection on panel -1 of 1"),
        (of(fast_px=[1.0]), "columns of n numbers"),
        (of(hkl=predicted["hkl"][:, :2]), "indices of shape"),
        (of(hkl=predicted["hkl"] + 0.5), "whole numbers"),
        ([{"image": "a\nb"}], "line ends"),
        ([{"image": "a", "wavelength_A": 0.0}], "not above 0"),
        ([{"image": "a", "crystals": [{"A": np.zeros((3, 3))}]}], "span no volume"),
        ([{"image": "a", "crystals": [{"A": [1, 2, 3]}]}], "A: an array of shape"),
    ]:
        with pytest.raises(ValueError, match=words):
            wb.write_stream(tmp_path / "b.stream", wrong, tmp_path / "a.expt")
    assert not (tmp_path / "b.stream").exists()


def test_dumps_are_those_of_the_program(program, tmp_path):
    rng = np.random.default_rng(5)
    first, grid = (-9, -8, -12), rng.uniform(1, 900, (19, 17, 25))
    wb.write_dump("Fdump.bin", first, grid)
    again, read = wb.read_dump("Fdump.bin")
    assert again == first and np.array_equal(read, grid)
    line = SMALL.replace("-default_F 100 ", "")
    hkl = np.stack(np.meshgrid(*[np.arange(n) + at for n, at in zip(grid.shape, first)], indexing="ij"), axis=-1)
    experiment = wb.Experiment(line, hkl=(hkl.reshape(-1, 3), grid.ravel()))
    found, nodes = experiment.structure_factors
    assert np.array_equal(experiment.render().ravel(), program(line))
    wb.write_dump("again.bin", found, nodes)
    assert wb.read_dump("again.bin")[0] == found
    for wrong, words in [
        (lambda: wb.write_dump("b.bin", first, grid[0]), "three axes"),
        (lambda: wb.write_dump("b.bin", first, grid[:0]), "three axes that are not empty"),
        (lambda: wb.write_dump("b.bin", first, np.full((2, 2, 2), np.nan)), "not finite"),
        (lambda: wb.write_dump("b.bin", (2**31 - 1, 0, 0), grid), "from 2147483647 on"),
        (lambda: wb.read_dump(GOLDEN / "geometry/slab.geom"), "not a structure factor dump"),
    ]:
        with pytest.raises(ValueError, match=words):
            wrong()
    with pytest.raises(TypeError):
        wb.write_dump("b.bin", (0.5, 0, 0), grid)
    with pytest.raises(OSError):
        wb.write_dump("no/such/folder.bin", first, grid)


@pytest.mark.parametrize(("format", "digits"), [("json", 1e-15), ("text", 1e-14)])
def test_traces_are_those_of_the_program(program, small, format, digits):
    command = ["trace", *SMALL.split(), "--pixel", "8", "12", "--pixel", "3", "4", "--format", format, "--out", "t"]
    code, said = run([*command, "--quiet"])
    assert code == 0, said
    trace = wb.read_trace("t")
    assert [pixel.position for pixel in trace.pixels] == [(8, 12), (3, 4)]
    for pixel in trace.pixels:
        expected = small.trace(*pixel.position)
        steps = expected.pop("steps")
        # Here the number of steps, there the steps themselves.
        assert pixel.values.pop("steps") == len(pixel.steps) == len(steps) == 49
        assert pixel.values.keys() == expected.keys()
        for name, value in expected.items():
            np.testing.assert_allclose(pixel.values[name], value, rtol=digits, err_msg=name)
        for found, step in zip(pixel.steps, steps):
            step.pop("carryover")
            assert found.keys() == step.keys()
            np.testing.assert_allclose(list(found.values()), [step[name] for name in found], rtol=digits)
    Path("no.txt").write_text("nothing of the kind\n")
    with pytest.raises(ValueError, match="no.txt: no tap"):
        wb.read_trace("no.txt")


def test_small_files(tmp_path):
    (tmp_path / "s.txt").write_text("# energy_eV one two\n12000 1 0\n12398.41984332 2 3\n")
    spectra = wb.read_spectra(tmp_path / "s.txt")
    assert list(spectra) == ["one", "two"] and spectra["two"][1].tolist() == [0, 3]
    assert spectra["one"][0][1] == pytest.approx(1.0)

    (tmp_path / "sources.txt").write_text("-1 0 0 0.25 1e-10\n-1 0.001 0 0.75 1.1e-10\n")
    first, second = wb.read_sources(tmp_path / "sources.txt")
    assert first.direction == (-1, 0, 0) and second.weight == 0.75 and second.wavelength_A == pytest.approx(1.1)

    matrix = np.random.default_rng(1).normal(size=(3, 3))
    wb.write_matrix(tmp_path / "A.mat", matrix)
    assert np.array_equal(wb.read_matrix(tmp_path / "A.mat"), matrix)
    with pytest.raises(ValueError, match="is needed"):
        wb.write_matrix(tmp_path / "A.mat", [1, 2, 3])

    (tmp_path / "water.4stol").write_text("0 2.57\n0.648 8.0\n")
    s, F = wb.read_stol(tmp_path / "water.4stol", "4s")
    assert s.tolist() == [0, 0.162] and F.tolist() == [2.57, 8.0]
    with pytest.raises(ValueError, match="none of s, 4s, Q"):
        wb.read_stol(tmp_path / "water.4stol", "q2")


def test_predictions_are_those_of_the_program(program):
    line = SMALL + " -phi 3 -osc 20 -phisteps 2"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", wb.WidebraggWarning)
        found = wb.Experiment(line).predictions()
    code, said = run([*line.split(), "--predictions", "p.csv", "-nonoise", "--quiet", "--no-expt"])
    assert code == 0, said
    table = np.genfromtxt("p.csv", delimiter=",", names=True)
    assert len(table) == len(found["d_A"]) > 0
    assert np.array_equal(np.column_stack([table[name] for name in "hkl"]), found["hkl"])
    for ours, theirs in [("fast_px", "x_px"), ("slow_px", "y_px"), ("phi_deg", "phi_deg"), ("d_A", "d_angstrom")]:
        np.testing.assert_allclose(found[ours], table[theirs], rtol=1e-9)
