# SPDX-License-Identifier: LGPL-3.0-or-later
"""Who may what, and who has set what: scopes, the tokens that give them and their file, the records of audit."""
