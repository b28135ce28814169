# SPDX-License-Identifier: Apache-2.0
"""Meters: may this user do this now? Answered in the process, exactly; see docs/meters.md."""
from __future__ import annotations

import math
from types import TracebackType
from typing import Any, NoReturn

from ._base import check
from ._convert import milliseconds, number, sure_text
from ._errors import DreamAPIError, failure, known
from ._ffi import ffi, lib
from ._values import Reason, Source, Status

_use, _use_one, _check = lib.dreamapi_py_use, lib.dreamapi_py_use_one, lib.dreamapi_py_check


class Decision:
    """An answer, and how much it can be trusted. True when allowed. It holds a copy of all that was said, and outlives its meter and client;
    what it knows is read when asked for."""

    # No __init__: calling one costs as much as the rest of a use. Whoever makes one sets _c, a dreamapi_py_answer.
    __slots__ = ("_c",)
    _c: Any

    def __bool__(self) -> bool:
        return bool(self._c.status == 0)

    @property
    def allowed(self) -> bool:
        return bool(self._c.status == 0)

    @property
    def status(self) -> Status | int:
        """Status.OK, or the status to branch on."""
        return known(self._c.status)

    @property
    def reason(self) -> Reason | int:
        """Why; a reason that this package does not know is a number."""
        number = self._c.decision.reason
        return Reason(number) if number in Reason._value2member_map_ else int(number)

    @property
    def source(self) -> Source | int:
        """Where the answer comes from."""
        number = self._c.decision.source
        return Source(number) if number in Source._value2member_map_ else int(number)

    @property
    def units(self) -> int:
        return int(self._c.decision.units)

    @property
    def plan(self) -> str:
        """The tier in force; "" when not known."""
        return sure_text(self._c.plan)

    @property
    def limit(self) -> int | None:
        """Units that the plan allows in this period, or UNLIMITED; None when not known."""
        return number(self._c.decision.limit, -1)

    @property
    def used(self) -> int | None:
        return number(self._c.decision.used, -1)

    @property
    def remaining(self) -> int | None:
        return number(self._c.decision.remaining, -1)

    @property
    def retry_after(self) -> float | None:
        """Seconds after which asking again may bring another answer; 0 when allowed, None when not known."""
        return self._c.decision.retry_after_ms / 1000 if self._c.decision.retry_after_ms >= 0 else None

    @property
    def age(self) -> float | None:
        """How old the server's part of the answer is, in seconds."""
        return self._c.decision.age_ms / 1000 if self._c.decision.age_ms >= 0 else None

    @property
    def max_over(self) -> int:
        """The most units that can have been admitted beyond what the server granted; 0 with a lease."""
        return int(self._c.decision.max_over)

    def require(self) -> Decision:
        """This decision if it allows; else raises what a refused call would."""
        if self._c.status != 0:
            problem = failure(self._c.status)
            if isinstance(problem, DreamAPIError):
                problem.retry_after, problem.used, problem.limit = self.retry_after, self.used, self.limit
            raise problem
        return self

    def __str__(self) -> str:
        """A sentence for people: "allowed on pro, 99 left" or "refused: limit, again in 3600 s", without what is not known."""
        if not self:
            again = f", again in {math.ceil(self.retry_after)} s" if self.retry_after is not None else ""
            return f"refused: {self.reason.name.lower() if isinstance(self.reason, Reason) else self.reason}{again}"
        left = self.remaining
        counted = "" if left is None else ", no limit" if left == lib.DREAMAPI_UNLIMITED else f", {left} left"
        return "allowed" + (f" on {self.plan}" if self.plan else "") + counted

    def __repr__(self) -> str:
        return f"<Decision allowed={self.allowed} reason={self.reason!r} source={self.source!r} used={self.used} limit={self.limit}>"


def decided(c_answer: Any) -> Decision:
    decision = Decision()
    decision._c = c_answer
    return decision


class Reservation:
    """Units set aside for work whose size is known only afterwards. As a context manager: what `commit` does not take is let go."""

    def __init__(self, meter: Meter, c_reservation: Any) -> None:
        self._meter = meter
        self._c = c_reservation

    @property
    def units(self) -> int:
        return int(self._c.units) if self._c is not None else 0

    def commit(self, units: int) -> Decision:
        """Books what the work really took, and ends the reservation."""
        if self._c is None:
            raise ValueError("the reservation is over")
        c_reservation, self._c = self._c, None
        return decided(lib.dreamapi_py_commit(self._meter._open(), c_reservation, units))

    def __enter__(self) -> Reservation:
        return self

    def __exit__(self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None) -> None:
        if self._c is not None:
            self.commit(0)


class Meter:
    """One user's allowance. Any thread may use it; in a forked child it goes on working on the same counts."""

    __slots__ = ("_c", "_client", "__weakref__")

    def __init__(self, c_meter: Any, client: Any) -> None:
        # The C meter ends with the last reference to it. A call holds one, so that a close from another thread waits for its end.
        self._c = ffi.gc(c_meter, lib.dreamapi_meter_close)
        self._client = client

    def _open(self) -> Any:
        if self._c == ffi.NULL:
            raise ValueError("the meter is closed")
        return self._c

    def use(self, units: int = 1) -> Decision:
        """Admits and counts units, all or none. The answer is a Decision, true when allowed; it is never raised."""
        decision = Decision()
        decision._c = _use_one(self._c) if units == 1 else _use(self._c, units)
        return decision

    def check(self, units: int = 1) -> Decision:
        """What `use` would say now; counts nothing, waits for nothing."""
        return decided(_check(self._c, units))

    def refund(self, decision: Decision) -> None:
        """Takes an admitted use back, once."""
        check(lib.dreamapi_meter_refund(self._open(), ffi.addressof(decision._c, "decision")))

    def reserve(self, units: int, hold: float) -> Reservation:
        """Sets units aside for at most `hold` seconds; raises when there are too few."""
        c_reservation = ffi.new("dreamapi_reservation *")
        decided(lib.dreamapi_py_reserve(self._open(), units, milliseconds(hold), c_reservation)).require()
        return Reservation(self, c_reservation)

    def close(self) -> None:
        """What it spent stays counted; what its lease has left is handed back. A use under way in another thread ends as ever. Closing the
        client closes it, too. May be called twice."""
        self._c = ffi.NULL

    def __enter__(self) -> Meter:
        return self

    def __exit__(self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Meter is a place in its client's journal; open it in each process instead of pickling it")


__all__ = ["Decision", "Meter", "Reservation", "Status"]
