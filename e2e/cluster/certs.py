"""The certificates of a cluster: two authorities, and what they sign.

The authority of the front proxy is separate from the cluster's on purpose: an aggregated API
server that trusted the cluster's own would take any client's word for being another user.
The extensions are complete because OpenSSL's strict mode, Python 3.13's default, wants them.
"""

import datetime as dt
import ipaddress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

LIFETIME: Final = dt.timedelta(days=365)
CLOCK_SKEW: Final = dt.timedelta(hours=1)
FRONT_PROXY_NAME: Final = "front-proxy-client"
SERVING_NAMES: Final = (
    "localhost",
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
)
SERVING_ADDRESSES: Final = ("127.0.0.1", "::1", "10.96.0.1")
CLIENTS: Final = {
    "admin": ("kubernetes-admin", "system:masters"),
    "kube-controller-manager": ("system:kube-controller-manager", ""),
    "kube-scheduler": ("system:kube-scheduler", ""),
    "kwok": ("kwok", "system:masters"),
}


@dataclass(frozen=True, slots=True)
class KeyPair:
    """Where a certificate and its private key lie."""

    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True)
class Authority:
    """A certificate authority that lies in files, so that it survives the process."""

    files: KeyPair

    @classmethod
    def create(cls, directory: Path, name: str) -> "Authority":
        """Make a new self-signed authority `<name>.crt`, `<name>.key` in `directory`."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = _subject(name)
        certificate = (
            _builder(subject, subject, key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_key_usage(signs_certificates=True), critical=True)
            .add_extension(_key_identifier(key.public_key()), critical=False)
            .sign(key, hashes.SHA256())
        )
        return cls(_write(directory, name, certificate, key))

    def issue(
        self,
        directory: Path,
        file_name: str,
        *,
        common_name: str,
        organizations: tuple[str, ...] = (),
        dns_names: tuple[str, ...] = (),
        addresses: tuple[str, ...] = (),
    ) -> KeyPair:
        """Sign a serving certificate if names or addresses are given, a client's otherwise."""
        issuer = x509.load_pem_x509_certificate(self.files.certificate.read_bytes())
        signer = serialization.load_pem_private_key(self.files.key.read_bytes(), password=None)
        assert isinstance(signer, ec.EllipticCurvePrivateKey)
        key = ec.generate_private_key(ec.SECP256R1())
        alternatives: list[x509.GeneralName] = [
            *(x509.DNSName(name) for name in dns_names),
            *(x509.IPAddress(ipaddress.ip_address(address)) for address in addresses),
        ]
        usage = ExtendedKeyUsageOID.SERVER_AUTH if alternatives else ExtendedKeyUsageOID.CLIENT_AUTH
        issuer_key = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
        builder = (
            _builder(_subject(common_name, organizations), issuer.subject, key.public_key())
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
            .add_extension(_key_identifier(key.public_key()), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(issuer_key),
                critical=False,
            )
        )
        if alternatives:
            builder = builder.add_extension(
                x509.SubjectAlternativeName(alternatives), critical=False
            )
        return _write(directory, file_name, builder.sign(signer, hashes.SHA256()), key)


@dataclass(frozen=True, slots=True)
class Pki:
    """Every certificate of one cluster, by the directory that holds them."""

    directory: Path

    @classmethod
    def create(cls, directory: Path) -> "Pki":
        """Write all authorities, certificates and keys into `directory`."""
        directory.mkdir(parents=True, mode=0o700)
        pki = cls(directory)
        cluster = Authority.create(directory, "ca")
        front_proxy = Authority.create(directory, "front-proxy-ca")
        cluster.issue(
            directory,
            "apiserver",
            common_name="kube-apiserver",
            dns_names=SERVING_NAMES,
            addresses=SERVING_ADDRESSES,
        )
        front_proxy.issue(directory, "front-proxy-client", common_name=FRONT_PROXY_NAME)
        for file_name, (user, group) in CLIENTS.items():
            groups = (group,) if group else ()
            cluster.issue(directory, file_name, common_name=user, organizations=groups)
        key = ec.generate_private_key(ec.SECP256R1())
        _write_private(pki.pair("sa").key, key)
        public = key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        (directory / "sa.pub").write_bytes(public)
        return pki

    def pair(self, name: str) -> KeyPair:
        """Return where the certificate and key called `name` lie."""
        return KeyPair(self.directory / f"{name}.crt", self.directory / f"{name}.key")

    @property
    def cluster_authority(self) -> Authority:
        """The authority that kube-apiserver trusts for clients and is itself signed by."""
        return Authority(self.pair("ca"))

    @property
    def front_proxy_authority(self) -> Authority:
        """The authority behind the certificate that kube-apiserver shows aggregated servers."""
        return Authority(self.pair("front-proxy-ca"))


def _subject(common_name: str, organizations: tuple[str, ...] = ()) -> x509.Name:
    attributes = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, name) for name in organizations]
    return x509.Name([*attributes, x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _builder(
    subject: x509.Name, issuer: x509.Name, public_key: ec.EllipticCurvePublicKey
) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_SKEW)
        .not_valid_after(now + LIFETIME)
    )


def _key_identifier(public_key: ec.EllipticCurvePublicKey) -> x509.SubjectKeyIdentifier:
    return x509.SubjectKeyIdentifier.from_public_key(public_key)


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _write(
    directory: Path, name: str, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey
) -> KeyPair:
    pair = KeyPair(directory / f"{name}.crt", directory / f"{name}.key")
    pair.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    _write_private(pair.key, key)
    return pair


def _write_private(path: Path, key: ec.EllipticCurvePrivateKey) -> None:
    path.touch(mode=0o600)
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
