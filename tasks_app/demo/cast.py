"""The people of the demonstration. All invented; addresses are of example.org."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Person:
    """A member of the cast."""

    name: str
    langs: tuple[str, ...]  # languages this person contributes in, best first
    role: str = "contributor"  # contributor | moderator | admin | banned | muted | held | careless

    @property
    def key(self) -> str:
        """The name as the content files spell it."""
        return self.name.lower()

    @property
    def email(self) -> str:
        """The address to sign in with."""
        return f"{self.key}@example.org"


CAST = (
    Person("Root", ("en",), role="admin"),
    Person("Mona", ("en", "de"), role="moderator"),
    Person("Alice", ("en", "de")),
    Person("Bob", ("en", "fr", "es", "pt-BR")),
    Person("Trudy", ("en",), role="banned"),
    Person("Viktor", ("en",), role="muted"),
    Person("Wanda", ("en",), role="held"),
    Person("Sven", ("en",), role="careless"),
    Person("Chidi", ("en", "fr", "es", "zh", "ar")),
    Person("Dana", ("en", "de", "es", "pt-BR")),
    Person("Emil", ("de", "en", "ru")),
    Person("Farah", ("ar", "fr")),
    Person("Goran", ("en", "de", "ru")),
    Person("Hana", ("zh", "en")),
    Person("Ines", ("es", "pt-BR", "fr")),
    Person("Jamal", ("ar", "en", "fr")),
    Person("Katja", ("de", "ru")),
    Person("Liwei", ("zh", "ru")),
    Person("Mateo", ("es", "en", "pt-BR")),
    Person("Nadia", ("fr", "ru", "ar")),
    Person("Olga", ("ru", "zh")),
    Person("Paulo", ("pt-BR", "es")),
    Person("Beatriz", ("pt-BR",)),
    Person("Mei", ("zh",)),
    Person("Tao", ("zh",)),
    Person("Salma", ("ar",)),
    Person("Yusuf", ("ar",)),
)


def by_key() -> dict[str, Person]:
    """The cast by the name in lower case."""
    return {person.key: person for person in CAST}
