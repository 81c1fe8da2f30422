"""External sources: a server of a user's own moves replicas; whatever else it does, it does not."""

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

from e2e.cluster.api import Object
from e2e.cluster.serving import Answer, Server
from e2e.stories import SETTLE_S, SYNC_S, Story

STALE_S = 60.0
"""A source is without data once its last good sample is that old."""
BREAKER_S = 30.0
"""The longest pause between two questions to a server that does not answer."""
LATE_S = 45.0
SECRET = "sesame"


class Endpoint:
    """A user's server on loopback.

    Attributes:
        answer: what it answers from now on; None hangs.
    """

    def __init__(self, body: str) -> None:
        self.answer: Answer | None = Answer(200, "application/json", body)
        self.stopping = threading.Event()
        self.server = Server(self._answer)

    def _answer(self) -> Answer:
        while self.answer is None and not self.stopping.wait(0.05):
            pass
        return self.answer or Answer(503, "text/plain", "")

    def say(self, body: str) -> None:
        """Answer that."""
        self.answer = Answer(200, "application/json", body)


@contextmanager
def endpoint(body: str) -> Iterator[Endpoint]:
    """One that runs inside."""
    made = Endpoint(body)
    made.server.start()
    try:
        yield made
    finally:
        made.stopping.set()
        made.server.stop()


def source(url: str | None, **fields: Any) -> Object:
    """A source that takes one replica for ten of the load."""
    return {
        "metricSourceType": "external",
        "targetMetric": "queue_depth",
        "targetValue": "10",
        "targetType": "AverageValue",
        "headers": {"Authorization": f"Bearer {SECRET}"},
        **({"endpoint": url} if url is not None else {}),
        **fields,
    }


FAILURES = {
    "garbage": (Answer(200, "text/html", "<html>out of order</html>"), "neither a number nor JSON"),
    "error": (Answer(500, "text/plain", "9"), "HTTP 500"),
    "nan": (Answer(200, "text/plain", "NaN"), "NotANumber"),
    "hangs": (None, "did not answer in full within"),
}


@pytest.mark.timeout(300)
def test_an_endpoint_that_fails(story: Story) -> None:
    """Its load scales the Deployment; garbage, errors and silence leave it; then it goes on."""
    with ExitStack() as stack:
        servers = {name: stack.enter_context(endpoint('{"value": "40"}')) for name in FAILURES}
        for name, server in servers.items():
            story.deploy(name)
            url = f"http://{server.server.target}/load"
            story.create(story.scaler(name, metricsSources=[source(url)]))
        for name in FAILURES:
            story.wait_for_ready(4, name)
        histories = {name: stack.enter_context(story.replicas(name)) for name in FAILURES}
        for name, (answer, _) in FAILURES.items():
            servers[name].answer = answer
        for name, (_, words) in FAILURES.items():
            message = story.wait_for_condition(
                "ScalingActive",
                "False",
                "NoData",
                name=name,
                saying=words,
                timeout_s=STALE_S + LATE_S,
            )
            assert SECRET not in message
        time.sleep(3 * SYNC_S)
        held = {name: list(history.values) for name, history in histories.items()}
        for server in servers.values():
            server.say('{"queue_depth": 70}')
        for history in histories.values():
            history.wait_for(7, timeout_s=BREAKER_S + LATE_S)

    assert held == {name: [4] for name in FAILURES}
    for name in FAILURES:
        assert histories[name].values == [4, 7]
        story.wait_for_condition("ScalingActive", "True", "ValidMetricFound", name=name)


def test_what_cannot_be_asked(story: Story) -> None:
    """Each says what to change; nothing is scaled, and no header shows anywhere."""
    with endpoint("1") as moved:
        moved.answer = Answer(302, "text/plain", "")
        bad = {
            "metadata": ("http://169.254.169.254/", "DeniedAddress", "--allow-source-ranges"),
            "mapped": ("http://[::ffff:169.254.169.254]/", "DeniedAddress", "cloud metadata"),
            "loopback-6": ("http://[::1]:8080/", "DeniedAddress", "a loopback address"),
            "moved": (f"http://{moved.server.target}/", "BadEndpoint", "redirects elsewhere"),
            "nobody": ("http://nobody.invalid/", "UnknownHost", "check endpoint for a typo"),
            "own": (None, "BadEndpoint", "would read what it wrote"),
        }
        story.deploy("bad", replicas=3)
        with story.replicas("bad") as replicas:
            for name, (url, _, _) in bad.items():
                story.create(
                    story.scaler(
                        name, scaleTargetRef={"name": "bad"}, metricsSources=[source(url)],
                        hpa={"manage": "Never"},
                    )
                )  # fmt: skip
            for name, (_, reason, words) in bad.items():
                message = story.wait_for_condition("Ready", "False", reason, name=name)
                assert words in message, name
                story.wait_for_refusal(503, scaler=name)
                assert SECRET not in str(story.events(name=name))
                assert SECRET not in str(story.current(name)["status"])
            time.sleep(2 * SYNC_S)

    assert replicas.values == [3]
    for server in story.running.servers:
        assert SECRET not in server.daemon.log.read_text()


def test_a_name_that_nobody_publishes(story: Story) -> None:
    """Without an endpoint the cluster is asked, with the rights we ship; replicas stay."""
    story.deploy(replicas=3)
    with story.replicas() as replicas:
        story.create(story.scaler(metricsSources=[source(None, name="mine")]))
        message = story.wait_for_condition("Ready", "False", "NoData", timeout_s=SETTLE_S)
        time.sleep(2 * SYNC_S)

    assert "nobody publishes queue_depth for namespace" in message
    assert replicas.values == [3]
