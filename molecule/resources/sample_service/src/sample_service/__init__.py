"""A service for the scenarios. A test makes another release of it by changing the constants below."""

# Shown on every page.
RELEASE = "one"
# What /healthz answers.
HEALTH = "200 OK"
# Raised when a worker imports the application.
CRASHES = False
# A migration that fails.
MIGRATION_FAILS = False
