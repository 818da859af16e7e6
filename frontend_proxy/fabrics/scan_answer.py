"""A scan as the JSON of its answer. The worker process makes it, and so needs nothing of the server here."""

import uuid

from fabric import Scan, ScanOptions, scan
from frontend_proxy.answer_schemas import URL_FIELDS, ScanQuality, ScanResult
from frontend_proxy.image_text import to_data_uri


def scan_to_json(photo: bytes, options: ScanOptions, name: str, flash: bytes | None = None) -> str:
    """The answer of a scan that is not saved, with the maps as data URIs. Raises FabricError.

    All of it runs in the worker process: encoding megabytes in base64 would block the event loop.
    """
    material = scan(photo, options, flash)
    uris = {
        URL_FIELDS[role]: to_data_uri(image.data, image.media_type) for role, image in material.maps.items()
    }
    return scan_answer(material, f"custom-{uuid.uuid4()}", name, uris)


def scan_answer(material: Scan, fabric_id: str, name: str, urls: dict[str, str]) -> str:
    """A `ScanResult` in JSON. urls: of the maps, by their names in the wire contract."""
    return ScanResult(
        fabric_id=fabric_id,
        name=name,
        **urls,
        roughness=material.roughness,
        metalness=material.metalness,
        tile_aspect=material.tile_aspect,
        repeat_mm=material.repeat_mm,
        fabric_class=material.fabric_class,
        **material.drape,
        drape_ranges=material.drape_ranges,
        material=material.material,
        quality=ScanQuality.model_validate(material.quality),
        detail=material.detail,
    ).model_dump_json(exclude=None if "alpha" in material.maps else {"alphaUrl"})
