"""What aiohttp alone can do: a bare handler over TLS that answers given bytes.

`python -m bench.baseline PORT CERTIFICATE KEY BODY_FILE`
"""

from __future__ import annotations

import asyncio
import ssl
import sys
from pathlib import Path

from aiohttp import web


async def _serve(port: int, certificate: str, key: str, body: bytes) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=body, headers={"Content-Type": "application/json"})

    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, ssl_context=context).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    port_text, certificate_file, key_file, body_file = sys.argv[1:]
    content = Path(body_file).read_bytes()
    asyncio.run(_serve(int(port_text), certificate_file, key_file, content))
