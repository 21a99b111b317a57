"""Accepts connections on the given ports, both families. Who says something is kept, all others are let go."""

from __future__ import annotations

import selectors
import socket
import sys

waiting = selectors.DefaultSelector()
for port in sys.argv[1:]:
    listener = socket.create_server(("::", int(port)), family=socket.AF_INET6, dualstack_ipv6=True, backlog=500)
    waiting.register(listener, selectors.EVENT_READ, listener)
while True:
    for key, _ in waiting.select():
        if key.data:
            waiting.register(key.data.accept()[0], selectors.EVENT_READ)
            continue
        try:
            said = key.fileobj.recv(100)
        except OSError:
            said = b""
        if not said:
            waiting.unregister(key.fileobj)
            key.fileobj.close()
