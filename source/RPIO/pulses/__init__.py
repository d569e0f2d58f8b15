# SPDX-License-Identifier: LGPL-3.0-or-later
"""What makes pulses: PWM objects, subcycles, servos, waves; by hardware, DMA or the C timer."""
