"""HTTP to the servers of this package: on loopback, so never through a proxy."""

import http.client
import ssl
import urllib.error
import urllib.request
from typing import Final

from e2e.cluster import certs

TIMEOUT_S: Final = 5.0


def get(address: str, *, client: certs.KeyPair | None = None) -> tuple[int, str]:
    """Return the status and body of an answer; the status is 0 where nothing answers."""
    # The servers are our own, and two components sign their certificate themselves.
    context = ssl._create_unverified_context()
    if client:
        context.load_cert_chain(client.certificate, client.key)
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
    )
    try:
        with opener.open(address, timeout=TIMEOUT_S) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode(errors="replace")
    except (OSError, http.client.HTTPException) as error:
        return 0, str(error)
