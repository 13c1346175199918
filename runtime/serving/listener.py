"""Listener: the address that a server is reached at, bound before the model is loaded."""

from __future__ import annotations

import errno
import ipaddress
import os
import socket
import sys

from runtime.errors import OptionError

_BACKLOG = 128  # connections that wait to be accepted
_PROBE_SECONDS = 1.0  # an address of this machine answers, or refuses, at once
# What Docker's and Podman's containers call their host. No page can have such a name: `internal` is kept out of DNS.
_CONTAINERS = ("host.docker.internal", "host.containers.internal")


class Listener:
    """A bound address. Nobody can connect before `listen`."""

    def __init__(self, host: str, port: int) -> None:
        """Bind `port` of `host`, a name or an address; port 0 is any that is free. Raises OptionError."""
        self._asked = host
        self._port = port
        try:
            family, kind, protocol, _, address = _resolved(host, port)
            self.socket = socket.socket(family, kind, protocol)
        except OSError as error:
            raise self._failed(error) from None
        # With SO_REUSEADDR macOS binds one address beside a program that has all of them, and takes its callers away.
        if sys.platform == "darwin" and port and is_answered(family, address):
            self.socket.close()
            raise self._failed(OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE)))
        try:
            if os.name == "posix":  # a port that was just left may be taken at once; on Windows it means stealing one
                self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            self.socket.bind(address)
        except OSError as error:
            self.socket.close()
            raise self._failed(error) from None

    @property
    def local(self) -> bool:
        """Whether this machine alone can reach it."""
        return ipaddress.ip_address(self._address()[0].partition("%")[0]).is_loopback

    @property
    def everywhere(self) -> bool:
        """Whether it is all addresses of this machine."""
        return ipaddress.ip_address(self._address()[0].partition("%")[0]).is_unspecified

    @property
    def url(self) -> str:
        """Where programs on this machine find it, without a path."""
        host, port = self._address()
        if self.everywhere:
            host = "127.0.0.1" if self.socket.family == socket.AF_INET else "::1"
        return f"http://{f'[{host}]' if ':' in host else host}:{port}"

    @property
    def hosts(self) -> tuple[str, ...]:
        """Names under which this machine's programs ask for it."""
        host = self._address()[0]
        return ("localhost", "127.0.0.1", "[::1]", *_CONTAINERS, self._asked, f"[{host}]" if ":" in host else host)

    def listen(self) -> None:
        """Let programs connect. Raises OptionError."""
        try:
            self.socket.listen(_BACKLOG)
        except OSError as error:
            raise self._failed(error) from None

    def close(self) -> None:
        """Give the address back. Harmless when repeated."""
        self.socket.close()

    def _address(self) -> tuple[str, int]:
        host, port, *_ = self.socket.getsockname()
        return str(host), int(port)

    def _failed(self, error: OSError) -> OptionError:
        place = f"port {self._port} of {self._asked}"
        match error.errno:
            case errno.EADDRINUSE:
                return OptionError(f"{place} is in use; choose another with --port, or 0 for any that is free.")
            case errno.EACCES:
                above = " above 1023" if self._port < 1024 else ""
                return OptionError(f"{place} needs rights that you do not have; choose another --port{above}.")
        reason = (error.strerror or str(error)).rstrip(".")
        return OptionError(
            f"{self._asked or 'An empty text'} is no address of this machine ({reason}); choose another --host."
        )


def is_answered(family: int, address: tuple[object, ...]) -> bool:
    """Whether a program on this machine takes calls to `address`."""
    with socket.socket(family, socket.SOCK_STREAM) as caller:
        caller.settimeout(_PROBE_SECONDS)
        return caller.connect_ex(address) == 0


def _resolved(host: str, port: int) -> tuple[int, int, int, str, tuple[object, ...]]:
    """The first address of `host`. Raises OSError."""
    if not host:  # macOS takes it for every address that the machine has
        raise OSError(errno.EINVAL, "it is empty")
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except UnicodeError as error:  # a label that is empty or too long
        raise OSError(errno.EINVAL, str(error)) from None
    return min(found, key=lambda entry: entry[0] != socket.AF_INET)
