import numpy as np

from training.lucy_tiny.captions import caption, drop_parts, light_phrase


def test_a_caption_reads_like_a_sentence():
    light = light_phrase("warm", "hard", "above", "dim")
    assert caption("navy", "denim", light) == (
        "a person wearing a navy denim jacket, dim warm hard light from above"
    )
    assert caption("", "denim") == "a person wearing a denim jacket"


def test_training_sees_shortened_captions():
    """A server's prompt names the fabric only; a model that never saw such a caption answers it at random."""
    rng = np.random.default_rng(0)
    drawn = {drop_parts("navy", "denim", "warm soft light from the left", rng) for _ in range(200)}
    assert drawn == {
        "a person wearing a navy denim jacket, warm soft light from the left",
        "a person wearing a navy denim jacket",
        "a person wearing a denim jacket",
        "warm soft light from the left",
        "",
    }
