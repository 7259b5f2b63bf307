"""What a person sends to answer a question of the moderators."""

from django import forms
from django.utils.translation import gettext_lazy as _

from oasst.lib.fields import PlainText
from tasks_app.desk_records import MOST_ANSWERED


class AnswerForm(forms.Form):
    """An answer, which is given once."""

    text = PlainText(
        label=_("Your answer"),
        max_length=MOST_ANSWERED,
        widget=forms.Textarea({"rows": 6, "dir": "auto"}),
        error_messages={"required": _("Please write an answer, or leave the question open.")},
    )
