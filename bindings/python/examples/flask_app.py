# SPDX-License-Identifier: Apache-2.0
"""A Flask application whose routes under /api/ are for customers with units left: gunicorn --workers 4 flask_app:app

Settings: DREAMAPI_BASE_URL, DREAMAPI_SECRET_KEY, DREAMAPI_PUBLISHABLE_KEY; DREAMAPI_JWKS_URL, where the identity provider publishes the keys
that it signs users' tokens with; USAGE_JOURNAL, the file that all workers share, in which counts survive a crash."""
import os

import flask

import dreamapi
import dreamapi.wsgi

app = flask.Flask(__name__)


def make_client():
    return dreamapi.Client(jwks_url=os.environ["DREAMAPI_JWKS_URL"], journal=os.environ["USAGE_JOURNAL"])


def cost(environ):
    return 1 if environ["PATH_INFO"].startswith("/api/") else 0


app.wsgi_app = dreamapi.wsgi.MeterMiddleware(app.wsgi_app, make_client, units=cost)


@app.get("/")
def welcome():
    return "Sign in to go on.\n"


@app.get("/api/answer")
def answer():
    admission = flask.request.environ["dreamapi.admission"]
    return {"answer": 42, "user": admission.user_id, "left": admission.decision.remaining, "worker": os.getpid()}
