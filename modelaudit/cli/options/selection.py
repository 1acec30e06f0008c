"""Options that choose models and rules."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import click

from modelaudit.cli.options import common
from modelaudit.cli.options.common import group, option, value_source
from modelaudit.errors import UsageError
from modelaudit.settings import Settings
from modelaudit.settings.selection import MOST_SHARDS, Selection, Shard
from modelaudit.structs import replace

_SHARD = re.compile(r"([0-9]{1,9})/([0-9]{1,9})")


class ShardType(click.ParamType[Shard]):
    """The number of a shard and how many there are: `3/8`."""

    name = "shard"

    def convert(
        self, value: str | Shard, param: click.Parameter | None, ctx: click.Context | None
    ) -> Shard:
        """The shard that the text names."""
        if isinstance(value, Shard):
            return value
        parts = _SHARD.fullmatch(value)
        try:
            return Shard(int(parts[1]), int(parts[2])) if parts else Shard(0, 0)
        except ValueError:
            said = f"{value[:40]!r} is not I/N with 1 <= I <= N <= {MOST_SHARDS:,}"
            self.fail(said, param, ctx)


# Options of every command that audits many models.
selecting = group(
    option(
        "--include",
        multiple=True,
        metavar="GLOB",
        help="Audit only models whose path, or a directory or name in it, matches. Repeatable.",
    ),
    option(
        "--exclude",
        multiple=True,
        metavar="GLOB",
        help="Leave out what matches: models, directories and archives. Repeatable.",
    ),
    option(
        "--select",
        multiple=True,
        metavar="RULES",
        help="Report only these rules: codes (MA203), beginnings of codes (MA7), names or "
        "families, separated by commas. Repeatable.",
    ),
    option(
        "--ignore",
        multiple=True,
        metavar="RULES",
        help="Do not report these rules. To accept single findings, with a reason, there is "
        "[[ignore]] of the settings file.",
    ),
    option(
        "--shard",
        type=ShardType(),
        metavar="I/N",
        help="Audit only the I-th of N parts of the models, for use on N machines; see "
        "`modelaudit merge`. All versions of a model are in one part.",
    ),
)


def selected_settings(
    *,
    include: tuple[str, ...],
    exclude: tuple[str, ...],
    select: tuple[str, ...],
    ignore: tuple[str, ...],
    shard: Shard | None,
    **others: Any,
) -> Settings:
    """Settings from these options, and from the others as `common.settings_from` makes them.

    Raises:
        UsageError: there is no such rule or family, or another option is wrong.
    """
    chosen = Selection(include, exclude, _rules(select, "select"), _rules(ignore, "ignore"), shard)
    return replace(common.settings_from(**others), selection=chosen)


def _rules(texts: Iterable[str], option_name: str) -> tuple[str, ...]:
    words = tuple(word.strip() for text in texts for word in text.split(",") if word.strip())
    if words:
        from modelaudit.rules.catalogue import all_rules, unknown

        for word in words:
            chosen = Selection(select=(word,))
            if not any(chosen.reports(x.code, x.name, x.family.value) for x in all_rules()):
                raise UsageError(f"{value_source(option_name)}: {unknown(word)}")
    return words
