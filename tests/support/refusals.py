# SPDX-License-Identifier: Apache-2.0
"""The rows of tests/wire/refusals.json: what a request that is not admitted is answered, by whichever middleware."""
import json
import pathlib

FILE = pathlib.Path(__file__).resolve().parents[1] / "wire" / "refusals.json"
READ = json.loads(FILE.read_text(encoding="utf-8"))
ROWS = {row["name"]: row for row in READ["rows"]}
# Headers that say something about a refusal: where no row names one, there is none.
TELLING = ("Content-Type", "Cache-Control", "WWW-Authenticate", "Retry-After")


def expected(name):
    """Status, headers (lower-case names) and body of a row's answer."""
    answer = ROWS[name]["answer"]
    return answer["status"], {key.lower(): value for key, value in {**READ["always"], **answer.get("headers", {})}.items()}, answer["body"]


def telling(headers):
    """Of an answer's headers (lower-case names) those that a row speaks of."""
    return {name.lower(): headers[name.lower()] for name in TELLING if name.lower() in headers}


def assert_is(answer, name, **numbers):
    """A live answer is the row's, but for the numbers: `limit`, `used` and how long to wait are the row's own."""
    status, headers, body = expected(name)
    assert (answer.status, answer.json) == (status, {**body, **numbers})
    found = telling(answer.headers)
    for known in (headers, found):
        assert int(known.pop("retry-after", 1)) >= 1
    assert found == headers
