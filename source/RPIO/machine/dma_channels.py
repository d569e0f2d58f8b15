# SPDX-License-Identifier: LGPL-3.0-or-later
"""Which DMA channels are free. There is no way to reserve one, so what is not certain is refused.

The device tree has a mask of the channels that are Linux's; the others are the firmware's, and never free. Of its own
ones the kernel shows which are in use, but not which is which: ``dma0chanK`` is the K-th channel that its driver has
registered, and drivers leave out some of the mask, other ones in other kernels. So there is a table of what kernels are
known to leave out. A row is possible where it leaves as many channels as are shown, and a channel is free when it is so
by all rows that are possible. Everything is below *root*, so that a directory can stand in for a machine.

Sources: Linux and Raspberry Pi's kernel, drivers/dma/bcm2835-dma.c (the mask, channels left out, 0 to 14 in order) and
dmaengine.c (names, ``in_use`` as a count of users); Documentation/devicetree/bindings/dma/brcm,bcm2835-dma.yaml.
"""

from __future__ import annotations

import os

TREE = "proc/device-tree/soc"
CLASS = "sys/class/dma"
COMPATIBLE = "brcm,bcm2835-dma"
MASKS = ("dma-channel-mask", "brcm,dma-channel-mask")
"""The mask's name in new trees, and in old ones."""
DRIVER_CHANNELS = range(15)
"""The driver's; a 16th is elsewhere in the SoC."""

LEFT_OUT = {
    "upstream": (),
    "Raspberry Pi's: 0 is for its older DMA interface": (0,),
    "Raspberry Pi's on BCM2711: 14 copies memory, where it is in this mask": (0, 14),
    "upstream, formerly: 0, 2 and 3 were taken for the firmware's": (0, 2, 3),
}
"""Kernel -> the channels of the mask that its driver does not register."""

FREE, USED, LEFT, UNCLEAR = "free", "used", "left out", "unclear"
VERDICTS = {
    FREE: "",
    USED: "DMA channel {} is in use by a driver of the kernel",
    LEFT: "DMA channel {} is kept by the kernel's DMA driver for itself",
    UNCLEAR: "DMA channel {} may be in use: kernels differ in which of the channels under /sys/class/dma it is",
}


class _Uncertain(Exception):
    """What the machine shows is not enough; the text says why."""


def state(channel: int, root: str = "/", last_channel: int = 14) -> str | None:
    """Return None if the DMA channel is free, else in one sentence why it is not, or why that is not known.

    *last_channel* is the highest that can be used here: 10 on BCM2711, whose 11 to 14 are of another kind. Reads files
    only; a driver may take the channel after that.
    """
    if not 0 <= channel <= last_channel:
        return f"DMA channel {channel} cannot be used: 0 to {last_channel} can on this machine"
    try:
        return _verdict(channel, *_look(root))
    except _Uncertain as e:
        return f"DMA channel {channel} may be in use: {e}"


def free(root: str = "/", last_channel: int = 14) -> tuple[list[int], str]:
    """Return the free channels, best first, and "", or [] and in one sentence why there is none.

    The highest is the best: the kernel gives its drivers the lowest that is free.
    """
    try:
        mask, views = _look(root)
    except _Uncertain as e:
        return [], f"No DMA channel is known to be free: {e}"
    found = [channel for channel in range(last_channel, -1, -1) if _verdict(channel, mask, views) is None]
    return found, "" if found else "No DMA channel is free: the firmware and the kernel's drivers have them"


def _verdict(channel: int, mask: int, views: list[dict[int, str]]) -> str | None:
    if not mask >> channel & 1:
        return f"DMA channel {channel} is the firmware's: Linux has those of the mask {mask:#06x}"
    states = {view.get(channel, LEFT) for view in views}
    return VERDICTS[states.pop() if len(states) == 1 else UNCLEAR].format(channel) or None


def _look(root: str) -> tuple[int, list[dict[int, str]]]:
    """The mask, and channel -> state by each row that is possible."""
    node = _node(root)
    mask = _mask(node)
    # of_device_make_bus_id(): "3f007000.dma" for dma@7e007000; the upper digits differ between bus and CPU.
    name, _, unit = os.path.basename(node).partition("@")
    device = f"{unit[-6:]}.{name}"
    registered = _registered(os.path.join(root, CLASS), device)
    own = [channel for channel in DRIVER_CHANNELS if mask >> channel & 1]
    views = []
    for left_out in LEFT_OUT.values():
        shown = [channel for channel in own if channel not in left_out]
        if len(shown) == len(registered):
            views.append({**dict.fromkeys(own, LEFT), **dict(zip(shown, registered, strict=True))})
    if not views:
        raise _Uncertain(
            f"/{CLASS} has {len(registered)} channels of {device}, "
            f"and no known kernel has as many of the mask {mask:#06x}"
        )
    return mask, views


# --- the files --------------------------------------------------------------------------------------


def _node(root: str) -> str:
    """The folder of the engine's node; old trees call it dma@..., new ones dma-controller@..."""
    folder = os.path.join(root, TREE)
    nodes = [
        os.path.join(folder, name)
        for name in _listed(folder)
        if name.startswith("dma") and "@" in name and COMPATIBLE in _compatibles(os.path.join(folder, name))
    ]
    if len(nodes) != 1:
        raise _Uncertain(f"/{TREE} has {len(nodes) or 'no'} nodes that are {COMPATIBLE}")
    return nodes[0]


def _compatibles(folder: str) -> list[str]:
    return _bytes(os.path.join(folder, "compatible")).decode("utf-8", "replace").split("\0")


def _mask(folder: str) -> int:
    cells = {cell for cell in (_bytes(os.path.join(folder, name)) for name in MASKS) if cell}
    if len(cells) != 1 or len(cell := cells.pop()) != 4:
        raise _Uncertain(f"{os.path.basename(folder)} of the device tree has not one mask of its channels")
    return int.from_bytes(cell, "big")


def _registered(folder: str, device: str) -> list[str]:
    """The states of the device's channels in the order of their registration."""
    found: dict[int, str] = {}
    engines = set()
    for name in _listed(folder):
        engine, _, index = name.removeprefix("dma").partition("chan")
        path = os.path.join(folder, name)
        if index.isdecimal() and os.path.realpath(os.path.join(path, "device")).endswith(device):
            engines.add(engine)
            found[int(index)] = _use(path)
    if not found:
        raise _Uncertain(f"/{CLASS} has no channel of {device}")
    if len(engines) != 1 or sorted(found) != list(range(len(found))):
        raise _Uncertain(f"/{CLASS} has gaps between the channels of {device}")
    return [found[index] for index in range(len(found))]


def _use(path: str) -> str:
    text = _bytes(os.path.join(path, "in_use")).strip()
    if not text.isdigit():
        raise _Uncertain(f"/{CLASS}/{os.path.basename(path)} does not say whether it is in use")
    return FREE if int(text) == 0 else USED


def _listed(folder: str) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except OSError:
        return []


def _bytes(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return b""
