# SPDX-License-Identifier: Apache-2.0
"""Webhooks: is this one genuine, timely and new? See docs/webhooks.md."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from ._base import check
from ._convert import Keep
from ._ffi import ffi, lib
from ._values import WebhookScheme

# By scheme, the headers for signature, id and timestamp; the first that is there counts.
HEADERS: dict[WebhookScheme, tuple[tuple[str, ...], ...]] = {
    WebhookScheme.STRIPE: (("stripe-signature",), (), ()),
    WebhookScheme.STANDARD: (("webhook-signature", "svix-signature"), ("webhook-id", "svix-id"), ("webhook-timestamp", "svix-timestamp")),
}


class WebhookReplays:
    """Remembers webhooks that were taken, so that none is taken twice. Any thread may use it; it belongs to the process that made it."""

    def __init__(self, capacity: int) -> None:
        out, error = ffi.new("dreamapi_webhook_replays **"), ffi.new("dreamapi_error *")
        check(lib.dreamapi_webhook_replays_new(capacity, out, error), error)
        self._c: Any = ffi.gc(out[0], lib.dreamapi_webhook_replays_free)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a WebhookReplays belongs to its process; make one in each instead of pickling it")


def webhook_verify(
    scheme: WebhookScheme,
    body: bytes,
    headers: Mapping[str, str],
    secrets: str | Sequence[str],
    *,
    tolerance: int = 300,
    now: int = 0,
    replays: WebhookReplays | None = None,
) -> None:
    """Returns if the webhook is genuine, timely and not seen before by `replays`; else raises. `body` is what arrived, before anything parsed
    it; `headers` are looked up whatever their case; `secrets` is one, or the new and the old while it is replaced; `tolerance` and `now`
    (0: the system's clock) in seconds.

    AuthError: nobody who knows a secret signed this. CallTimeoutError: signed too long ago, or ahead. ConflictError: seen before.
    UnavailableError: `replays` is full; answer 503. DreamAPIError with Status.PROTOCOL: a header is missing or malformed."""
    keep, error = Keep(), ffi.new("dreamapi_error *")
    sent = {name.lower(): value for name, value in headers.items()}
    params = keep.struct("dreamapi_webhook_params")
    params.scheme = int(scheme)
    params.signature, params.id, params.timestamp = (
        keep.text(next((sent[name] for name in names if name in sent), None)) for names in HEADERS.get(scheme, ((), (), ())))
    params.body = keep.bytes(body)
    params.body_size = len(body)
    params.secrets = keep.texts([secrets] if isinstance(secrets, str) else secrets)
    params.tolerance_s = tolerance
    params.now_s = now
    params.replays = ffi.NULL if replays is None else replays._c
    check(lib.dreamapi_webhook_verify(params, error), error)
