"""One record, one ack, over a bare socket: what a client sees of a start, without a client's own back-off."""

import time

from harness import wire


def produce_one(port: int, topic: str) -> bool:
    """Whether partition 0 of `topic` acknowledged a record with acks=all; false while the broker is not there yet."""
    try:
        with wire.Connection(port, seconds=5) as connection:
            answer = connection.ask(wire.PRODUCE, 3, wire.produce(topic, 0, wire.batch([b"first"], timestamp=time.time_ns() // 10**6)))
            return wire.produce_answer(answer)[0] == 0
    except (OSError, wire.Closed):
        return False
