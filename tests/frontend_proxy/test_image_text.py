import base64
import contextlib
import time
import tracemalloc
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from frontend_proxy.image_text import from_base64, to_data_uri


@given(st.binary(max_size=200), st.sampled_from(["", "data:image/png;base64,", "data:;charset=x;base64,"]))
def test_base64_comes_back_with_any_prefix_padding_and_line_breaks(data: bytes, prefix: str) -> None:
    text = base64.b64encode(data).decode()
    assert from_base64(prefix + text) == data
    assert from_base64(prefix + text.rstrip("=")) == data
    assert from_base64(prefix + "\r\n".join(text[i : i + 7] for i in range(0, len(text), 7))) == data


@pytest.mark.parametrize("size", [0, 1, 2, 3])
def test_what_is_longer_than_a_piece_comes_back_whole(size: int) -> None:
    data = bytes(range(256)) * 2**12 * 3 + bytes(size)
    text = to_data_uri(data, "image/png")
    assert text == "data:image/png;base64," + base64.b64encode(data).decode()
    assert from_base64(text) == data
    assert from_base64(text.rstrip("=")) == data
    with pytest.raises(ValueError, match="base64"):
        from_base64(text[:-9] + "!" + text[-8:])


@given(st.text(max_size=50))
def test_other_text_is_a_value_error_at_worst(text: str) -> None:
    with contextlib.suppress(ValueError):
        from_base64(text)


@pytest.mark.parametrize(
    "text", ["data:,", "data:image/png,abc", "data:image/png;base64", "Zm9v!", "Zm9vé", "Z"]
)
def test_what_is_not_base64_is_refused(text: str) -> None:
    """An empty canvas's toDataURL() is `data:,`."""
    with pytest.raises(ValueError, match=r"data URI|base64"):
        from_base64(text)


def test_data_uri() -> None:
    assert to_data_uri(b"foo", "image/png") == "data:image/png;base64,Zm9v"


def test_base64_with_a_blank_after_each_character_takes_no_string_for_each() -> None:
    """A list of millions of strings took a second in which no other thread could run, and 100 MB."""
    data = bytes(range(256)) * 2**12
    spaced = "\n".join(base64.b64encode(data).decode())
    tracemalloc.start()
    assert from_base64(spaced) == data
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 3 * len(spaced)
    with pytest.raises(ValueError, match="not base64"):
        from_base64(spaced + " é")


JPEG = b"\xff\xd8\xff\xe0" + bytes(range(256)) * 3 + b"\xfb\xef\xbe\xff\xd9"
TEXT = base64.b64encode(JPEG).decode()
URI = "data:image/jpeg;base64,"


def lines(separator: str, width: int = 76) -> str:
    return separator.join(TEXT[start : start + width] for start in range(0, len(TEXT), width))


@pytest.mark.parametrize(
    "mangled",
    [
        URI + TEXT.replace("+", " "),
        TEXT.replace("+", " "),
        lines("\n").replace("+", " "),
        lines(" "),
        lines("\n    ", 64),
        quote(URI + TEXT, safe=""),
        quote(TEXT.replace("+", " "), safe=""),
        quote(quote(URI + TEXT, safe=""), safe=""),
        quote_plus(lines("\r\n")),
        TEXT.replace("/", "%2f").replace("=", "%3d"),
        TEXT.replace("+", "-").replace("/", "_").rstrip("="),
        TEXT + "==",
        TEXT.replace("/", "\\/"),
        lines("\\r\\n"),
        TEXT.replace("+", "&#x2B;").replace("=", "&#61;"),
    ],
    ids=[
        *("blanks in a URI", "blanks", "blanks and lines", "lines as blanks", "indented lines"),
        *("percent signs", "percent signs and blanks", "percent signs twice", "percent signs and lines"),
        *("small percent signs", "URL-safe", "too much padding", "JSON's slashes", "JSON's lines", "HTML"),
    ],
)
def test_what_forms_urls_and_shells_make_of_base64_is_understood(mangled: str) -> None:
    assert "+" in TEXT
    assert "/" in TEXT
    assert from_base64(mangled) == JPEG


@pytest.mark.parametrize(
    "prefix",
    [
        *("DATA:IMAGE/JPEG;BASE64,", "data:image/jpeg;charset=utf-8;base64,", "data:;base64,", ";base64,"),
        *("data:image/jpeg;base64;charset=utf-8,", "data: image/jpeg; base64, ", "base64,", URI + URI),
        *("image/jpeg;base64,", "\ufeff" + URI, "  " + URI),
    ],
)
def test_prefixes_as_clients_write_them(prefix: str) -> None:
    assert from_base64(prefix + TEXT) == JPEG


@pytest.mark.parametrize("quoted", ['"{}"', "'{}'", "`{}`", "b'{}'", ' "{}"\n'])
def test_quotes_of_a_printed_string_are_taken_off(quoted: str) -> None:
    """`str(base64.b64encode(…))` begins with `b'`."""
    assert from_base64(quoted.format(TEXT)) == JPEG
    assert from_base64(quoted.format(URI + TEXT)) == JPEG


@given(st.binary(min_size=30, max_size=200))
def test_blanks_for_plus_signs_are_told_from_line_breaks_by_the_length(data: bytes) -> None:
    text = base64.b64encode(data).decode()
    mangled = text.replace("+", " ")
    assume(mangled == mangled.strip())
    assume(text.count("+") % 4)
    assert from_base64(mangled) == data


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("blob:https://shop.example/1b2c", "blob: address"),
        ("https://shop.example/me.jpg", "https: address"),
        ("HTTP://shop.example/me?x=1,2", "http: address"),
        ("file:///home/me/me.jpg", "file: address"),
        ("content://media/external/images/1", "content: address"),
        ("blob%3Ahttps%3A%2F%2Fshop.example%2F1b2c", "blob: address"),
        ("//cdn.example/me.webp", "name of a file"),
        ("@person.jpg", "name of a file"),
        ("C:\\photos\\me.JPG", "name of a file"),
        ("[object HTMLCanvasElement]", "toDataURL"),
        ("[object Promise]", "toDataURL"),
        ("data:,", "empty"),
        ("data:image/svg+xml;utf8,<svg/>", "must begin with"),
        ("Zm9v!", "the character '!'"),
        ("Z", "cut off"),
    ],
)
def test_other_text_is_named_for_what_it_is(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        from_base64(text)


@pytest.mark.parametrize(
    "text", ["data:" + " " * 506 + "x", "/" * 511 + "x", "\x1c" * 512, "data:" + " /" * 250]
)
def test_blanks_before_no_comma_take_no_time(text: str) -> None:
    """Each took 0.1 s on the event loop, a thousand times what it takes: a keyframe of 1 KB has two."""
    began = time.process_time()
    for _ in range(50):
        with contextlib.suppress(ValueError):
            from_base64(text)
    assert time.process_time() - began < 1


@pytest.mark.parametrize("unit", ["%2B", "A ", "\\n", "A\n" + " " * 63, "&#x2B;", "%25", "data:,"])
def test_long_mangled_text_takes_no_more_time_than_its_length_asks(unit: str) -> None:
    """Lists of millions of escapes or lines would take seconds and a gigabyte."""
    text = unit * (2**22 // len(unit))
    began = time.process_time()
    with contextlib.suppress(ValueError):
        from_base64(text)
    assert time.process_time() - began < 1
