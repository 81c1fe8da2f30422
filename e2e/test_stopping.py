"""SIGTERM: both servers finish what they do, give their Lease back, and end with 0."""

import threading
import time

import pytest

from e2e.cluster import loopback, waiting
from e2e.cluster.installation import ADAPTER, CONTROLLER
from e2e.stories import SETTLE_S, Story

LEASE_S = 15.0


def test_adapter_stops_cleanly(story: Story) -> None:
    """A leading adapter drains first, then hands over; no question goes unanswered meanwhile."""
    story.deploy()
    story.start_load(30)
    story.create(story.scaler())
    story.wait_for_ready(3)
    story.wait_for_load(3)
    leader = story.running.leader
    answers: list[loopback.Answer] = []
    ended = threading.Event()

    def ask() -> None:
        while not ended.wait(0.05):
            answers.append(story.published())

    asking = threading.Thread(target=ask)
    asking.start()
    holders = story.running.holders(ADAPTER)
    try:
        readiness: list[int] = []
        stopping = threading.Thread(target=leader.daemon.stop)
        with holders:
            began_s = time.monotonic()
            stopping.start()
            while stopping.is_alive():
                readiness.append(leader.get("/readyz")[0])
                time.sleep(0.05)
            took_s = time.monotonic() - began_s
            heir = story.running.wait_for_leader(other_than=leader.name)
            with story.replicas() as replicas:
                story.set_load(50)
                replicas.wait_for(5, timeout_s=SETTLE_S)
    finally:
        ended.set()
        asking.join()
        leader.start()

    assert leader.daemon.exit_status == 0, leader.daemon.log_tail()
    # It says that it is not ready while it still answers, so that a Service takes it out first.
    assert 503 in readiness, readiness
    assert took_s > 1, "it did not drain"
    assert heir is not leader
    assert holders.values == [leader.name, "", heir.name], "the Lease was not given back"
    assert {answer.status for answer in answers} == {200}, [a for a in answers if a.status != 200]
    assert replicas.values == [3, 5]


def test_controller_stops_cleanly(story: Story) -> None:
    """A controller gives its Lease back; what happened meanwhile is done when one comes again."""
    controller = story.running.controller
    controller.daemon.stop()
    try:
        holder = story.running.holder(CONTROLLER)
        story.deploy()
        story.start_load(30)
        story.create(story.scaler())
        story.wait_for_load(3)  # the adapter alone is enough to publish
        hpa = story.hpa()
    finally:
        controller.start()
    ready_s = time.monotonic()
    story.wait_for_hpa()
    took_s = time.monotonic() - ready_s

    assert controller.daemon.exit_status == 0, controller.daemon.log_tail()
    assert holder == ""
    assert hpa is None
    assert took_s < LEASE_S - 2, "the Lease was not given back"
    assert story.running.holder(CONTROLLER) == controller.name


@pytest.mark.parametrize("which", [ADAPTER, CONTROLLER])
def test_wrong_settings(story: Story, which: str) -> None:
    """A server that cannot start says why in one line, and ends with 2 instead of hanging."""
    installation = story.running.installation
    make = installation.adapter if which == ADAPTER else installation.controller
    server = make(f"{which}-wrong", kubeconfig="/nowhere/kubeconfig.yaml")
    server.daemon.start()
    waiting.until(
        lambda: True if server.daemon.process is None else None,
        what="it to end",
        timeout_s=SETTLE_S,
        hint=server.daemon.log_tail,
    )
    server.daemon.stop()

    assert server.daemon.exit_status == 2
    assert "cannot connect with the kubeconfig /nowhere/kubeconfig.yaml" in server.daemon.log_tail()
    assert "Traceback" not in server.daemon.log_tail()
