"""The vocabulary of the data collection: roles, tree states, task types and small closed lists."""

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class Role(TextChoices):
    """Who speaks in a message. The training side calls a prompter `user`."""

    PROMPTER = "prompter", _("Prompter")
    ASSISTANT = "assistant", _("Assistant")

    @property
    def other(self) -> "Role":
        """The role that answers this one."""
        return Role.ASSISTANT if self == Role.PROMPTER else Role.PROMPTER


class TreeState(TextChoices):
    """Where a message tree stands. Terminal states keep `active=False`: no work is handed out."""

    # Only the root exists; people check it for spam and quality.
    INITIAL_PROMPT_REVIEW = "initial_prompt_review", _("Prompt in review")
    # The prompt was accepted and waits to be drawn.
    PROMPT_LOTTERY_WAITING = "prompt_lottery_waiting", _("Waiting in the lottery")
    # Replies are written and reviewed side by side.
    GROWING = "growing", _("Growing")
    # The tree is complete; siblings are put in order.
    RANKING = "ranking", _("Being ranked")
    # Enough rankings; left again within the same transaction.
    READY_FOR_SCORING = "ready_for_scoring", _("Ready for scoring")
    # Ranks are computed.
    READY_FOR_EXPORT = "ready_for_export", _("Ready for export")
    # Computing the ranks raised an error; may be tried again.
    SCORING_FAILED = "scoring_failed", _("Scoring failed")
    # The prompt was rejected or flagged by many.
    ABORTED_LOW_GRADE = "aborted_low_grade", _("Not accepted")
    # Stopped by a moderator or by auto-moderation.
    HALTED_BY_MODERATOR = "halted_by_moderator", _("Halted by a moderator")
    # Imported; waits until it is activated for ranking.
    BACKLOG_RANKING = "backlog_ranking", _("In the ranking backlog")

    @property
    def is_terminal(self) -> bool:
        """True if the tree hands out no work in this state."""
        return self in TERMINAL_STATES


TERMINAL_STATES = frozenset(
    {
        TreeState.PROMPT_LOTTERY_WAITING,
        TreeState.READY_FOR_EXPORT,
        TreeState.SCORING_FAILED,
        TreeState.ABORTED_LOW_GRADE,
        TreeState.HALTED_BY_MODERATOR,
        TreeState.BACKLOG_RANKING,
    }
)
# Somebody or some rule has stopped the tree: nothing is added to it any more.
STOPPED_STATES = frozenset({TreeState.ABORTED_LOW_GRADE, TreeState.HALTED_BY_MODERATOR})
# Messages of the tree are reviewed.
REVIEWING_STATES = frozenset({TreeState.INITIAL_PROMPT_REVIEW, TreeState.GROWING})


class TaskType(TextChoices):
    """A kind of task, as it stands in URLs."""

    INITIAL_PROMPT = "initial_prompt", _("Write an initial prompt")
    PROMPTER_REPLY = "prompter_reply", _("Reply as prompter")
    ASSISTANT_REPLY = "assistant_reply", _("Reply as assistant")
    LABEL_INITIAL_PROMPT = "label_initial_prompt", _("Review an initial prompt")
    LABEL_PROMPTER_REPLY = "label_prompter_reply", _("Review a prompter reply")
    LABEL_ASSISTANT_REPLY = "label_assistant_reply", _("Review an assistant reply")
    RANK_ASSISTANT_REPLIES = "rank_assistant_replies", _("Rank assistant replies")
    RANK_PROMPTER_REPLIES = "rank_prompter_replies", _("Rank prompter replies")
    RANK_INITIAL_PROMPTS = "rank_initial_prompts", _("Rank initial prompts")

    @property
    def is_writing(self) -> bool:
        """True if the answer is a new message."""
        return self in WRITING_TASKS

    @property
    def is_reply(self) -> bool:
        """True if the answer is a message below another one."""
        return self in REPLY_TASKS

    @property
    def needs_no_slot(self) -> bool:
        """True if it belongs to no tree yet, so nothing is reserved."""
        return self in (TaskType.INITIAL_PROMPT, TaskType.RANK_INITIAL_PROMPTS)

    @property
    def is_labeling(self) -> bool:
        """True if the answer is a set of labels on one message."""
        return self in LABEL_TASKS

    @property
    def is_ranking(self) -> bool:
        """True if the answer is an order of sibling messages."""
        return self in RANK_TASKS


# What a request may name beside a TaskType: any task, drawn by weight.
RANDOM = "random"

REPLY_TASKS = frozenset({TaskType.PROMPTER_REPLY, TaskType.ASSISTANT_REPLY})
WRITING_TASKS = REPLY_TASKS | {TaskType.INITIAL_PROMPT}
LABEL_TASKS = frozenset(
    {
        TaskType.LABEL_INITIAL_PROMPT,
        TaskType.LABEL_PROMPTER_REPLY,
        TaskType.LABEL_ASSISTANT_REPLY,
    }
)
RANK_TASKS = frozenset(
    {
        TaskType.RANK_ASSISTANT_REPLIES,
        TaskType.RANK_PROMPTER_REPLIES,
        TaskType.RANK_INITIAL_PROMPTS,
    }
)


class LabelKind(TextChoices):
    """Where a set of labels came from. Only `task` counts as a review."""

    TASK = "task", _("Review task")
    FREE = "free", _("Free labels")
    REPORT = "report", _("Report")


class VoteSource(TextChoices):
    """What people's agreement about a message is measured by."""

    LABELS = "labels", _("Reviews")
    RANKINGS = "rankings", _("Rankings of its replies")


class FormMode(TextChoices):
    """How much a label form asks."""

    FULL = "full", _("Full")
    SIMPLE = "simple", _("Simple")


class Emoji(TextChoices):
    """Reactions people can give. Codes are those of the oasst export format."""

    THUMBS_UP = "+1", _("Thumbs up")
    THUMBS_DOWN = "-1", _("Thumbs down")
    RED_FLAG = "red_flag", _("Red flag")
    HUNDRED = "100", _("Hundred points")
    ROFL = "rofl", _("Laughing")
    CLAP = "clap", _("Clapping")
    DIAMOND = "diamond", _("Diamond")
    HEART_EYES = "heart_eyes", _("Heart eyes")
    DISAPPOINTED = "disappointed", _("Disappointed")
    POOP = "poop", _("Poop")
    SKULL = "skull", _("Skull")


class SkipMark(TextChoices):
    """Internal reactions: this person skipped this item, so do not offer it to them again."""

    REPLY = "_skip_reply", _("Skipped replying")
    RANKING = "_skip_ranking", _("Skipped ranking")
    LABELING = "_skip_labeling", _("Skipped reviewing")


class ReportState(TextChoices):
    """Life of a report in the moderators' queue."""

    OPEN = "open", _("Open")
    RESOLVED = "resolved", _("Acted upon")
    DISMISSED = "dismissed", _("Dismissed")
    INCONCLUSIVE = "inconclusive", _("Inconclusive")


class SkillGroup(TextChoices):
    """Votes that show the same skill, by which people's reliability is told apart."""

    # Labels that decide whether a message is taken in: spam and wrong language.
    ACCEPTANCE = "acceptance", _("Reviews: does it belong here?")
    # Labels that decide nothing: which they are stands in `labels.SKILLS`.
    FLAGS = "flags", _("Reviews: what is the matter?")
    QUALITY = "quality", _("Reviews: how good is it?")
    TONE = "tone", _("Reviews: in which tone?")
    RANKING = "ranking", _("Rankings")


class GoldSource(TextChoices):
    """How the right answers of a gold item became known."""

    MODERATOR = "moderator", _("A moderator decided")
    UNANIMOUS = "unanimous", _("All reviewers agreed")


class BulkKind(TextChoices):
    """What a moderator does to many messages at once."""

    DELETE = "delete", _("Delete")
    RESTORE = "restore", _("Restore")
    RELEASE = "release", _("Let out")
    LABEL = "label", _("Label")
    PURGE = "purge", _("Purge a person's contributions")


class BulkState(TextChoices):
    """Life of a bulk action."""

    WAITING = "waiting", _("Under way")
    DONE = "done", _("Done")
    UNDOING = "undoing", _("Being undone")
    UNDONE = "undone", _("Undone")


UNFINISHED = (BulkState.WAITING, BulkState.UNDOING)


class ContributionKind(TextChoices):
    """What the journal records."""

    PROMPT = "prompt", _("Wrote a prompt")
    REPLY = "reply", _("Wrote a reply")
    LABELS = "labels", _("Reviewed a message")
    RANKING = "ranking", _("Ranked replies")
    SKIP = "skip", _("Skipped a task")
    REACTION = "reaction", _("Reacted to a message")
    REPORT = "report", _("Reported a message")
    FREE_LABELS = "free_labels", _("Labelled a message")


class ModerationKind(TextChoices):
    """What the moderation log records."""

    AUTO_DELETE = "auto_delete", _("Deleted by the automatic rules")
    DELETE_MESSAGE = "delete_message", _("Deleted a message")
    RESTORE_MESSAGE = "restore_message", _("Restored a message")
    EDIT_MESSAGE = "edit_message", _("Edited a message")
    HALT_TREE = "halt_tree", _("Halted a tree")
    UNHALT_TREE = "unhalt_tree", _("Set a tree going again")
    RETRY_SCORING = "retry_scoring", _("Scored a tree again")
    BAN_USER = "ban_user", _("Banned a person")
    UNBAN_USER = "unban_user", _("Lifted a ban")
    MUTE_USER = "mute_user", _("Changed a mute")
    RENAME_USER = "rename_user", _("Renamed a person")
    EDIT_NOTES = "edit_notes", _("Changed notes on a person")
    SET_ROLE = "set_role", _("Changed a role")
    END_SESSIONS = "end_sessions", _("Signed a person out everywhere")
    RESOLVE_REPORT = "resolve_report", _("Decided on a report")
    MAKE_GOLD = "make_gold", _("Made a gold item")
    RETIRE_GOLD = "retire_gold", _("Retired a gold item")
    DECIDE_SPLIT = "decide_split", _("Decided on a message reviewers differ about")
    HOLD_USER = "hold_user", _("Held a person's new messages back")
    UNHOLD_USER = "unhold_user", _("No longer holds a person's new messages back")
    RELEASE_MESSAGE = "release_message", _("Let a held message out")
    LABEL_MESSAGE = "label_message", _("Labelled a message")
    PURGE_USER = "purge_user", _("Purged a person's contributions")
    MERGE_PEOPLE = "merge_people", _("Merged another account into a person's")
    CHANGE_SETTING = "change_setting", _("Changed the configuration")
    SET_GOAL = "set_goal", _("Set the goal of a language")
    NAME_PRIZE = "name_prize", _("Named the period of a prize")
    PUBLISH_PRIZE = "publish_prize", _("Published the winners of a prize")
    ASK_PERSON = "ask_person", _("Asked a person something")
    WITHDRAW_QUESTION = "withdraw_question", _("Took a question to a person back")
    LEAVE_OUT_TREE = "leave_out_tree", _("Left a tree out of a bulk action")
    UNDO = "undo", _("Undid an action")


class NotificationKind(TextChoices):
    """What people are told of on the page; labels as on the page of wishes."""

    ACCEPTED = "accepted", _("A text of mine was accepted")
    NOT_ACCEPTED = "not_accepted", _("A text of mine was not accepted")
    DRAWN = "drawn", _("My prompt was drawn and is answered")
    RANKED = "ranked", _("A text of mine got its place")
    REMOVED = "removed", _("A text of mine was removed, changed or put back")
    STOPPED = "stopped", _("A conversation that I began was stopped")
    REPORT = "report", _("A report of mine was decided")
    SNAPSHOT = "snapshot", _("My texts became part of a snapshot of the data")
    MODEL = "model", _("A model learned from my texts")
    FOLLOWED_REPLY = "followed_reply", _("A conversation that I follow has a new reply")
    FOLLOWED_END = "followed_end", _("A conversation that I follow is finished")
    # Told to everybody: it waits for an answer.
    QUESTION = "question", _("The moderators ask me something")


class Topic(TextChoices):
    """What a conversation is about. A slug stays for ever: files and addresses hold it."""

    PROGRAMMING = "programming", _("Programming")
    COMPUTERS = "computers", _("Computers and phones")
    MATHEMATICS = "mathematics", _("Mathematics")
    SCIENCE = "science", _("Science")
    NATURE = "nature", _("Animals and nature")
    HEALTH = "health", _("Health")
    LAW = "law", _("Law")
    MONEY = "money", _("Money and business")
    WORK = "work", _("Work and study")
    HISTORY = "history", _("History")
    SOCIETY = "society", _("Politics and society")
    PHILOSOPHY = "philosophy", _("Philosophy and religion")
    LANGUAGES = "languages", _("Languages and translation")
    WRITING = "writing", _("Stories and writing")
    ARTS = "arts", _("Music, film and art")
    COOKING = "cooking", _("Cooking")
    TRAVEL = "travel", _("Travel and places")
    SPORTS = "sports", _("Sports and fitness")
    GAMES = "games", _("Games and riddles")
    PEOPLE = "people", _("Family and friends")
    HOME = "home", _("Home and garden")
