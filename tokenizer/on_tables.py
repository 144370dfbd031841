"""What pre-tokenizers that run on tables have in common: the same tables for every text, at full speed."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np

from tokenizer.scanner_kernels import ScannerTables


class OnTables(ABC):
    """A pre-tokenizer whose ``tables`` are the same for every text."""

    @property
    @abstractmethod
    def tables(self) -> ScannerTables:
        """What the scanner reads."""

    @property
    def slow_because(self) -> str:
        """Nothing: it runs on tables."""
        return ""

    def tables_for(self, data: np.ndarray, offsets: np.ndarray) -> ScannerTables:
        """The tables for one block of text: the same for all."""
        return self.tables
