"""kill -9 during load, again and again: every acknowledged message is counted, once."""

from __future__ import annotations

import random
import socket
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.e2e.engine import RunningEngine
from tests.messages import stay

KILLS = 50
STAYS = 3_000
SENDERS = 4


class Sender(threading.Thread):
    """Sends its messages pipelined, and keeps those that were not acknowledged for the next time."""

    def __init__(self, port: int, messages: list[bytes]) -> None:
        super().__init__(daemon=True)
        self.port = port
        self.left = messages
        self.acknowledged = 0

    def run(self) -> None:
        """Send until everything is acknowledged or the connection breaks."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=60) as connection:
                waiting = self.left
                window = 40
                sent, answered, buffer = 0, 0, b""
                while answered < len(waiting):
                    while sent < len(waiting) and sent - answered < window:
                        connection.sendall(b"\x0b" + waiting[sent] + b"\x1c\r")
                        sent += 1
                    data = connection.recv(65536)
                    if not data:
                        break
                    buffer += data
                    *answers, buffer = buffer.split(b"\x1c\r")
                    for answer in answers:
                        control = waiting[answered].split(b"|", 10)[9]
                        assert b"MSA|AA|" + control in answer
                        answered += 1
                        self.acknowledged = answered
        except OSError:
            pass
        self.left = self.left[self.acknowledged :]
        self.acknowledged = 0


@pytest.mark.timeout(900)
def test_every_acknowledged_message_is_counted_once_over_fifty_kills(tmp_path: Path) -> None:
    """What was acknowledged before a kill is never sent again; what was not is. At the end nothing is missing or double."""
    chance = random.Random(50)
    exit_day = (datetime.now(UTC) - timedelta(days=10)).replace(hour=9, minute=0, second=0, microsecond=0)
    messages = [
        message for number in range(STAYS) for message in stay(number, exit_day - timedelta(days=3, seconds=number))
    ]
    shares = [messages[number::SENDERS] for number in range(SENDERS)]
    with RunningEngine(tmp_path) as engine:

        def send(answers: int | None) -> None:
            """Send what is left, and kill the engine after so many acknowledgements; None: let it take everything."""
            nonlocal shares
            engine.start()
            senders = [Sender(engine.mllp, share) for share in shares]
            for sender in senders:
                sender.start()
            if answers is not None:
                while sum(sender.acknowledged for sender in senders) < answers and any(map(Sender.is_alive, senders)):
                    time.sleep(0.001)
                engine.kill()
            for sender in senders:
                sender.join()
            shares = [sender.left for sender in senders]

        lives = 0
        for _ in range(KILLS):
            before = sum(map(len, shares))
            send(chance.randrange(100))
            lives += sum(map(len, shares)) < before
        assert lives > KILLS // 3, "most lives must be under load"
        send(None)
        assert not any(shares)
        engine.settle()
        received = engine.value("jauge_messages_received_total", feed="his")
        duplicate = engine.value("jauge_messages_duplicate_total", feed="his")
        assert received - duplicate == len(messages)
        labels = {"indicator": "DS1.1", "establishment": "990000001", "window": "rolling"}
        assert engine.value("jauge_indicator_denominator", **labels) == STAYS
        assert engine.stop() == 0
        audit = engine.command("audit")
        assert audit.returncode == 0, audit.stdout
