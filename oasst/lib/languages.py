"""The languages people may contribute in: BCP 47 codes as the published data has them, and names.

Independent of the languages the pages are translated to (settings.LANGUAGES).
"""

from collections.abc import Iterable

# code -> the language's name in its own words
LANGUAGES = {
    "ar": "العربية",
    "bar": "Boarisch",
    "bg": "Български",
    "bn": "বাংলা",
    "ca": "Català",
    "cs": "Čeština",
    "da": "Dansk",
    "de": "Deutsch",
    "el": "Ελληνικά",
    "en": "English",
    "eo": "Esperanto",
    "es": "Español",
    "et": "Eesti",
    "eu": "Euskara",
    "fa": "فارسی",
    "fi": "Suomi",
    "fr": "Français",
    "ga": "Gaeilge",
    "gl": "Galego",
    "he": "עברית",
    "hi": "हिन्दी",
    "hr": "Hrvatski",
    "hu": "Magyar",
    "hy": "Հայերեն",
    "id": "Bahasa Indonesia",
    "is": "Íslenska",
    "it": "Italiano",
    "ja": "日本語",
    "ka": "ქართული",
    "kk": "Қазақша",
    "ko": "한국어",
    "lt": "Lietuvių",
    "lv": "Latviešu",
    "mk": "Македонски",
    "ms": "Bahasa Melayu",
    "nb-NO": "Norsk bokmål",
    "nl": "Nederlands",
    "pl": "Polski",
    "pt-BR": "Português (Brasil)",
    "pt-PT": "Português (Portugal)",
    "ro": "Română",
    "ru": "Русский",
    "sk": "Slovenčina",
    "sl": "Slovenščina",
    "sq": "Shqip",
    "sr": "Српски",
    "sv": "Svenska",
    "sw": "Kiswahili",
    "swg": "Schwäbisch",
    "ta": "தமிழ்",
    "te": "తెలుగు",
    "th": "ไทย",
    "tl": "Tagalog",
    "tr": "Türkçe",
    "uk-UA": "Українська",
    "ur": "اردو",
    "vi": "Tiếng Việt",
    "yue": "粵語",
    "zh": "中文",
}
FALLBACK = "en"
MOST_GUESSES = 3

# What browsers and detectors call languages that have a region in the published data.
_ALIASES = {"nb": "nb-NO", "nn": "nb-NO", "no": "nb-NO", "pt": "pt-BR", "uk": "uk-UA"}
_BY_LOWER_CASE = {code.lower(): code for code in LANGUAGES}


def match(tag: str) -> str | None:
    """The code that stands for a BCP 47 tag ("de-AT" → "de", "PT_br" → "pt-BR"), if one does."""
    tag = tag.strip().lower().replace("_", "-")
    primary = tag.split("-")[0]
    for candidate in (tag, primary):
        if candidate in _BY_LOWER_CASE:
            return _BY_LOWER_CASE[candidate]
    return _ALIASES.get(primary)


def guess(accept_language: str) -> list[str]:
    """The languages a browser asks for, best first, at most three; English if it names none."""
    found = [match(tag) for tag in _tags_by_weight(accept_language)]
    known = list(dict.fromkeys(code for code in found if code))
    return known[:MOST_GUESSES] or [FALLBACK]


def name(code: str) -> str:
    """The language in its own words; an unknown code stays as it is."""
    return LANGUAGES.get(match(code) or code, code)


def _tags_by_weight(accept_language: str) -> Iterable[str]:
    weighted = []
    for place, part in enumerate(accept_language[:500].split(",")):
        tag, _, parameters = part.partition(";")
        try:
            weight = float(parameters.strip().removeprefix("q=") or 1)
        except ValueError:
            continue
        if tag.strip() and 0 < weight <= 1:
            weighted.append((-weight, place, tag))
    return [tag for _, _, tag in sorted(weighted)]
