"""Which source metrics some HPA reads."""

from __future__ import annotations

import asyncio

import pytest

from budaiscaler.evaluator.readers import MetricReaders, project_names
from budaiscaler.kube.port import Json
from budaiscaler.kube.resources import HPAS
from tests.evaluator.world import running
from tests.fakes.kube import FakeKube

pytestmark = pytest.mark.looptime


def _hpa(*names: str) -> Json:
    return {"spec": {"metrics": [_external(name) for name in names]}}


def _external(name: str) -> Json:
    return {"type": "External", "external": {"metric": {"name": name}}}


@pytest.mark.parametrize(
    ("raw", "names"),
    [
        pytest.param(_hpa("queue"), {"queue"}, id="an-external-metric"),
        pytest.param(_hpa("Queue", "queue", "b"), {"queue", "b"}, id="names-do-not-differ-by-case"),
        pytest.param({"spec": {"metrics": None}}, None, id="no-metrics"),
        pytest.param({}, None, id="no-spec"),
        pytest.param(
            {"spec": {"metrics": [{"type": "Resource", "resource": {"name": "cpu"}}]}},
            None,
            id="another-kind-of-metric",
        ),
    ],
)
def test_only_the_names_of_external_metrics_are_kept(raw: Json, names: set[str] | None) -> None:
    """An HPA without any is not kept at all."""
    assert project_names(raw, None) == names


async def test_a_metric_is_read_for_as_long_as_one_hpa_names_it(kube: FakeKube) -> None:
    """Counted by namespace: two HPAs, an edit, a deletion, and the last one going."""
    readers = MetricReaders(kube)
    kube.put(HPAS.item("ml", "one"), _hpa("queue", "tokens"))
    async with running(readers.run()):
        await asyncio.sleep(1)
        assert readers.reads("ml", "queue")
        assert readers.reads("ml", "tokens")
        assert not readers.reads("other", "queue")
        kube.put(HPAS.item("ml", "two"), _hpa("queue"))
        kube.put(HPAS.item("ml", "one"), _hpa("tokens"))
        await asyncio.sleep(1)
        assert readers.reads("ml", "queue")
        kube.remove(HPAS.item("ml", "two"))
        await asyncio.sleep(1)
        assert not readers.reads("ml", "queue")
        kube.put(HPAS.item("ml", "one"), {})
        await asyncio.sleep(1)
        assert not readers.reads("ml", "tokens")
    assert readers._counts == {}


async def test_an_hpa_that_names_a_metric_twice_reads_it_once(kube: FakeKube) -> None:
    """Its going is enough for nobody to read it."""
    readers = MetricReaders(kube)
    async with running(readers.run()):
        await asyncio.sleep(1)
        kube.put(HPAS.item("ml", "one"), _hpa("queue", "queue"))
        await asyncio.sleep(1)
        assert readers.reads("ml", "queue")
        kube.remove(HPAS.item("ml", "one"))
        await asyncio.sleep(1)
    assert not readers.reads("ml", "queue")
