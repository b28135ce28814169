# SPDX-License-Identifier: Apache-2.0
"""stack.py - runs dreamapid with its sandbox on this machine, with a ready tenant.

    stack.py demo BUILD_DIR               runs the quickstart against it end to end, checks each step, ends by itself
    stack.py up BUILD_DIR [--free-ports]  keeps it running in the foreground and prints the addresses

Only Python's standard library is used: this runs on a bare machine.
"""
import http.server
import json
import os
import queue
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
START_S = 30  # the longest that a start may take
STEP_S = 60   # the longest that one step of the demo may take


class Failure(Exception):
    """A step of the demo that is not as it should be."""


class Stack:
    """dreamapid with the sandbox over one data folder, and one tenant in it."""

    def __init__(self, build, folder, *options, env=None):
        self.dreamapid = os.path.join(build, "src", "dreamapid", "dreamapid")
        self.db = os.path.join(folder, "dreamapi.db")
        self.log_path = os.path.join(folder, "dreamapid.log")
        self.options = options
        self.env = {**os.environ, **(env or {})}
        self.process = None

    def __enter__(self):
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [self.dreamapid, "serve", "--sandbox", "--db", self.db, *self.options],
                stdout=subprocess.PIPE, stderr=log, text=True, env=self.env)
        lines = Lines(self.process.stdout)
        try:
            self.urls = json.loads(lines.next(START_S))
        except Failure:
            self.__exit__()
            hint = "" if "--free-ports" in self.options else "; where another program has a port of its, ./dev up --free-ports takes others"
            raise Failure("dreamapid did not start" + hint) from None
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.exit_code = self.process.wait(START_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.exit_code = self.process.wait()

    def tenant(self, email, tiers):
        made = subprocess.run(
            [self.dreamapid, "tenant", "create", "--db", self.db, "--email", email, "--tiers", tiers, "--project", "Demo"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=START_S)
        if made.returncode != 0:
            raise Failure("dreamapid tenant create failed: " + made.stderr)
        return json.loads(made.stdout)


class Lines:
    """The lines of a pipe, each waited for with a bound."""

    def __init__(self, pipe):
        self.queue = queue.Queue()
        threading.Thread(target=self._read, args=(pipe,), daemon=True).start()

    def _read(self, pipe):
        for line in pipe:
            self.queue.put(line.rstrip("\n"))
        self.queue.put(None)

    def next(self, seconds=STEP_S):
        try:
            line = self.queue.get(timeout=seconds)
        except queue.Empty:
            raise Failure(f"nothing was printed within {seconds} s") from None
        if line is None:
            raise Failure("the program ended early")
        return line


def pay(url):
    """Fills in the sandbox's pay page, as a person with a browser would."""
    form = {"email": "ada@example.com", "card_number": "4242 4242 4242 4242", "exp": "12/34", "cvc": "123"}

    class NoRedirect(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *_):
            return None

    opener = urllib.request.build_opener(NoRedirect)
    try:
        opener.open(url, urllib.parse.urlencode(form).encode(), timeout=STEP_S)
    except urllib.error.HTTPError as answer:
        if answer.code in (302, 303):
            return
        raise Failure(f"the pay page answered {answer.code}") from None
    raise Failure("the pay page did not accept the card")


def step(number, text):
    print(f"  {number}. {text}", flush=True)


def expect(line, prefix):
    if not line.startswith(prefix):
        raise Failure(f"expected a line with '{prefix}', got: {line}")
    return line[len(prefix):].strip()


def quickstart(build, stack, keys, limit):
    env = {**os.environ, "DREAMAPI_BASE_URL": stack.urls["api"], "DREAMAPI_SECRET_KEY": keys["secretKey"]}
    program = subprocess.Popen([os.path.join(build, "examples", "quickstart"), "ada@example.com", "pro"],
                               env=env, stdout=subprocess.PIPE, text=True)
    try:
        lines = Lines(program.stdout)
        customer = expect(lines.next(), "customer:")
        step(3, "customer created: " + customer)
        for used in range(1, limit + 1):
            line = expect(lines.next(), "served:")
            if line != f"{used} used on plan free":
                raise Failure(f"expected use {used} on plan free, got: {line}")
        step(4, f"usage metered: {limit} calls served on plan free")
        if expect(lines.next(), "refused:") != f"{limit} of {limit} used":
            raise Failure("the free plan's limit did not hold")
        step(5, f"call {limit + 1} refused: the free plan's limit is {limit}")
        url = expect(lines.next(), "checkout:")
        expect(lines.next(), "waiting for the payment")
        step(6, "sent to checkout: " + url)
        pay(url)
        step(7, "paid with test card 4242 4242 4242 4242")
        expect(lines.next(), "upgraded: pro")
        step(8, "the payment's webhook upgraded the customer to pro")
        if expect(lines.next(), "served:") != f"{limit + 1} used on plan pro":
            raise Failure("the count was not kept over the upgrade")
        step(9, f"call {limit + 1} served: the count went on on plan pro")
        if program.wait(STEP_S) != 0:
            raise Failure(f"the quickstart ended with {program.returncode}")
    finally:
        if program.poll() is None:
            program.kill()
            program.wait()
    return customer


def usage_of(stack, keys, user):
    asked = urllib.request.Request(f"{stack.urls['api']}/api/usage?userId={user}",
                                   headers={"Authorization": "Bearer " + keys["secretKey"]})
    with urllib.request.urlopen(asked, timeout=STEP_S) as answer:
        return json.load(answer)


def meter(build, stack, keys, arguments, ends_with):
    """Runs examples/meter; its two lines."""
    env = {**os.environ, "DREAMAPI_BASE_URL": stack.urls["api"], "DREAMAPI_SECRET_KEY": keys["secretKey"]}
    ran = subprocess.run([os.path.join(build, "examples", "meter"), *arguments], env=env, stdout=subprocess.PIPE, text=True,
                         timeout=STEP_S)
    if ran.returncode != ends_with:
        raise Failure(f"examples/meter ended with {ran.returncode}: {ran.stdout}")
    return ran.stdout.splitlines()


def million(build, folder, stack, keys, user):
    """A million uses in the process, with a kill -9 in the middle: not one is lost, and none is counted twice."""
    journal = os.path.join(folder, "usage.journal")
    before = usage_of(stack, keys, user)["usageCount"]
    first, asked = meter(build, stack, keys, (user, "600000", journal, "kill"), -signal.SIGKILL)
    served = expect(first, "served: 600000")
    step(10, f"600000 calls admitted from leases {served}; {expect(asked, 'requests:').replace(',', ' requests,')}; then kill -9, with most unreported")
    first, _ = meter(build, stack, keys, (user, "400000", journal), 0)
    step(11, f"400000 more on the same journal {expect(first, 'served: 400000')}")
    after = usage_of(stack, keys, user)
    if after["usageCount"] - before != 1000000 or after["held"] or after["lost"]:
        raise Failure(f"the service counts {after['usageCount'] - before} of 1000000, {after['held']} held, {after['lost']} lost")
    step(12, "the service counts exactly 1000000 of them, none held, none lost")


def demo(build, folder):
    tiers = os.path.join(HERE, "tiers.json")
    with open(tiers) as file:
        limit = next(tier["limit"] for tier in json.load(file)["tiers"] if tier["name"] == "free")
    began = time.monotonic()
    with Stack(build, folder, "--free-ports") as stack:
        step(1, f"dreamapid runs with its sandbox at {stack.urls['api']}")
        keys = stack.tenant("founder@example.com", tiers)
        step(2, f"tenant made, publishable key {keys['publishableKey']}")
        user = quickstart(build, stack, keys, limit)
        million(build, folder, stack, keys, user)
    if stack.exit_code != 0:
        raise Failure(f"dreamapid ended with {stack.exit_code}")
    checked = subprocess.run([stack.dreamapid, "check", "--db", stack.db], stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, text=True, timeout=STEP_S)
    if checked.returncode != 0:
        raise Failure("dreamapid check: " + checked.stdout)
    step(13, "clean shutdown; dreamapid check finds every invariant of the store holding")
    print(f"Demo passed in {time.monotonic() - began:.1f} s.")


THANKS = b"""<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Thank you</title><style>:root{color-scheme:light dark}body{font:18px/1.5 system-ui;margin:20vh auto;max-width:30rem;padding:1rem}</style>
<h1>Back in your shop</h1><p>This page stands in for your own: buyers return here after the sandbox's checkout.</p>"""


class Shop(http.server.BaseHTTPRequestHandler):
    """Where buyers return to: the developer's own site, played by one page."""

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(THANKS)))
        self.end_headers()
        self.wfile.write(THANKS)

    def log_message(self, *_):
        pass


def up(build, folder, *options):
    shop = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Shop)
    threading.Thread(target=shop.serve_forever, daemon=True).start()
    with Stack(build, folder, *options, env={"FRONTEND_URL": f"http://127.0.0.1:{shop.server_port}"}) as stack:
        keys = stack.tenant("founder@example.com", os.path.join(HERE, "tiers.json"))
        clerk = stack.urls["sandbox"]["clerkEndUser"]["live"]
        print(f"""dreamapid is running with its sandbox; Ctrl-C ends it, and its data with it.

  API              {stack.urls['api']}
  metrics          {stack.urls['admin']}/metrics
  publishable key  {keys['publishableKey']}
  secret key       {keys['secretKey']}
  log              {stack.log_path}

The same for programs: the settings of those in examples/, and the identity provider's address and key, which are a front end's business:
  export DREAMAPI_BASE_URL={stack.urls['api']}
  export DREAMAPI_PUBLISHABLE_KEY={keys['publishableKey']}
  export DREAMAPI_SECRET_KEY={keys['secretKey']}
  export DREAMAPI_JWKS_URL={clerk['url']}/.well-known/jwks.json
  export CLERK_URL={clerk['url']}
  export CLERK_SECRET_KEY={clerk['secretKey']}

Try:
  curl {stack.urls['api']}/api/tiers -H 'Authorization: Bearer {keys['secretKey']}'
  DREAMAPI_BASE_URL={stack.urls['api']} DREAMAPI_SECRET_KEY={keys['secretKey']} {os.path.relpath(build)}/examples/quickstart ada@example.com pro
""", flush=True)
        try:
            ended = stack.process.wait()
        except KeyboardInterrupt:
            print("Stopping")
            return
    raise Failure(f"dreamapid ended by itself, with {ended}")


def main():
    commands = {"demo": (demo, ()), "up": (up, ("--free-ports",))}
    command, allowed = commands.get(sys.argv[1] if len(sys.argv) > 2 else "", (None, ()))
    if command is None or any(option not in allowed for option in sys.argv[3:]):
        print(__doc__, file=sys.stderr)
        return 2
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda caught, _: sys.exit(128 + caught))
    folder = tempfile.mkdtemp(prefix="dreamapi-")
    try:
        command(os.path.abspath(sys.argv[2]), folder, *sys.argv[3:])
    except (Failure, subprocess.TimeoutExpired, OSError) as failure:
        print(f"FAILED: {failure}", file=sys.stderr)
        log = os.path.join(folder, "dreamapid.log")
        if os.path.exists(log):
            print("dreamapid's last words:\n" + open(log).read()[-2000:], file=sys.stderr)
        return 1
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
