import pickle

import pytest

from fabric import FabricError, ScanOptions

SQUARE = ((0.1, 0.1), (0.9, 0.1), (0.9, 0.9), (0.1, 0.9))


@pytest.mark.parametrize(
    "wrong",
    [
        {"fabric_class": "tinfoil"},
        {"size": 1000},
        {"format": "gif"},
        {"physical_width_mm": 0},
        {"physical_width_mm": float("nan")},
        {"normal_strength": -1},
        {"ao_strength": True},
        {"corners": SQUARE[:3]},
        {"corners": ((0, 0), (2, 0), (1, 1), (0, 1))},
        {"corners": "abcd"},
        {"corners": ((float("nan"), 0), (1, 0), (1, 1), (0, 1))},
    ],
)
def test_an_invalid_option_is_named_in_the_error(wrong: dict) -> None:
    with pytest.raises(FabricError) as caught:
        ScanOptions(**wrong)
    assert caught.value.code == "INVALID_INPUT"
    assert next(iter(wrong)) in str(caught.value)


def test_options_and_errors_can_be_pickled() -> None:
    options = ScanOptions(corners=[list(corner) for corner in SQUARE])
    assert pickle.loads(pickle.dumps(options)) == options
    assert options.corners == SQUARE
    error = pickle.loads(pickle.dumps(FabricError("TOO_LARGE", "too large")))
    assert (error.code, str(error)) == ("TOO_LARGE", "too large")
