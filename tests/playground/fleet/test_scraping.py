"""What a Prometheus has of a workload."""

from __future__ import annotations

from budaiscaler.domain.readings import NoData, Reading
from budaiscaler.playground.fleet.fleet import Fleet
from budaiscaler.playground.fleet.scraping import Scraper


def fleet(running: float, *names: str) -> Fleet:
    found = Fleet()
    found.follow(names)
    for engine in found.engines.values():
        engine.running = running
    return found


def test_what_is_read_is_a_scrape_old() -> None:
    """The mean over the pods, as it was up to fifteen seconds ago."""
    servers = fleet(40.0, "a", "b")
    scraper = Scraper(servers)
    scraper.look(0.0, is_broken=False)
    servers.engines["a"].running = 80.0
    scraper.look(14.0, is_broken=False)
    assert scraper.read("requests_running") == Reading(40.0, answered=2)

    scraper.look(15.0, is_broken=False)
    assert scraper.read("requests_running") == Reading(60.0, answered=2)
    assert scraper.read("requests_waiting") == Reading(0.0, answered=2)


def test_a_pod_that_went_or_came_since_is_not_counted() -> None:
    """Each that is counted was there at the scrape, and is there now."""
    servers = fleet(40.0, "a", "b", "c")
    scraper = Scraper(servers)
    scraper.look(0.0, is_broken=False)
    servers.follow(("a",))
    assert scraper.read("requests_running") == Reading(40.0, answered=1)
    servers.follow(("a", "b", "c", "d"))
    assert scraper.read("requests_running") == Reading(40.0, answered=3)


def test_what_cannot_be_had_is_no_zero() -> None:
    """Broken metrics, no pods, and another metric are missing data until the next scrape."""
    servers = fleet(40.0, "a")
    scraper = Scraper(servers, every_s=30.0)
    assert isinstance(scraper.read("requests_running"), NoData)
    scraper.look(0.0, is_broken=True)
    assert isinstance(scraper.read("requests_running"), NoData)
    scraper.look(15.0, is_broken=False)
    assert isinstance(scraper.read("requests_running"), NoData)
    scraper.look(30.0, is_broken=False)
    assert scraper.read("requests_running") == Reading(40.0, answered=1)
    assert isinstance(scraper.read("cpu"), NoData)
    servers.follow(())
    scraper.look(60.0, is_broken=False)
    assert isinstance(scraper.read("requests_running"), NoData)
