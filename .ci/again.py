# SPDX-License-Identifier: LGPL-3.0-or-later
"""What failed beside all the others: again, alone, three times each. The status says whether it passed.

A fault fails again; a machine that was too busy for a moment does not. More than three are no such moment, and nothing
is tried again. What passes here is named all the same, so that somebody looks at it.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

MOST, TIMES = 3, 3
FAILED = Path(".pytest_cache/v/cache/lastfailed")
GUEST_LOG = Path(".cache/test-kernel.log")
"""What the tests in the kernel of our own have said, whose failures are not tried again."""
SUMMARY = re.compile(r"^=+ \d+ passed[^=]* =+$", re.MULTILINE)


def guest_passed():
    """Whether all is well there, or there is none."""
    if not GUEST_LOG.exists():
        return True
    summary = SUMMARY.findall(GUEST_LOG.read_text(encoding="utf-8", errors="replace"))
    return bool(summary) and "failed" not in summary[-1] and "error" not in summary[-1]


def main():
    failed = sorted(json.loads(FAILED.read_text())) if FAILED.exists() else []
    if not 0 < len(failed) <= MOST or not guest_passed():
        print(f"{len(failed)} tests are known to have failed: nothing is tried again")
        return 1
    for number in range(TIMES):
        command = [".venv/bin/python", "-m", "pytest", "-p", "no:cacheprovider", "-q", *failed]
        if subprocess.run(command, check=False).returncode:
            return 1
        print(f"passed alone, {number + 1} of {TIMES}: {' '.join(failed)}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
