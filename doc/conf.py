# SPDX-License-Identifier: LGPL-3.0-or-later
"""How Sphinx builds these pages. Every example in them runs, on a simulated board: `make docs`.

With `-t manpage` only what becomes manual pages is read, with nothing but Sphinx itself: the Debian package does so.
"""

import os
import re
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "extensions"))
os.environ["RPIO_BACKEND"] = "sim:4B"
os.environ["XDG_RUNTIME_DIR"] = tempfile.mkdtemp()  # no rpio sim of whoever makes these pages

import verbs  # noqa: E402 - of the folder above

project = "RPIO"
author = "The RPIO authors"
copyright = "The RPIO authors, LGPL-3.0-or-later"
release = version = re.search(r'^version = "(.+)"', (HERE.parent / "pyproject.toml").read_text(), re.M)[1]
language = "en"
smartquotes_action = "q"  # without "D", which makes one dash of the two of --help
nitpicky = False
verbs.write_all(for_man=tags.has("manpage"))  # noqa: F821 (Sphinx defines it)
man_pages = [
    ("rpio", "rpio", "look at GPIO lines and change them from the shell", [author], 1),
    *verbs.man_pages(author),
]

if tags.has("manpage"):  # noqa: F821 (Sphinx defines it)
    extensions = []
    root_doc = "rpio"
    include_patterns = ["rpio.rst", "verbs/*.rst"]
else:
    extensions = ["sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.doctest", "board_tables"]

# -- the pages -----------------------------------------------------------------------------------------------

html_theme = "furo"
html_title = f"RPIO {release}"
html_show_sphinx = False
html_copy_source = False

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_default_options = {"exclude-members": "__new__,__init__"}
python_use_unqualified_type_names = True

# -- the examples --------------------------------------------------------------------------------------------

doctest_global_setup = f"""
import sys
sys.path.insert(0, {str(HERE / "extensions")!r})
import RPIO
from example_world import *
RPIO_CHECKOUT = {str(HERE.parent)!r}
fresh_board()
"""
doctest_global_cleanup = "fresh_board()"
