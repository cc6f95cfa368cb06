"""What was said: conversations, their messages, search and pruning."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from assistant.errors import MemoryStoreError
from assistant.messages import Message

if TYPE_CHECKING:
    from collections.abc import Iterable

    from assistant.database import Database

TITLE_LENGTH: Final = 40
LIKE_SPECIAL: Final = str.maketrans({"%": r"\%", "_": r"\_", "\\": r"\\"})


@dataclass(frozen=True, slots=True)
class Conversation:
    """A conversation's entry in the history."""

    id: str
    title: str
    messages: int


class Memory:
    """The conversations of all users; each user sees only their own."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, user: str, conversation: str, messages: Iterable[Message]) -> None:
        """Append messages; the first one of a new conversation becomes its title."""
        rows = [(user, conversation, message.role, message.content) for message in messages]
        with self._database.transaction() as connection:
            connection.execute(
                "INSERT OR IGNORE INTO conversations (user, id, title) VALUES (?, ?, ?)",
                (user, conversation, shorten(rows[0][3])),
            )
            connection.executemany("INSERT INTO messages (user, conversation, role, content) VALUES (?, ?, ?, ?)", rows)

    def conversations(self, user: str) -> list[Conversation]:
        """Return a user's conversations, the one with the newest message first."""
        with self._database.transaction() as connection:
            rows = connection.execute(
                "SELECT c.id, c.title, COUNT(*) FROM conversations AS c"
                " JOIN messages AS m ON m.user = c.user AND m.conversation = c.id"
                " WHERE c.user = ? GROUP BY c.id ORDER BY MAX(m.seq) DESC",
                (user,),
            ).fetchall()
        return [Conversation(*row) for row in rows]

    def messages(self, user: str, conversation: str) -> list[Message]:
        """Return the messages of a conversation, oldest first; none if it does not exist."""
        with self._database.transaction() as connection:
            rows = connection.execute(
                "SELECT role, content FROM messages WHERE user = ? AND conversation = ? ORDER BY seq",
                (user, conversation),
            ).fetchall()
        return [Message(*row) for row in rows]

    def find(self, user: str, conversation: str) -> Conversation:
        """Return one conversation.

        Raises:
            MemoryStoreError: the user has no conversation of that name.
        """
        for candidate in self.conversations(user):
            if candidate.id == conversation:
                return candidate
        raise MemoryStoreError(f"{user} has no conversation {conversation!r}")

    def search(self, user: str, words: str, limit: int = 5) -> list[tuple[str, str]]:
        """Return up to ``limit`` pairs of conversation and message that hold the words, newest first."""
        with self._database.transaction() as connection:
            return connection.execute(
                "SELECT conversation, content FROM messages"
                " WHERE user = ? AND role != 'tool' AND content LIKE ? ESCAPE '\\'"
                " ORDER BY seq DESC LIMIT ?",
                (user, f"%{words.translate(LIKE_SPECIAL)}%", limit),
            ).fetchall()

    def prune(self, user: str, keep: int) -> list[str]:
        """Forget all but the ``keep`` newest conversations of a user; return the ids of the others."""
        old = [conversation.id for conversation in self.conversations(user)[keep:]]
        if not old:
            return []
        pairs = [(user, conversation) for conversation in old]
        with self._database.transaction() as connection:
            connection.executemany("DELETE FROM messages WHERE user = ? AND conversation = ?", pairs)
            connection.executemany("DELETE FROM conversations WHERE user = ? AND id = ?", pairs)
        return old


def shorten(text: str, length: int = TITLE_LENGTH) -> str:
    """Return the text on one line of at most ``length`` characters."""
    line = " ".join(text.split())
    return line if len(line) <= length else line[: length - 1].rstrip() + "…"
