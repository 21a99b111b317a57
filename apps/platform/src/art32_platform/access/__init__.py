"""The permission layer: what a role allows (rules), what a URL asks for (policies), and the gate before every view."""
