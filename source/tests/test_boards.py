# SPDX-License-Identifier: LGPL-3.0-or-later
"""The board tables against literals of their own, and what holds for every revision code there could be."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from RPIO.machine import boards, headers, socs

# Type field -> short name, RPi.GPIO's TYPE, P1_REVISION; written down apart from the table under test.
TYPES = {
    0x00: ("A", "Model A", 2),
    0x01: ("B", "Model B", 2),
    0x02: ("A+", "Model A+", 3),
    0x03: ("B+", "Model B+", 3),
    0x04: ("2B", "Pi 2 Model B", 3),
    0x05: ("Alpha", "Alpha", 3),
    0x06: ("CM1", "Compute Module 1", 0),
    0x08: ("3B", "Pi 3 Model B", 3),
    0x09: ("Zero", "Zero", 3),
    0x0A: ("CM3", "Compute Module 3", 0),
    0x0C: ("Zero W", "Zero W", 3),
    0x0D: ("3B+", "Pi 3 Model B+", 3),
    0x0E: ("3A+", "Pi 3 Model A+", 3),
    0x10: ("CM3+", "Compute Module 3+", 0),
    0x11: ("4B", "Pi 4 Model B", 3),
    0x12: ("Zero 2 W", "Zero 2 W", 3),
    0x13: ("400", "Pi 400", 3),
    0x14: ("CM4", "Compute Module 4", 0),
    0x15: ("CM4S", "Compute Module 4S", 0),
    0x17: ("5B", "Pi 5 Model B", 3),
    0x18: ("CM5", "Compute Module 5", 0),
    0x19: ("500", "Pi 500", 3),
    0x1A: ("CM5 Lite", "Compute Module 5 Lite", 0),
    0x1B: ("CM0", "Compute Module 0", 0),
}

# Old code -> sysinfo() after the code, P1_REVISION, RPi.GPIO's TYPE, MANUFACTURER and RAM.
OLD = {
    0x0002: (("B", "1.0", 256, "?"), 1, "Model B", "Egoman", "256M"),
    0x0003: (("B", "1.0", 256, "?"), 1, "Model B", "Egoman", "256M"),
    0x0004: (("B", "2.0", 256, "Sony"), 2, "Model B", "Sony UK", "256M"),
    0x0005: (("B", "2.0", 256, "Qisda"), 2, "Model B", "Qisda", "256M"),
    0x0006: (("B", "2.0", 256, "Egoman"), 2, "Model B", "Egoman", "256M"),
    0x0007: (("A", "2.0", 256, "Egoman"), 2, "Model A", "Egoman", "256M"),
    0x0008: (("A", "2.0", 256, "Sony"), 2, "Model A", "Sony UK", "256M"),
    0x0009: (("A", "2.0", 256, "Qisda"), 2, "Model A", "Qisda", "256M"),
    0x000D: (("B", "2.0", 512, "Egoman"), 2, "Model B", "Egoman", "512M"),
    0x000E: (("B", "2.0", 512, "Sony"), 2, "Model B", "Sony UK", "512M"),
    0x000F: (("B", "2.0", 512, "Qisda"), 2, "Model B", "Qisda", "512M"),
    0x0010: (("B+", "1.0", 512, "Sony"), 3, "Model B+", "Sony UK", "512M"),
    0x0011: (("CM1", "1.0", 512, "Sony UK"), 0, "Compute Module 1", "Sony UK", "512M"),
    0x0012: (("A+", "1.1", 256, "Sony UK"), 3, "Model A+", "Sony UK", "256M"),
    0x0013: (("B+", "1.2", 512, "Embest"), 3, "Model B+", "Embest", "512M"),
    0x0014: (("CM1", "1.0", 512, "Embest"), 0, "Compute Module 1", "Embest", "512M"),
    0x0015: (("A+", "1.1", 0, "Embest"), 3, "Model A+", "Embest", "Unknown"),
}

# RPi.GPIO 0.7.1, common.c: BOARD channel -> line.
BOARD_26 = {8: 14, 10: 15, 11: 17, 12: 18, 15: 22, 16: 23, 18: 24, 19: 10, 21: 9, 22: 25, 23: 11, 24: 8}
BOARD = {
    0: {},
    1: {**BOARD_26, 26: 7, 7: 4, 3: 0, 5: 1, 13: 21},
    2: {**BOARD_26, 26: 7, 7: 4, 3: 2, 5: 3, 13: 27},
    3: {
        **BOARD_26,
        **{26: 7, 7: 4, 3: 2, 5: 3, 13: 27, 29: 5, 31: 6, 32: 12, 33: 13, 35: 19},
        **{36: 16, 37: 26, 38: 20, 40: 21},
    },
}
SUPPLIES_26 = {1: "3V3", 17: "3V3", 2: "5V", 4: "5V", **dict.fromkeys((6, 9, 14, 20, 25), "GND")}
SUPPLIES_40 = {**SUPPLIES_26, **dict.fromkeys((30, 34, 39), "GND")}
ID_EEPROM = {27: 0, 28: 1}

SOCS = {
    0: ("BCM2835", "brcm,bcm2835-gpio", "pinctrl-bcm2835", 54, 0x20000000, "/dev/gpiomem"),
    1: ("BCM2836", "brcm,bcm2835-gpio", "pinctrl-bcm2835", 54, 0x3F000000, "/dev/gpiomem"),
    2: ("BCM2837", "brcm,bcm2835-gpio", "pinctrl-bcm2835", 54, 0x3F000000, "/dev/gpiomem"),
    3: ("BCM2711", "brcm,bcm2711-gpio", "pinctrl-bcm2711", 58, 0xFE000000, "/dev/gpiomem"),
    4: ("BCM2712", "raspberrypi,rp1-gpio", "pinctrl-rp1", 54, None, "/dev/gpiomem0"),
}


def new_style(kind=0x11, *, revision=2, processor=3, maker=0, memory=4):
    return 1 << 23 | memory << 20 | maker << 16 | processor << 12 | kind << 4 | revision


@pytest.mark.parametrize("kind", TYPES)
def test_every_type_decodes_to_its_model(kind):
    short, rpi_gpio_type, p1_revision = TYPES[kind]
    hardware = boards.decode(new_style(kind))
    assert hardware.is_pi
    assert hardware.model == short
    assert hardware.name == "Raspberry Pi " + rpi_gpio_type.removeprefix("Pi ")
    assert hardware.rpi_info["TYPE"] == rpi_gpio_type
    assert hardware.p1_revision == hardware.rpi_info["P1_REVISION"] == p1_revision
    assert hardware.board_channels == BOARD[p1_revision]


@pytest.mark.parametrize("kind", TYPES)
def test_every_model_is_found_by_name_and_has_a_code_of_its_own_type(kind):
    short, rpi_gpio_type, _ = TYPES[kind]
    full_name = "Raspberry Pi " + rpi_gpio_type.removeprefix("Pi ")
    for name in (short, short.lower(), short.replace(" ", ""), full_name, full_name.upper()):
        hardware = boards.by_name(name)
        assert hardware.model == short
        code = hardware.revision_code
        assert code & 1 << 23 == 0 or code >> 4 & 0xFF == kind
        assert hardware.memory_mb and hardware.maker != "Unknown"


@pytest.mark.parametrize("row", boards.ROWS, ids=lambda row: row.name)
def test_a_models_example_code_is_of_that_model_with_its_usual_soc(row):
    hardware = boards.decode(row.example)
    assert (hardware.model, hardware.p1_revision, hardware.soc) == (row.short, row.p1_revision, row.soc.name)
    assert hardware.header == headers.HEADERS[row.layout]


def test_models_are_the_names_of_all_types():
    assert sorted(boards.MODELS) == sorted(short for short, _, _ in TYPES.values())


@pytest.mark.parametrize("name", ["A", "B"])
def test_the_simulated_early_boards_are_second_revisions(name):
    assert boards.by_name(name).p1_revision == 2


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("5", "5B"),
        ("Pi 5", "5B"),
        ("raspberry pi 4", "4B"),
        ("pi4", "4B"),
        ("2", "2B"),
        ("zero2", "Zero 2 W"),
        ("Pi Zero 2", "Zero 2 W"),
        ("pi500", "500"),
    ],
)
def test_what_everybody_says_is_the_one_board_that_it_can_be(said, meant):
    assert boards.by_name(said).model == boards.by_name(meant).model


@pytest.mark.parametrize(("said", "several"), [("3", ("3B", "3B+", "3A+")), ("pi 3", ("3B", "3B+", "3A+"))])
def test_what_may_be_several_boards_is_answered_with_those(said, several):
    with pytest.raises(ValueError, match="There are several") as caught:
        boards.by_name(said)
    assert repr(said) in str(caught.value)
    assert all(repr(name) in str(caught.value) for name in several)


@pytest.mark.parametrize(("wrong", "close"), [("3C+", "3B+"), ("zero3", "Zero"), ("5C", "5B"), ("cm6", "CM")])
def test_a_wrong_name_is_answered_with_the_closest_and_all_choices(wrong, close):
    with pytest.raises(ValueError, match=r"did you mean '") as caught:
        boards.by_name(wrong)
    text = str(caught.value)
    assert repr(wrong) in text
    assert f"did you mean '{close}" in text
    assert all(short in text for short in boards.MODELS)


def test_a_name_like_no_other_gets_the_choices_alone():
    with pytest.raises(ValueError, match=r"no Raspberry Pi 'xyz'\. The choices are: A, B, ") as caught:
        boards.by_name("xyz")
    assert "did you mean" not in str(caught.value)


@pytest.mark.parametrize("processor", SOCS)
def test_every_processor_has_its_block_label_and_addresses(processor):
    hardware = boards.decode(new_style(processor=processor))
    assert SOCS[processor] == (
        hardware.soc,
        hardware.gpio_compatible,
        hardware.chip_label,
        hardware.line_count,
        hardware.peripheral_base,
        hardware.gpiomem,
    )
    assert hardware.rpi_info["PROCESSOR"] == hardware.soc


@pytest.mark.parametrize(("field", "memory_mb", "text"), [
    *((n, 256 << n, ("256M", "512M", "1G", "2G", "4G", "8G", "16G")[n]) for n in range(7)),
    (7, 0, "Unknown"),
])  # fmt: skip
def test_memory_field(field, memory_mb, text):
    hardware = boards.decode(new_style(memory=field))
    assert (hardware.memory_mb, hardware.rpi_info["RAM"]) == (memory_mb, text)


@pytest.mark.parametrize("field", range(16))
def test_maker_field(field):
    makers = ("Sony UK", "Egoman", "Embest", "Sony Japan", "Embest", "Stadium")
    hardware = boards.decode(new_style(maker=field))
    wanted = makers[field] if field < len(makers) else "Unknown"
    assert hardware.maker == hardware.rpi_info["MANUFACTURER"] == hardware.sysinfo[4] == wanted


@pytest.mark.parametrize(
    ("code", "sysinfo", "soc"),
    [
        (0xA020D3, ("a020d3", "3B+", "1.3", 1024, "Sony UK"), "BCM2837"),
        (0xA01041, ("a01041", "2B", "1.1", 1024, "Sony UK"), "BCM2836"),
        (0xA22042, ("a22042", "2B", "1.2", 1024, "Embest"), "BCM2837"),
        (0xA52082, ("a52082", "3B", "1.2", 1024, "Stadium"), "BCM2837"),
        (0xB03115, ("b03115", "4B", "1.5", 2048, "Sony UK"), "BCM2711"),
        (0x902120, ("902120", "Zero 2 W", "1.0", 512, "Sony UK"), "BCM2837"),
        (0xE04171, ("e04171", "5B", "1.1", 16384, "Sony UK"), "BCM2712"),
        (0xC041A0, ("c041a0", "CM5 Lite", "1.0", 4096, "Sony UK"), "BCM2712"),
        (0x2A02082, ("a02082", "3B", "1.2", 1024, "Sony UK"), "BCM2837"),
    ],
)
def test_codes_in_use(code, sysinfo, soc):
    hardware = boards.decode(code)
    assert hardware.sysinfo == sysinfo
    assert hardware.soc == soc
    assert hardware.pcb_revision == sysinfo[2]
    assert hardware.revision_hex == sysinfo[0]
    assert hardware.revision_code == code
    assert hardware.rpi_info["REVISION"] == f"{code:x}"


@pytest.mark.parametrize("prefix", [0, 0x1000000, 0x2000000], ids=["plain", "overvolted", "warranty"])
@pytest.mark.parametrize("code", OLD)
def test_every_old_code_with_and_without_prefix(code, prefix):
    sysinfo, p1_revision, rpi_gpio_type, maker, ram = OLD[code]
    hardware = boards.decode(prefix | code)
    assert hardware.sysinfo == (f"{code:04x}", *sysinfo)
    assert hardware.rpi_info == {
        "P1_REVISION": p1_revision,
        "REVISION": f"{prefix | code:04x}",
        "TYPE": rpi_gpio_type,
        "MANUFACTURER": maker,
        "PROCESSOR": "BCM2835",
        "RAM": ram,
    }
    assert hardware.p5 == (p1_revision == 2)
    assert hardware.board_channels == BOARD[p1_revision]
    assert (hardware.soc, hardware.maker, hardware.revision_code) == ("BCM2835", maker, prefix | code)


@pytest.mark.parametrize(
    ("code", "layout"),
    [
        (0x0002, {**BOARD[1], **SUPPLIES_26}),
        (0x000E, {**BOARD[2], **SUPPLIES_26}),
        (0xC03114, {**BOARD[3], **SUPPLIES_40, **ID_EEPROM}),
        (0xC03140, {**BOARD[3], **SUPPLIES_40, **ID_EEPROM}),
    ],
    ids=["rev 1", "rev 2", "40 pins", "compute module"],
)
def test_header_layouts_pin_by_pin(code, layout):
    hardware = boards.decode(code)
    assert hardware.header == layout
    assert list(hardware.header) == list(range(1, len(layout) + 1))


def test_p5_is_on_second_revisions_only():
    assert headers.P5 == {1: "5V", 2: "3V3", 3: 28, 4: 29, 5: 30, 6: 31, 7: "GND", 8: "GND"}
    assert {row.short for row in boards.ROWS if boards.by_name(row.short).p5} == {"A", "B"}
    assert not boards.decode(0x0002).p5
    assert not {28, 29, 30, 31} & set(boards.decode(0x000E).board_channels.values())


@pytest.mark.parametrize(
    ("code", "lines"), [(0x0002, (0, 1, 2, 3)), (0x000E, (2, 3)), (0xC03114, (2, 3)), (0xC03140, ())]
)
def test_lines_with_a_pull_up_on_the_board(code, lines):
    assert boards.decode(code).fixed_pull_ups == lines


def test_a_compute_module_has_lines_but_no_board_channels():
    hardware = boards.by_name("CM4")
    assert hardware.board_channels == {}
    assert hardware.header_lines == tuple(range(2, 28))


# --- what no table knows


def test_an_unknown_type_keeps_what_the_other_fields_say():
    hardware = boards.decode(new_style(kind=0x7F, processor=4, memory=5, revision=1))
    assert hardware.sysinfo == ("d047f1", "Unknown", "1.1", 8192, "Sony UK")
    assert (hardware.soc, hardware.chip_label) == ("BCM2712", "pinctrl-rp1")
    assert hardware.board_channels == BOARD[3]
    assert hardware.name == "Unknown Raspberry Pi"
    assert hardware.rpi_info["TYPE"] == "Unknown"


def test_an_unknown_type_takes_its_name_from_the_device_tree():
    code = new_style(kind=0x7F, processor=4)
    tree = ("raspberrypi,6-model-b", "brcm,bcm2712")
    assert boards.decode(code, tree, "Raspberry Pi 6 Model B Rev 1.0").name == "Raspberry Pi 6 Model B"
    known = ("raspberrypi,5-model-b", "brcm,bcm2712")
    assert boards.decode(code, known).model == "5B"


def test_an_unknown_processor_has_no_addresses():
    hardware = boards.decode(new_style(processor=9))
    assert (hardware.model, hardware.soc) == ("4B", "Unknown")
    assert (hardware.chip_label, hardware.peripheral_base, hardware.gpiomem) == (None, None, None)


def test_an_unknown_old_code_is_a_board_with_40_pins():
    hardware = boards.decode(0x00FF)
    assert hardware.sysinfo == ("00ff", "Unknown", "?", 0, "Unknown")
    assert hardware.board_channels == BOARD[3]
    assert hardware.soc == "Unknown"


def test_the_soc_of_the_device_tree_wins_over_the_processor_field():
    assert boards.decode(0xA01041, ("raspberrypi,2-model-b", "brcm,bcm2837")).soc == "BCM2837"
    assert boards.decode(0xA01041, ("raspberrypi,2-model-b", "brcm,bcm9999")).soc == "BCM2836"


@given(st.integers(0, 0xFFFFFFFF))
@example(0)
@example(0xFFFFFFFF)
@example(0x1000002)
def test_every_32_bit_code_decodes(code):
    check(boards.decode(code))


@given(st.integers())
def test_other_integers_decode_by_their_lower_32_bits(code):
    assert boards.decode(code).revision_code == code % (1 << 32)


def check(hardware):
    lines = [line for line in hardware.header.values() if isinstance(line, int)]
    assert len(lines) == len(set(lines))
    assert {name for name in hardware.header.values() if isinstance(name, str)} <= {"3V3", "5V", "GND"}

    channels = hardware.board_channels
    assert len(set(channels.values())) == len(channels)
    assert channels.items() <= hardware.header.items()
    assert not {27, 28} & channels.keys()
    assert bool(channels) == bool(hardware.p1_revision)

    assert list(hardware.header_lines) == sorted(set(hardware.header_lines))
    p5_lines = {28, 29, 30, 31} if hardware.p5 else set()
    id_lines = {hardware.header.get(27), hardware.header.get(28)}
    assert set(hardware.header_lines) == set(lines) - id_lines | p5_lines
    assert set(channels.values()) <= set(hardware.header_lines)
    assert all(0 <= line < hardware.line_count for line in (*lines, *hardware.header_lines))

    assert hardware.sysinfo[:4] == (
        hardware.revision_hex,
        hardware.model,
        hardware.pcb_revision,
        hardware.memory_mb,
    )
    assert len(hardware.revision_hex) in {4, 5, 6}
    assert set(hardware.rpi_info) == {"P1_REVISION", "REVISION", "TYPE", "MANUFACTURER", "PROCESSOR", "RAM"}


# --- device tree


@pytest.mark.parametrize(
    ("board", "soc", "short"),
    [
        ("model-a", "bcm2835", "A"),
        ("model-a-plus", "bcm2835", "A+"),
        ("model-b-rev2", "bcm2835", "B"),
        ("model-b-plus", "bcm2835", "B+"),
        ("compute-module", "bcm2835", "CM1"),
        ("model-zero", "bcm2835", "Zero"),
        ("model-zero-w", "bcm2835", "Zero W"),
        ("2-model-b", "bcm2836", "2B"),
        ("2-model-b-rev2", "bcm2837", "2B"),
        ("3-model-a-plus", "bcm2837", "3A+"),
        ("3-model-b", "bcm2837", "3B"),
        ("3-model-b-plus", "bcm2837", "3B+"),
        ("3-compute-module", "bcm2837", "CM3"),
        ("3-compute-module-lite", "bcm2837", "CM3"),
        ("3-plus-compute-module", "bcm2837", "CM3+"),
        ("model-zero-2-w", "bcm2837", "Zero 2 W"),
        ("4-model-b", "bcm2711", "4B"),
        ("400", "bcm2711", "400"),
        ("4-compute-module", "bcm2711", "CM4"),
        ("4-compute-module-s", "bcm2711", "CM4S"),
        ("5-model-b", "bcm2712", "5B"),
        ("5-compute-module", "bcm2712", "CM5"),
        ("500", "bcm2712", "500"),
    ],
)
def test_device_tree_names(board, soc, short):
    hardware = boards.from_compatible((f"raspberrypi,{board}", f"brcm,{soc}"), "")
    assert (hardware.model, hardware.soc) == (short, soc.upper())
    assert (hardware.revision_code, hardware.revision_hex) == (None, "0000")
    assert hardware.is_pi
    check(hardware)
    assert boards.from_compatible((f"raspberrypi,{board}",), "").model == short


@pytest.mark.parametrize("board", ["model-b", "model-b-i2c0"])
def test_the_first_model_b_has_the_first_header(board):
    hardware = boards.from_compatible((f"raspberrypi,{board}", "brcm,bcm2835"), "Raspberry Pi Model B")
    assert hardware.p1_revision == 1
    assert hardware.board_channels == BOARD[1]


@pytest.mark.parametrize(
    ("compatibles", "model", "short", "pcb_revision"),
    [
        ("raspberrypi,5-compute-module", "Raspberry Pi Compute Module 5 Rev 1.0", "CM5", "1.0"),
        ("raspberrypi,5-compute-module", "Raspberry Pi Compute Module 5 Lite Rev 1.0", "CM5 Lite", "1.0"),
        ("raspberrypi,500", "Raspberry Pi 500 Plus Rev 1.0", "500", "1.0"),
        ("raspberrypi,2-model-b-rev2", "Raspberry Pi 2 Model B rev 1.2", "2B", "1.2"),
        ("raspberrypi,model-b-rev2", "Raspberry Pi Model B rev2", "B", "?"),
        ("", "Raspberry Pi 3 Model B Plus Rev 1.3", "3B+", "1.3"),
        ("", "Raspberry Pi Zero 2 W Rev 1.0", "Zero 2 W", "1.0"),
    ],
)
def test_the_model_text_completes_the_compatible(compatibles, model, short, pcb_revision):
    hardware = boards.from_compatible((compatibles,), model)
    assert (hardware.model, hardware.pcb_revision) == (short, pcb_revision)


def test_an_unknown_raspberry_pi_falls_to_its_soc():
    hardware = boards.from_compatible(
        ("raspberrypi,6-model-b", "brcm,bcm2712d0"), "Raspberry Pi 6 Model B Rev 1.1"
    )
    assert (hardware.model, hardware.soc, hardware.chip_label) == ("Unknown", "BCM2712", "pinctrl-rp1")
    assert (hardware.name, hardware.pcb_revision) == ("Raspberry Pi 6 Model B", "1.1")
    assert hardware.board_channels == BOARD[3]


@given(st.lists(st.text() | st.sampled_from(sorted(socs.SOC_COMPATIBLES))), st.text())
def test_any_device_tree_text_gives_a_board(compatibles, model):
    check(boards.from_compatible(tuple(compatibles), model))


@pytest.mark.parametrize(
    ("codes", "name"),
    [
        (("2835", "2708"), "BCM2835"),
        (("2836", "2709"), "BCM2836"),
        (("2837", "2710"), "BCM2837"),
        (("2711", "2838"), "BCM2711"),
        (("2712", "2712d0"), "BCM2712"),
    ],
)
def test_present_and_early_kernels_names_of_the_socs(codes, name):
    assert {boards.from_compatible((f"brcm,bcm{code}",)).soc for code in codes} == {name}


# --- other boards, and the object itself


def test_a_generic_board_has_lines_and_no_header():
    hardware = boards.generic(32, "gpio-mockup-A", "Some Board")
    assert not hardware.is_pi
    assert (hardware.name, hardware.model) == ("Some Board", "Some Board")
    assert (hardware.line_count, hardware.chip_label) == (32, "gpio-mockup-A")
    assert hardware.header == hardware.board_channels == {}
    assert hardware.header_lines == hardware.fixed_pull_ups == ()
    assert hardware.sysinfo == ("0000", "Some Board", "?", 0, "Unknown")
    assert (hardware.gpiomem, hardware.peripheral_base, hardware.gpio_compatible) == (None, None, None)
    check(hardware)


def test_a_hardware_is_read_only():
    hardware = boards.by_name("4B")
    with pytest.raises(AttributeError, match="model of a Hardware is read-only"):
        hardware.model = "5B"
    with pytest.raises(AttributeError, match="model of a Hardware is read-only"):
        del hardware.model
    with pytest.raises(AttributeError):
        hardware.colour = "green"
    assert hardware.model == "4B"


def test_the_dicts_of_a_hardware_are_its_own():
    boards.by_name("4B").header.clear()
    boards.by_name("4B").board_channels.clear()
    assert boards.by_name("4B").header[3] == boards.by_name("4B").board_channels[3] == 2


def test_repr_names_the_board():
    assert repr(boards.decode(0xA020D3)) == "<Hardware Raspberry Pi 3 Model B+, a020d3>"


# --- the original's constants, to the letter


def test_gpio_lists_of_the_original():
    common = {4, 7, 8, 9, 10, 11, 14, 15, 17, 18, 22, 23, 24, 25}
    assert list(boards.GPIO_LIST_R1) == sorted(common | {0, 1, 21})
    assert list(boards.GPIO_LIST_R2) == sorted(common | {2, 3, 27, 28, 29, 30, 31})
    assert list(boards.GPIO_LIST_R3) == list(range(2, 28))


def test_pin_list_of_the_original():
    assert boards.HEADER_P5 == 5 << 8
    on_p1 = [3, 5, 7, 8, 10, 11, 12, 13, 15, 16, 18, 19, 21, 22, 23, 24, 26]
    assert list(boards.PIN_LIST) == [*on_p1, 3 | 5 << 8, 4 | 5 << 8, 5 | 5 << 8, 6 | 5 << 8]


def test_model_data_of_the_original():
    assert boards.MODEL_DATA == {
        "2": ("B", "1.0", 256, "?"),
        "3": ("B", "1.0", 256, "?"),
        "4": ("B", "2.0", 256, "Sony"),
        "5": ("B", "2.0", 256, "Qisda"),
        "6": ("B", "2.0", 256, "Egoman"),
        "7": ("A", "2.0", 256, "Egoman"),
        "8": ("A", "2.0", 256, "Sony"),
        "9": ("A", "2.0", 256, "Qisda"),
        "d": ("B", "2.0", 512, "Egoman"),
        "e": ("B", "2.0", 512, "Sony"),
        "f": ("B", "2.0", 512, "Qisda"),
        "10": ("B+", "1.0", 512, "Sony"),
    }


@pytest.mark.parametrize("code", boards.MODEL_DATA)
def test_sysinfo_of_old_boards_is_their_model_data(code):
    assert boards.decode(int(code, 16)).sysinfo == (code.zfill(4), *boards.MODEL_DATA[code])
