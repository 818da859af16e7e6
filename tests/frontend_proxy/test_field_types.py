import pytest
from pydantic import BaseModel, ValidationError

from frontend_proxy.field_types import OptionalImageBytes


class Message(BaseModel):
    mask: OptionalImageBytes = None


@pytest.mark.parametrize(
    "mask",
    [
        *(None, "", b"", " ", "undefined", "null", "data:,", "data:image/png;base64,", "data:image/png,"),
        *("data:image/png;base64,undefined", "data:text/plain;charset=utf-8,null", "\n"),
    ],
)
def test_a_mask_that_does_not_exist_is_none(mask: object) -> None:
    """A canvas of no size is `data:,`; each keyframe with such a mask was an error."""
    assert Message(mask=mask).mask is None


def test_other_masks_are_read_or_refused() -> None:
    assert Message(mask="data:image/png;base64,Zm9v").mask == b"foo"
    assert Message(mask="Zm9v").mask == b"foo"
    with pytest.raises(ValidationError):
        Message(mask="data:image/png;base64,!")
