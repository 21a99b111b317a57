"""A service for the scenarios. A test makes another release of it by changing the constants below."""

# Shown on every page.
RELEASE = "one"
# What /healthz answers before the release is the current one, and then.
HEALTH = "200 OK"
HEALTH_AS_CURRENT = "200 OK"
# Raised when a worker imports the application.
CRASHES = False
# A migration that fails.
MIGRATION_FAILS = False
