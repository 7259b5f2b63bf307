"""Websocket routes of the chat."""

from django.urls import path

from chat_app.consumers import ChatConsumer

websocket_urlpatterns = [path("ws/chat/<uuid:chat_id>/", ChatConsumer.as_asgi())]
