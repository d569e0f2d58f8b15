# SPDX-License-Identifier: LGPL-3.0-or-later
"""``rpio serve --remoteio``: remoteio's clients, each with queues of tasks, or with gpiozero's devices."""
