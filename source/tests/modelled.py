# SPDX-License-Identifier: LGPL-3.0-or-later
"""Made-up machines for the doctor: a folder of files, and the owners, chips and programs that no folder can have."""

import os

from RPIO.doctor.patient import Patient
from RPIO.machine import detect

USER, GPIO_GROUP = 1000, 986

PASSWD = "root:x:0:0::/root:/bin/sh\npi:x:1000:1000::/home/pi:/bin/bash\n"
GROUP = "root:x:0:\nkmem:x:15:\nvideo:x:44:pi\npi:x:1000:\ngpio:x:986:pi\ni2c:x:994:pi\nspi:x:995:pi\n"
PI4 = {
    "proc/device-tree/compatible": b"raspberrypi,4-model-b\0brcm,bcm2711\0",
    "proc/device-tree/model": b"Raspberry Pi 4 Model B Rev 1.4\0",
    "proc/device-tree/system/linux,revision": (0xC03114).to_bytes(4, "big"),
}
PI5 = {
    "proc/device-tree/compatible": b"raspberrypi,5-model-b\0brcm,bcm2712\0",
    "proc/device-tree/model": b"Raspberry Pi 5 Model B Rev 1.0\0",
    "proc/device-tree/system/linux,revision": (0xD04170).to_bytes(4, "big"),
}
DEVICES = {
    "/dev/gpiochip0": (0, GPIO_GROUP, 0o660),
    "/dev/gpiomem": (0, GPIO_GROUP, 0o660),
    "/dev/mem": (0, 15, 0o640),
    "/dev/vcio": (0, 44, 0o660),
    "/dev/i2c-1": (0, 994, 0o660),
    "/dev/spidev0.0": (0, 995, 0o660),
}


class Backend:
    """What the doctor asks a backend."""

    line_count = 58
    block = object()

    def __init__(self, name="regs", features=("edges", "filter", "functions"), holders=()):
        self.name, self.features, self.holders = name, frozenset(features), dict(holders)

    def describe(self):
        return "registers of brcm,bcm2711-gpio through /dev/gpiomem, edges: /dev/gpiochip0 (pinctrl-bcm2711, 58 lines)"

    def outside(self):
        return self if self.name == "sim" else None

    def consumer(self, line):
        return self.holders.get(line, "")


class Model(Patient):
    """A machine in a folder, and what a folder cannot be: *devices* are path -> user, group, mode."""

    def __init__(self, folder, files=(), devices=(), chips=(), backend=None):
        super().__init__(str(folder))
        self.uid, self.gids = USER, {1000, GPIO_GROUP, 994, 995}
        self.environ = {"PATH": "/usr/bin", "PWD": "/home/pi"}
        self.release, self.architecture, self.bits = "6.6.51+rpt-rpi-v8", "aarch64", 64
        self.executable, self.prefix, self.base_prefix = "/usr/bin/python3", "/usr", "/usr"
        self.search_path = [f"{folder}/usr/lib/python3/dist-packages"]
        self.devices, self.chips, self.outputs = dict(devices), dict(chips), {}
        self.backend = backend
        self.add({"etc/passwd": PASSWD, "etc/group": GROUP, "usr/bin/rpio": "#!/usr/bin/python3\n"})
        self.add(dict(files))
        self.add({path.lstrip("/"): "" for path in self.devices})
        self.program("rpio")
        self.hardware = detect.detect(self.root)

    def add(self, files):
        """Write files: path -> text or bytes."""
        for name, content in files.items():
            path = self.path(name)
            os.makedirs(path.rpartition("/")[0], exist_ok=True)
            with open(path, "wb") as file:
                file.write(content if isinstance(content, bytes) else content.encode())
        return self

    def program(self, name, output=None):
        """A program in /usr/bin, and what it prints."""
        self.add({f"usr/bin/{name}": self.data(f"usr/bin/{name}")})
        os.chmod(self.path(f"usr/bin/{name}"), 0o755)
        self.outputs[f"/usr/bin/{name}"] = output or ""
        return self

    def process(self, pid, name, command, fds=(), fdinfo=()):
        """A process; *fds* are what its descriptors point to, *fdinfo* what the kernel says of them."""

        self.add({f"proc/{pid}/comm": name + "\n", f"proc/{pid}/cmdline": command.replace(" ", "\0")})
        os.makedirs(self.path(f"proc/{pid}/fd"), exist_ok=True)
        for number, target in enumerate(fds):
            os.symlink(target, self.path(f"proc/{pid}/fd/{number}"))
        self.add({f"proc/{pid}/fdinfo/{number}": text for number, text in enumerate(fdinfo)})
        return self

    def package(self, name, version, *modules):
        """A distribution in Debian's folder, and its packages."""
        folder = "usr/lib/python3/dist-packages"
        self.add(
            {
                f"{folder}/{name.replace('-', '_')}-{version}.dist-info/METADATA": f"Name: {name}\nVersion: {version}\n"
            }
        )
        return self.add({f"{folder}/{module}": "" for module in modules})

    def node(self, path, symbol="", status="okay", pins=(), phandle=0, **properties):
        """A node of the device tree, under a name in the table of symbols."""
        tree = "proc/device-tree"
        cells = {name.replace("_", "-"): value for name, value in properties.items()}
        if pins:
            cells["brcm,pins"] = pins
        if phandle:
            cells["phandle"] = [phandle]
        self.add({f"{tree}{path}/status": status + "\0"})
        self.add(
            {
                f"{tree}{path}/{name}": b"".join(cell.to_bytes(4, "big") for cell in value)
                for name, value in cells.items()
            }
        )
        return self.add({f"{tree}/__symbols__/{symbol}": path + "\0"}) if symbol else self

    # -- what a folder cannot model ----------------------------------------------------------------------

    def owner(self, name):
        return self.devices.get(name)

    def may_open(self, name):
        uid, gid, mode = self.devices.get(name, (0, 0, 0))
        may = mode >> 6 if uid == self.uid else mode >> 3 if gid in self.gids else mode
        return name in self.devices and (self.uid == 0 or may & 6 == 6)

    def chip(self, name):
        return self.chips.get(name) if self.may_open(name) else None

    def output_of(self, words, timeout_s=2.0):
        return self.outputs.get(words[0], "")


def pi4(folder, **changes):
    """A healthy Raspberry Pi 4, its user in all groups."""
    devices = DEVICES | changes.pop("devices", {})
    model = Model(
        folder,
        PI4 | changes.pop("files", {}),
        {path: owner for path, owner in devices.items() if owner is not None},
        {"/dev/gpiochip0": ("pinctrl-bcm2711", 58)},
        changes.pop("backend", Backend()),
    )
    model.program("vcgencmd", "throttled=0x0\n")
    for name, value in changes.items():
        setattr(model, name, value)
    return model


def pi5(folder, header="gpiochip0"):
    """A Raspberry Pi 5, whose header is that chip."""
    devices = {f"/dev/{header}": (0, GPIO_GROUP, 0o660), "/dev/gpiomem0": (0, GPIO_GROUP, 0o660)}
    model = Model(folder, PI5, devices, {f"/dev/{header}": ("pinctrl-rp1", 54)}, Backend())
    return model.program("vcgencmd", "throttled=0x0\n")
