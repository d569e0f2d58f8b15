# SPDX-License-Identifier: LGPL-3.0-or-later
"""Pictures of Pillow's and of OpenCV's, with each of them and with the other alone: what comes is a JPEG of them.

Further-Link's own library is not on the package index, so that its client cannot stand beside ours: its bytes are in
test_streams.py, as its documentation has them.
"""

import base64
import hashlib
import json
import os
import subprocess
import sys

import pytest

from . import peers

PILLOW, OPENCV = ("Pillow==11.3.0",), ("numpy==2.2.6", "opencv-python-headless==4.12.0.88")
PIXEL = "8aab595e535aefb505b71b4f448bc49c132cf3afa95a64f1072bb450653e30ad"
"""SHA-256 of what Further-Link makes of one gray pixel. Source: its tests/e2e/test_run_lib.py."""
PROGRAM = """
import base64, json
from RPIO import program
shown = []
program._video.send = lambda text: shown.append(text.decode()) or True
{}
print(json.dumps(shown))
"""
BY_PILLOW = """
import io
from PIL import Image
for mode in ("L", "RGB", "RGBA", "P", "1", "LA", "CMYK", "I;16", "HSV"):
    program.send_image(Image.new(mode, (8, 4)))
program.send_image(Image.effect_noise((1, 1), 0))
"""
BY_ARRAYS = """
import numpy
blue = numpy.zeros((4, 8, 3), numpy.uint8)
blue[:, :, 0] = 255
arrays = [blue, numpy.dstack([blue, blue[:, :, :1]]), numpy.asfortranarray(blue), blue[::-1, ::-1]]
for frame in [*arrays, blue.repeat(2, 1)[:, ::2]]:
    program.send_image(frame)
for frame in (numpy.full((4, 8), 255, numpy.uint8), numpy.full((4, 8, 1), 255, numpy.uint8)):
    program.send_image(frame)
none = [blue / 255, blue.astype(int), numpy.zeros((0, 0, 3), numpy.uint8), blue[:, :, :2]]
for frame in [*none, numpy.zeros((1, 2, 3, 4))]:
    try:
        shown.append(program.send_image(frame))
    except ValueError as e:
        assert "is no picture" in str(e), e
"""
LOOKS = """
import base64, io, json, sys
from PIL import Image
for text in json.load(sys.stdin):
    image = Image.open(io.BytesIO(base64.b64decode(text)))
    print(json.dumps([image.format, image.size, image.convert("RGB").getpixel((0, 0))]))
"""


def run(code, folders, text=None):
    done = subprocess.run(
        [sys.executable, "-c", code],
        input=text,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, folders))},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def pillow(fetch):
    return fetch(peers.with_needs, *PILLOW)


@pytest.fixture(scope="module")
def opencv(fetch):
    return fetch(peers.with_needs, *OPENCV)


def looked_at(shown, pillow):
    return [json.loads(line) for line in run(LOOKS, [pillow], shown).splitlines()]


def test_images_of_pillows(pillow):
    shown = run(PROGRAM.format(BY_PILLOW), [pillow])
    found = looked_at(shown, pillow)
    assert [each[:2] for each in found] == 9 * [["JPEG", [8, 4]]] + [["JPEG", [1, 1]]]
    assert hashlib.sha256(base64.b64decode(json.loads(shown)[-1])).hexdigest() == PIXEL


@pytest.mark.parametrize("has_pillow", [True, False])
def test_arrays_of_opencvs(pillow, opencv, has_pillow):
    shown = run(PROGRAM.format(BY_ARRAYS), [opencv, *([pillow] if has_pillow else [])])
    found = looked_at(shown, pillow)
    assert len(found) == 7
    for kind, size, (red, green, blue) in found[:5]:
        assert (kind, size) == ("JPEG", [8, 4])
        assert red < 10 and green < 10 and blue > 245
    assert [pixel for _, _, pixel in found[5:]] == 2 * [[255, 255, 255]]


def test_without_either_it_is_said(opencv):
    code = PROGRAM.format(
        "import numpy, sys; sys.modules['cv2'] = None\n"
        "try: program.send_image(numpy.zeros((4, 8, 3), numpy.uint8))\nexcept ImportError as e: shown.append(str(e))"
    )
    assert json.loads(run(code, [opencv])) == [
        "neither Pillow nor OpenCV is there to write a JPEG: pip install Pillow"
    ]
