# SPDX-License-Identifier: Apache-2.0
"""The sandbox's pages as a browser opens them, without following where they send: its checkout takes this card."""

import urllib.parse

import daemon

CARD = {"email": "ada@example.com", "card_number": "4242 4242 4242 4242", "exp": "12/40", "cvc": "123"}


def open_page(url, form=None):
    """GET, or POST of a form's fields."""
    parts = urllib.parse.urlsplit(url)
    path = (parts.path or "/") + ("?" + parts.query if parts.query else "")
    if form is None:
        return daemon.ask(url, "GET", path)
    return daemon.ask(url, "POST", path, {"Content-Type": "application/x-www-form-urlencoded"}, urllib.parse.urlencode(form))


def pay(url, **changes):
    """Sends the form of a checkout page with the card, or with other fields of it."""
    return open_page(url, {**CARD, **changes})


def pays(url):
    """Pays, which must do: the browser is sent back to the shop."""
    paid = pay(url)
    assert paid.status == 303, paid
