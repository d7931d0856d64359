"""Replaces nginx where it is not installed; runs in its own process."""

import asyncio
import re
import sys

from benchmarks.peers.server import CREDITS, REPLY, STATUS_PATH

HEAD_END = b"\r\n\r\n"
LENGTH = re.compile(rb"^content-length: *(\d+)", re.IGNORECASE | re.MULTILINE)
STATUS_REQUEST = f"GET {STATUS_PATH} ".encode()


def render_answer(body: str, **headers: str) -> bytes:
    """Return one HTTP response."""
    headers = {"content-type": "application/json", "content-length": str(len(body)), **headers}
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(["HTTP/1.1 200 OK", *lines, "", body]).encode()


ANSWER = render_answer(REPLY, x_remaining_credits=CREDITS)


class Answerer(asyncio.Protocol):
    """One keep-alive connection: reads each request with its body and answers it."""

    accepted = 0

    def connection_made(self, transport) -> None:
        """Count the connection."""
        Answerer.accepted += 1
        self.transport = transport
        self.buffer = bytearray()

    def data_received(self, data: bytes) -> None:
        """Answer each request that is complete."""
        self.buffer += data
        while (end := self.buffer.find(HEAD_END)) >= 0:
            length = LENGTH.search(self.buffer, 0, end)
            size = end + len(HEAD_END) + int(length[1] if length else 0)
            if len(self.buffer) < size:
                return
            is_status = self.buffer.startswith(STATUS_REQUEST)
            del self.buffer[:size]
            status = f"\n {Answerer.accepted} {Answerer.accepted} 0 \n"
            self.transport.write(render_answer(status) if is_status else ANSWER)


async def main(port: int) -> None:
    """Answer until the process ends."""
    server = await asyncio.get_running_loop().create_server(
        Answerer, "127.0.0.1", port, backlog=4096
    )
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
