"""The ledger: every yuan of the year with payer, receiver, lever and item."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import fsum  # the same on every Python: from 3.12 on `sum` rounds otherwise than before

RUNNING = ("payroll", "public_funds")  # what a year costs without any lever
TRANSFERS = ("stipend", "award", "supplement")  # items that move money between purses and buy nothing new


@dataclass
class Ledger:
    """Entries of one year; nothing is booked while the burn-in settles."""

    year: int
    frozen: bool = False
    entries: dict[tuple[str, str, str, str], float] = field(default_factory=dict)

    def pay(self, payer: str, receiver: str, lever: str, item: str, yuan: float) -> None:
        """Book a payment; entries with the same parties, lever and item add up. Raises ValueError below zero."""
        if yuan < 0:
            raise ValueError(f"payment of {yuan} yuan for {lever} {item}")
        if yuan > 0 and not self.frozen:
            key = (payer, receiver, lever, item)
            self.entries[key] = self.entries.get(key, 0.0) + float(yuan)

    def of_levers(self) -> float:
        """Yuan booked for levers: all but the payroll and the public funds that any year has."""
        return fsum(yuan for (_, _, lever, _), yuan in self.entries.items() if lever not in RUNNING)

    def total(self, lever: str | None = None, transfers: bool | None = None) -> float:
        """Yuan booked, of one lever or all; transfers only, real costs only, or both."""
        return fsum(
            yuan
            for (_, _, name, item), yuan in self.entries.items()
            if (lever is None or name == lever) and (transfers is None or (item in TRANSFERS) == transfers)
        )
