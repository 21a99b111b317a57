"""What an ASGI server serves: `art32_platform.asgi:application`."""

import os

from django.core.asgi import get_asgi_application

from art32_platform.environment import require_for_serving

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "art32_platform.settings")
require_for_serving()
application = get_asgi_application()
