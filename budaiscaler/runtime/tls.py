"""Certificates of our own: a CA and a leaf below it, and when to renew them.

Elliptic-curve keys, since generating RSA keys would stall the event loop for a second.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

CA_LIFETIME = timedelta(days=3650)
LEAF_LIFETIME = timedelta(days=365)
_CLOCK_SKEW = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A certificate and its private key, both PEM."""

    certificate: bytes
    key: bytes

    @property
    def not_after(self) -> datetime:
        """When the certificate ends."""
        return x509.load_pem_x509_certificate(self.certificate).not_valid_after_utc

    @property
    def dns_names(self) -> frozenset[str]:
        """The names it identifies a server by."""
        certificate = x509.load_pem_x509_certificate(self.certificate)
        try:
            names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        except x509.ExtensionNotFound:
            return frozenset()
        return frozenset(names.value.get_values_for_type(x509.DNSName))

    def is_due(self, now: datetime) -> bool:
        """Whether two thirds of its life are over, the usual time to renew."""
        certificate = x509.load_pem_x509_certificate(self.certificate)
        start, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
        return now >= start + (end - start) * 2 / 3


def make_ca(common_name: str, now: datetime) -> KeyPair:
    """Make a CA that may only sign leaves."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    builder = (
        _builder(name, name, key.public_key(), now, CA_LIFETIME)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False
        )
    )
    return _pair(builder.sign(key, hashes.SHA256()), key)


def issue_leaf(
    ca: KeyPair, dns_names: Sequence[str], now: datetime, *, addresses: Sequence[str] = ()
) -> KeyPair:
    """Issue a server certificate; clients look at the DNS names and IP addresses only."""
    alternatives: list[x509.GeneralName] = [
        *(x509.DNSName(dns) for dns in dns_names),
        *(x509.IPAddress(ipaddress.ip_address(address)) for address in addresses),
    ]
    return _issue(
        ca,
        dns_names[0],
        now,
        ExtendedKeyUsageOID.SERVER_AUTH,
        (x509.SubjectAlternativeName(alternatives),),
    )


def issue_client(ca: KeyPair, common_name: str, now: datetime) -> KeyPair:
    """Issue a client certificate; servers look at the common name."""
    return _issue(ca, common_name, now, ExtendedKeyUsageOID.CLIENT_AUTH)


def _issue(
    ca: KeyPair,
    common_name: str,
    now: datetime,
    purpose: x509.ObjectIdentifier,
    extensions: Sequence[x509.ExtensionType] = (),
) -> KeyPair:
    issuer = x509.load_pem_x509_certificate(ca.certificate)
    issuer_key = serialization.load_pem_private_key(ca.key, password=None)
    if not isinstance(issuer_key, ec.EllipticCurvePrivateKey):
        raise TypeError("the CA key is none that make_ca makes")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name[:64])])
    builder = (
        _builder(name, issuer.subject, key.public_key(), now, LEAF_LIFETIME)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()),
            critical=False,
        )
    )
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    return _pair(builder.sign(issuer_key, hashes.SHA256()), key)


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    public_key: ec.EllipticCurvePublicKey,
    now: datetime,
    lifetime: timedelta,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCK_SKEW)
        .not_valid_after(now + lifetime)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _pair(certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> KeyPair:
    return KeyPair(
        certificate.public_bytes(serialization.Encoding.PEM),
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ),
    )
