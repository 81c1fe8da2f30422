"""Certificates of clients, and TLS contexts that present them; servers' own come from `tls`."""

from __future__ import annotations

import ssl
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from budaiscaler.runtime import tls
from budaiscaler.runtime.tls import KeyPair

NOW = datetime.now(UTC)
SERVICE = "budaiscaler-adapter.budaiscaler-system.svc"


@dataclass(frozen=True, slots=True)
class Authority:
    """A CA that signs clients too, as a cluster's front-proxy CA does."""

    pair: KeyPair

    @property
    def pem(self) -> str:
        return self.pair.certificate.decode()

    def client(self, common_name: str, *, ends_in: timedelta = timedelta(days=1)) -> bytes:
        """Certificate and key of a client, as a plain front proxy has it: without any SAN."""
        issuer = x509.load_pem_x509_certificate(self.pair.certificate)
        issuer_key = serialization.load_pem_private_key(self.pair.key, password=None)
        assert isinstance(issuer_key, ec.EllipticCurvePrivateKey)
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)]))
            .issuer_name(issuer.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(NOW - timedelta(days=2))
            .not_valid_after(NOW + ends_in)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
            .sign(issuer_key, hashes.SHA256())
        )
        return certificate.public_bytes(serialization.Encoding.PEM) + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )


def authority(name: str) -> Authority:
    return Authority(tls.make_ca(name, NOW))


SERVING = authority("serving")
"""Of the server; shared by all tests, since making certificates takes longer than they do."""
SERVED = tls.issue_leaf(SERVING.pair, (SERVICE, "localhost"), NOW)

FRONT_PROXY = authority("front-proxy-ca")
CLUSTER = authority("kubernetes")
"""Signs ordinary users; nothing that it signs may vouch for anybody."""


def context(
    client: bytes | None = None, *, trusts: Authority = SERVING, newest: bool = True
) -> ssl.SSLContext:
    """A client's side: verifies as kube-apiserver does, and presents `client` if given.

    `newest` allows TLS 1.3.
    """
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.load_verify_locations(cadata=trusts.pem)
    if not newest:
        made.maximum_version = ssl.TLSVersion.TLSv1_2
    if client is not None:
        with tempfile.NamedTemporaryFile() as file:
            file.write(client)
            file.flush()
            made.load_cert_chain(file.name)
    return made
