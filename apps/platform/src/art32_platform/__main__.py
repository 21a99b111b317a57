"""`python -m art32_platform` is `platform-manage`."""

from art32_platform.console import main

main()
