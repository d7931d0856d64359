"""The local server that all contenders call; it answers every request with one reply."""

import contextlib
import json
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

TEXT = "Rayleigh scattering: air scatters blue light more than red."
REPLY = json.dumps(
    {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1767225600,
        "model": "gpt-4-turbo",
        "system_fingerprint": "fp_1",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": TEXT},
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 12, "completion_tokens": 14, "total_tokens": 26},
    }
)
CREDITS = "9.5"
STATUS_PATH = "/status"
"""The path of the number of accepted connections, in nginx's `stub_status` format."""

STARTUP_SECONDS = 10
CONFIG = """
daemon off;
master_process off;
pid nginx.pid;
error_log stderr crit;
events { worker_connections 4096; }
http {
    access_log off;
    default_type application/json;
    keepalive_requests 1000000000;
    keepalive_timeout 1h;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    server {
        listen 127.0.0.1:{port} backlog=4096;
        location = {status_path} { stub_status; }
        location / {
            add_header x-remaining-credits {credits};
            return 200 '{reply}';
        }
    }
}
"""


@dataclass(frozen=True, slots=True)
class Server:
    """A running server.

    Attributes:
        name: The server's name and version.
        origin: Its URL without a path.
    """

    name: str
    origin: str

    @property
    def base_url(self) -> str:
        """The base URL for the contenders."""
        return f"{self.origin}/v1"

    def count_connections(self) -> int:
        """Return the number of connections accepted so far."""
        with urllib.request.urlopen(self.origin + STATUS_PATH, timeout=5) as response:  # noqa: S310
            status = response.read().decode()
        return int(re.search(r"^ (\d+) \d+ \d+", status, re.MULTILINE)[1])


@contextlib.contextmanager
def serve() -> Iterator[Server]:
    """Run nginx or, if it is not installed, a small asyncio server."""
    port = find_free_port()
    with tempfile.TemporaryDirectory(prefix="peers-") as folder:
        nginx = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
        if nginx:
            config = Path(folder) / "nginx.conf"
            config.write_text(render_config(port), encoding="utf-8")
            command = [nginx, "-e", "stderr", "-p", folder, "-c", config.name]
            name = get_nginx_version(nginx)
        else:
            command = [sys.executable, "-m", "benchmarks.peers.fallback_server", str(port)]
            name = "a small asyncio server (nginx is not installed)"
        process = subprocess.Popen(command)
        try:
            wait_until_open(port, process)
            yield Server(name, f"http://127.0.0.1:{port}")
        finally:
            process.terminate()
            process.wait()


def find_free_port() -> int:
    """Return a free port."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def render_config(port: int) -> str:
    """Return nginx's configuration: one process, keep-alive, no log."""
    values = {"port": str(port), "status_path": STATUS_PATH, "credits": CREDITS, "reply": REPLY}
    return re.sub(r"\{(port|status_path|credits|reply)\}", lambda m: values[m[1]], CONFIG)


def get_nginx_version(nginx: str) -> str:
    """Return nginx's name and version, such as `nginx 1.22.1`."""
    run = subprocess.run([nginx, "-v"], capture_output=True, text=True, check=True)
    return run.stderr.strip().removeprefix("nginx version: ").replace("/", " ")


def wait_until_open(port: int, process: subprocess.Popen[bytes]) -> None:
    """Wait until a port accepts connections."""
    end = time.monotonic() + STARTUP_SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if process.poll() is not None or time.monotonic() > end:
                raise
            time.sleep(0.02)
        else:
            return
