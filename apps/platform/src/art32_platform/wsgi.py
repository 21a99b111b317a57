"""What a WSGI server serves: `art32_platform.wsgi:application`."""

import os

from django.core.wsgi import get_wsgi_application

from art32_platform.environment import require_for_serving

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "art32_platform.settings")
require_for_serving()
application = get_wsgi_application()
