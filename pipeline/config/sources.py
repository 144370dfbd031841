"""Sources, and how they are read."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator

from pipeline.config.section import Section, Share, nearest


class Source(Section):
    """Where documents come from."""

    name: str = Field(description="Name of the source; documents carry it, and the mixture can weigh it.")
    format: Literal["wet", "warc", "jsonl", "parquet"] = Field(description="What the files hold.")
    paths: list[str] = Field(
        default=[],
        description="Files or globs, local, s3://, gs:// or https://. `{dump}` matches a part of a name: the dump.",
    )
    path_lists: list[str] = Field(
        default=[], description="Files that list input files, one a line, such as Common Crawl's wet.paths.gz."
    )
    base: str = Field(
        default="", description="What relative lines of a path list start with, such as https://data.commoncrawl.org/."
    )
    files: str | None = Field(default=None, description="A slice of the files found, such as 0:20; all when empty.")
    dump: str | None = Field(
        default=None,
        description="Name of the dump where no `{dump}` tells it; else a Common Crawl path does, else `main`.",
    )
    columns: dict[str, str] = Field(
        default={}, description="For JSONL and Parquet: which column is text, id, url, date, language."
    )

    @model_validator(mode="after")
    def _has_files(self) -> Source:
        if not self.paths and not self.path_lists:
            raise ValueError("needs `paths` or `path_lists`")
        return self

    @field_validator("base")
    @classmethod
    def _completes_a_list(cls, base: str, info: ValidationInfo) -> str:
        if base and not info.data.get("path_lists", True):
            raise ValueError("has no effect without `path_lists`: paths are taken as they are; leave it out")
        return base

    @field_validator("columns")
    @classmethod
    def _known_columns(cls, columns: dict[str, str], info: ValidationInfo) -> dict[str, str]:
        known = ["text", "id", "url", "date", "language"]
        if columns and info.data.get("format") in ("wet", "warc"):
            raise ValueError(f"has no effect on {info.data['format']} files, which have no columns; leave it out")
        for name in columns:
            if name not in known:
                raise ValueError(f"`{name}` is no document field; {nearest(name, known)}")
        return columns


class Ingest(Section):
    """Reading crawl files into documents."""

    max_reject_share: Share = Field(
        default=0.2, description="The stage fails when more than this share of records was rejected, or of files lost."
    )
