"""Where the page is served: a socket that listens, and the URL to open.

May import ontogeny.errors only, so that a command can say at once where its page is.
"""

import secrets
import socket
from ipaddress import ip_address

from ontogeny.errors import RunError

PORT = 8765
"""The usual port; a free one where somebody else listens there."""
LOOPBACK = "127.0.0.1"


def listen(host: str = LOOPBACK, port: int | None = None) -> socket.socket:
    """Return a socket that listens.

    Parameters
    ----------
    host
        Name or address of this machine.
    port
        Where to listen; 0: a free port; None: the usual port, or a free one if it is taken.

    Raises
    ------
    RunError
        If nothing can listen there.
    """
    try:
        return _bound(host, PORT if port is None else port)
    except OSError as error:
        if port is None:
            return listen(host, 0)
        msg = f"expected a free address, got {host}:{port} ({error}): choose another --port"
        raise RunError(msg) from error


def _bound(host: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(128)
    except OSError:
        listener.close()
        raise
    return listener


def address(host: str, port: int) -> tuple[str, str | None]:
    """Return the URL to open and the key that it holds where the server is not on loopback."""
    key = None if is_loopback(host) else secrets.token_urlsafe(18)
    shown = f"[{host}]" if ":" in host else host
    return f"http://{shown}:{port}/" + (f"?key={key}" if key else ""), key


def is_loopback(host: str) -> bool:
    """Say whether only this machine reaches a host of this name."""
    return host == "localhost" or (is_address(host) and ip_address(host).is_loopback)


def is_address(host: str) -> bool:
    """Say whether this is a plain address, which no foreign name can stand for."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
