"""What a `pipeline.json` asks and its family does not do is refused by the export."""

import json
import shutil

import pytest

from export.errors import ExportError
from families import registry
from tests import tiny_sdxl
from tests.families.catvton import vectors as catvton
from tests.families.fashn_vton import vectors as fashn
from tests.families.idm_vton import vectors as idm

LIT = ({"keyframe": {"relight_sigma": 8, "scene_light": {}}}, "keyframe.scene_light")
FRAMED = ({"framing": "cover"}, "framing is 'cover'")
PAINTED = ({"conditioning": "masked"}, "conditioning is 'masked'")
REFUSED = {
    "sd_inpainting": [FRAMED],
    "sdxl_inpainting": [FRAMED, LIT],
    "catvton": [PAINTED, LIT],
    "idm_vton": [PAINTED, LIT],
    "fashn_vton": [PAINTED, LIT],
}
CHECKPOINTS = {
    "catvton": catvton.CHECKPOINT,
    "idm_vton": idm.CHECKPOINT,
    "fashn_vton": fashn.CHECKPOINT,
}


@pytest.mark.parametrize("name", registry.FAMILIES)
def test_what_the_family_does_not_do_is_refused(name, checkpoint, tmp_path):
    """Otherwise the conditioner ignores it, or every request fails."""
    folder, family = tmp_path / "checkpoint", registry.family(name)
    if name == "sdxl_inpainting":
        tiny_sdxl.write(folder)
    else:
        shutil.copytree(CHECKPOINTS.get(name, checkpoint), folder)
    config = json.loads(family.load(folder).config.model_dump_json(exclude_unset=True))
    for change, message in REFUSED[name]:
        changed = config | change | {"keyframe": config["keyframe"] | change.get("keyframe", {})}
        (folder / "pipeline.json").write_text(json.dumps(changed))
        with pytest.raises(ExportError, match=message):
            family.load(folder)
