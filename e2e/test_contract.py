"""The stories of `tests/contract`, on the real API server: that they tell the truth.

Each is taken over as it is, under the name of its module: the suite holds the embedded API server
to what happens here.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from e2e.cluster.control_plane import ControlPlane
from tests import contract
from tests.contract.server import ApiServer, Reach, reached

globals().update(contract.stories())


@pytest_asyncio.fixture
async def api(control_plane: ControlPlane) -> AsyncIterator[ApiServer]:
    """The real API server, and a namespace of the story's own."""

    async def token(namespace: str, name: str) -> str:
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token"
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
        made = await server.kube.create(path, body)
        return str(made["status"]["token"])

    async with reached(Reach(control_plane.kubeconfig, token)) as server:
        yield server
