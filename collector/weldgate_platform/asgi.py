"""The door for an ASGI server: `uvicorn weldgate_platform.asgi:application` with WELDGATE_PLATFORM set."""

import os

from django.core.asgi import get_asgi_application

__all__ = ["application"]

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "weldgate_platform.settings")
application = get_asgi_application()
