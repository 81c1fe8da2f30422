"""Sources of type pod: what is asked of whom, what a body means, and who is silent."""

from __future__ import annotations

import asyncio
import gc

import pytest

from budaiscaler.domain.readings import NoData, NoDataReason
from budaiscaler.kube.workloads import Workload
from budaiscaler.sources import scraping
from budaiscaler.sources.base import Sample
from tests.sources.pods import (
    LATE,
    REFUSED,
    Answer,
    Fleet,
    Lab,
    loop_s,
    pod,
    refused,
    url,
    workload,
)

pytestmark = pytest.mark.looptime


async def test_each_ready_pod_is_one_value() -> None:
    """Values come with how many answered of how many should; who is not ready is not asked."""
    lab = Lab()
    lab.fleet.answers |= {url(1): "load 3\n", url(2): "load 5\n", url(3): "load 100\n"}
    target = workload([pod(1), pod(2), pod(3, ready=False)])
    assert await lab.ask(target) == Sample((3.0, 5.0), loop_s(), 2, 2)
    assert lab.fleet.urls() == [url(1), url(2)]


@pytest.mark.parametrize(
    ("body", "value"),
    [
        pytest.param("load 10\nload_2 99\nloads 98\nxload 97\n", 10.0, id="only-the-exact-name"),
        pytest.param('load{a="1"} 10\nload{a="2"} 30\n', 20.0, id="the-mean-of-several-series"),
        pytest.param("# TYPE load gauge\r\nload 7\r\n# EOF", 7.0, id="windows-lines"),
        pytest.param('{"load": 7}', 7.0, id="json"),
        pytest.param('\ufeff \n{"load": "7.5"}', 7.5, id="json-with-a-mark-and-a-text"),
        pytest.param('{"a": {"load": "7"}}', 7.0, id="json-nested"),
        pytest.param(
            '{"a": {"b": {"load": 1}}, "c": {"load": 2}}', 1.0, id="json-nested-depth-first"
        ),
        pytest.param('{"a": {"load": 1}, "load": 2}', 2.0, id="json-the-top-goes-first"),
        pytest.param('{"load": {"load": 3}}', 3.0, id="json-an-object-of-that-name"),
        pytest.param("load 0", 0.0, id="zero"),
    ],
)
async def test_a_body(body: str, value: float) -> None:
    """JSON and Prometheus' text are told apart by themselves, whatever the content type."""
    lab = Lab()
    assert await lab.ask(lab.say(body)) == Sample((value,), loop_s(), 1, 1)


async def test_a_name_with_colons() -> None:
    """A recording rule's or an engine's own series can be asked for."""
    lab = Lab()
    found = await lab.ask(lab.say('vllm:load{x="a"} 2\n'), targetMetric="vllm:load")
    assert found == Sample((2.0,), loop_s(), 1, 1)


@pytest.mark.parametrize(
    ("body", "reason", "words"),
    [
        pytest.param(REFUSED, NoDataReason.UNREACHABLE, "chat-1: it cannot", id="refused"),
        pytest.param(LATE, NoDataReason.TIMEOUT, "did not answer", id="late"),
        pytest.param("load NaN", NoDataReason.NOT_A_NUMBER, "nan", id="nan"),
        pytest.param(
            'load{a="1"} 1\nload{a="2"} NaN', NoDataReason.NOT_A_NUMBER, "nan", id="a-nan"
        ),
        pytest.param("load +Inf", NoDataReason.NOT_A_NUMBER, "nan", id="infinite"),
        pytest.param("load -1", NoDataReason.NEGATIVE, "cannot be negative", id="negative"),
        pytest.param("", NoDataReason.METRIC_NOT_FOUND, "check targetMetric", id="empty"),
        pytest.param("other 1", NoDataReason.METRIC_NOT_FOUND, "has no load", id="other-series"),
        pytest.param("load x", NoDataReason.BAD_ANSWER, "a line of load is broken", id="broken"),
        pytest.param('load{a="1', NoDataReason.BAD_ANSWER, "is broken", id="broken-off"),
        pytest.param('{"load": 1', NoDataReason.BAD_ANSWER, "JSON that is broken", id="bad-json"),
        pytest.param(
            "[" * 9 + '{"load": 1}', NoDataReason.METRIC_NOT_FOUND, "load", id="no-object"
        ),
        pytest.param('{"load": null}', NoDataReason.METRIC_NOT_FOUND, "has no load", id="null"),
        pytest.param('{"load": true}', NoDataReason.METRIC_NOT_FOUND, "has no load", id="true"),
        pytest.param('{"load": NaN}', NoDataReason.NOT_A_NUMBER, "nan", id="json-nan"),
        pytest.param("<html>load 1</html>", NoDataReason.BAD_ANSWER, "HTML", id="html"),
        pytest.param(
            '{"load": 1' + " " * 2**18 + "}",
            NoDataReason.BAD_ANSWER,
            "more than 256 KiB",
            id="long",
        ),
        pytest.param(
            "\n".join(f'load{{a="{"x" * 1000}"}} 1' for _ in range(300)),
            NoDataReason.BAD_ANSWER,
            "too much of it",
            id="long-lines",
        ),
    ],
)
async def test_one_of_three_gives_nothing(body: Answer, reason: NoDataReason, words: str) -> None:
    """A pod without a number is silent; alone it is no data, among others it does not count."""
    lab = Lab()
    refused(await lab.ask(lab.say(body)), reason, words)
    lab = Lab()
    assert await lab.ask(lab.say("load 4", body, "load 6")) == Sample((4.0, 6.0), loop_s(), 2, 3)


async def test_what_is_broken_elsewhere() -> None:
    """A line that nobody asked for may be anything."""
    lab = Lab()
    assert await lab.ask(lab.say(b"load 1\n\xff{ load")) == Sample((1.0,), loop_s(), 1, 1)


async def test_a_deep_document() -> None:
    """A document that nests without end is an answer like another, and no crash."""
    lab = Lab()
    body = '{"a":' * 20_000 + "1" + "}" * 20_000
    refused(await lab.ask(lab.say(body)), NoDataReason.BAD_ANSWER, "JSON that is broken")


async def test_nobody_answers() -> None:
    """The commonest reason is told, with the words of the first pod that has it."""
    lab = Lab()
    found = await lab.ask(lab.say(LATE, REFUSED, REFUSED))
    refused(found, NoDataReason.UNREACHABLE, "none of 3 ready pods answers; chat-2: it cannot")


@pytest.mark.parametrize(
    ("target", "reason", "words"),
    [
        pytest.param(
            workload([pod(1, ready=False)]), NoDataReason.NO_READY_PODS, "no pod", id="unready"
        ),
        pytest.param(workload([]), NoDataReason.NO_READY_PODS, "no pod is ready", id="no-pods"),
        pytest.param(
            workload([pod(1)], are_counted=False),
            NoDataReason.PODS_UNKNOWN,
            "no selector",
            id="not-counted",
        ),
        pytest.param(
            workload([pod(1, ip="")]), NoDataReason.UNREACHABLE, "no address", id="no-address"
        ),
    ],
)
async def test_nobody_to_ask(target: Workload, reason: NoDataReason, words: str) -> None:
    """No pod is no load of zero, and nothing is sent anywhere."""
    lab = Lab()
    refused(await lab.ask(target), reason, words)
    assert lab.fleet.asked == []


@pytest.mark.parametrize(
    ("fields", "asked"),
    [
        pytest.param({}, "http://10.0.0.1:8000/metrics", id="defaults"),
        pytest.param({"port": 9090}, "http://10.0.0.1:9090/metrics", id="a-number"),
        pytest.param({"port": "9090"}, "http://10.0.0.1:9090/metrics", id="a-number-as-text"),
        pytest.param({"port": "metrics"}, "http://10.0.0.1:9400/metrics", id="a-name"),
        pytest.param(
            {"protocolType": "https", "path": "/load?of=1"},
            "https://10.0.0.1:8000/load?of=1",
            id="https-and-a-query",
        ),
        pytest.param({"path": "load"}, "http://10.0.0.1:8000/load", id="no-slash"),
        pytest.param(
            {"path": "@elsewhere:80/x"}, "http://10.0.0.1:8000/@elsewhere:80/x", id="another-host"
        ),
    ],
)
async def test_where_pods_are_asked(fields: dict[str, object], asked: str) -> None:
    """Scheme, port and path are the source's; the host is always the pod."""
    lab = Lab()
    await lab.ask(workload([pod(1)]), **fields)
    assert lab.fleet.urls() == [asked]


async def test_ipv6() -> None:
    """An address of the newer kind stands in brackets."""
    lab = Lab()
    lab.fleet.answers["http://[fd00::1]:8000/metrics"] = "load 1"
    assert await lab.ask(workload([pod(1, ip="fd00::1")])) == Sample((1.0,), loop_s(), 1, 1)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        pytest.param({"port": "web"}, "no container has a port named web", id="no-such-name"),
        pytest.param({"port": "web"}, "to one of http, metrics", id="which-there-are"),
        pytest.param({"port": "0"}, "port 0 does not exist", id="zero"),
        pytest.param({"port": "65536"}, "up to 65535", id="too-large"),
        pytest.param({"scrapeTimeout": "soon"}, "scrapeTimeout: 'soon' is no", id="no-duration"),
    ],
)
async def test_what_only_an_edit_mends(fields: dict[str, str], words: str) -> None:
    """What came past admission is told at the latest here."""
    lab = Lab()
    found = await lab.ask(workload([pod(1)]), **fields)
    refused(found, NoDataReason.BAD_ENDPOINT, words)
    assert lab.fleet.asked == []


async def test_headers_and_time_limit() -> None:
    """Both are those of the source; by default a page in Prometheus' text is asked for."""
    lab = Lab()
    target = lab.say("load 1")
    await lab.ask(target, headers={"X-Key": "k"}, scrapeTimeout="1500ms")
    await lab.ask(target)
    (first, second) = lab.fleet.asked
    assert (first[1]["x-key"], first[2]) == ("k", 1.5)
    assert ("x-key" in second[1], second[2]) == (False, None)
    assert second[1]["accept"].startswith("text/plain")


async def test_slow_pods_are_silent_and_fast_ones_count() -> None:
    """The whole look ends in time, even where requests are never ended."""
    lab = Lab()
    target = lab.say("load 1", "load 2", "load 3", "load 4")
    lab.fleet.takes_s |= {url(2): 3600, url(4): 3600}
    assert await lab.ask(target) == Sample((1.0, 3.0), 0.0, 2, 4)
    assert loop_s() == pytest.approx(scraping.DEADLINE_S)
    await lab.pages.close()


async def test_a_look_that_is_cancelled() -> None:
    """It leaves no task of its own behind, and the requests under way to whoever shares them."""
    lab = Lab()
    target = lab.say("load 1")
    lab.fleet.takes_s[url(1)] = 5
    look = asyncio.ensure_future(lab.ask(target))
    await asyncio.sleep(1)
    look.cancel()
    await asyncio.gather(look, return_exceptions=True)
    assert await lab.ask(target) == Sample((1.0,), 5.0, 1, 1)
    assert len(lab.fleet.asked) == 1


async def test_a_bug(caplog: pytest.LogCaptureFixture) -> None:
    """A bug met at several pods comes out once, and leaves nothing to be found by a collector."""

    class Broken(Fleet):
        async def get(self, *_: object, **__: object) -> bytes | NoData:
            raise ZeroDivisionError

    lab = Lab(Broken())
    with pytest.raises(ZeroDivisionError):
        await lab.ask(workload([pod(1), pod(2), pod(3)]))
    gc.collect()
    assert caplog.records == []


GROUP = 4


def _group(*answers: Answer) -> tuple[Lab, Workload]:
    """Two replicas of four pods each; the answers of the eight pods."""
    lab = Lab()
    target = lab.say(*answers)
    return lab, workload(target.pods, size=GROUP)


@pytest.mark.parametrize(
    ("answers", "values"),
    [
        pytest.param(["load 1"] * 8, (4.0, 4.0), id="all-serve-and-add-up"),
        pytest.param(["load 1"] * 2 + [REFUSED] * 6, (1.0, 1.0), id="leaders-serve"),
        pytest.param(["load 1", "load 3"] + ["x 1"] * 6, (2.0, 2.0), id="workers-serve-else"),
        pytest.param(["load 1", LATE] + [REFUSED] * 6, (1.0,), id="one-leader-is-late"),
        pytest.param(["load 1"] * 7 + [LATE], (4.0,), id="one-of-eight-is-late"),
        pytest.param(["load 1"] * 4 + ["load NaN"] * 4, (4.0,), id="half-have-no-number"),
        pytest.param(["load 1"] + [REFUSED] * 7, (1.0,), id="one-leader-refuses"),
    ],
)
async def test_a_replica_of_several_pods(answers: list[Answer], values: tuple[float, ...]) -> None:
    """Counts add up over the pods of a replica; with an answer a replica, all have answered."""
    lab, target = _group(*answers)
    assert await lab.ask(target) == Sample(values, loop_s(), len(values), 2)


async def test_too_few_of_a_group() -> None:
    """Two answers of eight pods that should have answered are not one replica."""
    lab, target = _group(*["load 1"] + [LATE] * 7)
    refused(await lab.ask(target), NoDataReason.TIMEOUT, "none of 7 ready pods answers")


async def test_shares_of_a_group() -> None:
    """A share is the mean over the pods of a replica, not their sum."""
    lab, target = _group(*["vllm:kv_cache_usage_perc 0.5"] * 8)
    found = await lab.ask(target, targetMetric="vllm:kv_cache_usage_perc")
    assert found == Sample((0.5, 0.5), loop_s(), 2, 2)


async def test_more_ready_pods_than_replicas() -> None:
    """A group that is being made has pods that make no replica yet."""
    lab = Lab()
    target = workload(lab.say("load 1", "load 1", "load 1").pods, size=4)
    found = await lab.ask(target)
    assert isinstance(found, NoData)
    assert found.reason is NoDataReason.NO_READY_PODS


async def test_what_each_pod_has_is_told_by_its_name() -> None:
    """Beside the values; a silent pod is not among them."""
    lab = Lab()
    found = await lab.ask(lab.say("load 4", "other 1", "load 6"))
    assert isinstance(found, Sample)
    assert sorted(found.by_pod.values()) == [4.0, 6.0]
    assert len(found.by_pod) == 2
