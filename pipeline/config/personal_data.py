"""The section `filter.personal_data`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pipeline.config.section import Section, Seed

Kind = Literal["email", "ip", "phone", "card", "iban", "national_id"]


class PersonalData(Section):
    """Personal data that is replaced in the texts that stay."""

    kinds: list[Kind] = Field(
        default=["email", "ip", "card", "iban", "national_id"],
        description="What is replaced: email, ip, phone, card, iban, national_id. Phone numbers have no check and are "
        "left unless asked for; an empty list leaves everything.",
    )
    public_ips_only: bool = Field(
        default=True, description="Leave addresses of private and other special networks, which lead to nobody."
    )
    placeholders: dict[Kind, str] = Field(
        default={},
        description="Other placeholders by kind. Each `#` in one is a digit that follows from what it replaces: "
        "`user######@example.com` is the same for the same address.",
    )
    key: Seed = Field(default=0, description="Key of the digits in placeholders; another key gives others.")
