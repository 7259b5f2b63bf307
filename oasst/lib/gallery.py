"""`/dev/components/`: every component with made-up content. Does not exist with DEBUG=false."""

from datetime import timedelta

from django import forms
from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from oasst.lib import plots

_SCALE = [("1", "Poor"), ("2", "Fair"), ("3", "Good"), ("4", "Very good"), ("5", "Best")]
_TONES = ("", "good", "warn", "bad", "info", "accent")
_TEXT = """Light is **scattered** by the air, blue more than red:

1. short waves meet what is small,
2. so they come from everywhere.

Its strength goes with $1/\\lambda^4$.

```python
def strength(wavelength: float) -> float:
    return wavelength**-4  # blue wins
```
"""


class _Fields(forms.Form):
    """A field for each component that shows one."""

    name = forms.CharField(label="Display name", help_text="How others see you.", max_length=10)
    about = forms.CharField(label="About you", widget=forms.Textarea(attrs={"rows": 3}))
    choice = forms.ChoiceField(
        label="One of three",
        widget=forms.RadioSelect,
        choices=[("a", "The first"), ("b", "The second"), ("c", "The third")],
    )
    agreed = forms.BooleanField(label="I agree", help_text="You can take it back.")
    quality = forms.ChoiceField(
        label="Quality",
        help_text="How good is it?",
        widget=forms.RadioSelect,
        choices=[*_SCALE, ("", "Not rated")],
    )
    is_spam = forms.ChoiceField(
        label="Is it spam?", widget=forms.RadioSelect, choices=[("1", "Yes"), ("0", "No")]
    )
    funny = forms.BooleanField(label="Funny", required=False)
    rude = forms.BooleanField(label="Rude", required=False)


@never_cache
@require_safe
def components(request: HttpRequest) -> HttpResponse:
    if not settings.DEBUG:
        raise Http404
    about = {
        "fields": _Fields(initial={"quality": "4", "is_spam": "0", "funny": True}),
        "bad_fields": _Fields({"name": "A name that is too long"}, prefix="bad"),
        "tones": _TONES,
        "text": _TEXT,
        "earlier": timezone.now() - timedelta(hours=3),
        "tabs": [
            {"label": "All", "url": "?", "current": True, "count": 18_204},
            {"label": "Yours", "url": "?", "current": False, "count": None},
        ],
        "curve": _curve(),
        "small_plots": [_small("humour"), _small("quality")],
        "no_plot": _curve(values=[None, None, None, None]),
    }
    return render(request, "pages/components.html", about)


def _curve(values: list[float | None] | None = None) -> plots.Plot:
    shown = values or [0.41, None, 0.52, 0.58]
    low = [value and value - 0.1 for value in shown]
    high = [value and value + 0.1 for value in shown]
    return plots.line(
        "agreement",
        "Agreement on quality",
        "Krippendorff’s α by week, 95 % interval",
        across="Week",
        names=["2 Nov", "9 Nov", "16 Nov", "23 Nov"],
        series=[plots.Series("quality", shown, low=low, high=high)],
        up=(0, 1),
    )


def _small(name: str) -> plots.Plot:
    counts = {"1": 3, "2": 8, "3": 14, "4": 9, "5": 2}
    bins = [plots.Bin(step, count / 36, count=count) for step, count in counts.items()]
    return plots.columns(
        name, name.capitalize(), "n = 36", across="Step", unit="Share", bins=bins, small=True
    )
