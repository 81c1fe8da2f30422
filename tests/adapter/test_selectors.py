"""Label selectors mean what they mean everywhere in Kubernetes."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter import selectors
from adapter.selectors import SelectorError

LABELS = {"kind": "BudAIScaler", "scaler": "chat", "tier": "", "size": "7", "a.b/c": "d"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("", True, id="empty"),
        pytest.param("   ", True, id="blank"),
        pytest.param("scaler=chat", True, id="equal"),
        pytest.param("scaler==chat", True, id="double-equal"),
        pytest.param("scaler=code", False, id="equal-to-another"),
        pytest.param("scaler=Chat", False, id="values-differ-by-case"),
        pytest.param("Scaler=chat", False, id="keys-differ-by-case"),
        pytest.param("tier=", True, id="equal-to-empty"),
        pytest.param("missing=", False, id="missing-is-not-empty"),
        pytest.param("a.b/c=d", True, id="prefixed-key"),
        pytest.param("scaler!=code", True, id="unequal"),
        pytest.param("scaler!=chat", False, id="unequal-to-it"),
        pytest.param("missing!=x", True, id="unequal-without-the-label"),
        pytest.param("scaler in (chat,code)", True, id="in"),
        pytest.param("scaler in (code)", False, id="in-others"),
        pytest.param("missing in (chat)", False, id="in-without-the-label"),
        pytest.param("tier in ()", True, id="in-nothing-but-empty"),
        pytest.param("tier in (,x)", True, id="in-with-empty"),
        pytest.param("scaler notin (code)", True, id="notin"),
        pytest.param("scaler notin (chat , code)", False, id="notin-it"),
        pytest.param("missing notin (chat)", True, id="notin-without-the-label"),
        pytest.param("scaler", True, id="exists"),
        pytest.param("tier", True, id="exists-empty"),
        pytest.param("missing", False, id="exists-not"),
        pytest.param("!missing", True, id="absent"),
        pytest.param("! missing", True, id="absent-spaced"),
        pytest.param("!scaler", False, id="absent-not"),
        pytest.param("size>6", True, id="greater"),
        pytest.param("size > 7", False, id="greater-is-strict"),
        pytest.param("size<8", True, id="less"),
        pytest.param("size<7", False, id="less-is-strict"),
        pytest.param("scaler>1", False, id="greater-of-no-number"),
        pytest.param("missing<1", False, id="less-without-the-label"),
        pytest.param("kind=BudAIScaler,scaler=chat", True, id="and"),
        pytest.param("kind=BudAIScaler,scaler=code", False, id="and-one-fails"),
        pytest.param(" kind = BudAIScaler , scaler in ( chat ) ", True, id="spaces-anywhere"),
        pytest.param("scaler=chat,scaler!=chat", False, id="contradiction"),
        pytest.param("in in (in),notin=notin", False, id="operators-as-keys"),
        pytest.param("scaler in(chat)", True, id="no-space-before-the-set"),
    ],
)
def test_selectors(text: str, expected: bool) -> None:  # noqa: FBT001 - a column
    """Each operator selects what apimachinery selects by it."""
    assert selectors.parse(text).matches(LABELS) is expected


@pytest.mark.parametrize(
    "text",
    [
        ",",
        "a,",
        ",a",
        "a,,b",
        "=b",
        "a=b=c",
        "a b",
        "a=b c",
        "!",
        "!a=b",
        "a!b",
        "a===b",
        "a=>b",
        "a in",
        "a in b",
        "a in (b",
        "a in b)",
        "a in (b c)",
        "a in (b))",
        "a notin ((b))",
        "a in (b;c)",
        "a>b",
        "a>",
        "a>1.5",
        "a>1_0",
        "a>-1",
        "a=-b",
        "a=b-",
        "-a=b",
        "a/=b",
        "/a=b",
        "ä=b",
        "a=ö",
        "a=b'; drop",
        "a=" + "x" * 64,
        "a\x00=b",
        "{a: b}",
        '{__name__="x"}',
    ],
)
def test_junk(text: str) -> None:
    """What is no selector is refused, with the place where it stops making sense."""
    with pytest.raises(SelectorError, match="unable to parse label selector"):
        selectors.parse(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("kind=x,scaler=chat", "chat", id="equal"),
        pytest.param("scaler==chat", "chat", id="double-equal"),
        pytest.param("scaler!=chat", None, id="unequal"),
        pytest.param("scaler in (chat)", None, id="in"),
        pytest.param("!scaler", None, id="absent"),
        pytest.param("", None, id="empty"),
    ],
)
def test_demanded(text: str, expected: str | None) -> None:
    """Only an equality demands a value, so only by it may an item be looked up."""
    assert selectors.parse(text).demanded.get("scaler") == expected


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(" " * 200_000 + "!", id="spaces"),
        pytest.param("!" + " " * 200_000, id="spaces-after"),
        pytest.param("a" * 200_000, id="one-key"),
        pytest.param("a-" * 100_000, id="dashes"),
        pytest.param("a." * 100_000 + "/", id="dots"),
        pytest.param("a in (" + "b," * 100_000, id="open-set"),
        pytest.param("a in (" + "b," * 100_000 + ")", id="set"),
        pytest.param("a," * 100_000 + "a", id="keys"),
        pytest.param("a" + " " * 200_000 + "in", id="spaces-before-in"),
    ],
)
def test_long_ones(text: str) -> None:
    """A selector far longer than a request can carry is read in linear time, whatever is in it."""
    with suppress(SelectorError):
        selectors.parse(text)


KEYS = ["a", "b", "x.y/z", "in", "A-b_c.d"]
VALUES = ["", "1", "22", "a", "in", "A_b.c-D"]
Rule = tuple[str, Callable[[dict[str, str]], bool]]


@st.composite
def rules(draw: st.DrawFn) -> Rule:
    """One requirement as text, and what it means."""
    key = draw(st.sampled_from(KEYS))
    spaces = draw(st.sampled_from(["", " ", "  "]))
    value = draw(st.sampled_from(VALUES))
    many = draw(st.lists(st.sampled_from(VALUES), min_size=1))
    listed = f"{spaces},{spaces}".join(many)
    choices: list[Rule] = [
        (f"{key}{spaces}={spaces}{value}", lambda labels: labels.get(key) == value),
        (f"{key}=={value}{spaces}", lambda labels: labels.get(key) == value),
        (f"{spaces}{key}!={spaces}{value}", lambda labels: labels.get(key) != value),
        (f"{key} in {spaces}({listed})", lambda labels: key in labels and labels[key] in many),
        (f"{key} notin ({listed}{spaces})", lambda labels: labels.get(key) not in many),
        (f"{spaces}{key}", lambda labels: key in labels),
        (f"!{spaces}{key}", lambda labels: key not in labels),
        (f"{key}>5", lambda labels: labels.get(key) == "22"),
        (f"{key}<5", lambda labels: labels.get(key) == "1"),
    ]
    return draw(st.sampled_from(choices))


@given(
    chosen=st.lists(rules(), min_size=1, max_size=5),
    labels=st.dictionaries(st.sampled_from(KEYS), st.sampled_from(VALUES)),
)
def test_joined_by_commas(chosen: list[Rule], labels: dict[str, str]) -> None:
    """Requirements joined by commas select exactly what each of them selects."""
    text = ",".join(rule for rule, _ in chosen)

    assert selectors.parse(text).matches(labels) is all(holds(labels) for _, holds in chosen)


@given(st.text(max_size=200))
def test_never_crashes(text: str) -> None:
    """Any text at all is a selector or is refused as none."""
    with suppress(SelectorError):
        assert selectors.parse(text).matches(LABELS) in {True, False}
