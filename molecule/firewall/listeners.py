"""Accepts connections on the given ports, both families, and closes them."""

from __future__ import annotations

import select
import socket
import sys

listeners = [
    socket.create_server(("::", int(port)), family=socket.AF_INET6, dualstack_ipv6=True, backlog=500)
    for port in sys.argv[1:]
]
while True:
    for listener in select.select(listeners, [], [])[0]:
        listener.accept()[0].close()
