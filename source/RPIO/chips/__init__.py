# SPDX-License-Identifier: LGPL-3.0-or-later
"""What hangs on a simulated board: buses, one module a chip, one for each thing on lines; and files of circuits."""
