"""Asking the provider's team for help, from every page, with or without an account."""
