"""Certificates for servers with TLS, made by openssl."""

import subprocess
from pathlib import Path

CONFIG = """
[req]
distinguished_name = name
prompt = no
[name]
CN = fake-authority
[authority]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[server]
basicConstraints = CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectAltName = IP:127.0.0.1
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
"""


def create_certificates(openssl: str, folder: Path) -> None:
    """Create an authority (`ca.pem`) and its certificate for 127.0.0.1 (`server.pem`)."""
    (folder / "config").write_text(CONFIG)
    new_key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -config config"
    by_authority = "-CA ca.pem -CAkey ca.key -CAcreateserial -extfile config -extensions server"
    for command in (
        f"req -x509 {new_key} -extensions authority -days 2 -keyout ca.key -out ca.pem",
        f"req {new_key} -subj /CN=fake-server -keyout server.key -out server.csr",
        f"x509 -req -in server.csr {by_authority} -days 2 -out server.pem",
    ):
        subprocess.run([openssl, *command.split()], cwd=folder, check=True, capture_output=True)
