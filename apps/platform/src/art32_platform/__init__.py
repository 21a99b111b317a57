"""The reference platform: customer organisations, their contact persons, and who may do what with them."""

from importlib.metadata import PackageNotFoundError, version

__all__ = ["DISTRIBUTION", "VERSION"]

DISTRIBUTION = "art32-platform"
try:
    VERSION = version(DISTRIBUTION)
except PackageNotFoundError:  # run from the checkout, as the tests do
    VERSION = "0+checkout"
