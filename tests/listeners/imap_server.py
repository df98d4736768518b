"""A small IMAP server on a real socket, whose behaviour a test may bend: what it says, where it stops, what it lies about.

It is honest as it is: mailboxes in memory, UIDs that grow, IDLE. ``bend(connection, verb, argument)`` comes before each command: it may
write what it likes and says whether that was the answer. ``greeting(connection)`` replaces the first line.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import re
import ssl
from collections.abc import Awaitable, Callable, Iterable

USER = "journal@ch-fictif.mssante.fr"
PASSWORD = 'a "quoted\\" word'

Bend = Callable[["Connection", str, str], Awaitable[bool]]


class Mailbox:
    """Mails by UID."""

    def __init__(self, validity: int = 7) -> None:
        self.validity = validity
        self.next = 1
        self.mails: dict[int, bytes] = {}
        self.seen: set[int] = set()
        self.since: list[str] = []

    def add(self, *mails: bytes) -> None:
        """Mails that arrive."""
        for mail in mails:
            self.mails[self.next] = mail
            self.next += 1


class Connection:
    """One client."""

    def __init__(self, server: ImapServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.server = server
        self.reader = reader
        self.writer = writer
        self.tag = ""
        self.box: Mailbox | None = None
        self.ended = asyncio.Event()

    async def send(self, *pieces: bytes | str) -> None:
        """Write, as it is."""
        self.writer.write(b"".join(piece.encode() if isinstance(piece, str) else piece for piece in pieces))
        await self.writer.drain()

    async def ok(self, words: str = "done", result: str = "OK") -> None:
        """The end of the answer."""
        await self.send(f"{self.tag} {result} {words}\r\n")

    async def hang(self) -> None:
        """Say nothing until the client goes away."""
        while await self.reader.read(65_536):
            pass

    async def line(self) -> str:
        """The next line of the client, without its end."""
        data = await self.reader.readline()
        if not data.endswith(b"\r\n"):
            raise ConnectionError
        return data[:-2].decode()

    async def serve(self) -> None:
        """Answer commands until the client leaves."""
        if self.server.greeting is not None:
            await self.server.greeting(self)
        else:
            await self.send("* OK ready\r\n")
        while True:
            self.tag, _, rest = (await self.line()).partition(" ")
            verb, _, argument = rest.partition(" ")
            if verb == "UID":
                verb, _, argument = argument.partition(" ")
            self.server.commands.append((verb, argument))
            if self.server.bend is not None and await self.server.bend(self, verb, argument):
                continue
            await getattr(self, f"do_{verb.lower()}")(argument)
            if verb == "LOGOUT":
                return

    async def do_capability(self, argument: str) -> None:
        """What it can do."""
        await self.send(f"* CAPABILITY {self.server.capabilities}\r\n")
        await self.ok()

    async def do_starttls(self, argument: str) -> None:
        """The rest goes through TLS."""
        assert self.server.context is not None
        await self.ok("begin TLS")
        await self.secure()

    async def secure(self) -> None:
        """The server's side of the handshake."""
        loop = asyncio.get_running_loop()
        transport = self.writer.transport
        protocol = transport.get_protocol()
        secured = await loop.start_tls(transport, protocol, self.server.context, server_side=True)
        self.reader._transport = secured
        self.writer = asyncio.StreamWriter(secured, protocol, self.reader, loop)
        protocol._stream_writer = self.writer
        self.server.writers.append(self.writer)

    async def do_login(self, argument: str) -> None:
        """Two quoted strings."""
        words = [re.sub(r"\\(.)", r"\1", word) for word in re.findall(r'"((?:[^"\\]|\\.)*)"', argument)]
        await self.ok(result="OK" if words == [USER, self.server.password] else "NO")

    async def do_authenticate(self, mechanism: str) -> None:
        """PLAIN, XOAUTH2 and EXTERNAL, without initial response."""
        await self.send("+ \r\n")
        answer = base64.b64decode(await self.line()).decode()
        wanted = {
            "PLAIN": f"\0{USER}\0{self.server.password}",
            "XOAUTH2": f"user={USER}\1auth=Bearer {self.server.password}\1\1",
            "EXTERNAL": "",
        }[mechanism]
        if mechanism == "XOAUTH2" and answer != wanted:
            await self.send("+ eyJzdGF0dXMiOiI0MDEifQ==\r\n")
            assert await self.line() == ""
        await self.ok(result="OK" if answer == wanted else "NO")

    async def do_examine(self, argument: str) -> None:
        """Open a mailbox."""
        self.box = self.server.boxes.get(argument.strip('"'))
        if self.box is None:
            await self.ok("no such mailbox", "NO")
            return
        await self.send(
            "* FLAGS (\\Seen \\*)\r\n",
            f"* {len(self.box.mails)} EXISTS\r\n* 0 RECENT\r\n",
            f"* OK [UIDVALIDITY {self.box.validity}] UIDs valid\r\n",
            f"* OK [UIDNEXT {self.box.next}] next\r\n",
        )
        await self.ok("[READ-ONLY] open")

    do_select = do_examine

    async def do_search(self, argument: str) -> None:
        """By a range of UIDs."""
        assert self.box is not None
        first, last = re.findall(r"UID (\d+):(\d+|\*)", argument)[0]
        if "SINCE" in argument:
            self.box.since.append(argument.partition("SINCE ")[2])
        newest = max(self.box.mails, default=0)
        top = newest if last == "*" else int(last)
        found = [uid for uid in self.box.mails if int(first) <= uid <= top or (last == "*" and uid == newest)]
        await self.send("* SEARCH ", " ".join(map(str, found)), "\r\n")
        await self.ok()

    async def do_fetch(self, argument: str) -> None:
        """Sizes or mails."""
        assert self.box is not None
        uids, _, items = argument.partition(" ")
        asked = set(spread(uids))
        for number, uid in enumerate(self.box.mails, 1):
            if uid in asked:
                await self.send(self.item(number, uid, body="BODY.PEEK[]" in items))
        await self.ok()

    def item(self, number: int, uid: int, *, body: bool) -> bytes:
        """One response."""
        assert self.box is not None
        mail = self.box.mails[uid]
        size = self.server.sizes.get(uid, len(mail))
        if not body:
            return f"* {number} FETCH (UID {uid} RFC822.SIZE {size})\r\n".encode()
        return f"* {number} FETCH (UID {uid} BODY[] {{{len(mail)}}}\r\n".encode() + mail + b")\r\n"

    async def do_store(self, argument: str) -> None:
        """Mails that were seen."""
        assert self.box is not None
        self.box.seen |= set(spread(argument.partition(" ")[0]))
        await self.ok()

    async def do_idle(self, argument: str) -> None:
        """Tell of mails as they come."""
        assert self.box is not None
        await self.send("+ idling\r\n")
        known = self.box.next
        done = asyncio.ensure_future(self.line())
        while not done.done():
            if self.box.next != known:
                known = self.box.next
                await self.send(f"* {len(self.box.mails)} EXISTS\r\n* 1 RECENT\r\n")
            await asyncio.wait((done,), timeout=0.01)
        assert done.result() == "DONE"
        await self.ok()

    async def do_noop(self, argument: str) -> None:
        """Nothing."""
        await self.ok()

    async def do_logout(self, argument: str) -> None:
        """Goodbye."""
        await self.send("* BYE bye\r\n")
        await self.ok()


def spread(uids: str) -> Iterable[int]:
    """The UIDs of a set."""
    for part in uids.split(","):
        first, _, last = part.partition(":")
        yield from range(int(first), int(last or first) + 1)


class ImapServer:
    """The server; may stop and start again on the same port."""

    def __init__(self) -> None:
        self.boxes: dict[str, Mailbox] = {"INBOX": Mailbox()}
        self.capabilities = "IMAP4rev1 IDLE AUTH=PLAIN"
        self.password = PASSWORD
        self.greeting: Callable[[Connection], Awaitable[None]] | None = None
        self.bend: Bend | None = None
        self.sizes: dict[int, int] = {}
        self.commands: list[tuple[str, str]] = []
        self.context: ssl.SSLContext | None = None
        self.connections = 0
        self.writers: list[asyncio.StreamWriter] = []
        self.failures: list[BaseException] = []
        self.port = 0
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def inbox(self) -> Mailbox:
        """The first mailbox."""
        return self.boxes["INBOX"]

    async def start(self) -> None:
        """Listen."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Be gone, with every connection."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in self.writers:
            writer.transport.abort()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        assert not self.failures

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.writers.append(writer)
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        connection = Connection(self, reader, writer)
        try:
            with contextlib.suppress(OSError, asyncio.CancelledError, asyncio.IncompleteReadError):
                await connection.serve()
        except Exception as error:  # noqa: BLE001
            self.failures.append(error)
        finally:
            self._tasks.discard(task)
            connection.writer.transport.abort()


async def anybody(connection: Connection, verb: str, argument: str) -> bool:
    """A server that lets everybody in."""
    if verb == "AUTHENTICATE":
        await connection.send("+ \r\n")
        await connection.line()
        await connection.ok()
    return verb == "AUTHENTICATE"
