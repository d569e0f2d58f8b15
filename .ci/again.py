# SPDX-License-Identifier: LGPL-3.0-or-later
"""What failed in a target of the Makefile: again, one after the other, three times. The status says whether it passed.

    again.py make TARGET [VARIABLE=VALUE...]

A fault fails again; a machine that was too busy for a moment does not. More than three are no such moment, and nothing
is tried again; nor is it where the tests in the kernel of our own have not come to their end. What passes here is named
all the same, so that somebody looks at it.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

MOST, TIMES = 3, 3
SUMMARY = re.compile(r"^=+ .*\d+ (?:passed|failed).* in .*=+$", re.MULTILINE)
"""What pytest says at its end."""


def failed_in(target):
    """Those tests, as pytest keeps them."""
    kept = Path(f".cache/pytest/{target}/v/cache/lastfailed")
    return kept, json.loads(kept.read_text()) if kept.exists() else {}


def has_ended(log):
    """Whether the tests of the guest have, or there are none."""
    return not log.exists() or SUMMARY.search(log.read_text(encoding="utf-8", errors="replace")) is not None


def main(make, target, *variables):
    found = {"here": failed_in(target), "there": failed_in(f"{target}-there")}
    count = sum(len(failed) for _, failed in found.values())
    if not 0 < count <= MOST or not has_ended(Path(f".cache/{target}-there.log")):
        print(f"{count} tests are known to have failed: nothing is tried again")
        return 1
    for where, (kept, failed) in found.items():
        for number in range(TIMES if failed else 0):
            kept.write_text(json.dumps(failed))  # who passes is no longer in it
            if subprocess.run([make, target, *variables, f"AGAIN={where}"], check=False).returncode:
                return 1
            print(f"passed alone, {number + 1} of {TIMES}: {' '.join(failed)}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
