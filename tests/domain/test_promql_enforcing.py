"""Enforced labels: whatever a tenant writes, every selector is limited, or nothing is asked."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from budaiscaler.domain.api import promql_syntax
from budaiscaler.domain.api.promql_enforcing import enforce

OURS = 'namespace="ml"'


def limited(expression: str) -> str | None:
    """The expression as namespace `ml` may ask it."""
    return enforce(expression, "namespace", "ml")


@pytest.mark.parametrize(
    ("expression", "wanted"),
    [
        ("q", f"q{{{OURS}}}"),
        ("q{}", f"q{{{OURS}}}"),
        ('q{a="b",}', f'q{{{OURS},a="b"}}'),
        ('{__name__=~".+"}', f'{{{OURS},__name__=~".+"}}'),
        ('{"my.metric","a.b"!="c"}', f'{{{OURS},__name__="my.metric","a.b"!="c"}}'),
        ("a:b:c", f"a:b:c{{{OURS}}}"),
        ("sum(a) or b", f"sum(a{{{OURS}}}) or b{{{OURS}}}"),
        ("a and on() b unless c", f"(a{{{OURS}}} and on () b{{{OURS}}}) unless c{{{OURS}}}"),
        (
            "a / on(x) group_left(y) b",
            f"a{{{OURS}}} / on (x) group_left (y) b{{{OURS}}}",
        ),
        (
            'a * ignoring("x.y") group_right b',
            f'a{{{OURS}}} * ignoring ("x.y") group_right () b{{{OURS}}}',
        ),
        ("rate(q[5m])", f"rate(q{{{OURS}}}[300000ms])"),
        (
            "max_over_time(sum(rate(q[5m]))[1h:30s])",
            f"max_over_time(sum(rate(q{{{OURS}}}[300000ms]))[3600000ms:30000ms])",
        ),
        ("(a + b)[5m:]", f"(a{{{OURS}}} + b{{{OURS}}})[300000ms:]"),
        ("q offset -5m @ 12.5", f"q{{{OURS}}} @ 12.500 offset -300000ms"),
        ("q[1m] @ end() offset 1ms", f"q{{{OURS}}}[60000ms] @ end() offset 1ms"),
        ("topk by (x, on) (5, q)", f"topk by (x, on) (5.0, q{{{OURS}}})"),
        ('count_values("v", q)', f'count_values("v", q{{{OURS}}})'),
        ("sum without (x) (q)", f"sum without (x) (q{{{OURS}}})"),
        ("absent(q)", f"absent(q{{{OURS}}})"),
        ("scalar(q) > bool 1", f"scalar(q{{{OURS}}}) > bool 1.0"),
        ("-a ^ -2", f"-(a{{{OURS}}} ^ (-2.0))"),
        ("(1 - a) * 2", f"(1.0 - a{{{OURS}}}) * 2.0"),
        ("time() + Inf", "time() + Inf"),
        ("vector(1)", "vector(1.0)"),
        ("q * NaN", f"q{{{OURS}}} * NaN"),
        ("sum", f"sum{{{OURS}}}"),
        ('by{on="x"}', f'by{{{OURS},on="x"}}'),
        (
            'label_replace(q, "namespace", "$1", "x", "(.*)")',
            f'label_replace(q{{{OURS}}}, "namespace", "$1", "x", "(.*)")',
        ),
    ],
)
def test_every_selector_is_limited(expression: str, wanted: str) -> None:
    """The rest of the expression says what it said."""
    assert limited(expression) == wanted


@pytest.mark.parametrize(
    "selector",
    [
        'q{namespace="other"}',
        'q{namespace=~".*"}',
        'q{namespace!="ml"}',
        'q{namespace!~"ml",namespace=~".+"}',
        'q{"namespace"="other"}',
        "q{'namespace'=~'.*'}",
        "q{`namespace`=~`.*`}",
        r'q{"name\u0073pace"=~".*"}',
        'q{namespace="ml"}',
    ],
)
def test_matchers_on_the_label_are_replaced(selector: str) -> None:
    """However they are written, those of the tenant go, and ours stands alone."""
    assert limited(selector) == f"q{{{OURS}}}"


@pytest.mark.parametrize(
    ("expression", "wanted"),
    [
        ("""q{a="}{"}""", f'q{{{OURS},a="}}{{"}}'),
        (r"""q{a="\"} or secret{b=\""}""", rf"""q{{{OURS},a="\"}} or secret{{b=\""}}"""),
        ("""q{a='"} or secret{b="'}""", rf"""q{{{OURS},a="\"}} or secret{{b=\""}}"""),
        ("q{a=`\\`}", rf'q{{{OURS},a="\\"}}'),
        (r"q{a='\\'}", rf'q{{{OURS},a="\\"}}'),
        (r'q{a="\x41\101\u00e9\U0001F600\n\a"}', rf'q{{{OURS},a="AAé😀\x0a\x07"}}'),
        ('q{a="#0"}', f'q{{{OURS},a="#0"}}'),
        ('q{"#1"="#0"}', f'q{{{OURS},"#1"="#0"}}'),
        ('sum(q) # or secret{a="', f"sum(q{{{OURS}}})"),
        ("sum(q # {\n)", f"sum(q{{{OURS}}})"),
        ('q{a="# not a comment"}', f'q{{{OURS},a="# not a comment"}}'),
        ("q{a=~`" + "x|" * 30 + "y`}", f'q{{{OURS},a=~"{"x|" * 30}y"}}'),
    ],
)
def test_strings_and_comments(expression: str, wanted: str) -> None:
    """What stands in a string stays in it, however it is quoted; comments go."""
    assert limited(expression) == wanted


@pytest.mark.parametrize(
    "expression",
    [
        "",
        "q{",
        "q{a='1}",
        'q{a="1\n"}',
        "not promql at all",
        "brand_new(q)",
        "info(q)",
        'info(q, {a="b"})',
        "a + fill(0) b",
        'q{a="1" or b="2"}',
        'q{a="1" or namespace="other"}',
        r'q{a="\q"}',
        r'q{a="\xff"}',
        r'q{a="\377"}',
        r'q{a="\ud800"}',
        "q @ -1",
        "q @ 1e30",
        "q offset 1e30",
        "q offset 9999999999999999999",
        "q smoothed",
        "sum(q)" + " * 2" * 200,
        "(" * 5000 + "q" + ")" * 5000,
        "q + " * 2000 + "q",
    ],
)
def test_what_nobody_vouches_for_is_not_asked(expression: str) -> None:
    """An expression that is not understood to the last part is refused, not let through."""
    assert limited(expression) is None


def test_other_labels_and_names() -> None:
    """Label and namespace are written so that they, too, can end nothing."""
    assert enforce("q", "tenant", 'a"} or q{x="') == r'q{tenant="a\"} or q{x=\""}'


_WORDS = (
    "sum count avg by without ( ) [ ] { } 1 -1 5m 1e400 0x1F q or and unless on ignoring bool "
    "group_left vector * / ^ + - , = =~ != \" ' ` # \\ @ offset start() rate(a[5m]) namespace "
    "[5m:1m] topk(5, fill( info( absent( é __name__ ) ) }"
)
_PIECES = (*_WORDS.split(), 'a{b="c"}', '{namespace=~".*"}', '"namespace"', r"'\x41'", "`{`")
_expressions = st.lists(st.sampled_from(_PIECES), max_size=12).flatmap(
    lambda words: st.sampled_from((" ".join(words), "".join(words)))
)


@given(_expressions | st.text(max_size=40))
def test_any_text_is_limited_or_refused(expression: str) -> None:
    """Nothing is raised; and in what is asked, each brace that opens is followed by our matcher."""
    found = limited(expression)
    if found is None:
        return
    structure = re.sub(r'"(?:[^"\\]|\\.)*"', '""', found.replace(OURS, "OURS"))
    selectors = re.findall(r"\{[^{}]*\}", structure)
    assert structure.count("{") == structure.count("}") == len(selectors)
    assert all(re.match(r"\{OURS[,}]", selector) for selector in selectors)
    assert limited(found) == found


@given(st.text(max_size=30))
def test_any_string_says_what_it_said(text: str) -> None:
    """Written and read again a string is the same, and it never ends early."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return
    quoted = promql_syntax.quote(text)
    parsed = promql_syntax.parse(f"q{{a={quoted}}}")
    assert parsed is not None
    (matcher,) = parsed.root.matchers.matchers
    assert parsed.text(matcher.value) == text
    assert "\n" not in quoted


def test_what_nobody_knows_how_to_write_is_not_written() -> None:
    """A node that a later parser may have: what it reads, nobody vouches for."""
    parsed = promql_syntax.parse("q")
    assert parsed is not None
    with pytest.raises(promql_syntax.UnwritableError, match="object"):
        promql_syntax.Writer(parsed).write(object())
