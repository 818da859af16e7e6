import re

import pytest
from pydantic import TypeAdapter, ValidationError

from catalog.schema import FabricDetails, Tag

TAG = TypeAdapter(Tag)


def test_a_tag_is_stripped_and_in_lower_case():
    assert TAG.validate_python(" Wool\t") == "wool"


@pytest.mark.parametrize("blank", ["", " ", "\t", "\u0085", "\u3000 "])
def test_a_blank_tag_is_refused_and_the_published_schema_says_so(blank):
    with pytest.raises(ValidationError, match="at least 1 character"):
        TAG.validate_python(blank)
    assert re.search(TAG.json_schema()["pattern"], blank) is None


@pytest.mark.parametrize("field", ["material", "quality", "provenance"])
def test_numbers_beyond_float_are_refused_however_deep_they_lie(field):
    given = {"name": "A", "roughness": 1}
    for number in (10**400, -(10**400)):
        with pytest.raises(ValidationError, match="too large"):
            FabricDetails(**given, **{field: {"a": [{"b": number}]}})
    FabricDetails(**given, **{field: {"a": [{"b": 10**300}], "c": True, "d": None}})
