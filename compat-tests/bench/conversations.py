"""Many clients in one thread: each is a generator that yields a request and gets its answer, so that thousands of requests a second
cost the machine little beside the broker under measurement."""

import selectors
import socket
import struct
import time

from harness.wire import string

HEADER_CLASSIC, HEADER_FLEXIBLE = 1, 2
# An idle client asks again whether it is time.
PAUSE_SECONDS = 0.05


def request(key: int, version: int, body: bytes, header: int = HEADER_CLASSIC) -> bytes:
    """A whole frame. Its correlation id is 0: a client of ours has one request under way."""
    head = struct.pack(">hhi", key, version, 0) + string("bench") + (b"\0" if header == HEADER_FLEXIBLE else b"")
    return struct.pack(">i", len(head) + len(body)) + head + body


class Pause:
    """Yielded in place of a request: the client goes on after so many seconds."""

    def __init__(self, seconds: float):
        self.seconds = seconds


class _Client:
    def __init__(self, port: int, conversation):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.conversation = conversation
        self.received = b""
        self.wakes_at = None

    def go_on(self, answer: bytes | None) -> bool:
        """Hands over the answer and sends what follows; false at the end of the conversation."""
        try:
            following = self.conversation.send(answer)
        except StopIteration:
            return False
        if isinstance(following, Pause):
            self.wakes_at = time.monotonic() + following.seconds
        else:
            # Small against any socket buffer, and nothing else is under way: this does not wait.
            self.socket.sendall(following)
        return True

    def answer(self) -> bytes | None:
        """What follows the correlation id of an answer that is there as a whole."""
        # Memory for more than this is mapped anew, and touched anew, with each call.
        data = self.socket.recv(1 << 16)
        assert data, "the broker closed the connection"
        self.received = self.received + data if self.received else data
        if len(self.received) < 4 or len(self.received) < (end := 4 + struct.unpack_from(">i", self.received)[0]):
            return None
        answer, self.received = self.received[8:end], self.received[end:]
        return answer


def hold(port: int, conversations) -> None:
    """Holds all conversations at once, each over a connection of its own, until every one has ended."""
    with selectors.DefaultSelector() as selector:
        clients = [_Client(port, conversation) for conversation in conversations]
        open_clients = {client for client in clients if client.go_on(None)}
        for client in open_clients:
            selector.register(client.socket, selectors.EVENT_READ, client)
        sleepers = {client for client in open_clients if client.wakes_at}
        try:
            while open_clients:
                for key, _ in selector.select(PAUSE_SECONDS if sleepers else 60):
                    client = key.data
                    answer = client.answer()
                    if answer is not None:
                        _step(selector, open_clients, sleepers, client, answer)
                now = time.monotonic()
                for client in [client for client in sleepers if client.wakes_at <= now]:
                    sleepers.discard(client)
                    client.wakes_at = None
                    _step(selector, open_clients, sleepers, client, None)
        finally:
            for client in clients:
                client.socket.close()


def _step(selector, open_clients: set, sleepers: set, client: _Client, answer: bytes | None) -> None:
    if not client.go_on(answer):
        open_clients.discard(client)
        selector.unregister(client.socket)
    elif client.wakes_at:
        sleepers.add(client)
