# SPDX-License-Identifier: Apache-2.0
"""A client's life, and how a call is run: for Client in the calling thread, for AsyncClient through the descriptor of the C client, which the
event loop watches. Neither starts a thread of its own; the C client's one worker does the waiting.

Any thread may close a client while others use it. Every use hands `_c` to C straight from the attribute, kept in no variable: so the interpreter
counts who is inside, without a lock that a signal handler, a garbage collection or a fork could find taken. With the last reference
after close() the C client can be freed."""
from __future__ import annotations

import _thread
import asyncio
import atexit
import functools
import logging
import os
import queue
import threading
import weakref
from typing import TYPE_CHECKING, Any, Callable, NoReturn, TypeVar

from ._convert import Keep, milliseconds
from ._errors import CancelledError, failure
from ._ffi import ffi, lib
from ._values import Status

if TYPE_CHECKING:
    from ._meter import Meter

Answer = TypeVar("Answer")
Owner = TypeVar("Owner", bound="Handle")


def check(status: int, c_error: Any = None) -> None:
    if status != Status.OK:
        raise failure(status, c_error)


def closed() -> CancelledError:
    """For what was under way when its client closed; what begins later is a ValueError."""
    return CancelledError("the client was closed", Status.CANCELLED, local=True)


LEVELS = {1: logging.WARNING, 2: logging.INFO, 3: logging.DEBUG}


@ffi.def_extern()  # type: ignore[untyped-decorator]
def dreamapi_py_log(user_data: Any, level: int, message: Any) -> None:
    ffi.from_handle(user_data).log(LEVELS.get(level, logging.DEBUG), "%s", bytes(ffi.string(message)).decode("utf-8", "replace"))


# Seconds that close() waits for other threads to come out of C. One that stays longer costs no more than a client that is freed later.
LONGEST_WAIT = 30.0

LIVE: weakref.WeakSet[Handle] = weakref.WeakSet()


@atexit.register
def close_all() -> None:
    """A program that ends settles what its meters spent. A forked child leaves its parent's clients alone."""
    for handle in list(LIVE):
        if handle._pid == os.getpid():
            handle.close()


class Handle:
    """What both clients share: made from options, closed once, never pickled."""

    def __init__(
        self,
        base_url: str | None = None,
        secret_key: str | None = None,
        *,
        publishable_key: str | None = None,
        signed: bool = False,
        jwks_url: str | None = None,
        token_keys: str | None = None,
        timeout: float | None = None,
        max_retries: int | None = None,
        journal: str | os.PathLike[str] | None = None,
        close_timeout: float | None = None,
        ca_file: str | os.PathLike[str] | None = None,
        proxy: str | None = None,
        user_agent_suffix: str | None = None,
        logger: logging.Logger | None = None,
    ) -> None:
        """What is left out comes from the environment (DREAMAPI_BASE_URL, DREAMAPI_SECRET_KEY, DREAMAPI_PUBLISHABLE_KEY) or is the
        library's default. Durations are in seconds. `journal` is the file in which meters keep their counts through a crash. `signed`: requests are
        signed and the secret is never sent. `token_verify` takes its keys from `jwks_url`, or from `token_keys` (a JWKS, or PEM).
        `logger` gets what the library has to tell, on its thread; no line holds a secret."""
        self._c: Any = ffi.NULL
        self._meters: set[weakref.ref[Meter]] = set()
        keep, error, out = Keep(), ffi.new("dreamapi_error *"), ffi.new("dreamapi_client **")
        options = ffi.gc(lib.dreamapi_options_new(), lib.dreamapi_options_free)
        if options == ffi.NULL:
            raise MemoryError("libdreamapi: out of memory")
        texts = {"base_url": base_url, "secret_key": secret_key, "publishable_key": publishable_key, "proxy": proxy, "jwks_url": jwks_url,
                 "token_keys": token_keys,
                 "user_agent_suffix": user_agent_suffix, "journal": None if journal is None else os.fspath(journal),
                 "ca_file": None if ca_file is None else os.fspath(ca_file)}
        for name, value in texts.items():
            if value is not None:
                self._set(name, getattr(lib, f"dreamapi_options_set_{name}")(options, keep.text(value)))
        if logger is not None:
            self._logger = ffi.new_handle(logger)  # lives as long as this object, which meters hold
            self._set("logger", lib.dreamapi_options_set_log(options, ffi.addressof(lib, "dreamapi_py_log_line"), self._logger))
        if signed:
            self._set("signed", lib.dreamapi_options_set_auth(options, lib.DREAMAPI_AUTH_SIGNATURE))
        if timeout is not None:
            self._set("timeout", lib.dreamapi_options_set_timeout_ms(options, milliseconds(timeout)))
        if close_timeout is not None:
            self._set("close_timeout", lib.dreamapi_options_set_close_timeout_ms(options, milliseconds(close_timeout)))
        if max_retries is not None:
            self._set("max_retries", lib.dreamapi_options_set_max_retries(options, max_retries))
        check(lib.dreamapi_client_new(options, out, error), error)
        # Gets the C client when nobody uses it any more.
        self._unused: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._ending = threading.RLock()
        self._c = ffi.gc(out[0], self._unused.put)
        self._pid = os.getpid()
        LIVE.add(self)

    @staticmethod
    def _set(name: str, status: int) -> None:
        if status != Status.OK:
            problem = failure(status)
            raise type(problem)(f"{name}: this value is refused", getattr(problem, "code", status))

    def _open(self) -> None:
        """Refuses a closed client."""
        if self._c == ffi.NULL:
            raise ValueError("the client is closed")

    def _keep(self, meter: Meter) -> Meter:
        """Has the meter closed with this client, unless it is forgotten before."""
        self._meters.add(weakref.ref(meter, self._meters.discard))
        if self._c == ffi.NULL:  # closed by another thread meanwhile, which did not see this one
            meter.close()
        return meter

    def close(self) -> None:
        """Ends the client and closes its meters: calls under way in other threads are cancelled, and what else of it runs there is waited for; what
        meters spent is settled or stays in the journal. May be called twice. In a forked child the meters from before the fork stay open."""
        unowned = ffi.cast("dreamapi_client *", self._c)
        self._c = ffi.NULL
        if self._pid != os.getpid():
            lib.dreamapi_client_free(unowned)  # whoever else was inside is in the parent
        elif lib.dreamapi_py_is_in_log():
            # Perhaps on the client's own thread, which the end waits for.
            _thread.start_new_thread(self._end, ())
        else:
            self._end()

    def _end(self) -> None:
        with self._ending:
            # A meter that is left open holds the journal open, and the journal then looks as after a kill.
            for reference in list(self._meters):
                meter = reference()
                if meter is not None:
                    meter.close()
            try:
                c_client = self._unused.get(timeout=LONGEST_WAIT)
            except queue.Empty:
                return
            # For who closes again, in a signal handler perhaps, before this is through.
            self._unused.put(ffi.NULL)
            lib.dreamapi_client_free(c_client)

    def __del__(self) -> None:
        if hasattr(self, "_pid"):
            self.close()

    def __reduce__(self) -> NoReturn:
        raise TypeError(f"a {type(self).__name__} holds connections and a thread; make one in each process instead of pickling it")


def taken(take: Callable[[Any, Any], int], kind: str, read: Callable[[Any], Answer], free: Callable[[Any], None]) -> Answer:
    """An answer of C, as a value."""
    out, error = ffi.new(kind + "*"), ffi.new("dreamapi_error *")
    check(take(out, error), error)
    try:
        return read(out[0])
    finally:
        free(out[0])


class Base(Handle):
    """Runs a call in the calling thread, with the interpreter released."""

    def _call(self, start: Callable[[Any, Any], int], take: Callable[[Any, Any, Any], int], kind: str, read: Callable[[Any], Answer],
              free: Callable[[Any], None]) -> Answer:
        """Waits for the call alone, which ends with its client: so close() need not wait for it."""
        self._open()
        out, error = ffi.new("dreamapi_call **"), ffi.new("dreamapi_error *")
        try:
            check(start(out, error), error)
            lib.dreamapi_call_wait(out[0], -1, ffi.NULL)
            return taken(functools.partial(take, out[0]), kind, read, free)
        finally:
            lib.dreamapi_call_free(out[0])

    def _answer(self, run: Callable[[Any, Any], int], kind: str, read: Callable[[Any], Answer], free: Callable[[Any], None]) -> Answer:
        """Of what is mostly at hand; close() waits for it."""
        self._open()
        return taken(run, kind, read, free)


class AsyncBase(Handle):
    """Runs calls in an event loop: the C client's descriptor is readable when one is done."""

    _loop: asyncio.AbstractEventLoop | None = None

    def _watch(self) -> asyncio.AbstractEventLoop:
        loop = asyncio.get_running_loop()
        if self._loop is None:
            self._waiting: dict[int, asyncio.Future[None]] = {}
            self._descriptor = lib.dreamapi_client_fd(self._c)
            loop.add_reader(self._descriptor, self._collect)
            self._loop = loop
        elif self._loop is not loop:
            raise RuntimeError("an AsyncClient belongs to the event loop of its first call; make one for each loop")
        return loop

    def _collect(self) -> None:
        while (c_call := lib.dreamapi_client_next(self._c)) != ffi.NULL:
            future = self._waiting.get(int(ffi.cast("uintptr_t", c_call)))
            if future is not None and not future.done():
                future.set_result(None)

    async def _call(self, start: Callable[[Any, Any], int], take: Callable[[Any, Any, Any], int], kind: str, read: Callable[[Any], Answer],
                    free: Callable[[Any], None]) -> Answer:
        """Cancelling the task cancels the call: it is freed, whatever happens here."""
        self._open()
        future = self._watch().create_future()
        out, error = ffi.new("dreamapi_call **"), ffi.new("dreamapi_error *")
        try:
            check(start(out, error), error)
            number = int(ffi.cast("uintptr_t", out[0]))
            self._waiting[number] = future
            try:
                if self._c == ffi.NULL:  # closed by another thread meanwhile, which did not see this one
                    raise closed()
                await future
            finally:
                del self._waiting[number]
            return taken(functools.partial(take, out[0]), kind, read, free)
        finally:
            lib.dreamapi_call_free(out[0])

    def close(self) -> None:
        if self._c != ffi.NULL and self._loop is not None and not self._loop.is_closed():
            self._loop.remove_reader(self._descriptor)
            for future in list(self._waiting.values()):
                if not future.done():
                    future.set_exception(closed())
        super().close()
