"""Secrets: who may read them, how long they are kept, and that they show nowhere."""

from __future__ import annotations

import asyncio
import copy
import json
import pickle

import pytest

from budaiscaler.domain.errors import KubeError, KubeUnreachableError, status_error
from budaiscaler.domain.readings import NoData, NoDataReason
from budaiscaler.sources.secrets import FAILURE_KEPT_S, KEPT_S, LONGEST, SecretReader, SecretText
from tests.fakes.kube import FakeKube
from tests.sources.secured import SECRET, put_secret


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


async def read(reader: SecretReader, *keys: str, namespace: str = "ml") -> list[str]:
    """The values, in clear."""
    found = await reader.read(namespace, "token", *(keys or ("value",)))
    assert isinstance(found, tuple), found
    return [value.reveal() for value in found]


async def test_a_secret_is_read_once(kube: FakeKube) -> None:
    """However many scalers name it, within a minute the API server is asked once."""
    put_secret(kube, value=SECRET)
    reader = SecretReader(kube, clock=Clock())

    found = await asyncio.gather(*(read(reader) for _ in range(100)))

    assert found == [[SECRET]] * 100
    assert len(kube.made("get")) == 1


async def test_a_rotated_secret(kube: FakeKube) -> None:
    """It is seen within a minute, or at once when a server did not accept the old one."""
    clock = Clock()
    put_secret(kube, value="old")
    reader = SecretReader(kube, clock=clock)
    assert await read(reader) == ["old"]
    put_secret(kube, value="new")

    assert await read(reader) == ["old"]
    clock.now_s = 60.0
    assert clock.now_s > KEPT_S
    assert await read(reader) == ["new"]
    put_secret(kube, value="newest")
    reader.drop("ml", "token", "value")
    assert await read(reader) == ["newest"]


async def test_namespaces_are_apart(kube: FakeKube) -> None:
    """A Secret of the same name in another namespace is another one."""
    put_secret(kube, value="ours")
    put_secret(kube, namespace="other", value="theirs")
    reader = SecretReader(kube, clock=Clock())

    assert await read(reader) == ["ours"]
    assert await read(reader, namespace="other") == ["theirs"]


async def test_white_space_around_a_value(kube: FakeKube) -> None:
    """The line's end that `echo` puts into a Secret is not part of the token."""
    put_secret(kube, user="me \n", password="\tword\r\n")

    assert await read(SecretReader(kube, clock=Clock()), "user", "password") == ["me", "word"]


@pytest.mark.parametrize(
    ("error", "reason", "words"),
    [
        pytest.param(
            status_error(403, "Forbidden", SECRET),
            NoDataReason.SECRET_NOT_READABLE,
            "bind ClusterRole budaiscaler-source-secrets to our ServiceAccount there by a",
            id="not-granted",
        ),
        pytest.param(
            status_error(404, "NotFound", SECRET),
            NoDataReason.SECRET_NOT_READABLE,
            "Secret token does not exist in namespace ml: create it",
            id="missing",
        ),
        pytest.param(
            status_error(500, "InternalError", SECRET),
            NoDataReason.UNREACHABLE,
            "check that the API server answers",
            id="failing",
        ),
        pytest.param(
            KubeUnreachableError(SECRET),
            NoDataReason.UNREACHABLE,
            "check that the API server answers",
            id="unreachable",
        ),
    ],
)
async def test_unreadable(
    kube: FakeKube, error: KubeError, reason: NoDataReason, words: str
) -> None:
    """What keeps a Secret from being read is told with its remedy, and tried again soon."""
    clock = Clock()
    put_secret(kube, value=SECRET)
    kube.fail("get", "/secrets/", error)
    reader = SecretReader(kube, clock=clock)

    refused = [await reader.read("ml", "token", "value") for _ in range(5)]
    assert len(kube.made("get")) == 1
    kube.heal()
    clock.now_s = FAILURE_KEPT_S + 1

    assert isinstance(refused[0], NoData)
    assert refused[0].reason is reason
    assert words in refused[0].message
    assert SECRET not in refused[0].message
    assert await read(reader) == [SECRET]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        pytest.param({}, "has no key value", id="missing"),
        pytest.param(None, "has no key value", id="empty-secret"),
        pytest.param({"value": "%%%"}, "is no text", id="no-base64"),
        pytest.param({"value": "/w=="}, "is no text", id="no-utf-8"),
        pytest.param({"value": 5}, "is no text", id="a-number"),
        pytest.param({"value": "Cg=="}, "must hold 1 to", id="empty"),
        pytest.param({"value": "YWFh" * LONGEST}, "must hold 1 to", id="too-long"),
    ],
)
async def test_values_that_are_none(kube: FakeKube, data: object, words: str) -> None:
    """A key that is missing, or holds no text that could be sent, says so by its name."""
    kube.put("/api/v1/namespaces/ml/secrets/token", {"data": data})

    found = await SecretReader(kube, clock=Clock()).read("ml", "token", "value")

    assert isinstance(found, NoData)
    assert found.reason is NoDataReason.SECRET_KEY_MISSING
    assert words in found.message


@pytest.mark.looptime
async def test_an_api_server_that_hangs() -> None:
    """Waiting for a Secret has an end."""

    class Hanging:
        async def get(self, path: str, params: object = None) -> dict[str, object]:
            await asyncio.Event().wait()
            raise AssertionError

    reader = SecretReader(Hanging(), clock=Clock())
    found = await reader.read("ml", "token", "value")

    assert isinstance(found, NoData)
    assert found.reason is NoDataReason.TIMEOUT


def test_a_secret_shows_itself_to_nobody() -> None:
    """Neither printing, formatting, logging nor copying one gives its text away."""
    text = SecretText(SECRET)

    shown = [repr(text), str(text), f"{text}", f"{text!s:>50}", repr([text]), repr({"a": text})]
    assert SECRET not in " ".join(shown)
    assert SECRET not in json.dumps({"a": text}, default=repr)
    for give_away in (pickle.dumps, copy.deepcopy):
        with pytest.raises(TypeError):
            give_away(text)
    assert text == SecretText(SECRET)
    assert text != SECRET
