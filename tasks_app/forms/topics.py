"""Forms that ask for the topics of a conversation: a mark for each, three at most."""

from typing import Any

from django import forms

from tasks_app.enums import Topic
from tasks_app.errors import TooManyTopics
from tasks_app.forms.fields import Draftable
from tasks_app.topics import MOST

PREFIX = "topic_"


class TopicsForm(Draftable):
    """The topics of a conversation, or none."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        for topic in Topic:
            field = forms.BooleanField(label=topic.label, required=False)
            self.fields[f"{PREFIX}{topic.value}"] = field

    @staticmethod
    def marks(topics: list[str]) -> dict[str, bool]:
        """What the form begins with where a conversation has these topics."""
        return {f"{PREFIX}{topic}": True for topic in topics}

    def clean(self) -> dict[str, Any]:
        """Three at most."""
        cleaned = super().clean() or {}
        if len(self.topics()) > MOST:
            raise forms.ValidationError(TooManyTopics.default_message)
        return cleaned

    def topics(self) -> list[str]:
        """Those that were chosen."""
        return [topic.value for topic in Topic if self.cleaned_data.get(f"{PREFIX}{topic.value}")]

    def topic_fields(self) -> list[forms.BoundField]:
        """The marks."""
        return [self[f"{PREFIX}{topic.value}"] for topic in Topic]

    def has_topics(self) -> bool:
        """Whether some are marked, as the form stands."""
        return any(field.value() for field in self.topic_fields())
