# SPDX-License-Identifier: LGPL-3.0-or-later
"""SPAKE2 over P-256: the vectors of RFC 9382, and that nothing comes of what was not agreed on."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from RPIO.wire import spake2
from RPIO.wire.spake2 import ORDER, Exchange, P, decoded, encoded, is_on_curve

VECTORS = [
    {
        "A": b"server",
        "B": b"client",
        "w": "2ee57912099d31560b3a44b1184b9b4866e904c49d12ac5042c97dca461b1a5f",
        "x": "43dd0fd7215bdcb482879fca3220c6a968e66d70b1356cac18bb26c84a78d729",
        "y": "dcb60106f276b02606d8ef0a328c02e4b629f84f89786af5befb0bc75b6e66be",
        "pA": "04a56fa807caaa53a4d28dbb9853b9815c61a411118a6fe516a8798434751470"
        "f9010153ac33d0d5f2047ffdb1a3e42c9b4e6be662766e1eeb4116988ede5f912c",
        "pB": "0406557e482bd03097ad0cbaa5df82115460d951e3451962f1eaf4367a420676"
        "d09857ccbc522686c83d1852abfa8ed6e4a1155cf8f1543ceca528afb591a1e0b7",
        "Ke": "0e0672dc86f8e45565d338b0540abe69",
        "Ka": "15bdf72e2b35b5c9e5663168e960a91b",
        "cA": "58ad4aa88e0b60d5061eb6b5dd93e80d9c4f00d127c65b3b35b1b5281fee38f0",
        "cB": "d3e2e547f1ae04f2dbdbf0fc4b79f8ecff2dff314b5d32fe9fcef2fb26dc459b",
    },
    {
        "A": b"",
        "B": b"client",
        "w": "0548d8729f730589e579b0475a582c1608138ddf7054b73b5381c7e883e2efae",
        "x": "403abbe3b1b4b9ba17e3032849759d723939a27a27b9d921c500edde18ed654b",
        "y": "903023b6598908936ea7c929bd761af6039577a9c3f9581064187c3049d87065",
        "pA": "04a897b769e681c62ac1c2357319a3d363f610839c4477720d24cbe32f5fd85f"
        "44fb92ba966578c1b712be6962498834078262caa5b441ecfa9d4a9485720e918a",
        "pB": "04e0f816fd1c35e22065d5556215c097e799390d16661c386e0ecc84593974a6"
        "1b881a8c82327687d0501862970c64565560cb5671f696048050ca66ca5f8cc7fc",
        "Ke": "642f05c473c2cd79909f9a841e2f30a7",
        "Ka": "0bf89b18180af97353ba198789c2b963",
        "cA": "47d29e6666af1b7dd450d571233085d7a9866e4d49d2645e2df975489521232b",
        "cB": "3313c5cefc361d27fb16847a91c2a73b766ffa90a4839122a9b70a2f6bd1d6df",
    },
    {
        "A": b"server",
        "B": b"",
        "w": "626e0cdc7b14c9db3e52a0b1b3a768c98e37852d5db30febe0497b14eae8c254",
        "x": "07adb3db6bc623d3399726bfdbfd3d15a58ea776ab8a308b00392621291f9633",
        "y": "b6a4fc8dbb629d4ba51d6f91ed1532cf87adec98f25dd153a75accafafedec16",
        "pA": "04f88fb71c99bfffaea370966b7eb99cd4be0ff1a7d335caac4211c4afd855e2"
        "e15a873b298503ad8ba1d9cbb9a392d2ba309b48bfd7879aefd0f2cea6009763b0",
        "pB": "040c269d6be017dccb15182ac6bfcd9e2a14de019dd587eaf4bdfd353f031101"
        "e7cca177f8eb362a6e83e7d5e729c0732e1b528879c086f39ba0f31a9661bd34db",
        "Ke": "005184ff460da2ce59062c87733c299c",
        "Ka": "3521297d736598fc0a1127600efa1afb",
        "cA": "bc9f9bbe99f26d0b2260e6456e05a86196a3307ec6663a18bf6ac825736533b2",
        "cB": "c2370e1bf813b086dff0d834e74425a06e6390f48f5411900276dcccc5a297ec",
    },
    {
        "A": b"",
        "B": b"",
        "w": "7bf46c454b4c1b25799527d896508afd5fc62ef4ec59db1efb49113063d70cca",
        "x": "8cef65df64bb2d0f83540c53632de911b5b24b3eab6cc74a97609fd659e95473",
        "y": "d7a66f64074a84652d8d623a92e20c9675c61cb5b4f6a0063e4648a2fdc02d53",
        "pA": "04a65b367a3f613cf9f0654b1b28a1e3a8a40387956c8ba6063e8658563890f4"
        "6ca1ef6a676598889fc28de2950ab8120b79a5ef1ea4c9f44bc98f585634b46d66",
        "pB": "04589f13218822710d98d8b2123a079041052d9941b9cf88c6617ddb2fcc0494"
        "662eea8ba6b64692dc318250030c6af045cb738bc81ba35b043c3dcb46adf6f58d",
        "Ke": "fc6374762ba5cf11f4b2caa08b2cd1b9",
        "Ka": "907ae0e26e8d6234318d91583cd74c86",
        "cA": "dfb4db8d48ae5a675963ea5e6c19d98d4ea028d8e898dad96ea19a80ade95dca",
        "cB": "d0f0609d1613138d354f7e95f19fb556bf52d751947241e8c7118df5ef0ae175",
    },
]
"""Source: RFC 9382, appendix B: all of P-256."""
CONFIRMING = [
    ("00c12546835755c86d8c0db7851ae86f", "a9fa3406c3b781b93d804485430ca27a"),
    ("c6be376fc7cd1301fd0a13adf3e7bffd", "b7243f4ae60440a49b3f8cab3c1fba07"),
    ("f3da53604f0aeecea5a33be7bddf6edf", "9e3f86848736f159bd92b6e107ec6799"),
    ("5dbd2f477166b7fb6d61febbd77a5563", "7689b4654407a5faeffdc8f18359d8a3"),
]
"""KcA and KcB of the same."""


@pytest.mark.parametrize("vector", VECTORS)
def test_the_vectors_of_the_rfc(vector):
    w, x, y = (int(vector[key], 16) for key in "wxy")
    client = Exchange(True, w, vector["A"], vector["B"], x)
    device = Exchange(False, w, vector["A"], vector["B"], y)
    assert (client.share.hex(), device.share.hex()) == (vector["pA"], vector["pB"])
    here, there = client.finish(device.share), device.finish(client.share)
    for keys in (here, there):
        assert (keys.key.hex(), keys.confirming.hex()) == (vector["Ke"], vector["Ka"])
    assert here.confirmation.hex() == there.expected.hex() == vector["cA"]
    assert there.confirmation.hex() == here.expected.hex() == vector["cB"]


@pytest.mark.parametrize(("vector", "keys"), [*zip(VECTORS, CONFIRMING, strict=True)])
def test_the_keys_of_confirmation_are_those_of_the_rfc(vector, keys):
    made = spake2.derived(bytes.fromhex(vector["Ka"]), b"ConfirmationKeys").hex()
    assert (made[:32], made[32:]) == keys


def test_the_constants_are_those_of_the_rfc():
    for point, compressed in (
        (spake2.M, "02886e2f97ace46e55ba9dd7242579f2993b64e16ef3dcab95afd497333d8fa12f"),
        (spake2.N, "03d8bbd6c639c62937b04d997f38c3770719c629d7014d49a24b4f98baa1292b49"),
    ):
        assert is_on_curve(*point)
        assert f"{2 + point[1] % 2:02x}{point[0]:064x}" == compressed
    assert is_on_curve(*spake2.G)
    assert spake2._multiply(ORDER, spake2.G)[2] == 0  # so often it is the point at infinity
    assert spake2._affine(spake2._multiply(ORDER + 1, spake2.G)) == spake2.G


@pytest.mark.parametrize(("number", "x"), [(1, spake2.G[0]), (2, None), (3, None), (ORDER - 1, spake2.G[0])])
def test_a_point_so_many_times(number, x):
    found = spake2._affine(spake2._multiply(number, spake2.G))
    assert is_on_curve(*found) and x in (None, found[0])
    total = (1, 1, 0)
    for _ in range(number if number < 10 else 0):
        total = spake2._add(total, (*spake2.G, 1))
    if number < 10:
        assert spake2._affine(total) == found
    else:
        assert found[1] == P - spake2.G[1]


def pair(one, other, who=(b"a", b"b"), whom=None):
    client, device = Exchange(True, one, *who), Exchange(False, other, *(whom or who))
    return client.finish(device.share), device.finish(client.share)


@settings(max_examples=10, deadline=None)
@given(st.integers(1, ORDER - 1))
@pytest.mark.slow
def test_the_same_password_is_the_same_key_and_each_time_another(w):
    here, there = pair(w, w)
    assert here.key == there.key
    assert (here.confirmation, here.expected) == (there.expected, there.confirmation)
    assert pair(w, w)[0].key != here.key


@settings(max_examples=5, deadline=None)
@given(st.integers(1, ORDER - 1), st.integers(1, ORDER - 1))
def test_another_password_is_nothing_in_common(one, other):
    if one != other:
        here, there = pair(one, other)
        assert here.key != there.key
        assert here.confirmation != there.expected and there.confirmation != here.expected


@pytest.mark.parametrize("whom", [(b"a", b"c"), (b"c", b"b"), (b"ab", b""), (b"b", b"a")])
def test_who_they_are_is_a_part_of_it(whom):
    here, there = pair(7, 7, (b"a", b"b"), whom)
    assert here.key != there.key and here.confirmation != there.expected


def test_what_one_has_sent_is_no_confirmation_of_the_other():
    client, device = Exchange(True, 7, b"a", b"b"), Exchange(False, 7, b"a", b"b")
    keys = client.finish(device.share)
    assert keys.confirmation != keys.expected
    reflected = client.finish(client.share)  # what it has sent itself
    assert reflected.confirmation != reflected.expected


@pytest.mark.parametrize(
    "share",
    [
        b"",
        b"\x00",  # the point at infinity
        b"\x04",
        b"\x04" + bytes(64),
        b"\x04" + b"\xff" * 64,
        encoded(spake2.G)[:-1],
        encoded(spake2.G) + b"\0",
        b"\x02" + encoded(spake2.G)[1:],
        b"\x02" + encoded(spake2.G)[1:33],  # compressed
        encoded((spake2.G[0], spake2.G[1] + 1)),
        encoded((spake2.G[0] + 1, spake2.G[1])),
        encoded((spake2.G[0] + P, spake2.G[1])) if spake2.G[0] + P < 1 << 256 else b"\x04" + bytes(63),
        b"\x04" + P.to_bytes(32, "big") + bytes(32),
    ],
)
def test_what_is_no_point_of_the_curve_is_refused(share):
    with pytest.raises(ValueError, match=r"no point of P-256"):
        decoded(share)
    for is_client in (True, False):
        with pytest.raises(ValueError, match=r"no point of P-256"):
            Exchange(is_client, 7, b"a", b"b").finish(share)


def test_a_share_that_leaves_nothing_in_common_is_refused():
    w = 7
    nothing = encoded(spake2._affine(spake2._multiply(w, spake2.N)))  # what the device hides, with 0 in it
    with pytest.raises(ValueError, match="infinity"):
        Exchange(True, w, b"a", b"b").finish(nothing)
    assert Exchange(True, w + 1, b"a", b"b").finish(nothing)


@settings(max_examples=30, deadline=None)
@given(st.binary(max_size=80))
def test_any_bytes_are_refused_or_a_point(data):
    try:
        assert is_on_curve(*decoded(data))
    except ValueError:
        pass
