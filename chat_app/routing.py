"""Websocket routes of the chat."""

from django.urls import path

from chat_app.consumers import chat_socket

# Django types views; this is an ASGI application.
websocket_urlpatterns = [path("ws/chat/<uuid:chat_id>/", chat_socket)]  # type: ignore[arg-type]
