"""Sets of characters that several parts of the site have to agree on."""

import re

# NUL and lone surrogates, which PostgreSQL cannot hold in a text or in JSON.
UNSTORABLE = re.compile("[\x00\ud800-\udfff]")

# Ranges for brackets, as PostgreSQL and Python both read them.
# Scripts that put no blanks between words: Thai, Lao, Burmese, Khmer, kana, bopomofo, Han.
JOINED = (
    r"\u0E01-\u0E3A\u0E40-\u0E4E\u0E80-\u0EFF\u1000-\u1049\u1780-\u17D3\u3005-\u3007"
    r"\u3041-\u3096\u309D-\u309F\u30A1-\u30FA\u30FC-\u30FF\u3105-\u312F\u3400-\u4DBF"
    r"\u4E00-\u9FFF\uF900-\uFAFF\U00020000-\U000323AF"
)
# Languages that are written in them.
JOINED_LANGS = frozenset({"ja", "km", "lo", "my", "th", "wuu", "yue", "zh"})
