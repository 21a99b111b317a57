"""A service for the scenarios. A test makes another release of it by changing the constants below."""

# Shown on every page.
RELEASE = "one"
# What /healthz answers before the release is the current one, and then.
HEALTH = "200 OK"
HEALTH_AS_CURRENT = "200 OK"
# Raised when a worker imports the application.
CRASHES = False
# A worker that is imported and never ready; a health request that is never answered.
HANGS = False
HEALTH_HANGS = False
# No page is ever answered once the release is the current one.
HANGS_AS_CURRENT = False
# A migration that fails, one that never ends, one that cannot run while the service does.
MIGRATION_FAILS = False
MIGRATION_HANGS = False
MIGRATION_NEEDS_STOP = False
# The further process ends at once.
PROCESS_CRASHES = False
