"""How much was used, and what it costs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from assistant.errors import SettingsError

if TYPE_CHECKING:
    from assistant.database import Database


@dataclass(frozen=True, slots=True)
class Price:
    """What a model costs, in cents for 1,000 tokens."""

    prompt: float
    completion: float


PRICES: Final = {
    "scripted-1": Price(0.5, 1.5),
    "scripted-1-large": Price(5.0, 15.0),
}


@dataclass(frozen=True, slots=True)
class Totals:
    """The sum of one user's calls of one model."""

    model: str
    calls: int
    prompt: int
    completion: int

    @property
    def cents(self) -> float:
        """Return the cost.

        Raises:
            SettingsError: the model has no price.
        """
        price = PRICES.get(self.model)
        if price is None:
            raise SettingsError(f"{self.model} has no price; there are {', '.join(PRICES)}")
        return (self.prompt * price.prompt + self.completion * price.completion) / 1000


def count_tokens(text: str) -> int:
    """Count by rule: a word is one token for every six letters or part of them, any other sign is one."""
    return sum((len(word) + 5) // 6 for word in re.findall(r"\w+|[^\w\s]", text))


class UsageLedger:
    """The calls of all users."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def record(self, user: str, model: str, prompt: int, completion: int) -> None:
        """Note one call of a model with its tokens."""
        with self._database.transaction() as connection:
            connection.execute("INSERT INTO usage VALUES (?, ?, ?, ?)", (user, model, prompt, completion))

    def totals(self, user: str) -> list[Totals]:
        """Return a user's totals, one entry for each model."""
        with self._database.transaction() as connection:
            rows = connection.execute(
                "SELECT model, COUNT(*), SUM(prompt), SUM(completion) FROM usage"
                " WHERE user = ? GROUP BY model ORDER BY model",
                (user,),
            ).fetchall()
        return [Totals(*row) for row in rows]


def report(user: str, totals: list[Totals]) -> str:
    """Return the totals as lines of text."""
    if not totals:
        return f"{user} has used nothing"
    return "\n".join(
        f"{entry.model}: {entry.calls} calls, {entry.prompt} + {entry.completion} tokens, {entry.cents:.3f} cents"
        for entry in totals
    )
