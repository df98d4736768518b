"""The floor of an MLLP receiver: a bare asyncio server, in a process of its own, that sends every frame back as it came.

It reads nothing, keeps nothing and promises nothing. ``python -m benchmarks.echo PORT``. With ``ack`` behind the port it answers
each frame with an acknowledgement, as an application does.
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


class Acknowledging(Echo):
    """The same, with an answer in which control ids are real."""

    def data_received(self, data: bytes) -> None:
        """Answer every whole frame."""
        *frames, self.pending = (self.pending + data).split(END)
        for frame in frames:
            fields = frame.split(b"|", 10)
            self.transport.write(  # type: ignore[attr-defined]
                b"\x0bMSH|^~\\&|%b|%b|%b|%b|%b||ACK^A01^ACK|R%b|P|2.5\rMSA|AA|%b\r\x1c\r"
                % (fields[4], fields[5], fields[2], fields[3], fields[6], fields[9], fields[9])
            )


async def serve(port: int, kind: type[Echo]) -> None:
    """Serve until killed."""
    server = await asyncio.get_running_loop().create_server(kind, "127.0.0.1", port, backlog=1024)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), Acknowledging if "ack" in sys.argv else Echo))
