# SPDX-License-Identifier: LGPL-3.0-or-later
"""Certificates by the openssl of Debian 11, which is 1.1.1: the tests of those that are made, and of pairing."""

import hashlib
import os
import platform
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from arm.roots import mirror
from peers.peers import NotToBeHad, cached, run

TESTS = Path(__file__).parents[1]
FETCH_S, RUN_S = 60, 600
PACKAGES = {
    "openssl_1.1.1w-0+deb11u1_amd64.deb": "04873d74cbe86bad3a9901f6e57f1150040eba9891b443c5c975a72a97238e35",
    "libssl1.1_1.1.1w-0+deb11u1_amd64.deb": "aadf8b4b197335645b230c2839b4517aa444fd2e8f434e5438c48a18857988f7",
}
"""Debian's packages of them -> SHA-256."""


def fetched(folder):
    """Fill a folder with the files of the packages, and a program ``bin/openssl`` that has its own libraries."""
    for name, digest in PACKAGES.items():
        url = f"{mirror().rstrip('/')}/pool/main/o/openssl/{name}"
        try:
            with urllib.request.urlopen(url, timeout=FETCH_S) as answer:
                data = answer.read()
        except OSError as e:
            raise NotToBeHad(f"{url}: {e}") from None
        assert hashlib.sha256(data).hexdigest() == digest, f"{url} is another file"
        (folder / name).write_bytes(data)
        run("dpkg-deb", "-x", folder / name, folder / "root")
    program = folder / "bin" / "openssl"
    program.parent.mkdir()
    program.write_text(
        '#!/bin/sh\nroot=$(dirname "$0")/../root/usr\n'
        'LD_LIBRARY_PATH=$root/lib/x86_64-linux-gnu exec "$root/bin/openssl" "$@"\n'
    )
    program.chmod(0o755)


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the packages are for x86-64")
def test_certificates_and_pairing_by_openssl_1_1_1(fetch):
    folder = fetch(cached, "openssl-1.1.1w", fetched)
    path = f"{folder}/bin:{os.environ['PATH']}"
    said = subprocess.run(
        ["openssl", "version"], env={"PATH": path}, capture_output=True, text=True, check=True
    )
    assert said.stdout.startswith("OpenSSL 1.1.1w ")
    files = [str(TESTS / f"test_{name}.py") for name in ("authority", "pairing", "hosts", "tls")]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", "-p", "no:xdist", *files],
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        timeout=RUN_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-20_000:]
    assert " passed" in done.stdout
