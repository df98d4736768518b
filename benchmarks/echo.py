"""The floor of an MLLP receiver: a bare asyncio server, in a process of its own, that sends every frame back as it came.

It reads nothing, keeps nothing and promises nothing. ``python -m benchmarks.echo PORT``.
"""

from __future__ import annotations

import asyncio
import sys

END = b"\x1c\r"


class Echo(asyncio.Protocol):
    """One connection."""

    def __init__(self) -> None:
        self.pending = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """Send back every whole frame."""
        data = self.pending + data if self.pending else data
        end = data.rfind(END) + 2
        if end < 2:
            self.pending = data
            return
        self.pending = data[end:]
        self.transport.write(data[:end])  # type: ignore[attr-defined]


async def serve(port: int) -> None:
    """Serve until killed."""
    server = await asyncio.get_running_loop().create_server(Echo, "127.0.0.1", port, backlog=1024)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
