# SPDX-License-Identifier: LGPL-3.0-or-later
"""What ``rpio doctor`` looks at. Each check is a function of a Patient that yields Findings, and changes nothing.

A check may meet any Linux: a container without devices, a kernel without the files, a user without rights. What is not
there is not known, and nothing raises for it; ``cli.doctor`` has the table of the checks, and prints.
"""
