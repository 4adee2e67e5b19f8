"""Experiments: options, keywords, images, derivatives, errors."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import widebragg as wb

from conftest import SMALL
from widebragg._core import run

#: Random experiments; WIDEBRAGG_LINES=n tries n.
LINES = int(os.environ.get("WIDEBRAGG_LINES", "25"))


def quiet(options: str, **keywords: object) -> wb.Experiment:
    """An experiment whose warnings are of no interest here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", wb.WidebraggWarning)
        return wb.Experiment(options, **keywords)


def test_the_image_is_that_of_the_program(small, program):
    image = small.render()
    assert (image.shape, image.dtype) == ((20, 30), np.float32)
    assert image.max() > 0 and np.array_equal(image.ravel(), program(SMALL))


def test_a_device_has_the_bits_of_its_level():
    # Without a GPU the processor renders at the same level.
    on_device = quiet(SMALL, device="auto")
    assert on_device.facts["device"] == "cpu" or on_device.facts["device"].split(":")[0] in ("cuda", "opencl")
    assert np.array_equal(on_device.render(), quiet(SMALL, simd="avx2").render())
    with pytest.raises(ValueError, match="expected cpu, auto, opencl"):
        wb.Experiment(SMALL, device="gpu")


#: Two panels of 30 x 20 pixels.
GEOM = """photon_energy = 12398.42 eV
clen = 0.1
res = 2000
""" + "".join(
    f"{name}/min_fs = 0\n{name}/max_fs = 29\n{name}/min_ss = {20 * i}\n{name}/max_ss = {20 * i + 19}\n"
    f"{name}/corner_x = -15\n{name}/corner_y = {y}\n{name}/fs = x\n{name}/ss = y\n"
    for i, (name, y) in enumerate([("low", -21), ("high", 1)])
)

#: Atomic models, from the tests of the program.
MODELS = Path(__file__).parents[3] / "tests/golden/coordinates"


@st.composite
def lines(draw) -> str:
    """Options of random experiments, of which those with several panels name two.geom."""

    def one_of(*words: str) -> str:
        return draw(st.sampled_from(words))

    angles = st.floats(-30, 30).map(lambda angle: f"{angle:.3f}")
    of_cell = f"-cell {draw(st.integers(40, 90))} 80 90 {draw(st.integers(80, 100))} 95 100 -default_F 100"
    pixels = f"-detpixels_x {draw(st.integers(3, 40))} -detpixels_y {draw(st.integers(3, 40))}"
    detector = f"-distance 90 -pixel 0.8 {pixels} " + one_of("", "-mosflm", "-xds", "-denzo", "-adxv")
    words = [
        one_of(of_cell, of_cell, f"-hkl {MODELS / 'p212121_aniso.pdb'}"),
        "-misset " + " ".join(draw(angles) for _ in range(3)),
        f"-N {draw(st.integers(2, 12))} -lambda {draw(st.floats(0.8, 1.5)):.4f}",
        one_of(detector, detector, "--geometry two.geom"),
        one_of("-square_xtal", "-round_xtal", "-gauss_xtal", "-tophat_spots"),
        one_of("", "-phi 10 -osc 1 -phisteps 3"),
        one_of("", "-mosaic 0.5 -mosaic_domains 4"),
        one_of("", "-dispersion 2 -dispsteps 3", "--spectrum-gauss 9500,30 --spectrum-steps 5"),
        one_of("", "-water 100"),
        one_of("", "-detector_abs 500 -detector_thick 450 -thicksteps 3"),
        one_of("", "--background water,1", "--phi-carryover-mode c-parity"),
        f"-oversample {draw(st.integers(1, 3))} -fluence {one_of('1e24', '1e28')} --reference-threads 1",
        one_of("", "--gain 3 --readout 2", "--psf gauss,800 --flicker 0.1"),
    ]
    return " ".join(word for word in words if word)


@settings(max_examples=LINES, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(line=lines())
def test_random_images_are_those_of_the_program(program, line):
    Path("two.geom").write_text(GEOM)
    noise = "--noise-model counter -adc 0 -seed 5"
    try:
        experiment = quiet(f"{line} {noise}")
    except ValueError as refused:
        # What is refused is refused by the program with the same words.
        code, said = run([*f"{line} {noise}".split(), "-floatfile", "image.bin", "--quiet"])
        assert (code, said) == (2, str(refused))
        return
    photons = experiment.render()
    assert np.array_equal(photons.ravel(), program(line), equal_nan=True)
    code, said = run([*f"{line} {noise}".split(), "-noisefile", "noise.img", "--quiet", "--no-expt"])
    assert code == 0, said
    counts = np.clip(experiment.detect(photons, seed=5), 0, 65535)
    assert np.array_equal(counts.reshape(-1, counts.shape[-1]), wb.read_image("noise.img"))


def test_keywords_are_options(small):
    by_keywords = wb.Experiment(
        cell=(70, 80, 90, 85, 95, 100), misset_deg=[10, 20, 30], N=5, default_F=100, wavelength_A=1,
        distance_mm=100, pixel_mm=0.5, detector_pixels=(20, 30), oversample=7, fluence=1e24,
    )
    assert np.array_equal(by_keywords.render(), small.render())
    assert by_keywords.cell == pytest.approx((70, 80, 90, 85, 95, 100))
    assert by_keywords.N == (5, 5, 5) and by_keywords.wavelength_A == 1


def test_replace_leaves_the_rest(small):
    turned = small.replace(phi_deg=1.0, N=(5, 4, 3), shape="gauss")
    as_options = wb.Experiment(SMALL.replace("-N 5", "-Na 5 -Nb 4 -Nc 3") + " -phi 1 -gauss_xtal")
    assert np.array_equal(turned.render(), as_options.render())
    again = turned.replace(N=5, shape="square").replace("-phi 0")
    assert np.array_equal(again.render(), small.render())
    assert again.options.count("-N") == 1 and "-Na" not in again.options


def test_a_region_has_light_alone(small):
    region = small.replace(roi=np.s_[5:9, 10:25]).render()
    expected = np.zeros_like(region)
    expected[5:9, 10:25] = small.render()[5:9, 10:25]
    assert np.array_equal(region, expected)


def test_arrays_are_as_good_as_files(tmp_path, small):
    rng = np.random.default_rng(1)
    hkl = np.stack(np.meshgrid(*[np.arange(-9, 10)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    F = rng.uniform(1, 100, len(hkl))
    path = tmp_path / "list.hkl"
    path.write_text("".join(f"{h} {k} {l} {f!r}\n" for (h, k, l), f in zip(hkl.tolist(), F.tolist())))
    given = quiet(SMALL, hkl=(hkl, F), interpolate=False)
    read = quiet(SMALL, hkl=path, interpolate=False)
    assert np.array_equal(given.render(), read.render())
    assert not np.array_equal(given.render(), small.render())
    pickled = pickle.loads(pickle.dumps(given))
    assert np.array_equal(pickled.render(), read.render())

    wavelengths, weights = np.linspace(0.99, 1.01, 5), np.array([1.0, 2, 3, 2, 1])
    table = tmp_path / "spectrum.txt"
    table.write_text("# wavelength_A weight\n" + "".join(f"{x!r} {w!r}\n" for x, w in zip(wavelengths.tolist(), weights.tolist())))
    line = SMALL.replace("-lambda 1 ", "")
    given = quiet(line, spectrum=(wavelengths, weights)).render()
    assert np.array_equal(given, quiet(line, spectrum=table).render())


def test_threads_and_out(small):
    image = small.render(threads=1)
    for threads in (2, 3):
        assert np.array_equal(small.render(threads=threads), image)
    out = np.full(small.shape, np.nan, dtype=np.float32)
    assert small.render(out=out) is out and np.array_equal(out, image)
    with pytest.raises(ValueError, match="600"):
        small.render(out=np.zeros(599, dtype=np.float32))
    with pytest.raises(TypeError):
        small.render(out=np.zeros(small.shape))


def test_frames_turn_the_crystal():
    scan = quiet(SMALL + " -phi 3 -osc 0.5 -phisteps 2")
    second = quiet(SMALL + " -phi 3.5 -osc 0.5 -phisteps 2")
    np.testing.assert_allclose(scan.render(frame=1), second.render(), rtol=1e-5)


#: Renders in a process and in a fork of it, which would hang if it waited for the threads of its parent.
FORK = """
import os, sys, numpy, widebragg
experiment = widebragg.Experiment(sys.argv[1])
image = experiment.render(threads=2)
child = os.fork()
if child == 0:
    os._exit(0 if numpy.array_equal(experiment.render(threads=2), image) else 1)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
def test_a_fork_after_a_render_renders():
    assert subprocess.run([sys.executable, "-c", FORK, SMALL], timeout=120).returncode == 0


def test_derivatives_are_those_of_differences(small):
    data = small.replace(misset_deg=(10.1, 20, 30)).render()
    wrt = ["cell", "misset", "distance", "lambda"]
    loss, slopes = small.gradient(wrt, against=data)
    parameters = small.parameters(wrt)
    assert list(slopes) == list(parameters) and loss > 0
    assert parameters["a"] == wb.Parameter("angstrom", 70.0)
    for name, step in [("a", 1e-4), ("misset_y", 1e-4), ("distance", 1e-4)]:
        at = list(parameters).index(name)
        def moved(by: float) -> float:
            steps = [by if i == at else 0.0 for i in range(len(parameters))]
            image = small._core.image((list(parameters), []), steps, None)
            return 0.5 * ((image - data) ** 2).sum()
        difference = (moved(step) - moved(-step)) / (2 * step)
        assert slopes[name] == pytest.approx(difference, rel=1e-4)
    images = small.derivatives(wrt)
    weights = small._core.image((["a"], []), [0.0], None) - data
    for name, image in images.items():
        assert image.shape == small.shape
        assert slopes[name] == pytest.approx((weights * image).sum(), rel=1e-6)


def test_a_loss_of_counts_and_a_sum(small):
    counts = np.round(small.render())
    loss, slopes = small.gradient("misset", against=counts, loss="poisson")
    assert np.isfinite(loss) and set(slopes) == {"misset_x", "misset_y", "misset_z"}
    total, _ = small.gradient("misset")
    assert total == pytest.approx(small.render().sum(dtype=float), rel=1e-6)


def test_several_panels(tmp_path, program):
    (tmp_path / "two.geom").write_text(GEOM)
    line = "-cell 70 80 90 85 95 100 -misset 10 20 30 -N 5 -default_F 100 -fluence 1e24 -oversample 7"
    experiment = quiet(line, geometry=tmp_path / "two.geom")
    image = experiment.render()
    assert image.shape == experiment.shape == (2, 20, 30)
    assert [panel["name"] for panel in experiment.panels] == ["low", "high"]
    assert experiment.panels[1]["shape"] == (20, 30)
    assert np.array_equal(image.ravel(), program(f"{line} --geometry {tmp_path}/two.geom"))
    assert np.array_equal(experiment.replace(panel="high").render(), image[1])
    _, slopes = experiment.gradient("panels")
    assert len(slopes) == 12 and "panel[high].rot_normal" in slopes


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: wb.Experiment("-cell 70 80 90 90 90 90"), ValueError, "no structure factors"),
        (lambda: wb.Experiment("-cell 70 80 90 90 90 190 -default_F 1"), ValueError, "-cell"),
        (lambda: wb.Experiment("compare a b"), ValueError, "options of a render"),
        (lambda: wb.Experiment("--help"), ValueError, "options of a render"),
        (lambda: wb.Experiment(SMALL, hkl="/no/such.hkl"), OSError, "-hkl: /no/such.hkl: cannot read"),
        (lambda: wb.Experiment(SMALL, colour=3), TypeError, "no keyword 'colour'"),
        (lambda: wb.Experiment(SMALL, shape="cube"), ValueError, "'cube' is none of"),
        (lambda: wb.Experiment(SMALL, cell=(1, 2, 3)), ValueError, "cell: 3 numbers, 6"),
        (lambda: wb.Experiment(SMALL, hkl=([[0, 0, 0.5]], [1])), ValueError, "whole numbers"),
        (lambda: wb.Experiment(SMALL, N=True), TypeError, "truth value"),
        (lambda: wb.Experiment(SMALL).gradient("colour"), ValueError, "--wrt colour"),
        (lambda: wb.Experiment(SMALL).gradient(against=np.zeros(3)), ValueError, "against"),
        (lambda: wb.Experiment(SMALL).gradient("cell", loss="l1"), ValueError, "'l1'"),
        (lambda: wb.read_image("/no/such.cbf"), OSError, "/no/such.cbf"),
    ],
)
def test_what_cannot_be_used_is_refused(make, error, words):
    with pytest.raises(error, match=words):
        make()


def test_warnings_are_told():
    with pytest.warns(wb.WidebraggWarning, match="oversample"):
        wb.Experiment(SMALL.replace("-oversample 7", "-oversample 1"))


def test_paths_are_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "list.hkl").write_text("1 2 3 4.5\n-1 -2 -3 4.5\n")
    experiment = quiet(SMALL + " -hkl list.hkl")
    monkeypatch.chdir("/")
    again = pickle.loads(pickle.dumps(experiment))
    assert np.array_equal(again.render(), experiment.render())
    assert str(tmp_path / "list.hkl") in experiment.options


def test_images_in_files(program, tmp_path, small):
    program(SMALL + " -intfile int.img -scale 1")
    image = wb.read_image("image.bin", small.shape)
    assert np.array_equal(image, small.render())
    integers = wb.read_image(tmp_path / "int.img")
    assert integers.shape == small.shape and np.array_equal(integers, np.floor(integers))


def test_a_refinement_finds_the_cell(small):
    target = small.replace(cell=(70.1, 80, 90, 85, 95, 100), misset_deg=(10.05, 20, 30))
    found = small.refine(["a", "misset_x"], target.render())
    assert found.converged and found.believable
    assert found.parameters["a"].value == pytest.approx(70.1, abs=1e-3)
    assert found.parameters["misset_x"].value == pytest.approx(10.05, abs=1e-3)
    assert found.correlation[1] > 0.999999 > found.correlation[0]
    assert found.loss[1] < found.loss[0] and found.iterations > 0 and found.pixels > 0


def test_counts_are_those_of_the_program(program, tmp_path):
    line = SMALL.replace("1e24", "1e29") + " --noise-model counter --gain 3 --psf gauss,600 -adc 0 -seed 7"
    experiment = quiet(line)
    counts = experiment.detect(experiment.render(), seed=7)
    assert counts.dtype == np.int32 and counts.max() > 0
    code, said = run([*line.split(), "-noisefile", "noise.img", "--quiet", "--no-expt"])
    assert code == 0, said
    stored = wb.read_image("noise.img")
    assert np.array_equal(np.clip(counts, 0, 65535), stored)
    assert np.array_equal(experiment.detect(experiment.render(), seed=7, threads=3), counts)
    assert not np.array_equal(experiment.detect(experiment.render(), seed=8), counts)


def test_listed_bad_pixels_are_those_of_the_program(program, tmp_path):
    (tmp_path / "bad.txt").write_text("3 4 hot\n5 6 dead\n")
    line = SMALL.replace("1e24", "1e29") + " --noise-model counter -adc 0 -seed 7 --overload 999 --bad-pixels bad.txt"
    experiment = quiet(line)
    counts = experiment.detect(experiment.render(), seed=7)
    code, said = run([*line.split(), "-noisefile", "noise.img", "--quiet", "--no-expt"])
    assert code == 0, said
    assert np.array_equal(np.clip(counts, 0, 65535), wb.read_image("noise.img"))
    assert counts[4, 3] == 999 and counts[6, 5] == 0


def test_a_carryover_is_kept_from_call_to_call(small):
    options = " -phi 0 -osc 1 -phisteps 3 --phi-carryover-mode c-parity --reference-threads 2"
    rotated = quiet(SMALL + options)
    alone = rotated.render()
    carryover = wb.Carryover()
    assert carryover.streams == []
    assert np.array_equal(rotated.render(carryover=carryover, threads=2), alone)
    streams = carryover.streams
    assert [stream["rows"] for stream in streams] == [(0, 10), (10, 20)]
    assert [stream["fresh"] for stream in streams] == [1, 1] and streams[0]["left_by"] is None
    out = np.empty(small.shape, dtype=np.float32)
    again = rotated.render(carryover=carryover, out=out)
    # The first pixel of each stream finds what its last one left.
    assert np.argwhere(again != alone).tolist() == [[0, 0], [10, 0]]
    assert [stream["left_by"] for stream in carryover.streams] == [(9, 29), (19, 29)]
    assert np.array_equal(rotated.render(carryover=carryover, threads=1), again)
    assert np.array_equal(rotated.render(), alone)
    # Threads that share one wait for each other.
    shared = wb.Carryover()
    with ThreadPoolExecutor(4) as pool:
        images = list(pool.map(lambda _: rotated.render(carryover=shared, threads=2), range(12)))
    assert sum(np.array_equal(image, alone) for image in images) == 1
    assert sum(np.array_equal(image, again) for image in images) == 11
    with pytest.raises(ValueError, match="another scene"):
        rotated.replace(cell=(71, 80, 90, 85, 95, 100)).render(carryover=carryover)
    # There is none in spec.
    of_spec = wb.Carryover()
    assert np.array_equal(small.render(carryover=of_spec), small.render()) and of_spec.streams == []


def test_traces_end_at_the_pixel(small):
    trace = small.trace(8, 12)
    assert trace["I_pixel_final"] == pytest.approx(small.render()[8, 12], rel=1e-6)
    assert len(trace["steps"]) == 49 and trace["steps"][0]["carryover"] == "off"
    with pytest.raises(IndexError, match="pixel 20 0 of 20 x 30"):
        small.trace(20, 0)


def test_structure_factors_and_their_slopes():
    rng = np.random.default_rng(1)
    hkl = np.stack(np.meshgrid(*[np.arange(-9, 10)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    experiment = quiet(SMALL, hkl=(hkl, rng.uniform(1, 100, len(hkl))), interpolate=False)
    first, grid = experiment.structure_factors
    assert first == (-9, -9, -9) and grid.shape == (19, 19, 19)
    weights = rng.uniform(0, 1, experiment.shape)
    slopes = experiment.structure_factor_slopes(weights)
    assert slopes.shape == grid.shape
    # Photons are proportional to F squared.
    total = (weights * experiment.render()).sum()
    assert (slopes * grid).sum() == pytest.approx(2 * total, rel=1e-5)
    assert quiet(SMALL).structure_factors is None


def test_shots_are_those_of_the_program(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    line = SMALL.replace("-misset 10 20 30 ", "").replace("1e24", "1e29") + " --shots 3 --shot-seed 5 --noise-model counter"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", wb.WidebraggWarning)
        shots = wb.Shots(line)
    code, said = run(["shots", *line.split(), "--nxmx", "shots.nxs", "--quiet"])
    assert code == 0, said
    assert len(shots) == 3 and shots.shape == (20, 30)
    for at, shot in enumerate(shots):
        assert shot.number == at + 1 and shot.truth["wavelength_A"] == pytest.approx(1.0)
        assert np.shape(shot.truth["crystals"][0]["A"]) == (3, 3)
        assert np.array_equal(shots.detect(shot), wb.read_image(f"shots.nxs:{at}"))
    assert np.array_equal(shots[-1].photons, shots[2].photons)
    again = pickle.loads(pickle.dumps(shots))
    assert np.array_equal(again[1].photons, shots[1].photons)
    with pytest.raises(IndexError):
        shots[3]


def test_comparisons(small):
    image = small.render()
    assert wb.compare(image, image)["identical"] == image.size
    found = wb.compare(2 * image, image)
    assert found["sum_ratio"] == pytest.approx(2) and found["correlation"] == pytest.approx(1)
    with pytest.raises(ValueError, match="shapes differ"):
        wb.compare(image, image[1:])
