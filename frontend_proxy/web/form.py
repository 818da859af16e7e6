"""Forms (multipart/form-data, RFC 7578), read with bounded memory and time."""

from collections.abc import AsyncIterable

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import Request

from frontend_proxy.errors import InvalidInput

MEDIA_TYPE = "multipart/form-data"
MAX_FIELDS = 100  # parts that are not files
MAX_FIELDS_BYTES = 2**20  # names and values of all of them together
MAX_HEADERS = 8  # of one part
MAX_HEADER_BYTES = 2048  # of one of these, and of the request's Content-Type

Form = dict[str, str | bytes]


def is_form(request: Request) -> bool:
    return request.headers.get("Content-Type", "").lower().startswith(MEDIA_TYPE)


async def parse_form(content_type: str, chunks: AsyncIterable[bytes], max_files: int) -> Form:
    """The fields as text and the files as bytes, by name. Fields and files without content are left out.

    The caller bounds the sum of `chunks`. Raises InvalidInput for anything but UTF-8 within these limits.
    """
    parts = _Parts(max_files)
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


class _Parts:
    """Collects the parts of one form, as the parser finds them. Every method raises InvalidInput."""

    def __init__(self, max_files: int) -> None:
        self.form: Form = {}
        self._max_files = max_files
        self._files = self._fields = self._field_bytes = 0

    def begin(self) -> None:
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
        self._name = _text(options[b"name"])
        self._is_file = b"filename" in options
        if self._is_file:
            _text(options[b"filename"])
            self._files += 1
            if self._files > self._max_files:
                raise _invalid(f"it has more than {self._max_files} file(s)")
        else:
            self._fields += 1
            if self._fields > MAX_FIELDS:
                raise _invalid(f"it has more than {MAX_FIELDS} fields")
            self._count(len(options[b"name"]))

    def data(self, data: bytes, start: int, end: int) -> None:
        if not self._is_file:
            self._count(end - start)
        self._content += data[start:end]

    def end(self) -> None:
        content = bytes(self._content) if self._is_file else _text(self._content)
        if self._name == "_charset_" and isinstance(content, str):  # RFC 7578, section 4.6
            _check_charset({b"charset": content.encode()})
        elif content:
            self.form[self._name] = content

    def _count(self, size: int) -> None:
        self._field_bytes += size
        if self._field_bytes > MAX_FIELDS_BYTES:
            raise _invalid(f"its fields have more than {MAX_FIELDS_BYTES} bytes; send images as files")


def _boundary(content_type: str) -> bytes:
    if len(content_type) > MAX_HEADER_BYTES:
        raise _invalid(f"its Content-Type has more than {MAX_HEADER_BYTES} bytes")
    _, options = parse_options_header(content_type)
    _check_charset(options)
    if not options.get(b"boundary"):
        raise _invalid("its Content-Type has no boundary")
    return options[b"boundary"]


def _check_charset(options: dict[bytes, bytes]) -> None:
    """The client must not choose the codec: Python has some that take quadratic time, or raise anything."""
    if options.get(b"charset", b"utf-8").strip().lower() not in (b"utf-8", b"utf8"):
        raise _invalid("its text must be UTF-8")


def _text(data: bytes | bytearray) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _invalid("its text must be UTF-8") from error


def _invalid(reason: str) -> InvalidInput:
    return InvalidInput(f"not a readable {MEDIA_TYPE} body: {reason}")
