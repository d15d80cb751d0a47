"""Identities as NATS has them, and messages in parts."""

import base64
import json
import random
import zlib

import pytest

from suanwang.bus.frames import BODY_BYTES_MAX, PARTS_MAX, Joiner, cut, unpack
from suanwang.bus.nkeys import KeyPair, Kind, is_public, user_jwt
from suanwang.model.error import TooLargeError

# The pair that the documentation of NATS shows.
SEED = "SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY"
PUBLIC = "UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4"


def test_a_pair_is_read_and_written_as_nats_does():
    pair = KeyPair.of_seed(SEED)
    assert (pair.public, pair.seed, pair.kind) == (PUBLIC, SEED, Kind.USER)
    assert SEED not in repr(pair)


@pytest.mark.parametrize("kind", list(Kind))
def test_every_kind_of_pair_comes_back_from_its_seed(kind):
    pair = KeyPair(kind, random.Random(7).randbytes(32))
    assert KeyPair.of_seed(pair.seed) == pair
    assert is_public(pair.public, kind)
    assert not any(is_public(pair.public, other) for other in Kind if other is not kind)


@pytest.mark.parametrize("text", ["", "S", "nonsense!", SEED[:-1] + "A", PUBLIC, SEED.lower()])
def test_what_is_no_seed_is_refused(text):
    with pytest.raises(ValueError):
        KeyPair.of_seed(text)


def test_a_user_of_a_signing_key_names_its_account():
    signer, account = (KeyPair(Kind.ACCOUNT, bytes([at]) * 32) for at in (1, 2))
    text = user_jwt(signer, account.public, PUBLIC, "x", 5, publish=["a"], subscribe=["b"], expires_s=9)
    claims = json.loads(base64.urlsafe_b64decode(text.split(".")[1] + "=="))
    assert (claims["iss"], claims["sub"], claims["exp"]) == (signer.public, PUBLIC, 9)
    assert claims["nats"]["issuer_account"] == account.public
    assert (claims["nats"]["pub"], claims["nats"]["sub"]) == ({"allow": ["a"]}, {"allow": ["b"]})


def test_parts_in_any_order_make_the_message_again():
    stream = random.Random(3)
    body = stream.randbytes(300_000)
    parts = cut("m", body, {"x": "1"}, part_bytes=40_000)
    stream.shuffle(parts)
    joiner: Joiner[int] = Joiner()
    found = [joiner.add(part.headers, part.data, part.number) for part in parts]
    assert [whole for whole, _ in found[:-1]] == [None] * (len(parts) - 1)
    whole, stale = found[-1]
    assert whole is not None
    assert (whole.body, whole.headers["x"], whole.carriers, list(stale)) == (body, "1", list(range(len(parts))), [])


def test_a_newer_message_drops_what_is_there_of_the_older():
    joiner: Joiner[str] = Joiner()
    old = cut("old", random.Random(1).randbytes(50_000), part_bytes=20_000)
    assert joiner.add(old[0].headers, old[0].data, "o0") == (None, [])
    (new,) = cut("new", b"body")
    whole, stale = joiner.add(new.headers, new.data, "n0")
    assert (whole.body, stale) == (b"body", ["o0"])


def test_a_part_that_comes_again_stands_in_for_the_first():
    joiner: Joiner[str] = Joiner()
    first, second = cut("m", random.Random(1).randbytes(30_000), part_bytes=20_000)
    assert joiner.add(first.headers, first.data, "once") == (None, [])
    assert joiner.add(first.headers, first.data, "again") == (None, [])
    whole, stale = joiner.add(second.headers, second.data, "rest")
    assert (whole.carriers, stale) == (["again", "rest"], [])


def test_parts_that_disagree_on_their_number_are_refused():
    joiner: Joiner[str] = Joiner()
    assert joiner.add({"Sw-Message": "m", "Sw-Part": "5/6"}, b"", "a") == (None, [])
    with pytest.raises(ValueError):
        joiner.add({"Sw-Message": "m", "Sw-Part": "1/2"}, b"", "b")
    assert (joiner.half, list(joiner.drop()), joiner.half) == ("m", ["a"], "")


@pytest.mark.parametrize("place", ["", "1", "a/b", "3/3", "-1/2", f"0/{PARTS_MAX + 1}"])
def test_a_part_with_no_place_is_refused(place):
    with pytest.raises(ValueError):
        Joiner().add({"Sw-Message": "m", "Sw-Part": place}, b"", None)


def test_what_would_unpack_without_end_is_refused():
    packer = zlib.compressobj(9)
    bomb = b"".join([packer.compress(bytes(1 << 20)) for _ in range((BODY_BYTES_MAX >> 20) + 2)]) + packer.flush()
    assert len(bomb) < 100_000
    for bad in (bomb, zlib.compress(b"whole")[:-4], b"not packed"):
        with pytest.raises(ValueError):
            unpack(bad)


def test_a_message_that_is_too_large_is_refused_before_it_is_sent():
    with pytest.raises(TooLargeError) as refused:
        cut("m", random.Random(1).randbytes(PARTS_MAX * 1_000 + 4_096), part_bytes=1_000)
    assert refused.value.code == "message_too_large"
