"""Stories with others on the workload: foreign HPAs, adoption, KEDA, and rival scalers."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from budaiscaler.domain.api import naming
from budaiscaler.domain.errors import NotFoundError
from tests.controller.world import RESYNC_S, World, settle
from tests.evaluator.world import running

pytestmark = pytest.mark.looptime


@pytest.fixture
def world() -> World:
    """An empty cluster."""
    return World()


async def test_a_foreign_hpa_is_waited_out(world: World) -> None:
    """While it is there we have none, and say so once; when it goes, ours is there at once."""
    world.add_hpa("theirs")
    world.add_scaler()
    async with world.controlled():
        await asyncio.sleep(3 * RESYNC_S)
        assert list(world.hpas()) == ["theirs"]
        assert world.condition() == ("False", "ForeignAutoscaler")
        assert world.events() == [("chat", "Warning", "ForeignAutoscaler")]

        world.remove_hpa("theirs")
        await settle()
        assert list(world.hpas()) == ["chat-hpa"]
        assert world.condition() == ("True", "HPAOwned")
        assert world.events()[1:] == [
            ("chat", "Normal", "HPACreated"),
            ("chat", "Normal", "HPAOwned"),
        ]


async def test_a_foreign_hpa_that_comes_later_wins_too(world: World) -> None:
    """Ours goes at once, before the two could block each other."""
    world.add_scaler()
    async with world.controlled():
        world.add_hpa("theirs")
        await settle()

        assert list(world.hpas()) == ["theirs"]
        assert world.condition() == ("False", "ForeignAutoscaler")


async def test_a_foreign_hpa_that_moves_here_or_away_counts(world: World) -> None:
    """Which workload an HPA is on may change; both workloads' scalers are looked at again."""
    world.add_scaler()
    world.add_scaler("code", scaleTargetRef={"name": "code"})
    world.add_hpa("theirs", target="code")
    async with world.controlled():
        assert world.condition(name="code") == ("False", "ForeignAutoscaler")
        reference = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "chat"}
        world.change_hpa("theirs", scaleTargetRef=reference)
        await settle()

        assert world.condition(name="code") == ("True", "HPAOwned")
        assert world.condition() == ("False", "ForeignAutoscaler")


async def test_an_hpa_that_vanishes_while_it_is_released_is_no_error(world: World) -> None:
    """What is gone already was all that was wanted."""
    world.add_scaler()
    async with world.controlled():
        gone = NotFoundError(404, "NotFound", "gone")
        world.kube.fail("delete", "/horizontalpodautoscalers/", gone)
        world.edit(hpa={"manage": "Never"})
        await settle()

        assert world.condition() == ("True", "PublishOnly")


async def test_the_name_of_a_dead_scaler_is_taken_over(world: World) -> None:
    """An HPA that an earlier scaler of this name left is ours now, before it is collected."""
    world.add_hpa(owner="scaler-before", ours=True)
    world.add_scaler()
    async with world.controlled():
        owners = [o["uid"] for o in world.hpas()["chat-hpa"]["metadata"]["ownerReferences"]]

        assert owners == ["scaler-chat"]
        assert world.condition() == ("True", "HPAOwned")


async def test_a_younger_scaler_takes_over(world: World) -> None:
    """Of two on one workload the older acts; when it goes, the younger is looked at again."""
    world.add_scaler(created="2026-01-01T00:00:00Z")
    world.add_scaler(
        "second", created="2026-02-01T00:00:00Z", scaleTargetRef={"name": "chat"}, maxReplicas=9
    )
    async with world.controlled():
        assert list(world.hpas()) == ["chat-hpa"]
        assert world.condition(name="second") == ("False", "ConflictDetected")

        world.delete()
        await settle()
        assert list(world.hpas()) == ["second-hpa"]
        assert world.condition(name="second") == ("True", "HPAOwned")
        assert [e for e in world.events() if e[0] == "second"] == [
            ("second", "Warning", "ConflictDetected"),
            ("second", "Normal", "HPACreated"),
            ("second", "Normal", "HPAOwned"),
        ]


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"scaleTargetRef": {"name": "code"}}, id="it-turns-elsewhere"),
        pytest.param({"hpa": {"manage": "Never"}}, id="it-only-publishes"),
    ],
)
async def test_a_younger_scaler_is_told_of_an_edit_of_the_older(
    world: World, change: dict[str, Any]
) -> None:
    """Whatever makes the older give the workload up, the younger has it at once."""
    world.add_scaler(created="2026-01-01T00:00:00Z")
    world.add_scaler("second", created="2026-02-01T00:00:00Z")
    async with world.controlled():
        world.edit(**change)
        await settle()

        assert world.condition(name="second") == ("True", "HPAOwned")
        assert "second-hpa" in world.hpas()


async def test_keda_wins_over_a_broken_scaler(world: World) -> None:
    """What workload a broken scaler is on is told by the HPA that it has."""
    world.add_scaler()
    async with world.controlled():
        world.edit(maxReplicas=0)
        world.add_scaled_object("queue")
        await asyncio.sleep(2 * RESYNC_S)

        assert world.hpas() == {}
        assert world.condition() == ("False", "ForeignAutoscaler")


async def test_who_is_scaled_directly_keeps_a_younger_out(world: World) -> None:
    """An older scaler of the KPA strategy needs no HPA to be in the way of one."""
    world.add_scaler(created="2026-01-01T00:00:00Z", scalingStrategy="KPA")
    world.add_scaler("second", created="2026-02-01T00:00:00Z")
    async with world.controlled():
        assert world.condition(name="second") == ("False", "ConflictDetected")
        assert world.hpas() == {}

        world.delete()
        await settle()
        assert world.condition(name="second") == ("True", "HPAOwned")
        assert list(world.hpas()) == ["second-hpa"]


async def test_a_broken_edit_makes_no_second_hpa(world: World) -> None:
    """The HPA of an older scaler stays while its spec is broken, and the younger has none."""
    world.add_scaler(created="2026-01-01T00:00:00Z")
    async with world.controlled():
        world.edit(maxReplicas=0)
        world.add_scaler("second", created="2026-02-01T00:00:00Z")
        await asyncio.sleep(2 * RESYNC_S)
        assert list(world.hpas()) == ["chat-hpa"]
        assert world.condition() == ("True", "HPAOwned")
        assert world.condition(name="second") == ("False", "ConflictDetected")

        world.delete()
        await settle()
        assert list(world.hpas()) == ["second-hpa"]
        assert world.condition(name="second") == ("True", "HPAOwned")


async def test_what_a_broken_scaler_adopted_goes_back_before_the_next(world: World) -> None:
    """When the older goes, what it had taken over is somebody's again, and the younger is told."""
    world.add_hpa("theirs")
    world.add_scaler(
        created="2026-01-01T00:00:00Z", annotations={naming.ADOPT_ANNOTATION: "theirs"}
    )
    async with world.controlled():
        world.edit(maxReplicas=0)
        world.add_scaler("second", created="2026-02-01T00:00:00Z")
        await settle()
        assert world.condition(name="second") == ("False", "ConflictDetected")

        world.delete()
        await settle()
        assert list(world.hpas()) == ["theirs"]
        assert world.condition(name="second") == ("False", "ForeignAutoscaler")


async def test_a_broken_scaler_gives_way(world: World) -> None:
    """A foreign HPA wins over what a broken scaler keeps; when it goes there is none, till mended.

    What the scaler would have now, nobody knows.
    """
    world.add_scaler()
    async with world.controlled():
        world.edit(maxReplicas=0)
        world.add_hpa("theirs")
        await settle()
        await asyncio.sleep(2 * RESYNC_S)
        assert list(world.hpas()) == ["theirs"]
        assert world.condition() == ("False", "ForeignAutoscaler")

        world.remove_hpa("theirs")
        world.edit(maxReplicas=9)
        await settle()
        assert list(world.hpas()) == ["chat-hpa"]
        assert world.condition() == ("True", "HPAOwned")


async def test_an_older_scaler_that_comes_back_wins(world: World) -> None:
    """A restored scaler with an older time takes the workload; the younger's HPA goes."""
    world.add_scaler("second", created="2026-02-01T00:00:00Z")
    async with world.controlled():
        world.add_scaler(created="2026-01-01T00:00:00Z")
        await settle()

        assert list(world.hpas()) == ["chat-hpa"]
        assert world.condition(name="second") == ("False", "ConflictDetected")


async def test_what_comes_while_keda_is_asked_counts(world: World) -> None:
    """A plan is made of what there is when it is made: no HPA of ours comes beside a foreign."""
    world.add_scaler()
    async with world.listening() as work:
        world.looks.meanwhile = lambda: world.add_hpa("theirs")
        async with running(work.lead()):
            await asyncio.sleep(RESYNC_S)

    assert world.condition() == ("False", "ForeignAutoscaler")
    assert [path for _, path in world.writes()] == ["budaiscalers/chat/status"]
