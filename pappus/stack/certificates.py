"""The authority of one secured stack and the certificates of its servers: made once, renewed before they expire."""

import datetime
import ipaddress
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from pappus.stack.files import write_private
from pappus.stack.ports import HOST

AUTHORITY_DAYS = 3650
SERVER_DAYS = 397
RENEW_DAYS = 30
NAMES = ("localhost",)


@dataclass(frozen=True, slots=True)
class Pair:
    """Files of a certificate and of its private key, both in PEM form and readable by their owner alone."""

    certificate: Path
    key: Path

    @property
    def keystore(self) -> Path:
        """Both in one file, as Kafka reads them."""
        return self.key.with_suffix(".keystore.pem")


class Authority:
    """Signs for the servers of one stack. Its files are in `folder`; `certificate` is what clients trust."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._pair = Pair(folder / "ca.pem", folder / "ca.key")

    @property
    def certificate(self) -> Path:
        """The file that clients trust; it exists once `prepare` was called."""
        return self._pair.certificate

    def prepare(self) -> None:
        """Make the authority, if there is none."""
        self._folder.mkdir(mode=0o700, exist_ok=True)
        if self._pair.certificate.exists() and self._pair.key.exists():
            return
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Pappus, this stack alone")])
        builder = (
            _builder(name, name, key, AUTHORITY_DAYS)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signs=True), critical=True)
        )
        _write(self._pair, builder.sign(key, hashes.SHA256()), key)

    def server(self, name: str, days: int = SERVER_DAYS) -> Pair:
        """Return the certificate of the server `name` for the loopback address; a new one if the known one expires
        within RENEW_DAYS, or is of another authority. `days` may be negative: expired from the start."""
        self.prepare()
        pair = Pair(self._folder / f"{name}.pem", self._folder / f"{name}.key")
        issuer = x509.load_pem_x509_certificate(self._pair.certificate.read_bytes())
        if not _is_good(pair, issuer):
            self._issue(pair, name, issuer, days)
        return pair

    def _issue(self, pair: Pair, name: str, issuer: x509.Certificate, days: int) -> None:
        signer = load_pem_private_key(self._pair.key.read_bytes(), None)
        if not isinstance(signer, ec.EllipticCurvePrivateKey):
            raise TypeError(f"{self._pair.key} is not a key of this command: delete the folder {self._folder}.")
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        names = [*map(x509.DNSName, NAMES), x509.IPAddress(ipaddress.ip_address(HOST))]
        purposes = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        builder = (
            _builder(subject, issuer.subject, key, days)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
        )
        _write(pair, builder.sign(signer, hashes.SHA256()), key)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, days: int
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    begins = now - datetime.timedelta(days=abs(days) + 1 if days < 0 else 1)  # a clock may be slow
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(now + datetime.timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs,
        key_cert_sign=signs,
        crl_sign=signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=not signs,
        encipher_only=False,
        decipher_only=False,
    )


def _is_good(pair: Pair, issuer: x509.Certificate) -> bool:
    """Return whether the files are there, the authority is the same and there is time left."""
    if not (pair.certificate.exists() and pair.key.exists()):
        return False
    try:
        known = x509.load_pem_x509_certificate(pair.certificate.read_bytes())
        known.verify_directly_issued_by(issuer)
    except (InvalidSignature, ValueError, TypeError):
        return False
    return known.not_valid_after_utc - datetime.datetime.now(datetime.UTC) > datetime.timedelta(days=RENEW_DAYS)


def _write(pair: Pair, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
    write_private(pair.key, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode())
    write_private(pair.certificate, certificate.public_bytes(Encoding.PEM).decode())
    write_private(pair.keystore, pair.key.read_text() + pair.certificate.read_text())
