# SPDX-License-Identifier: Apache-2.0
"""One project of a real service, and the identity provider of its users: what a web server that meters is tested against."""
import daemon
import providers
import tenant


class Shop:
    """`serve` is the daemon, `keys` the project's, `identity` the provider. Close it."""

    def __init__(self, folder, tiers):
        self.folder = folder
        self.serve = daemon.Daemon(folder, "--sandbox", "--free-ports", "--db", folder / "s.db")
        self.keys = tenant.create(folder / "s.db", folder, tiers=tiers)
        self.identity = providers.Providers()

    def backend(self):
        return tenant.Backend(self.serve.api, self.keys["secretKey"])

    def customer(self, name, plan="free"):
        """The id of a new customer."""
        with self.backend() as backend:
            return backend.ask("POST", "/api/customers", {"email": f"{name}@example.test", "plan": plan}).json["customer"]["id"]

    def usage(self, user_id):
        with self.backend() as backend:
            return backend.usage(user_id)

    def token(self, user_id, **more):
        """What the user's browser would send."""
        return providers.user_token(user_id, self.keys["publishableKey"], **more)

    def jwks_url(self):
        return self.identity.url("clerk", "live") + "/v1/jwks"

    def close(self):
        self.identity.close()
        self.serve.kill()
