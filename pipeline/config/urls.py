"""The section `filter.urls`."""

from __future__ import annotations

from pydantic import Field, model_validator

from pipeline.config.section import Section

_FILES = "One a line, `#` begins a comment; plain or gzip, local or remote."


class UrlLists(Section):
    """Lists of hosts, suffixes and words, given here and in files."""

    hosts: list[str] = Field(
        default=[],
        description="Hosts with their subdomains: spam.example is ads.spam.example too; one without a dot is itself "
        "alone. Scheme, case, port and IDNA spelling of an address do not matter.",
    )
    host_files: list[str] = Field(default=[], description=f"Files of hosts. {_FILES}")
    suffixes: list[str] = Field(default=[], description="What a host ends in, by whole labels: xxx, gov.uk, .co.jp.")
    suffix_files: list[str] = Field(default=[], description=f"Files of suffixes. {_FILES}")
    words: list[str] = Field(
        default=[], description="Words of the address, between what is neither letter nor digit, in any case."
    )
    word_files: list[str] = Field(default=[], description=f"Files of words. {_FILES}")

    def given(self) -> dict[str, tuple[list[str], list[str]]]:
        """Entries and files by kind, of the kinds that have some."""
        kinds = {
            "hosts": (self.hosts, self.host_files),
            "suffixes": (self.suffixes, self.suffix_files),
            "words": (self.words, self.word_files),
        }
        return {kind: lists for kind, lists in kinds.items() if any(lists)}


class BlockLists(UrlLists):
    """What removes a document by its address."""

    soft_words: list[str] = Field(
        default=[], description="Words of which one proves nothing: `soft_words_minimum` different ones remove."
    )
    soft_word_files: list[str] = Field(default=[], description=f"Files of such words. {_FILES}")
    soft_words_minimum: int = Field(
        default=2, ge=2, le=1000, description="Different soft words that remove a document; RefinedWeb's two."
    )
    parts: list[str] = Field(
        default=[],
        description="Letters and digits found anywhere in the address once everything else is taken out of it: "
        "badword is in bad-wo.rds.example.",
    )
    part_files: list[str] = Field(default=[], description=f"Files of such parts. {_FILES}")

    def given(self) -> dict[str, tuple[list[str], list[str]]]:
        """See ``UrlLists``."""
        kinds = {"soft_words": (self.soft_words, self.soft_word_files), "parts": (self.parts, self.part_files)}
        return super().given() | {kind: lists for kind, lists in kinds.items() if any(lists)}


class Urls(Section):
    """Block and allow lists of addresses."""

    block: BlockLists = Field(default=BlockLists(), description="Lists of what removes a document by its address.")
    allow: UrlLists = Field(default=UrlLists(), description="Addresses that no block list removes.")
    only_allowed: bool = Field(
        default=False, description="Whether every document that is on no allow list is removed, too."
    )

    @model_validator(mode="after")
    def _allows_something(self) -> Urls:
        if self.only_allowed and not self.allow.given():
            raise ValueError("only_allowed removes everything where filter.urls.allow has no list: give one")
        return self

    def given(self) -> bool:
        """Whether there is any list."""
        return bool(self.block.given() or self.allow.given())
