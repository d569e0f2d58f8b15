# SPDX-License-Identifier: LGPL-3.0-or-later
"""What failed in a target of the Makefile: again, one after the other, three times. The status says whether it passed.

    again.py make TARGET [VARIABLE=VALUE...]

A fault fails again; a machine that was too busy for a moment does not. More than three are no such moment, and nothing
is tried again; nor is it where the kernel of our own had a failure. What passes here is named all the same, so that
somebody looks at it.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

MOST, TIMES = 3, 3
GUEST_LOGS = {
    "test": Path(".cache/test-kernel.log"),
    "test-slow": Path(".cache/test-kernel.log"),
    "test-every": Path(".cache/test-every.log"),
}
"""What the tests in the kernel of our own have said, whose failures are not tried again."""
SUMMARY = re.compile(r"^=+ \d+ passed[^=]* =+$", re.MULTILINE)


def guest_passed(log):
    """Whether all is well there, or there is none."""
    if not (log and log.exists()):
        return True
    summary = SUMMARY.findall(log.read_text(encoding="utf-8", errors="replace"))
    return bool(summary) and "failed" not in summary[-1] and "error" not in summary[-1]


def main(make, target, *variables):
    kept = Path(f".cache/pytest/{target}/v/cache/lastfailed")
    failed = json.loads(kept.read_text()) if kept.exists() else {}
    if not 0 < len(failed) <= MOST or not guest_passed(GUEST_LOGS.get(target)):
        print(f"{len(failed)} tests are known to have failed: nothing is tried again")
        return 1
    for number in range(TIMES):
        kept.write_text(json.dumps(failed))  # who passes is no longer in it
        again = "AGAIN=--last-failed --last-failed-no-failures=none"
        if subprocess.run([make, target, *variables, again], check=False).returncode:
            return 1
        print(f"passed alone, {number + 1} of {TIMES}: {' '.join(failed)}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
