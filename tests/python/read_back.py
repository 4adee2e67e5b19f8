#!/usr/bin/env python3
"""Reads widebragg's files with fabio, and compares the result with the bytes of the files.

Usage: read_back.py PATH_TO_widebragg

The files are SMV in both header styles and miniCBF. The images are a still with an off-centre beam, a rotation, and a
geometry whose header does not fit into the reference's 512 bytes. Pixels must be identical to those at the place that the
file's own header declares (SMV) or unpacked by the published byte-offset rules (CBF), and to the float image scaled by the
rule of the reference. Header keys must contain the requested geometry. Exit status: 0 if everything agrees, 1 otherwise.
"""

import json
import re
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

import fabio
import numpy as np

SCALE, ADC = 3.0, 40.0
CRYSTAL = "-cell 45 52 61 82 97 104 -misset 10 20 30 -default_F 50 -N 8 -oversample 1 -fluence 1e29"
OUTPUT = f"-scale {SCALE} -adc {ADC} -intfile i.img -noisefile n.img -floatfile f.bin --cbf c.cbf -seed 1 --json"
# Name, options, and the expected values of the headers: size, pixel (mm), distance (mm), wavelength (A), osc (deg).
GEOMETRIES = [
    (
        "still, off centre",
        "-pixel 0.2 -detpixels_x 96 -detpixels_y 80 -distance 90 -lambda 1.2 -Xbeam 6.1 -Ybeam 11.7",
        dict(size=(80, 96), pixel=0.2, distance=90.0, wavelength=1.2, start=0.0, osc=0.0),
    ),
    (
        "rotation",
        "-pixel 0.172 -detpixels_x 75 -detpixels_y 101 -distance 231.5 -lambda 0.9768 -phi 12.5 -osc 0.25 -phisteps 3",
        dict(size=(101, 75), pixel=0.172, distance=231.5, wavelength=0.9768, start=12.5, osc=0.25),
    ),
    (
        "a header beyond 512 bytes",
        "-pixel 0.172 -detpixels_x 64 -detpixels_y 70 -distance 231.274660 -lambda 0.976794 -Xbeam 7.742295 "
        "-Ybeam 3.907083 -spindle_axis -1 0 0 -fdet_vector 0.999982 -0.005998 -0.000118 "
        "-sdet_vector -0.005998 -0.999970 -0.004913 -odet_vector -0.000088 0.004914 -0.999988 "
        "-beam_vector 0.00051387949 0.0 -0.99999986 -phi 1.23457 -osc 0.123457 -phisteps 2",
        dict(size=(70, 64), pixel=0.172, distance=231.27466, wavelength=0.976794, start=1.23457, osc=0.123457),
    ),
]

failures = []


def check(ok, what):
    """Prints one line for each comparison."""
    print(f"{'ok  ' if ok else 'FAIL'} {what}")
    if not ok:
        failures.append(what)


def near(value, expected, digits=6):
    """Whether two numbers agree to the significant digits that a header has."""
    return abs(float(value) - expected) <= 0.51 * 10.0 ** (1 - digits) * max(abs(expected), 1e-3)


def run(program, folder, words):
    done = subprocess.run([program, *words.split()], cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{program} {words}\n{done.stderr}")
    return json.loads(done.stdout)


def own_smv(path):
    """Header and pixels, separated by the header's own length."""
    data = path.read_bytes()
    length = int(re.match(rb"\{\s*HEADER_BYTES=\s*(\d+)", data).group(1))
    header = dict(re.findall(r"^(\w+)=\s*(.*?);?$", data[:length].decode("ascii"), re.M))
    fast, slow = int(header["SIZE1"]), int(header["SIZE2"])
    pixels = np.frombuffer(data[length:], "<u2")
    return header, pixels.reshape(slow, fast), length


def own_cbf(path):
    """Header text and pixels, unpacked by the rules of byte-offset compression."""
    data = path.read_bytes()
    begin = data.index(b"\x0c\x1a\x04\xd5") + 4
    text = data[: begin - 4].decode("ascii")
    number = lambda key: int(re.search(rf"{key}: (\d+)", text).group(1))
    packed = data[begin : begin + number("X-Binary-Size")]
    pixels, value, at = [], 0, 0
    while at < len(packed):
        for width, code in ((1, "<b"), (2, "<h"), (4, "<i"), (8, "<q")):
            (delta,) = struct.unpack_from(code, packed, at)
            at += width
            if width == 8 or delta != -(1 << (8 * width - 1)):
                break
        value += delta
        pixels.append(value)
    shape = number("X-Binary-Size-Second-Dimension"), number("X-Binary-Size-Fastest-Dimension")
    return text, np.array(pixels, np.int64).reshape(shape)


def check_smv(path, name, geometry, expected, style):
    header, pixels, length = own_smv(path)
    with fabio.open(str(path)) as image:
        read, keys = image.data, dict(image.header)
    check(read.dtype == np.uint16 and np.array_equal(read, pixels), f"{name}: fabio reads the pixels of the file")
    if expected is not None:
        check(np.array_equal(read, expected), f"{name}: they are the scaled float image")
    check(len(path.read_bytes()) == length + 2 * pixels.size, f"{name}: the header has the {length} bytes it declares")
    same = all(str(keys[key]).strip() == value.strip() for key, value in header.items() if key in keys)
    check(same and "PIXEL_SIZE" in keys, f"{name}: fabio reads the keys of the file")
    for key, value in (
        ("PIXEL_SIZE", geometry["pixel"]),
        ("DISTANCE", geometry["distance"]),
        ("WAVELENGTH", geometry["wavelength"]),
        ("OSC_START", geometry["start"]),
        ("OSC_RANGE", geometry["osc"]),
    ):
        check(near(keys[key], value), f"{name}: {key} {keys[key]}")
    if style == "readers":
        x = 1000 * geometry["Fbeam_m"]
        y = geometry["size"][0] * geometry["pixel"] - 1000 * geometry["Sbeam_m"]
        beam = near(keys["ADXV_CENTER_X"], x) and near(keys["ADXV_CENTER_Y"], y)
        check(beam, f"{name}: ADXV_CENTER {keys['ADXV_CENTER_X']} {keys['ADXV_CENTER_Y']}, along fast and up")
        x, y = x - geometry["pixel"], y + geometry["pixel"]
        beam = near(keys["BEAM_CENTER_X"], x) and near(keys["BEAM_CENTER_Y"], y)
        check(beam, f"{name}: BEAM_CENTER {keys['BEAM_CENTER_X']} {keys['BEAM_CENTER_Y']}, a pixel aside for DIALS")


def check_cbf(path, name, geometry, expected):
    text, pixels = own_cbf(path)
    with fabio.open(str(path)) as image:
        read, contents = image.data, image.header["_array_data.header_contents"]
    check(np.array_equal(read.astype(np.int64), pixels), f"{name}: fabio reads the pixels of the file")
    check(np.array_equal(pixels, expected), f"{name}: they are the scaled float image")
    check('"GENERIC_MINI"' in text, f"{name}: header convention GENERIC_MINI")
    patterns = {
        "Pixel_size": (r"Pixel_size (\S+) m x", geometry["pixel"] / 1000),
        "Detector_distance": (r"Detector_distance (\S+) m", geometry["distance"] / 1000),
        "Wavelength": (r"Wavelength (\S+) A", geometry["wavelength"]),
        "Start_angle": (r"Start_angle (\S+) deg", geometry["start"]),
        "Angle_increment": (r"Angle_increment (\S+) deg", geometry["osc"]),
        "Beam_xy fast": (r"Beam_xy \((\S+),", 1000 * geometry["Fbeam_m"] / geometry["pixel"]),
        "Beam_xy slow": (r"Beam_xy \(\S+, (\S+)\)", 1000 * geometry["Sbeam_m"] / geometry["pixel"]),
    }
    for key, (pattern, value) in patterns.items():
        found = re.search(pattern, contents)
        # A position in pixels has three decimals.
        close = found and (abs(float(found.group(1)) - value) < 6e-4 if "Beam" in key else near(found.group(1), value, 5))
        check(bool(close), f"{name}: {key} {found.group(1) if found else 'missing'}")


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    program = str(Path(sys.argv[1]).resolve())
    print(f"fabio {fabio.version}, numpy {np.__version__}")
    for title, options, geometry in GEOMETRIES:
        for style in ("readers", "reference"):
            with tempfile.TemporaryDirectory() as folder:
                folder = Path(folder)
                report = run(program, folder, f"{CRYSTAL} {options} {OUTPUT} --header {style}")
                geometry = dict(geometry, Fbeam_m=report["Fbeam_m"], Sbeam_m=report["Sbeam_m"])
                photons = np.fromfile(folder / "f.bin", "<f4").astype(np.float64).reshape(geometry["size"])
                check(photons.max() * SCALE > 100, f"{title}: the image is not empty")
                counts = np.clip(photons * SCALE + ADC, 0.0, 65535.0)
                expected = np.floor((counts + 0.5).astype(np.float32)).astype(np.uint16)
                check_smv(folder / "i.img", f"{title}, {style}, integers", geometry, expected, style)
                check_smv(folder / "n.img", f"{title}, {style}, noise", geometry, None, style)
                if style == "readers":
                    # The program rounds halves away from zero; they hardly ever occur.
                    scaled = np.clip(np.floor(photons * SCALE + 0.5), 0, 2**31 - 2).astype(np.int64)
                    check_cbf(folder / "c.cbf", f"{title}, CBF", geometry, scaled)
    if failures:
        print(f"{len(failures)} checks failed")
        sys.exit(1)
    print("everything agrees")


if __name__ == "__main__":
    main()
