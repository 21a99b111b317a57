"""The application that carries templates, static files and commands of no narrower part."""

from django.apps import AppConfig

__all__ = ["PlatformConfig"]


class PlatformConfig(AppConfig):
    """The platform as a whole."""

    name = "art32_platform"
    label = "platform"
    verbose_name = "Platform"
