"""Addresses that OpenAI's clients know, below /v1/."""

from django.urls import path

from chat_app import openai_api

app_name = "openai"
urlpatterns = [
    path("models", openai_api.models, name="models"),
    path("models/<str:name>", openai_api.model, name="model"),
    path("chat/completions", openai_api.chat_completions, name="chat_completions"),
]
