# SPDX-License-Identifier: LGPL-3.0-or-later
"""A lamp at GPIO 18 that a button at GPIO 17 switches on and off: one of two programs that meet on one board.

In three terminals:

    rpio sim                                            the board; select 17 there, Space presses it
    RPIO_BACKEND=sim:shared python lamp.py              this one
    RPIO_BACKEND=sim:shared python hand.py              the other one

On a Raspberry Pi it needs neither: python lamp.py, with a button from GPIO 17 to ground.
"""

import RPIO

BUTTON, LAMP = 17, 18


def pressed(gpio, level):
    """Turn the lamp over."""
    is_on = not RPIO.input(LAMP)
    RPIO.output(LAMP, is_on)
    print("the lamp is", "on" if is_on else "off", flush=True)


def main():
    RPIO.setup(LAMP, RPIO.OUT, initial=0)
    RPIO.add_interrupt_callback(
        BUTTON, pressed, edge="falling", pull_up_down=RPIO.PUD_UP, debounce_timeout_ms=20
    )
    print("waiting for the button", flush=True)
    try:
        RPIO.wait_for_interrupts()
    except KeyboardInterrupt:
        pass
    finally:
        RPIO.cleanup()


if __name__ == "__main__":
    main()
