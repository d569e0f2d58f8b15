# SPDX-License-Identifier: LGPL-3.0-or-later
"""What remoteio's clients of lines may ask: values as text, the table of classes, and replies as they were recorded."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from RPIO.wire import remoteio_objects as wire
from RPIO.wire.remoteio_objects import CLASSES
from RPIO.wire.remoteio_values import Made, parameters

RED = Made("Color", ("red",))
WRITTEN = [
    ("", {}),
    ("args=(17,)", {"args": (17,)}),
    ("args=()", {"args": ()}),
    ("property=('value', 'is_lit', 'pin', 'closed')", {"property": ("value", "is_lit", "pin", "closed")}),
    ("color=Color('red')", {"color": RED}),
    ("color=Color(1, 0.5, 0)", {"color": Made("Color", (1, 0.5, 0))}),
    ("color=#ff0000", {"color": Made("Color", ("#ff0000",))}),
    ("on_time=0.4;off_time=0;n=1", {"on_time": 0.4, "off_time": 0, "n": 1}),
    ("tone=Tone('A4')", {"tone": Made("Tone", ("A4",))}),
    ("tone=220.0", {"tone": 220.0}),
    ("background=False;n=None", {"background": False, "n": None}),
    ("a=-1;b=+2;c=1e-3;d=.5;e=1.;", {"a": -1, "b": 2, "c": 0.001, "d": 0.5, "e": 1.0}),
    ("led2=16;led1=20;_order=('led1','led2')", {"led2": 16, "led1": 20, "_order": ("led1", "led2")}),
    ("name='a;b=1'", {"name": "a;b=1"}),
    ('name="it\'s"', {"name": "it's"}),
    (r"name='a\'b\\c\n'", {"name": "a'b\\c\n"}),
    (" value = ( 1 , 0 , 1 ) ; x = [1, [2]] ", {"value": (1, 0, 1), "x": [1, [2]]}),
    ("x=(1)", {"x": 1}),
    ("x='\u00e9'", {"x": "\u00e9"}),
]


@pytest.mark.parametrize(("text", "values"), WRITTEN)
def test_parameters_are_read(text, values):
    found = parameters(text)
    assert found == values
    assert list(map(repr, found.values())) == list(map(repr, values.values()))


@pytest.mark.parametrize(
    "text",
    [
        *(
            'args=(__import__("os").getpid()%27,)',
            "x=os",
            "x=os.system('id')",
            "x=exec('1')",
            "x=Color",
            "x=Color.red",
        ),
        *(
            "x=1+1",
            "x=2**999",
            "x=1_000",
            "x=0x10",
            "x=1e",
            "x=--1",
            "x=+",
            "x=.",
            "x=1 2",
            "x=1,2",
            "x=nan",
            "x=inf",
        ),
        *(
            "x='a",
            'x="',
            r"x='\x41'",
            "x='a'b'",
            "x=red",
            "x=GPIO17",
            "x=lambda: 1",
            "x={}",
            "x={'a': 1}",
            "x=b'a'",
        ),
        *(
            "x",
            "x=",
            "=1",
            "1=2",
            "x=1;x=2",
            "x=1;;y=2",
            "x==1",
            "x=(1",
            "x=1)",
            "x=(,)",
            "x=(1,,2)",
            "x=(1 2)",
        ),
        *(
            "x=" + "(" * 50,
            "x=" + "[" * 12 + "]" * 12,
            "x=" + "1" * 40,
            "x=(" + "1," * 300 + ")",
            "x=f'{1}'",
            "x=...",
        ),
    ],
)
def test_what_is_no_value_is_an_error(text):
    with pytest.raises(ValueError, match=r"."):
        parameters(text)


@given(st.text(alphabet="abx=;,()[]'\"\\ #Color1.e-+", max_size=40))
def test_any_text_is_read_or_is_an_error(text):
    try:
        found = parameters(text)
    except ValueError:
        return
    assert all(name.isidentifier() for name in found)


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**9), 10**9)
    | st.floats(-1e6, 1e6)
    | st.text(st.characters(codec="ascii", categories=("L", "N", "P", "Zs")), max_size=8),
    lambda inner: st.lists(inner, max_size=4).map(tuple),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(["a", "b", "value"]), VALUES))
@pytest.mark.slow
def test_what_python_writes_is_read_again(values):
    text = ";".join(f"{name}={value!r}" for name, value in values.items())
    try:
        assert parameters(text) == values
    except ValueError as e:
        assert "within values" in str(e)


# -- the table ----------------------------------------------------------------------------------


SERVED = """
LED PWMLED RGBLED Buzzer TonalBuzzer LEDBoard LEDBarGraph Button MotionSensor LineSensor LightSensor DistanceSensor
RotaryEncoder Servo AngularServo Motor PhaseEnableMotor
"""


def test_the_classes_are_those_of_gpiozero_that_have_been_served():
    assert set(CLASSES) == set(SERVED.split())


@pytest.mark.parametrize(
    ("kind", "text", "made"),
    [
        ("LED", "args=(17,)", ([], {"pin": 17})),
        (
            "LED",
            "pin='BOARD11';active_high=False;initial_value=None",
            ([], {"pin": "BOARD11", "active_high": False, "initial_value": None}),
        ),
        (
            "RGBLED",
            "args=(2,3,4);initial_value=(1,0,0)",
            ([], {"red": 2, "green": 3, "blue": 4, "initial_value": (1, 0, 0)}),
        ),
        ("LEDBoard", "args=(16,20,21);pwm=True", ([16, 20, 21], {"pwm": True})),
        (
            "LEDBoard",
            "left=16;right=20;_order=('left','right')",
            ([], {"left": 16, "right": 20, "_order": ("left", "right")}),
        ),
        ("RotaryEncoder", "a=19;b=26;wrap=True", ([], {"a": 19, "b": 26, "wrap": True})),
        ("Motor", "forward=4;backward=17;enable=None", ([], {"forward": 4, "backward": 17, "enable": None})),
    ],
)
def test_devices_are_made_of_checked_values(kind, text, made):
    assert CLASSES[kind].create.checked(parameters(text)) == made


@pytest.mark.parametrize(
    ("kind", "text", "what"),
    [
        ("LED", "args=(17,18)", "LED takes 1 values without names at most"),
        ("LED", "args=(17,);pin=4", "pin is given twice"),
        ("LED", "pin_factory='mock'", "LED has no 'pin_factory'"),
        ("LED", "pin=-1", "pin is a pin"),
        ("LED", "pin=None", "pin is a pin"),
        ("LED", "pin=17.0", "pin is a pin"),
        ("LED", "pin=True", "pin is a pin"),
        ("LED", "args=17;active_high=2", "active_high is True or False"),
        ("LED", "args=17;active_high='yes'", "active_high is True or False"),
        ("PWMLED", "args=17;initial_value=1.5", "initial_value is a number from 0 to 1"),
        ("PWMLED", "args=17;frequency=1e8", "frequency is hertz"),
        ("RGBLED", "args=(1,2,3);initial_value=(1,0)", "initial_value is Color"),
        ("LEDBoard", "args=(16,'')", "LEDBoard is a pin"),
        ("LEDBoard", "left=1.5", "left is a pin"),
        ("Button", "args=4;hold_time=-1", "hold_time is seconds"),
        ("Button", "args=4;hold_time=1e999", "hold_time is seconds"),
        ("Motor", "args=(4,17);pwm=None", "pwm is True or False"),
    ],
)
def test_what_makes_no_device_is_an_error_that_says_what(kind, text, what):
    with pytest.raises(ValueError, match=what):
        CLASSES[kind].create.checked(parameters(text))


@pytest.mark.parametrize(
    ("kind", "method", "text"),
    [
        ("LED", "blink", "on_time=0.4;off_time=0;n=1"),
        ("LED", "blink", "args=(1,1,None,False)"),
        ("RGBLED", "pulse", "on_color=Color('red');off_color=(0,0,1);n=2"),
        ("TonalBuzzer", "play", "tone=Tone('A4')"),
        ("TonalBuzzer", "play", "tone=None"),
        ("LEDBoard", "on", "args=(1,-1)"),
        ("LEDBoard", "toggle", "args=()"),
        ("Button", "wait_for_press", "timeout=None"),
        ("Motor", "forward", "speed=0.5"),
    ],
)
def test_methods_take_what_they_are_for(kind, method, text):
    CLASSES[kind].methods[method].checked(parameters(text))


@pytest.mark.parametrize(
    ("kind", "method", "text"),
    [
        ("LED", "blink", "n=0"),
        ("LED", "blink", "fade_in_time=1"),
        ("LED", "on", "args=(1,)"),
        ("TonalBuzzer", "play", "tone=Color('red')"),
        ("TonalBuzzer", "play", "tone=(1,)"),
        ("LEDBoard", "on", "args=('1',)"),
        ("Motor", "forward", "speed=2"),
    ],
)
def test_and_nothing_else(kind, method, text):
    with pytest.raises(ValueError, match=r"."):
        CLASSES[kind].methods[method].checked(parameters(text))


def test_nothing_private_and_nothing_that_calls_back_is_in_the_table():
    for kind in CLASSES.values():
        names = {*kind.methods, *kind.reads, *kind.writes}
        assert not [
            name for name in names if name.startswith(("_", "when_")) or name in ("source", "values", "close")
        ]


# -- replies ------------------------------------------------------------------------------------


class Text:
    """Something with a text of its own."""

    def __init__(self, text):
        self._text = text

    def __str__(self):
        return self._text


def test_values_are_written_as_they_were_recorded():
    values = {"value": 1, "is_lit": True, "pin": Text("GPIO17"), "closed": False}
    assert wire.got(values) == b"""!G{'value' : 1,'is_lit' : True,'pin' : "GPIO17",'closed' : False}"""


@pytest.mark.parametrize(
    ("value", "read"),
    [
        (None, None),
        (0.25, 0.25),
        ((0, 1), "(0, 1)"),
        (float("nan"), "nan"),
        (Text('a"b\\c\n'), "a'b/c "),
        ("text", "text"),
    ],
)
def test_what_a_client_evaluates_is_a_value(value, read):
    assert eval(wire.got({"x": value})[2:].decode(), {}) == {"x": read}


def test_replies_of_failures_are_those_of_the_original():
    assert wire.creation_failed("dev_0") == b"?? dev_0 Led creation failure"
    assert wire.creation_failed("dev_0", "no such pin") == b"?? dev_0 Led creation failure: no such pin"
    assert wire.timed_out("dev_0", "blink") == b"?? pipe connection timed out dev_0 blink"
