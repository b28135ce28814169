# SPDX-License-Identifier: Apache-2.0
"""Customers, checkout and usage metering of the dream-api service, over libdreamapi.

    with dreamapi.Client() as client:                 # DREAMAPI_BASE_URL and DREAMAPI_SECRET_KEY
        ada = client.customer_create(email="ada@example.com")
        with client.open_meter(ada.id) as meter:
            if meter.use():
                serve()
"""
try:
    from . import _ffi as _ffi
except ImportError as problem:
    raise ImportError(f"dreamapi: libdreamapi cannot be loaded ({problem}). The package was compiled against a library that is not where it was: "
                      "install libdreamapi, name its folder in LD_LIBRARY_PATH, or run pip install again") from problem
from . import _values
from ._admission import Admission, Bearer, PerProcess
from ._client import AsyncClient, Client, MeterStats, TierVerdict, version
from ._convert import CallOptions, CartItem, UsageEvent
from ._errors import (
    AuthError,
    CallTimeoutError,
    CancelledError,
    ConflictError,
    DreamAPIError,
    ForbiddenError,
    ForkedError,
    InvalidError,
    JournalError,
    NotFoundError,
    OutcomeUnknownError,
    RateLimitError,
    SubscriptionExpiredError,
    TierLimitError,
    TokenRequiredError,
    UnavailableError,
    UnsupportedError,
)
from ._meter import Decision, Meter, Reservation
from ._values import *  # noqa: F403 - what calls answer, and the enums
from ._webhook import WebhookReplays, webhook_verify

__all__ = [
    "UNLIMITED",
    "Admission",
    "AsyncClient",
    "AuthError",
    "Bearer",
    "CallOptions",
    "CallTimeoutError",
    "CancelledError",
    "CartItem",
    "Client",
    "ConflictError",
    "Decision",
    "DreamAPIError",
    "ForbiddenError",
    "ForkedError",
    "InvalidError",
    "JournalError",
    "Meter",
    "MeterStats",
    "NotFoundError",
    "OutcomeUnknownError",
    "PerProcess",
    "RateLimitError",
    "Reservation",
    "SubscriptionExpiredError",
    "TierLimitError",
    "TierVerdict",
    "TokenRequiredError",
    "UnavailableError",
    "UnsupportedError",
    "UsageEvent",
    "WebhookReplays",
    "version",
    "webhook_verify",
]
__all__ += _values.__all__

UNLIMITED = 2**63 - 1
"""A limit, a remainder or a stock without an end."""
