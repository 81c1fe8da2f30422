"""Entry point: `python -m controller`."""

from __future__ import annotations

import asyncio
import sys

import structlog

from budaiscaler.domain.errors import BudAIScalerError
from budaiscaler.kube import client
from budaiscaler.runtime import logs, settings, stopping
from controller import server
from controller.settings import ControllerSettings


async def _run(options: ControllerSettings) -> None:
    async with await client.connect(options.kubeconfig) as kube:
        await server.run(kube, options)


def main() -> None:
    """Run the controller until it is told to stop; exits with 2 when it cannot start."""
    logs.configure("info")  # until flags tell, which may be what cannot be used
    try:
        options = settings.read(ControllerSettings)
        logs.configure(options.log_level)
        asyncio.run(stopping.run_until_signalled(_run(options)))
    except BudAIScalerError as error:
        structlog.get_logger().error("cannot_start", error=str(error))
        sys.exit(2)


if __name__ == "__main__":
    main()
