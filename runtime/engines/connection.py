"""Connection: one service's address and key, and requests to it on an event loop in a thread of its own.

A request is a task of that loop: whatever it waits for, a name, a connection or a byte, it can be cancelled at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import queue
import ssl
import threading
from collections.abc import AsyncGenerator, Coroutine, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING, Any, TypeVar, cast
from urllib.parse import SplitResult, urlsplit

from runtime.engines.base import CLOSED
from runtime.engines.openai_reply import Chunk, read_chunk, refusal
from runtime.engines.sse import EventStream
from runtime.errors import EngineError, OptionError, ServiceError, ServiceUnreachableError, UserFacingError
from runtime.packages import install_command

if TYPE_CHECKING:
    import httpx

T = TypeVar("T")
_LOCAL = ("127.0.0.1", "localhost", "::1")
_ERROR_BYTES = 65_536  # of a refusal that are read
_AFTER_FINISH_SECONDS = 2.0  # for the counts that come after the end of an answer
_DONE = "[DONE]"
_NO_ADDRESS = "base_url is no address; it looks like http://127.0.0.1:8000/v1."


@dataclass(frozen=True)
class Arrival:
    """A chunk and when it came; without a chunk the end of the answer, or why there is none."""

    seconds: float  # time.monotonic
    chunk: Chunk | None = None
    error: Exception | None = None


class Connection:
    """Requests to one service. `address` is for people: without key."""

    def __init__(self, base_url: str, api_key: str | None, *, connect_seconds: float, read_seconds: float) -> None:
        """Nothing is sent yet. Raises OptionError for what is no address or no key, EngineError without httpx."""
        try:
            import httpx
        except ImportError:
            raise EngineError(f"A remote service needs httpx: `{install_command('remote')}`.") from None
        parts = _checked_url(base_url)
        self.base = parts.geturl().rstrip("/")
        self.address = self.base
        try:
            httpx.URL(self.base).host  # noqa: B018  (reading it decodes the name)
        except (httpx.InvalidURL, ValueError):
            raise OptionError(_NO_ADDRESS) from None
        self._key = _checked_key(api_key)
        headers = {"Authorization": f"Bearer {self._key}"} if self._key else {}
        # The environment's proxy serves the world, not this machine.
        direct: dict[str, Any] = {f"all://{_bracketed(name)}": None for name in _LOCAL}
        self._client = httpx.AsyncClient(
            headers=headers,
            timeout=httpx.Timeout(read_seconds, connect=connect_seconds),
            mounts=direct,
            follow_redirects=False,
        )
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def __repr__(self) -> str:
        return f"Connection({self.address!r})"

    def get(self, path: str) -> object:
        """The JSON at `path`. Raises EngineError, ContextFullError."""
        return self._run(self._get(path)).result()

    def post(self, path: str, fields: dict[str, Any]) -> tuple[queue.SimpleQueue[Arrival], Future[None]]:
        """Ask for an answer: its arrivals as they come, and the request, to be cancelled."""
        arrivals: queue.SimpleQueue[Arrival] = queue.SimpleQueue()
        return arrivals, self._run(self._post(path, fields, arrivals))

    def close(self) -> None:
        """End every request and close every connection. Harmless when repeated."""
        if self._loop.is_closed():
            return
        with contextlib.suppress(Exception):  # a second is what politeness may take
            self._run(self._leave()).result(1)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(1)
        if not self._thread.is_alive():
            self._loop.close()

    def _run(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        try:
            return asyncio.run_coroutine_threadsafe(work, self._loop)
        except RuntimeError:
            work.close()
            raise EngineError(CLOSED) from None

    async def _leave(self) -> None:
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._loop.shutdown_asyncgens()  # what a body's readers left behind: the loop would complain of it
        await self._client.aclose()

    async def _get(self, path: str) -> object:
        with self._sentences():
            async with self._client.stream("GET", self.base + path) as response:
                body = await _beginning(response, _ERROR_BYTES * 16)
                if response.status_code != 200:
                    raise refusal(response.status_code, body, self.address, response.headers)
        try:
            return json.loads(body)
        except (ValueError, RecursionError):
            raise self.no_service() from None

    async def _post(self, path: str, fields: dict[str, Any], arrivals: queue.SimpleQueue[Arrival]) -> None:
        try:
            with self._sentences():
                await self._send(path, json.dumps(fields).encode("ascii"), arrivals)
        except asyncio.CancelledError:  # closed; another engine over this connection may be reading
            arrivals.put(Arrival(monotonic(), error=EngineError(CLOSED)))
            raise
        except Exception as error:  # noqa: BLE001  (raised where the answer is read)
            arrivals.put(Arrival(monotonic(), error=error))
        else:
            arrivals.put(Arrival(monotonic()))

    async def _send(self, path: str, content: bytes, arrivals: queue.SimpleQueue[Arrival]) -> None:
        import httpx

        headers = {"Content-Type": "application/json", "Accept": "text/event-stream", "Accept-Encoding": "identity"}
        async with self._client.stream("POST", self.base + path, content=content, headers=headers) as response:
            if response.status_code != 200:
                body = await _beginning(response, _ERROR_BYTES)
                raise refusal(response.status_code, body, self.address, response.headers)
            try:
                await self._follow(response, arrivals)
            except httpx.TimeoutException:
                raise
            except httpx.HTTPError:  # the address is right, whatever the bytes were that came last
                raise ServiceUnreachableError(self._broken()) from None

    async def _follow(self, response: httpx.Response, arrivals: queue.SimpleQueue[Arrival]) -> None:
        """Chunks from the body until the answer has ended. Raises EngineError where it breaks off."""
        finished = chosen = False
        async with contextlib.aclosing(self._events(response)) as events:
            while True:
                try:
                    async with asyncio.timeout(_AFTER_FINISH_SECONDS if finished else None):
                        data = await anext(events, None)
                except TimeoutError:
                    break
                if data == _DONE:
                    finished = True
                    break
                if data is None:
                    break
                try:
                    chunk = read_chunk(data)
                except (ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError):
                    if not chosen:
                        raise self.no_service() from None
                    raise ServiceError(
                        f"{self.address} sent in the midst of the answer what is no part of one; ask again, or look at "
                        "its log."
                    ) from None
                finished = finished or chunk.finish is not None
                chosen = chosen or not chunk.empty
                arrivals.put(Arrival(monotonic(), chunk))
        if not finished:
            raise ServiceUnreachableError(self._broken())
        if not chosen:
            raise ServiceError(f"{self.address} gave no answer: it sent no choice; look at its log, or ask again.")

    async def _events(self, response: httpx.Response) -> AsyncGenerator[str, None]:
        """The data of the body's events; a body of JSON, of a service that does not stream, is one."""
        if response.headers.get("content-type", "").partition(";")[0].strip().lower() == "application/json":
            yield (await _beginning(response, 16 * 2**20)).decode(errors="replace")
            yield _DONE
            return
        stream = EventStream()
        size = 0
        async with contextlib.aclosing(_pieces(response)) as pieces:
            async for piece in pieces:
                for data in stream.feed(piece):
                    yield data
                size += len(piece)
                if not stream.fields and size > _ERROR_BYTES:
                    break
        if size and not stream.fields:
            raise self.no_service()

    def no_service(self) -> ServiceError:
        """The sentence for a body that such a service would not send."""
        return ServiceError(
            f"{self.address} does not answer as an OpenAI-compatible service does; check the address, which often ends "
            "in /v1."
        )

    @contextlib.contextmanager
    def _sentences(self) -> Iterator[None]:
        """httpx's errors as sentences; the key in none of them."""
        import httpx

        try:
            yield
        except UserFacingError as error:
            if self._key and self._key in str(error):
                raise type(error)(error.sentence.replace(self._key, "***"), option=error.option) from None
            raise
        except (httpx.HTTPError, httpx.StreamError, OSError, ssl.SSLError) as error:
            raise ServiceUnreachableError(self._describe(error)) from None

    def _describe(self, error: Exception) -> str:
        import httpx

        causes = list(_causes(error))
        if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in causes):
            return f"{self.address} has a certificate that this machine does not trust; check address and certificate."
        if any(isinstance(cause, ssl.SSLError) for cause in causes):
            return f"{self.address} does not speak TLS as https needs it; check whether it is http."
        match error:
            case httpx.ConnectTimeout() | httpx.PoolTimeout():
                return f"{self.address} did not take the connection in time; check the address and that it runs."
            case httpx.TimeoutException():
                return f"{self.address} sent nothing for too long; ask again, or look at its log."
            case httpx.ProxyError():
                return f"The proxy refused the way to {self.address}; check HTTP_PROXY, HTTPS_PROXY and NO_PROXY."
            case httpx.ConnectError():
                return f"There is no connection to {self.address}; check the address and that the service runs."
            case httpx.RemoteProtocolError() if "complete" not in str(error) and "disconnected" not in str(error):
                return f"{self.address} does not speak HTTP; check the address."
        return self._broken()

    def _broken(self) -> str:
        return f"The connection to {self.address} broke before the answer was complete; ask again."


def _pieces(response: httpx.Response) -> AsyncGenerator[bytes, None]:
    """The body, to be closed by who reads it: else the loop closes it, perhaps after it was told to stop."""
    return cast("AsyncGenerator[bytes, None]", response.aiter_bytes())


async def _beginning(response: httpx.Response, most: int) -> bytes:
    """The body, or its first `most` bytes or a little more."""
    body = b""
    async with contextlib.aclosing(_pieces(response)) as pieces:
        async for piece in pieces:
            body += piece
            if len(body) >= most:
                break
    return body


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _checked_url(base_url: str) -> SplitResult:
    """The address with /v1 where it names a host alone. Raises OptionError, without what may be a password."""
    try:
        parts = urlsplit(base_url.strip())
        host, _ = parts.hostname, parts.port
    except (ValueError, AttributeError):
        raise OptionError(_NO_ADDRESS) from None
    if parts.scheme not in ("http", "https") or not host or any(c.isspace() for c in parts.netloc):
        raise OptionError("base_url must begin with http:// or https:// and a host, as http://127.0.0.1:8000/v1.")
    if parts.username is not None or parts.query or parts.fragment:
        raise OptionError("base_url may hold no user, password or query; give the key as api_key.")
    return parts._replace(path="/v1") if parts.path in ("", "/") else parts


def _checked_key(api_key: str | None) -> str | None:
    if api_key is None or api_key == "":
        return None
    if not isinstance(api_key, str) or not all("!" <= c <= "~" for c in api_key):
        raise OptionError("api_key must be letters, digits and signs without spaces; copy it once more.")
    return api_key
