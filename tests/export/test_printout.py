from export.printout import printout

MANIFEST = {
    "family": {"name": "catvton", "title": "CatVTON"},
    "licence": {"name": "CC BY-NC-SA 4.0", "commercial": False, "note": "for research"},
    "stand_ins": ["no DensePose: a drawing of body parts"],
    "stages": {
        "catvton_unet_with_a_name": {
            "parity": {"error": 2e-6, "tolerance": 1e-4},
            "seconds": 3.21,
            "precision": "fp16",
            "engine": {"how": "built", "seconds": 61.0},
        }
    },
    "files": {"catvton_unet_with_a_name/1/model.onnx": {"bytes": 5_000_000}},
    "memory": {
        "weights": 1,
        "rows": [
            {"resolution": [512, 384], "batch": batch, "bytes": batch * 1_000_000_000} for batch in (1, 2)
        ],
        "unmeasured": ["its_encoder"],
    },
}


def test_it_says_whose_weights_these_are_and_what_they_may_be_used_for():
    lines = printout(MANIFEST).splitlines()
    assert lines[:4] == [
        "family: CatVTON",
        "licence: CC BY-NC-SA 4.0 (for research)",
        "NOT FOR COMMERCIAL USE: the licence of these weights forbids it.",
        "stand-in: no DensePose: a drawing of body parts",
    ]


def test_a_commercial_licence_has_no_line_of_its_own():
    for commercial in (True, None):
        told = printout(MANIFEST | {"licence": {"name": "X", "commercial": commercial, "note": "y"}})
        assert "NOT FOR" not in told


def test_it_shows_each_stages_parity_and_the_memory():
    text = printout(MANIFEST)
    [stage] = [line for line in text.splitlines() if line.startswith("catvton_unet_with_a_name")]
    assert stage.split() == ["catvton_unet_with_a_name", "5.0", "2.0e-06", "1e-04", "3.2", "fp16",
                             "built", "in", "61", "s"]  # fmt: skip
    assert [line.split() for line in text.splitlines() if line.startswith("512")] == [
        ["512", "×", "384", "1000", "2000"]
    ]
    assert text.endswith("not measured: its_encoder")


def test_a_loras_tensors_that_are_left_out_are_told():
    """No key of a file vanishes in silence."""
    lora = {"path": "red.safetensors", "weight": 0.8, "modules": 722, "left_out": 264}
    lines = printout(MANIFEST | {"loras": [lora, lora | {"left_out": 0}]}).splitlines()
    plain = "LoRA: red.safetensors (weight 0.8) changes 722 modules"
    assert plain in lines
    assert f"{plain}; 264 tensors for text encoders are left out" in lines
