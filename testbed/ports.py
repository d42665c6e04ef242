"""Choose loopback ports that nobody listens on."""

import secrets
import socket
from contextlib import ExitStack

LOOPBACK = "127.0.0.1"

# Below the range from which Linux takes the ports of outgoing connections (32768 and
# up): a port from here is not taken by a client between the probe and the start.
_LOWEST, _HIGHEST = 15_000, 32_000


def free_ports(count: int) -> tuple[int, ...]:
    """Return different ports that could be bound a moment ago.

    Another process may take one before it is used: whoever starts a server with them
    tries again with other ports. The choice does not depend on ``random.seed``, which
    test runners set to the same value in every worker.

    Args:
        count: How many ports.

    Raises:
        OSError: No port could be bound.

    """
    found: list[int] = []
    attempts_left = 100 * count
    with ExitStack() as held:  # all are held until the last is found, so none repeats
        while len(found) < count:
            port = _LOWEST + secrets.randbelow(_HIGHEST - _LOWEST)
            probe = held.enter_context(socket.socket(socket.AF_INET, socket.SOCK_STREAM))
            try:
                probe.bind((LOOPBACK, port))
            except OSError:
                attempts_left -= 1
                if attempts_left == 0:
                    raise
            else:
                found.append(port)
    return tuple(found)
