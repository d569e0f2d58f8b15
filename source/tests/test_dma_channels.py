# SPDX-License-Identifier: LGPL-3.0-or-later
"""Which DMA channels are free, over directories that stand in for machines."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from RPIO.machine import dma_channels

PI3, PI4_UPSTREAM, PI4 = 0x7F35, 0x07F5, 0x01F5
PI3_OWN = [0, 2, 4, 5, 8, 9, 10, 11, 12, 13, 14]


class Machine:
    """A root with a device tree and /sys/class/dma."""

    def __init__(self, path):
        self.path, self.root = path, str(path)

    def node(self, mask, name="dma@7e007000", compatible=b"brcm,bcm2835-dma\0", key="brcm,dma-channel-mask"):
        folder = self.path / "proc/device-tree/soc" / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "compatible").write_bytes(compatible)
        if mask is not None:
            (folder / key).write_bytes(mask if isinstance(mask, bytes) else mask.to_bytes(4, "big"))
        return self

    def channels(self, count, used=(), device="3f007000.dma", engine=0):
        """*count* registered channels, those of the indices *used* in use."""
        platform = self.path / "sys/devices/platform/soc" / device
        classes = self.path / "sys/class/dma"
        classes.mkdir(parents=True, exist_ok=True)
        for index in range(count):
            name = f"dma{engine}chan{index}"
            (platform / "dma" / name).mkdir(parents=True)
            (platform / "dma" / name / "in_use").write_text(f"{int(index in used)}\n")
            (platform / "dma" / name / "device").symlink_to(platform)
            (classes / name).symlink_to(platform / "dma" / name)
        return self

    def free(self, last_channel=14):
        return dma_channels.free(self.root, last_channel)[0]

    def state(self, channel, last_channel=14):
        return dma_channels.state(channel, self.root, last_channel)


@pytest.fixture
def machine(tmp_path):
    return Machine(tmp_path)


# --- which channel is which


def test_upstreams_channels_are_those_of_the_mask_in_order(machine):
    machine.node(PI3).channels(11, used={0, 3, 10})  # 0, 5 and 14
    assert machine.free() == [13, 12, 11, 10, 9, 8, 4, 2]
    assert machine.state(5) == "DMA channel 5 is in use by a driver of the kernel"
    assert machine.state(3) == "DMA channel 3 is the firmware's: Linux has those of the mask 0x7f35"


def test_raspberry_pis_kernel_does_not_show_channel_0(machine):
    machine.node(PI3).channels(10, used={0, 1})  # 2 and 4, where upstream would have 0 and 2
    assert machine.free() == [14, 13, 12, 11, 10, 9, 8, 5]
    assert machine.state(0) == "DMA channel 0 is kept by the kernel's DMA driver for itself"
    assert "in use" in machine.state(2)
    assert "in use" in machine.state(4)


def test_a_live_pi_4_has_six_channels_of_seven(machine):
    machine.node(PI4).channels(6, used={0, 1}, device="fe007000.dma")
    assert machine.free(last_channel=10) == [8, 7, 6, 5]


def test_upstreams_pi_4_has_eight_channels(machine):
    machine.node(PI4_UPSTREAM).channels(9, device="fe007000.dma")
    assert machine.free(last_channel=10) == [10, 9, 8, 7, 6, 5, 4, 2, 0]


def test_channels_of_another_engine_do_not_count(machine):
    """The 40-bit channels of BCM2711 are an engine of their own."""
    machine.node(PI4).node(0x7000, name="dma@7e007b00", compatible=b"brcm,bcm2711-dma\0")
    machine.channels(6, used={0}, device="fe007000.dma").channels(
        2, used={0, 1}, device="fe007b00.dma", engine=1
    )
    assert machine.free(last_channel=10) == [8, 7, 6, 5, 4]


def test_a_new_tree_has_other_names(machine):
    machine.node(PI3, name="dma-controller@7e007000", key="dma-channel-mask")
    machine.channels(11, used={10}, device="3f007000.dma-controller")
    assert machine.free()[0] == 13


def test_ten_and_more_channels_are_in_the_order_of_their_numbers(machine):
    machine.node(PI3).channels(11, used={2})  # 4; in the order of their names "chan10" would be the third
    assert "in use" in machine.state(4)
    assert machine.state(14) is None


def test_only_what_all_possible_kernels_agree_about_is_certain(machine):
    """Nine of 0x7f35: without 0 and 14, or without 0, 2 and 3."""
    machine.node(PI3).channels(9, used={0})  # 2 or 4
    assert machine.free() == [13, 12, 11, 10, 9, 8, 5]
    for channel in (2, 4, 14):
        assert machine.state(channel).startswith(f"DMA channel {channel} may be in use: kernels differ")
    assert "for itself" in machine.state(0)


# --- what is not certain is refused


def refused(machine, text):
    channels, reason = dma_channels.free(machine.root)
    assert channels == []
    assert text in reason
    for channel in range(15):
        assert text in machine.state(channel)
        assert "may be in use" in machine.state(channel)


@pytest.mark.parametrize("count", [1, 8, 12])
def test_a_number_of_channels_that_no_known_kernel_shows(machine, count):
    machine.node(PI3).channels(count)
    refused(
        machine, f"has {count} channels of 007000.dma, and no known kernel has as many of the mask 0x7f35"
    )


def test_no_device_tree(machine):
    machine.channels(11)
    refused(machine, "/proc/device-tree/soc has no nodes that are brcm,bcm2835-dma")


def test_two_engines_of_that_kind(machine):
    machine.node(PI3).node(PI3, name="dma@7e107000").channels(11)
    refused(machine, "has 2 nodes")


def test_no_sysfs(machine):
    machine.node(PI3)
    refused(machine, "/sys/class/dma has no channel of 007000.dma")


@pytest.mark.parametrize("mask", [None, b"", b"\x7f\x35", b"\0\0\x7f\x35\0\0\0\0"])
def test_no_mask_or_an_odd_one(machine, mask):
    machine.node(mask).channels(11)
    refused(machine, "has not one mask")


def test_two_masks_that_differ(machine):
    machine.node(PI3).node(PI4, key="dma-channel-mask").channels(11)
    refused(machine, "has not one mask")
    machine.node(PI3, key="dma-channel-mask")
    assert machine.free()


def test_a_gap_between_the_channels(machine):
    machine.node(PI3).channels(11)
    (machine.path / "sys/class/dma/dma0chan4").unlink()
    refused(machine, "has gaps")


@pytest.mark.parametrize("text", ["", "yes", "-1"])
def test_a_channel_that_does_not_say_whether_it_is_in_use(machine, text):
    machine.node(PI3).channels(11)
    (machine.path / "sys/class/dma/dma0chan4/in_use").write_text(text)
    refused(machine, "dma0chan4 does not say")


def test_several_users_are_users_too(machine):
    machine.node(PI3).channels(11)
    (machine.path / "sys/class/dma/dma0chan10/in_use").write_text("2\n")
    assert machine.state(14) == "DMA channel 14 is in use by a driver of the kernel"


# --- an explicit choice


@pytest.mark.parametrize(("channel", "last"), [(-1, 14), (15, 14), (11, 10)])
def test_a_channel_that_this_machine_has_not(machine, channel, last):
    machine.node(PI3).channels(11)
    assert (
        machine.state(channel, last)
        == f"DMA channel {channel} cannot be used: 0 to {last} can on this machine"
    )


def test_all_in_use(machine):
    machine.node(PI3).channels(11, used=range(11))
    channels, reason = dma_channels.free(machine.root)
    assert channels == []
    assert reason == "No DMA channel is free: the firmware and the kernel's drivers have them"


def test_this_machine_is_survived():
    channels, reason = dma_channels.free()
    assert bool(channels) != bool(reason)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(
    mask=st.integers(0, 0xFFFF),
    left_out=st.sampled_from(list(dma_channels.LEFT_OUT.values())),
    used=st.sets(st.integers(0, 14)),
    last=st.sampled_from([10, 14]),
)
@pytest.mark.slow
def test_whichever_kernel_it_is_no_channel_in_use_is_called_free(
    tmp_path_factory, mask, left_out, used, last
):
    shown = [channel for channel in range(15) if mask >> channel & 1 and channel not in left_out]
    machine = Machine(tmp_path_factory.mktemp("machine")).node(mask)
    machine.channels(len(shown), {index for index, channel in enumerate(shown) if channel in used})
    found = machine.free(last)
    assert set(found) <= set(shown) - used
    assert found == sorted(found, reverse=True)
    assert found == [channel for channel in range(last, -1, -1) if machine.state(channel, last) is None]
