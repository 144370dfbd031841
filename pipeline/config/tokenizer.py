"""The section `tokenizer`."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Discriminator, Field, Tag, ValidationInfo, field_validator, model_validator

from pipeline.config.section import LARGEST_COUNT, Section
from tokenizer.forbidden import check_forbidden
from tokenizer.limits import MOST_TOKENS
from tokenizer.special_tokens import DEFAULT_SPECIAL_TOKENS, check_special_tokens
from tokenizer.weights import whole_weights

Weight = Annotated[float, Field(ge=0, le=1_000_000)]


class TokenizerWeights(Section):
    """How often text counts for the tokenizer, which needs not be how often the model sees it."""

    sources: dict[str, Weight] = Field(
        default={}, description="By source, up to six digits behind the point; 1 for those not listed."
    )
    languages: dict[str, Weight] = Field(
        default={}, description="By language; 1 for those not listed. A document counts by the product of both."
    )

    @field_validator("sources", "languages")
    @classmethod
    def _six_digits(cls, weights: dict[str, float]) -> dict[str, float]:
        for name, weight in weights.items():
            if round(weight, 6) != weight:
                raise ValueError(f"`{name}` has the weight {weight}: give at most six digits behind the point")
        return weights

    @model_validator(mode="after")
    def _can_be_whole_numbers(self) -> TokenizerWeights:
        whole_weights(self.sources, self.languages)
        return self


class Expression(Section):
    """A pre-tokenizer of the user's own."""

    regex: str = Field(
        min_length=1,
        description="A regular expression: its matches and the text between them are the pieces. Those that need "
        "more than tables are run by `tokenizers`, far slower.",
    )


def _kind_of_pretokenizer(value: Any) -> str:
    return "Expression" if isinstance(value, (dict, Expression)) else "str"


AnyPretokenizer = Annotated[
    Annotated[str, Tag("str")] | Annotated[Expression, Tag("Expression")],
    Discriminator(_kind_of_pretokenizer),
]


class Tokenizer(Section):
    """The tokenizer: trained on the mixture, or an existing one."""

    path: str | None = Field(
        default=None,
        description="An existing tokenizer.json or its folder, which takes the place of all other keys here; trained "
        "when empty.",
    )
    pretokenizer: AnyPretokenizer = Field(
        default="deepseek-llm",
        description="How text is split before merging: deepseek-llm, deepseek-llm-mended, deepseek-coder, deepseek-v3, "
        "gpt2, gpt4, or {regex: …}.",
    )
    vocabulary: int = Field(
        default=100_000, ge=256, le=MOST_TOKENS, description="Regular tokens, the 256 bytes included."
    )
    special_tokens: dict[str, str] = Field(
        default=DEFAULT_SPECIAL_TOKENS,
        description="Name and text of the special tokens; their ids follow the regular ones in this order. Ordinary "
        "text never becomes one of them.",
    )
    model_vocabulary: int | None = Field(
        default=None,
        ge=257,
        le=2**31 - 1,
        description="The model's vocabulary, special tokens and padding included; the next multiple of 4,096 when "
        "empty.",
    )
    weights: TokenizerWeights = Field(
        default=TokenizerWeights(), description="How often documents count here, beside their copies in the mixture."
    )
    min_frequency: int = Field(default=2, ge=1, le=LARGEST_COUNT, description="A pair rarer than this is not merged.")
    max_token_length: int | None = Field(default=None, ge=2, le=2**31 - 1, description="Bytes of the longest token.")
    forbidden: list[str] = Field(
        default=[],
        description="Tokens never to be made: their text, or /a regular expression/ that is found in it.",
    )
    forbidden_file: str | None = Field(default=None, description="A file of more of them, one a line.")
    extend: str | None = Field(
        default=None,
        description="A tokenizer.json or its folder whose merges and ids are kept; further ones are learned on top.",
    )
    strict: bool = Field(
        default=False, description="Fail when the text is too little for the vocabulary, not just say so."
    )

    @field_validator(
        "pretokenizer", "vocabulary", "special_tokens", "model_vocabulary", "weights", "min_frequency",
        "max_token_length", "forbidden", "forbidden_file", "extend", "strict",
    )  # fmt: skip
    @classmethod
    def _has_effect(cls, value: Any, info: ValidationInfo) -> Any:
        # `config show` writes defaults out, so only what differs can be known to be meant.
        if info.data.get("path") and value != cls.model_fields[str(info.field_name)].default:
            raise ValueError(f"{value!r} has no effect: tokenizer.path gives a whole tokenizer; leave one of them out")
        return value

    @field_validator("special_tokens")
    @classmethod
    def _can_be_told_apart(cls, tokens: dict[str, str]) -> dict[str, str]:
        check_special_tokens(tokens)
        return tokens

    @field_validator("forbidden")
    @classmethod
    def _are_expressions(cls, forbidden: list[str]) -> list[str]:
        check_forbidden(forbidden)
        return forbidden

    @field_validator("model_vocabulary")
    @classmethod
    def _holds_the_vocabulary(cls, rows: int | None, info: ValidationInfo) -> int | None:
        regular, special = info.data.get("vocabulary", 0), len(info.data.get("special_tokens", ()))
        if rows is not None and rows < regular + special:
            raise ValueError(
                f"{rows:,} rows are too few for the vocabulary of {regular:,} and {special} special tokens: "
                f"give at least {regular + special:,}, or leave it out"
            )
        return rows
