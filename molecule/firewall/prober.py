"""Knocks at ports many times a second and counts what happens: run on the visitor, `python3 - SECONDS ADDRESS:PORT...`.

It ends after so many seconds, or when it is told to by SIGTERM. Prints one JSON object: for every target the numbers of
connections that were accepted, refused or without an answer, and the longest time in seconds that an accepted one took.
A dropped packet would be sent again after a second, so a connection that takes longer than LIMIT has lost one.
"""

from __future__ import annotations

import json
import selectors
import signal
import socket
import sys
import threading
import time
from collections import Counter

EVERY = 0.02
LIMIT = 0.7
TOLD_TO_END = threading.Event()


def begin(address: str, port: int) -> socket.socket:
    """Begin one connection without waiting for it."""
    probe = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
    probe.setblocking(False)
    probe.connect_ex((address, port))
    return probe


def knock(targets: list[tuple[str, int]], seconds: float) -> dict[str, dict[str, float]]:
    """Knock at every target each 20 ms, for the given time."""
    results = {target: Counter(accepted=0, refused=0, silent=0, longest=0) for target in targets}
    waiting = selectors.DefaultSelector()
    begun = time.monotonic()
    following = begun
    while following < begun + seconds or waiting.get_map():
        now = time.monotonic()
        if TOLD_TO_END.is_set():
            seconds = 0
        if now >= following and following < begun + seconds:
            for target in targets:
                probe = begin(*target)
                waiting.register(probe, selectors.EVENT_WRITE, (target, now, probe))
            following += EVERY
        for key, _ in waiting.select(timeout=max(0.0, min(following - time.monotonic(), EVERY))):
            target, since, probe = key.data
            failed = probe.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            results[target]["refused" if failed else "accepted"] += 1
            if not failed:
                results[target]["longest"] = max(results[target]["longest"], round(time.monotonic() - since, 3))
            waiting.unregister(probe)
            probe.close()
        for key in list(waiting.get_map().values()):
            if key.data[1] < time.monotonic() - LIMIT:
                results[key.data[0]]["silent"] += 1
                waiting.unregister(key.data[2])
                key.data[2].close()
    return {f"{address} {port}": dict(counts) for (address, port), counts in results.items()}


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: TOLD_TO_END.set())
    asked = [argument.rsplit(":", 1) for argument in sys.argv[2:]]
    sys.stdout.write(json.dumps(knock([(address, int(port)) for address, port in asked], float(sys.argv[1]))))
