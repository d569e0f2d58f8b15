# SPDX-License-Identifier: LGPL-3.0-or-later
"""The DMA engine of this machine: who may have it, which channels, and that nothing keeps running.

One program at a time has it, which holds a lock. What it has started stands in a state file, and a guardian process
stops that when the program has ended, however it has. Were the guardian killed too, the next program finds the file.
Everything is below *root*, so that a directory can stand in for a machine.
"""

from __future__ import annotations

import os
import time

from .. import errors, log
from .._gpio import Dma, File
from ..machine import access, detect, dma_channels

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ..backends import Backend
    from ..machine.boards import Hardware

ENGINES = {
    "BCM2835": "brcm,bcm2835",
    "BCM2836": "brcm,bcm2836",
    "BCM2837": "brcm,bcm2837",
    "BCM2711": "brcm,bcm2711",
}
"""SoC -> its name in a device tree, where its DMA engine reaches the GPIO block."""
CHANNEL_MAX = 14
SLOTS_MAX = 15_000_000
"""Slots of a channel: what the engine can reach of memory, see RPIO_DMA_SLOTS_MAX in dma.h."""
LINES = 32
"""Lines that can be reached: those of GPSET0."""
PACES = ("PWM (the headphone output)", "PCM (I2S)")

MEM, VCIO = "dev/mem", "dev/vcio"
FOLDER, LOCK, STATE = "run/rpio", "dma.lock", "dma.state"
ROOT = "/"
BOOT_ID = "proc/sys/kernel/random/boot_id"
LOCK_S = 1.0
"""How long the guardian of a program that has just ended may hold the lock."""


def why_not(hardware: Hardware, backend: Backend) -> str | None:
    """Return in a part of a sentence why this board cannot have pulses by DMA at all; None: it may."""
    if backend.name == "sim":
        return "the board is simulated"
    if hardware.soc == "BCM2712":
        return f"the GPIO of a {hardware.name} is in RP1, which the DMA engine does not reach in time"
    if not hardware.is_pi or hardware.soc not in ENGINES:
        return f"a {hardware.name} has no such DMA engine"
    if backend.block is None:
        return f"the backend {backend.name} does not use registers (RPIO_BACKEND=regs does)"
    return None


class NoChannelError(errors.DMAError):
    """None is free for certain, or two run, and each has one of the two clocks that pace them."""


class NoMemoryError(errors.DMAError):
    """The VideoCore has none."""


class Engine:
    """The engine, opened for this program. *root* is ROOT where it is not given.

    Raises:
        NoAccessError: this user may not open /dev/mem or /dev/vcio, or the kernel does not let them be mapped. (A
            RuntimeError, as all others here are.)
        NotSupportedError: the machine has no such engine, or no /dev/vcio.
        DMAError: another program has it.
    """

    def __init__(self, hardware: Hardware, root: str | None = None) -> None:
        self._root = root = ROOT if root is None else root
        self._lock: File | None = None
        self._guardian: File | None = None
        self.guardian_pid = 0
        compatible = ENGINES.get(hardware.soc)
        base = detect.peripheral_base(root) or hardware.peripheral_base
        if compatible is None or base is None:
            raise errors.NotSupportedError(f"a {hardware.name} has no DMA engine that drives its GPIO")
        try:
            self._check_files()
            self._lock = self._take_lock()
            self._dma = self._open(compatible, base)
            self._reap()
            self._leave_pwm_alone(hardware)
        except BaseException as e:
            if self._lock is not None:
                self._lock.close()
            if isinstance(e, OSError) and not isinstance(e, errors.GPIOError):
                raise errors.DMAError(f"Pulses by DMA are not possible: {e}") from None
            raise

    # -- opening ---------------------------------------------------------------------------------

    def _path(self, name: str) -> str:
        return os.path.join(self._root, name)

    def _check_files(self) -> None:
        """Open both files, so that the error names the one."""
        for name in (MEM, VCIO):
            path = self._path(name)
            try:
                File(path, os.O_RDWR).close()
            except FileNotFoundError:
                raise errors.NotSupportedError(
                    f"Pulses by DMA need {path}, which is not there",
                    hint="a kernel of Raspberry Pi's has it; a container has to be given it",
                ) from None
            except PermissionError as e:
                raise access.no_access(e) from None

    def _open(self, compatible: str, base: int) -> Dma:
        mem = self._path(MEM)
        try:
            return Dma(compatible, base, mem, self._path(VCIO))
        except PermissionError as e:
            raise errors.NoAccessError(
                e.errno,
                f"The kernel does not let the registers be mapped through {mem} (CONFIG_STRICT_DEVMEM, "
                "IO_STRICT_DEVMEM).  Put iomem=relaxed into cmdline.txt and reboot",
                mem,
                hint="put iomem=relaxed into cmdline.txt and reboot",
            ) from None

    def _take_lock(self) -> File:
        import fcntl

        folder = self._path(FOLDER)
        os.makedirs(folder, mode=0o755, exist_ok=True)
        file = File(os.path.join(folder, LOCK), os.O_RDWR | os.O_CREAT)
        end_s = time.monotonic() + LOCK_S
        while True:
            try:
                fcntl.flock(file.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return file
            except BlockingIOError:
                if time.monotonic() > end_s:
                    file.close()
                    raise errors.DMAError(
                        f"Another program has the DMA engine: {self._holder()}",
                        hint="one program at a time can make pulses by DMA: end that one first",
                    ) from None
            time.sleep(0.01)

    def _holder(self) -> str:
        pid = self._state().get("pid")
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                command = file.read().replace(b"\0", b" ").decode("utf-8", "replace").strip()
        except OSError:
            return "its number is not known"
        return f"process {pid} ({command})"

    # -- what runs -------------------------------------------------------------------------------

    @property
    def _state_path(self) -> str:
        return self._path(f"{FOLDER}/{STATE}")

    def _boot_id(self) -> str:
        try:
            with open(self._path(BOOT_ID), encoding="ascii") as file:
                return file.read().strip()
        except OSError:
            return ""

    def _state(self) -> dict[str, Any]:
        """What a program has left running: nothing where there is no such file, or none of this boot."""
        import json

        try:
            with open(self._state_path, encoding="utf-8") as file:
                state = json.load(file)
        except OSError:
            return {}
        except ValueError:
            state = None
        if not isinstance(state, dict) or not isinstance(state.get("channels"), dict):
            self._warn_of_state("all of it")
            return {}
        return state if state.get("boot") == self._boot_id() else {}

    def _warn_of_state(self, what: str) -> None:
        log.warning("%s is damaged, or another version's: ignored is %s", self._state_path, what)

    def _reap(self) -> None:
        """Stop what a program has left running that died together with its guardian."""
        for channel, left in self._state().get("channels", {}).items():
            try:
                numbers = [int(channel), left["lines"], *left["handles"]]
                if not all(isinstance(number, int) and 0 <= number < 1 << 32 for number in numbers):
                    raise ValueError(numbers)
                self._dma.reap(*numbers)
            except (LookupError, TypeError, ValueError, OSError):
                self._warn_of_state(f"channel {channel!r}, {left!r}")
        self._forget_state()

    def _forget_state(self) -> None:
        try:
            os.unlink(self._state_path)
        except FileNotFoundError:
            pass  # nothing has run

    def _remember(self) -> None:
        import json

        channels = {}
        for channel in range(CHANNEL_MAX + 1):
            info = self._dma.info(channel)
            if info is not None:
                channels[channel] = {"lines": info["lines"], "handles": list(info["handles"])}
        state = {"boot": self._boot_id(), "pid": os.getpid(), "channels": channels}
        new = f"{self._state_path}.new"
        with open(new, "w", encoding="utf-8") as file:
            json.dump(state, file)
        os.replace(new, self._state_path)

    def _guard(self) -> None:
        if self._guardian is None and self._lock is not None:
            self._guardian, self.guardian_pid = self._dma.guard(self._state_path, self._lock.fd)

    # -- channels --------------------------------------------------------------------------------

    @property
    def last_channel(self) -> int:
        """The highest channel that this SoC has for this purpose."""
        return self._dma.last_channel()

    def _leave_pwm_alone(self, hardware: Hardware) -> None:
        """The kernel drives the PWM hardware where an overlay has given it to it: it does not pace DMA then."""
        from ..machine import pwm_lines

        self._has_pwm = not pwm_lines.is_bound(hardware, self._root)
        if not self._has_pwm:
            self._dma.forbid_pace(0)

    def set_pace(self, pace: int, slot_us: int) -> int:
        """Have slots of *slot_us*, taken by PACES[pace], or by the other one where that is the kernel's; once.

        Returns which.
        """
        if pace == 0 and not self._has_pwm:
            log.warning("An overlay has the PWM hardware: DMA is paced by PCM instead")
            pace = 1
        self._call(0, self._dma.set_pace, pace, slot_us)
        return pace

    @property
    def uses_pwm(self) -> bool:
        """Whether the PWM hardware may be taken to pace DMA."""
        return self._has_pwm

    @property
    def is_used(self) -> bool:
        """Whether a channel is in use here."""
        return any(self.info(channel) for channel in range(CHANNEL_MAX + 1))

    def pick(self) -> int:
        """Return a free channel. NoChannelError where there is none, or where that is not certain."""
        free, reason = dma_channels.free(self._root, self.last_channel)
        for channel in free:
            if self.why_taken(channel) is None:
                return channel
        raise NoChannelError(
            reason or "Every free DMA channel is at work", hint="use the C timer: means='soft'"
        )

    def why_taken(self, channel: int) -> str | None:
        """Return in one sentence why the channel is not free, or not for certain; None: it is."""
        reason = dma_channels.state(channel, self._root, self.last_channel)
        if reason is None and self._dma.info(channel) is not None:
            reason = f"DMA channel {channel} is in use by this program"
        if reason is None and self._dma.is_active(channel):
            reason = f"DMA channel {channel} works for somebody else"
        return reason

    def start(self, channel: int, slots: int) -> None:
        """Start a ring of slots on a channel that is free.

        Raises:
            NoChannelError: two run already. DMAError: there is no memory, or the channel is not free after all.
        """
        try:
            self._begin(channel, self._dma.start, channel, slots)
        except NoMemoryError as e:
            need_mb = self._dma.ring_bytes(slots) / 1e6
            raise errors.DMAError(
                f"The VideoCore has no {need_mb:.1f} MB of memory for the {slots} slots of DMA channel {channel}",
                hint=e.hint,
            ) from None

    def play(self, channel: int, steps: list[tuple[int, int, int]], turns: int) -> None:
        """Play a wave, (lines set, lines cleared, slots), so many times or (0) for ever."""
        self._begin(channel, self._dma.play, channel, steps, turns)

    def _begin(self, channel: int, call: Callable[..., object], *arguments: object) -> None:
        reason = self.why_taken(channel)
        if reason is not None:
            raise errors.DMAError(reason, hint="use the C timer: means='soft'")
        try:
            self._guard()
            self._remember()  # so that it is known before anything runs whether it can be
        except OSError as e:
            raise errors.DMAError(f"DMA channel {channel} cannot be watched over: {e}") from None
        self._call(channel, call, *arguments)
        try:
            self._remember()
        except OSError as e:
            self._dma.stop(channel)
            raise errors.DMAError(f"DMA channel {channel} cannot be watched over: {e}") from None

    def change(self, name: str, channel: int, *numbers: int) -> None:
        """Call a function of _gpio.Dma: add, replace, clear, clear_line."""
        before = self.info(channel)
        self._call(channel, getattr(self._dma, name), channel, *numbers)
        after = self.info(channel)
        if (before["lines"], before["handles"]) != (after["lines"], after["handles"]):
            self._remember()

    def settle(self, channel: int, has_waited: bool) -> int:
        """Let go of lines whose last pulse is over. Returns for how many slots more one may be on, 0 for none.

        *has_waited*: so many have passed since the last call.
        """
        return self._dma.settle(channel, has_waited)

    def info(self, channel: int) -> dict[str, Any]:
        """Return what the C core says of a channel; {} where it is not in use here."""
        return self._dma.info(channel) or {}

    def stop(self, channel: int) -> None:
        """End a channel, its lines low."""
        self._call(channel, self._dma.stop, channel)
        self._remember()

    def _call(self, channel: int, call: Callable[..., object], *arguments: object) -> None:
        try:
            call(*arguments)
        except OSError as e:
            raise _explain(e, channel) from None

    # -- the end ---------------------------------------------------------------------------------

    def abandon(self) -> None:
        """In the child of a fork: the engine is the parent's, and the guardian waits for the parent alone."""
        self._let_go()
        self._dma.close()

    def close(self) -> None:
        """Stop everything and give it back. Twice is fine."""
        self._dma.close()
        if self._lock is None:
            return
        self._forget_state()
        self._let_go()

    def _let_go(self) -> None:
        """Of the guardian and the lock, in this order."""
        files = (self._guardian, self._lock)
        self._guardian = self._lock = None
        for file in files:
            if file is not None:
                file.close()


REASONS = {
    "ENOENT": ("DMA channel {} has ended", "PWM.cleanup(), and setup() begins again"),
    "EUSERS": (
        f"No DMA channel more can run: there is one for each of {' and '.join(PACES)}, which pace them",
        "put the lines on one of these channels: it can have any number",
    ),
    "ENOMEM": (
        "The VideoCore has no memory for DMA channel {}",
        "take longer slots or a shorter subcycle, or more gpu_mem in config.txt",
    ),
    "EPERM": ("The firmware refuses memory for DMA channel {}", "run with sudo"),
    "ENOTTY": ("/dev/vcio does not answer for DMA channel {}", "use a kernel of Raspberry Pi's"),
    "ETIMEDOUT": (
        "The clock that paces DMA does not start",
        "another driver may hold it: unload audio or I2S",
    ),
}


def _explain(error: OSError, channel: int) -> errors.GPIOError:
    from errno import errorcode

    name = errorcode.get(error.errno or 0, "")
    text, hint = REASONS.get(name, (f"DMA channel {{}}: {error.strerror}", ""))
    kind = {"EUSERS": NoChannelError, "ENOMEM": NoMemoryError}.get(name, errors.DMAError)
    return kind(text.format(channel), hint=hint)
