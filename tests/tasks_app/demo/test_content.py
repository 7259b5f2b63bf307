"""The demonstration's texts fit the rules they will be played through."""

from collections import Counter

from tasks_app import labels
from tasks_app.config import TreeConfig
from tasks_app.demo.cast import CAST, by_key
from tasks_app.demo.content import Line, Story, stories
from tasks_app.enums import Emoji, Role, TreeState

LIMITS = TreeConfig()


def every_line() -> list[tuple[Story, Line, Line | None, Role]]:
    return [(story, *entry) for story in stories() for entry in story.lines()]


def speakers(lang: str) -> set[str]:
    return {
        person.key
        for person in CAST
        if lang in person.langs and person.role in ("contributor", "moderator")
    }


def test_stories_are_many_and_in_many_languages() -> None:
    langs = Counter(story.lang for story in stories())

    assert sum(langs.values()) >= 40
    assert set(langs) == {"en", "de", "es", "fr", "ru", "zh", "ar", "pt-BR"}
    assert all(count >= 3 for count in langs.values())


def test_stories_end_in_every_state_that_lasts() -> None:
    assert {story.state for story in stories()} == set(TreeState) - {TreeState.READY_FOR_SCORING}


def test_keys_and_texts_are_never_used_twice() -> None:
    keys = Counter(story.key for story in stories())
    texts = Counter(line.text for _, line, _, _ in every_line())

    assert [key for key, count in keys.items() if count > 1] == []
    assert [text for text, count in texts.items() if count > 1] == []


def test_texts_are_within_the_message_limit() -> None:
    assert all(0 < len(line.text) <= LIMITS.message_size_limit for _, line, _, _ in every_line())


def test_authors_belong_to_the_cast_and_speak_the_language() -> None:
    strangers = [
        (story.key, line.author)
        for story, line, _, _ in every_line()
        if not line.model and story.lang not in by_key()[line.author].langs
    ]

    assert strangers == []


def test_only_trees_of_the_backlog_have_synthetic_replies() -> None:
    synthetic = {story.state for story, line, _, _ in every_line() if line.model}

    assert synthetic == {TreeState.BACKLOG_RANKING}


def test_replies_fit_the_limits_of_a_tree() -> None:
    for story, line, _, role in every_line():
        limit = LIMITS.max_children_count if role == Role.PROMPTER else LIMITS.num_prompter_replies
        kept = [reply for reply in line.replies if not (reply.is_rejected or reply.delete_reason)]
        assert len(kept) <= limit, story.key
        assert len({reply.author or reply.model for reply in line.replies}) == len(line.replies)


def test_trees_are_no_deeper_than_allowed() -> None:
    for story in stories():
        deepest = [reply for a in story.prompt.replies for p in a.replies for reply in p.replies]
        assert not any(reply.replies for reply in deepest), story.key


def test_labels_have_values_their_forms_accept() -> None:
    for _, line, parent, role in every_line():
        form = labels.free_form(role, is_root=parent is None)
        labels.validate(dict(line.labels), valid=form.valid)


def test_reactions_and_reports_exist_in_the_catalogues() -> None:
    for story, line, _, _ in every_line():
        assert set(line.reactions) <= set(Emoji), story.key
        assert {report.category for report in line.reports} <= set(labels.REPORT_LABELS)


def test_every_message_finds_enough_reviewers() -> None:
    for story, line, _, _ in every_line():
        most = LIMITS.adaptive_most_reviews if line.disputed else LIMITS.num_reviews_reply
        assert len(speakers(story.lang) - {line.author}) >= most, story.key


def test_disputed_messages_wait_in_trees_that_are_not_complete() -> None:
    states = {story.state for story in stories() if story.is_disputed}

    assert states == {TreeState.GROWING, TreeState.INITIAL_PROMPT_REVIEW}


def test_every_ranking_finds_people_who_wrote_none_of_the_replies() -> None:
    for story, line, _, role in every_line():
        if role == Role.PROMPTER and len(line.replies) > 1:
            authors = {reply.author for reply in line.replies}
            others = speakers(story.lang) - authors
            assert len(others) >= LIMITS.num_required_rankings, story.key


def test_edits_find_the_words_they_correct() -> None:
    edits = [(line.edit, line.text) for _, line, _, _ in every_line() if line.edit]

    assert edits
    assert all(edit.find in text for edit, text in edits)
