#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Peers on loopback that get TLS wrong, each in one way, for test_tls.c. Writes the authority that each would like to be
judged by to FOLDER/MANNER.pem, prints a line "MANNER PORT" for each and then "ready", prints "request MANNER" for each
request that one understands, and ends when its input ends.

  tls_peer.py FOLDER MANNER...
"""
import datetime
import ipaddress
import os
import socket
import ssl
import sys
import tempfile
import threading
import warnings

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

DAY = datetime.timedelta(days=1)
ANSWER = b'HTTP/1.1 200 OK\r\nContent-Length: 28\r\n\r\n{"customer":{"id":"user_1"}}'


def make_certificate(key, issuer_key, issuer, begins, ends, address, is_authority):
    """`issuer` None: self-signed."""
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "fault authority" if is_authority else "fault peer")])
    builder = (x509.CertificateBuilder().subject_name(name).issuer_name(issuer or name).public_key(key.public_key())
               .serial_number(x509.random_serial_number()).not_valid_before(begins).not_valid_after(ends)
               .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True))
    if not is_authority:
        names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))])
        builder = builder.add_extension(names, critical=False)
    return builder.sign(issuer_key, hashes.SHA256())


def pem(certificate):
    return certificate.public_bytes(serialization.Encoding.PEM)


def make_context(path, manner):
    now = datetime.datetime.utcnow()
    authority_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    authority = make_certificate(authority_key, authority_key, None, now - 9 * DAY, now + 9 * DAY, None, True)
    begins, ends = {"expired": (now - 5 * DAY, now - DAY), "future": (now + DAY, now + 5 * DAY)}.get(
        manner, (now - DAY, now + DAY))
    address = "127.0.0.9" if manner == "wrong-name" else "127.0.0.1"
    signer = ec.generate_private_key(ec.SECP256R1()) if manner == "unknown-authority" else authority_key
    certificate = make_certificate(key, signer, authority.subject, begins, ends, address, False)
    with open(path, "wb") as file:
        file.write(pem(authority))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if manner == "old-protocol":
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            context.set_ciphers("ALL:@SECLEVEL=0")
            context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with tempfile.NamedTemporaryFile() as both:
        both.write(pem(certificate) + key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
        both.flush()
        context.load_cert_chain(both.name)
    return context


def reset(connection):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    connection.close()


def serve_tls(connection, context, manner):
    with context.wrap_socket(connection, server_side=True) as tls:
        while tls.recv(65536):
            print("request", manner, flush=True)
            tls.sendall(ANSWER)


def serve(connection, context, manner):
    """One connection; errors are what this is about."""
    try:
        if manner == "cut-at-once":
            reset(connection)
        elif manner == "cut-in-handshake":
            connection.recv(10)
            reset(connection)
        elif manner == "cut-after-hello":
            connection.recv(65536)
            connection.sendall(b"\x16\x03\x03\x00\x7a\x02\x00\x00")
            connection.close()
        elif manner == "garbage":
            connection.recv(65536)
            connection.sendall(os.urandom(200))
            connection.close()
        elif manner == "plain-http":
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
            connection.close()
        else:
            serve_tls(connection, context, manner)
    except OSError:
        connection.close()


def open_peer(folder, manner):
    context = make_context(os.path.join(folder, manner + ".pem"), manner)
    listener = socket.create_server(("127.0.0.1", 0))

    def accept():
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=serve, args=(connection, context, manner), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    print(manner, listener.getsockname()[1], flush=True)


def main():
    for manner in sys.argv[2:]:
        open_peer(sys.argv[1], manner)
    print("ready", 0, flush=True)
    sys.stdin.read()
    os._exit(0)


main()
