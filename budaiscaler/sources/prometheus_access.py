"""Which Prometheus a source asks: with whose credentials, and with which label enforced."""

from __future__ import annotations

from urllib.parse import urlsplit

from budaiscaler.domain.api.sources import MetricsSource
from budaiscaler.domain.readings import NoData, NoDataReason
from budaiscaler.sources.credentials import Credentials
from budaiscaler.sources.endpoints import normalise_endpoint, origin
from budaiscaler.sources.operator_credentials import OperatorAccess
from budaiscaler.sources.query_threads import Access


class PrometheusAccess:
    """Decides for each source.

    What the operator holds goes to exactly the base URLs that the operator wrote, path and all,
    since a path may be a tenant. A label is enforced on everything at the same host and port, since
    a path may also lead around.

    Args:
        operator: what the operator set.
        held: makes options of that.
        credentials: makes options of what users write.
    """

    def __init__(
        self, operator: OperatorAccess, held: Credentials, credentials: Credentials
    ) -> None:
        self._operator = operator
        self._held = held
        self._credentials = credentials
        self._own = normalise_endpoint(operator.url)
        named = (self._own, *map(normalise_endpoint, operator.credentials_for))
        listed = [endpoint for endpoint in named if not isinstance(endpoint, NoData)]
        self._listed = frozenset(map(_place, listed))
        self._origins = frozenset(map(origin, listed))

    async def access(self, namespace: str, source: MetricsSource) -> Access | NoData:
        """Give the server and how to ask it, or say what is missing; ends within a time limit."""
        endpoint = normalise_endpoint(source.endpoint) if source.endpoint else self._own
        if isinstance(endpoint, NoData):
            return endpoint
        is_operators = not source.endpoint or _place(endpoint) in self._listed
        is_held = is_operators and self._operator.holds_any
        options = await (self._held if is_held else self._credentials).options(namespace, source)
        if isinstance(options, NoData):
            return options
        if "@" in urlsplit(endpoint).netloc and "authorization" in options.headers:
            message = "endpoint has a user beside another Authorization: leave one of them out"
            return NoData(NoDataReason.BAD_ENDPOINT, message)
        label = self._operator.enforced_label
        is_enforced = label and origin(endpoint) in self._origins
        return Access(
            endpoint,
            options,
            is_own=endpoint == self._own,
            is_operators=is_operators,
            label=(label, namespace) if is_enforced else None,
        )


def _place(endpoint: str) -> tuple[str, str, bool]:
    """What two spellings of one base URL have in common; a user in it makes another one."""
    parts = urlsplit(endpoint)
    return origin(endpoint), parts.path, "@" in parts.netloc
