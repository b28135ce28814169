# SPDX-License-Identifier: Apache-2.0
"""Certificates for tests: an authority of one's own, and servers it vouches for."""

import datetime
import ipaddress
import pathlib

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

DAY = datetime.timedelta(days=1)


def _build(subject, issuer, key, signer, begins, ends, extension):
    def named(text):
        return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])

    return (x509.CertificateBuilder().subject_name(named(subject)).issuer_name(named(issuer)).public_key(key.public_key())
            .serial_number(x509.random_serial_number()).not_valid_before(begins).not_valid_after(ends)
            .add_extension(x509.BasicConstraints(ca=extension is None, path_length=None), critical=True)
            .add_extension(extension or x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .sign(signer, hashes.SHA256()))


def _pem(certificate):
    return certificate.public_bytes(serialization.Encoding.PEM)


def key_pem(key, passphrase=None):
    seal = serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, seal)


class Authority:
    """Writes itself to FOLDER/authority.pem, which is `file`."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.now = datetime.datetime.utcnow()
        certificate = _build("test authority", "test authority", self.key, self.key, self.now - 30 * DAY, self.now + 30 * DAY, None)
        self.file = self.folder / "authority.pem"
        self.file.write_bytes(_pem(certificate))

    def issue(self, name, address="127.0.0.1", days=(-1, 1), key=None):
        """Two files, NAME.pem and NAME.key, good for the address in these days from now."""
        key = key or ec.generate_private_key(ec.SECP256R1())
        names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))])
        certificate = _build(name, "test authority", key, self.key, self.now + days[0] * DAY, self.now + days[1] * DAY, names)
        certificate_file, key_file = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        certificate_file.write_bytes(_pem(certificate))
        key_file.touch(mode=0o600)
        key_file.write_bytes(key_pem(key))
        return certificate_file, key_file
