"""Forms (multipart/form-data, RFC 7578, and URL-encoded ones), read with bounded memory and time."""

import re
from collections.abc import AsyncIterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, get_args, get_origin
from urllib.parse import unquote_to_bytes

from pydantic import BaseModel
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from frontend_proxy.errors import InvalidInput
from frontend_proxy.parsing import parse_json
from pipeline.garment.garment_map import MAX_GARMENTS as MAX_ENTRIES

MULTIPART = "multipart/form-data"
URL_ENCODED = "application/x-www-form-urlencoded"
MAX_PARTS = 100
MAX_TEXT_BYTES = 2**20  # names and values of all parts together, but for the values of images
MAX_HEADERS = 8  # of one part
MAX_HEADER_BYTES = 2048  # of one of these, and of the request's Content-Type

# What JavaScript and Python write into a form for a value that is not there, and an empty field.
_LEFT_OUT = ("null", "undefined", "none", "")

_ENCODED = re.compile(rb"\s*[\"'b]{0,2}(?:data[:%]|blob:|\w+://|[A-Za-z0-9+/_%=\s-]{24})", re.IGNORECASE)

# A field of an entry of a list: `garments.0.layer`, or in the manner of qs and axios `garments[0][layer]`.
_BRACKETED = re.compile(r"\[(\w+)\]")

Form = dict[str, str | bytes]


@dataclass(frozen=True)
class FormFields:
    """The names that a form may have. Parts with other names are skipped, as unknown fields of JSON are."""

    images: frozenset[str]
    texts: frozenset[str]
    needed: frozenset[str] = frozenset()  # of the images, those that a request cannot leave out

    @classmethod
    def of(cls, model: type[BaseModel]) -> "FormFields":
        """Fields of bytes are images. A list of models has the fields of each: `garments.0.layer`."""
        kinds = {name: field.annotation for name, field in model.model_fields.items()}
        for name, entry in _lists(model).items():
            for place in range(MAX_ENTRIES):
                kinds |= {f"{name}.{place}.{own}": it.annotation for own, it in entry.model_fields.items()}
        images = {name for name, kind in kinds.items() if bytes in (kind, *get_args(kind))}
        needed = {
            name for name in images & model.model_fields.keys() if model.model_fields[name].is_required()
        }
        return cls(frozenset(images), frozenset(kinds.keys() - images), frozenset(needed))


async def parse_multipart(content_type: str, chunks: AsyncIterable[bytes], fields: FormFields) -> Form:
    """The fields that the form fills in, by name: images as bytes or as text, all others as text.

    Whether a part is a file makes no difference, since clients send text as files and images as text.

    The caller bounds the sum of `chunks`. Raises InvalidInput for anything but UTF-8 within these limits.
    """
    parts = _Parts(fields)
    try:
        parser = MultipartParser(
            _boundary(content_type),
            {
                "on_part_begin": parts.begin,
                "on_header_field": parts.header_name,
                "on_header_value": parts.header_value,
                "on_header_end": parts.end_header,
                "on_headers_finished": parts.end_headers,
                "on_part_data": parts.data,
                "on_part_end": parts.end,
            },
            max_header_count=MAX_HEADERS,
            max_header_size=MAX_HEADER_BYTES,
        )
        async for chunk in chunks:
            parser.write(chunk)
        parser.finalize()
    except FormParserError as error:
        raise _invalid("its parts cannot be read") from error
    return parts.form


def parse_url_encoded(data: bytes | bytearray, fields: FormFields) -> Form:
    """The same for `name=value&…`, as HTML forms and `curl -d` send it. Raises InvalidInput.

    The value of an image stays as it is: `from_base64` understands it, also if `+` was not encoded.
    """
    form: Form = {}
    pairs = data.split(b"&", MAX_PARTS)
    if len(pairs) > MAX_PARTS:
        raise _invalid(f"it has more than {MAX_PARTS} fields", URL_ENCODED)
    size = 0
    for pair in pairs:
        raw_name, _, value = pair.partition(b"=")
        name = _dotted(_text(_unquoted(raw_name[:MAX_HEADER_BYTES]), URL_ENCODED))
        is_image = name in fields.images
        size += len(raw_name) + (0 if is_image else len(value))
        if size > MAX_TEXT_BYTES:
            raise _invalid(f"its texts have more than {MAX_TEXT_BYTES} bytes", URL_ENCODED)
        if is_image or name in fields.texts:
            text = _text(value if is_image else _unquoted(value), URL_ENCODED)
            if not _is_left_out(text):
                form[name] = text
    return form


def nested(form: Form, model: type[BaseModel]) -> dict[str, Any]:
    """The form with the fields of lists' entries put into these lists. A list that was given as JSON keeps
    its entries, which the single fields complete. Raises InvalidInput."""
    fields: dict[str, Any] = {name: it for name, it in form.items() if "." not in name}
    for name in _lists(model):
        single = {key: it for key, it in form.items() if key.startswith(f"{name}.")}
        if not single:
            continue
        try:
            entries = parse_json(fields.get(name) or "[]")
        except ValueError as error:
            raise InvalidInput(f"{name}: not JSON: {error}") from error
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise InvalidInput(f"{name}: a list of objects is needed")
        for key, value in single.items():
            _, place, own = key.split(".")
            while len(entries) <= int(place):
                entries.append({})
            entries[int(place)][own] = value
        fields[name] = entries
    return fields


def _lists(model: type[BaseModel]) -> dict[str, type[BaseModel]]:
    """The fields that are lists of models."""
    found = {}
    for name, field in model.model_fields.items():
        for kind in (field.annotation, *get_args(field.annotation)):
            plain = get_args(kind)[0] if get_origin(kind) is Annotated else kind
            entry = next(iter(get_args(plain)), None)
            if get_origin(plain) is list and isinstance(entry, type) and issubclass(entry, BaseModel):
                found[name] = entry
    return found


def _dotted(name: str) -> str:
    return _BRACKETED.sub(r".\1", name)


class _Parts:
    """Collects the parts of one form, as the parser finds them. Every method raises InvalidInput."""

    def __init__(self, fields: FormFields) -> None:
        self.form: Form = {}
        self._fields = fields
        self._count = self._text_bytes = 0

    def begin(self) -> None:
        self._count += 1
        if self._count > MAX_PARTS:
            raise _invalid(f"it has more than {MAX_PARTS} parts")
        self._headers: dict[bytes, bytes] = {}
        self._header_name = self._header_value = b""
        self._content = bytearray()

    def header_name(self, data: bytes, start: int, end: int) -> None:
        self._header_name += data[start:end]

    def header_value(self, data: bytes, start: int, end: int) -> None:
        self._header_value += data[start:end]

    def end_header(self) -> None:
        self._headers[self._header_name.lower()] = self._header_value
        self._header_name = self._header_value = b""

    def end_headers(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition"))
        if b"name" not in options:
            raise _invalid("a part has no name in its Content-Disposition")
        _check_charset(parse_options_header(self._headers.get(b"content-type"))[1])
        self._name = _dotted(_text(options[b"name"]))
        _text(options.get(b"filename", b""))
        self._is_image = self._name in self._fields.images
        self._is_known = self._is_image or self._name in self._fields.texts or self._name == "_charset_"
        self._count_text(len(options[b"name"]))

    def data(self, data: bytes, start: int, end: int) -> None:
        if not self._is_known:
            return
        if not self._is_image:
            self._count_text(end - start)
        self._content += data[start:end]

    def end(self) -> None:
        if not self._is_known:
            return
        content: str | bytes = _text(self._content) if not self._is_image else text_or_bytes(self._content)
        if self._name == "_charset_":  # RFC 7578, section 4.6
            _check_charset({b"charset": bytes(self._content)})
        elif not _is_left_out(content):
            self.form[self._name] = content

    def _count_text(self, size: int) -> None:
        self._text_bytes += size
        if self._text_bytes > MAX_TEXT_BYTES:
            raise _invalid(
                f"the fields that are not images have more than {MAX_TEXT_BYTES} bytes; "
                f"the images are {', '.join(sorted(self._fields.images))}"
            )


def text_fields(values: Mapping[str, str], fields: FormFields) -> Form:
    """Those of a URL's query."""
    return {name: text for name, text in values.items() if name in fields.texts and not _is_left_out(text)}


def text_or_bytes(data: bytes | bytearray) -> str | bytes:
    """The content of a file that should be a picture: text if it is a data URI or base64."""
    return data.decode("ascii") if data.isascii() and _ENCODED.match(data) else bytes(data)


def _is_left_out(content: str | bytes) -> bool:
    short = content.strip()
    if len(short) > max(map(len, _LEFT_OUT)):
        return False
    text = short if isinstance(short, str) else short.decode("latin-1")
    return text == "NaN" or text.lower() in _LEFT_OUT


def _boundary(content_type: str) -> bytes:
    if len(content_type) > MAX_HEADER_BYTES:
        raise _invalid(f"its Content-Type has more than {MAX_HEADER_BYTES} bytes")
    _, options = parse_options_header(content_type)
    _check_charset(options)
    if not options.get(b"boundary"):
        raise _invalid(
            "its Content-Type has no boundary; leave the header out, so that the client's library writes it"
        )
    return options[b"boundary"]


def _check_charset(options: dict[bytes, bytes]) -> None:
    """The client must not choose the codec: Python has some that take quadratic time, or raise anything."""
    if options.get(b"charset", b"utf-8").strip().lower() not in (b"utf-8", b"utf8"):
        raise _invalid("its text must be UTF-8")


def _text(data: bytes | bytearray, media_type: str = MULTIPART) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _invalid("its text must be UTF-8", media_type) from error


def _unquoted(data: bytes | bytearray) -> bytes:
    return unquote_to_bytes(bytes(data.replace(b"+", b" ")))


def _invalid(reason: str, media_type: str = MULTIPART) -> InvalidInput:
    return InvalidInput(f"not a readable {media_type} body: {reason}")
